"""POSIX sh that the scripts of several rooms share."""

from __future__ import annotations

HOME = """\
h=${HOME:-}
[ -n "$h" ] || { h=$(getent passwd "$(id -u)"); h=${h%:*}; h=${h##*:}; }
"""
"""Sets h to the home that docker takes: HOME, or what passwd says where that is unset or empty.

So it is in a unit of the system that names no user (systemd.exec(5), "User="). Seen with docker 26.1 and 28.5: its
configuration, its plugins and buildx's notes are then in the folder that passwd names.
"""
