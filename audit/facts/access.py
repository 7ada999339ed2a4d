"""What the login may do."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field

Sudo = Literal["not-asked", "ok", "password", "denied", "absent"]


class Access(Fact):
    """User, groups, sudo, and the right to the Docker socket."""

    user: str = fact_field("Login name")
    uid: int = fact_field("Numeric user id")
    groups: tuple[str, ...] = fact_field("Group names")
    shell: str | None = fact_field("Login shell", default=None)
    sudo: Sudo = fact_field("Whether `sudo -n` works; not-asked without ansible_become")
    socket: str | None = fact_field("Path of the Docker socket found, e.g. /run/docker.sock", default=None)
    socket_owner: str | None = fact_field("owner:group mode of the socket, e.g. root:docker 660", default=None)
    socket_usable: bool | None = fact_field("Whether the probes may use it (after sudo); None: no socket", default=None)
