"""cron: a file for /etc/cron.d, for machines without systemd."""

from __future__ import annotations

import shlex

from audit.schedule.model import BUSY, FOLDER, Schedule

NIGHTLY = "10 3 * * *"


def crontab(one: Schedule) -> str:
    """The text of ``/etc/cron.d/fleet-audit``.

    Args:
        one: without a fault (see `audit.schedule.fault_of`); its key and its delay are nothing that cron can do.
    """
    words = [
        *("flock", "--no-fork", "--nonblock", "--conflict-exit-code", str(BUSY), f"{FOLDER}/check.lock"),
        *("timeout", "--kill-after=60", str(one.limit)),
        *one.words,
        *(("--notify", f"@{one.notify}") if one.notify else ()),
        *one.arguments,
    ]
    # In a crontab a % ends the line, in quotes, too.
    line = shlex.join(words).replace("%", "\\%")
    return f"""\
# Printed by `fleet-audit schedule print --cron`: save it as /etc/cron.d/fleet-audit (root's, mode 644; cron skips
# names with a dot). The user must exist and own {FOLDER}:
#   useradd --system --home-dir {FOLDER} --shell /usr/sbin/nologin {one.user}
#   install -d -o {one.user} {FOLDER} /var/cache/fleet-audit
# Its SSH key is in {FOLDER}/.ssh, its inventory where the line says, or in /etc/fleet-audit/config.toml.
#
# Cron mails what a command prints to MAILTO, and nothing where it prints nothing. The report goes to a file, so a mail
# means a warning or an error; findings are told with --notify. Cron looks at no exit code: a run that finds another one
# under way ends at once ({BUSY}), so watch fleet_audit_last_run_timestamp_seconds in
#   {one.metrics}
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MAILTO={one.user}
XDG_CONFIG_HOME=/etc
XDG_STATE_HOME=/var/lib
XDG_CACHE_HOME=/var/cache
{one.calendar or NIGHTLY} {one.user} cd {FOLDER} && umask 022 && {line} >{FOLDER}/last.txt
"""
