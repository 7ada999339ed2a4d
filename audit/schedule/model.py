"""What a schedule is, and what may stand in the files that it becomes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

DEADLINE = 900.0
"""Seconds for the whole run, where none is given."""
GRACE = 120
"""Seconds beyond the deadline for judging, reports, the history and telling people."""
FOLDER = "/var/lib/fleet-audit"
"""The user's home: the history, the lock, the metrics."""
BUSY = 75
"""Exit code where another run holds the lock (EX_TEMPFAIL, which systemd and cron's mails show by name)."""

_PATH = re.compile(r"/[\w./+-]*", re.A)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_CALENDAR = re.compile(r"[A-Za-z0-9 *:.,/~_+-]{1,100}")
_MOST_OF_A_LINE = 700
"""Characters of `arguments` in a crontab; cron takes a command of 998 at most, the rest of it included."""
_FIELDS = re.compile(r"[\d*,/A-Za-z-]+( [\d*,/A-Za-z-]+){4}", re.A)


@dataclass(frozen=True)
class Schedule:
    """When to check, as whom, and what.

    Attributes:
        arguments: of `check`, a word each.
        command: absolute path of fleet-audit.
        calendar: systemd's OnCalendar, or cron's five fields; None: every night at 03:10.
        user: whom it runs as.
        deadline: seconds for the run, which `arguments` say as well.
        key: file of the private SSH key, readable by root alone; None: whatever the user's ssh finds.
        notify: file with the addresses of channels, readable by root alone; None: none from a file.
        metrics: file for node_exporter's textfile collector.
        delay: seconds; the timer waits a random part of them, so that many controllers do not begin at once.
        local: it looks at its own machine.
    """

    arguments: tuple[str, ...] = ()
    command: str = "/usr/local/bin/fleet-audit"
    calendar: str | None = None
    user: str = "fleet-audit"
    deadline: float = DEADLINE
    key: str | None = "/etc/fleet-audit/ssh-key"
    notify: str | None = None
    metrics: str = f"{FOLDER}/fleet-audit.prom"
    delay: int = 900
    local: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The command's words: ours first, for after a ``--`` in `arguments` all are hosts."""
        return (self.command, "check", "--report", f"prometheus:{self.metrics}")

    @property
    def limit(self) -> int:
        """Seconds after which the run is ended from outside."""
        return round(self.deadline) + GRACE


def fault_of(one: Schedule, *, cron: bool = False) -> str | None:
    """What of it cannot stand in a unit or a crontab, as a sentence that begins with its flag; None: all can.

    Args:
        one: the schedule.
        cron: for a crontab, which has five fields and no OnCalendar.
    """
    paths = {"--command": one.command, "--key": one.key, "--notify": one.notify, "--metrics": one.metrics}
    for flag, path in paths.items():
        if path is not None and (not _PATH.fullmatch(path) or path.endswith("/")):
            return f"{flag}: name a file by its absolute path, of letters, digits and ._+-/ alone"
    if not _USER.fullmatch(one.user):
        return "--user: is no name of a system user; write small letters, digits, _ and -, up to 32"
    if not all(word.isprintable() for word in one.arguments):
        return "-- ARGS: hold a line end or a control character; leave it out"
    if cron and len(shlex.join(one.arguments)) > _MOST_OF_A_LINE:
        return (
            f"-- ARGS: cron takes no line so long; put settings into /etc/fleet-audit/config.toml ({_MOST_OF_A_LINE})"
        )
    if one.calendar is None:
        return None
    if cron and not _FIELDS.fullmatch(one.calendar):
        return "--on-calendar: cron wants its five fields, e.g. '10 3 * * *'"
    if not _CALENDAR.fullmatch(one.calendar):
        return "--on-calendar: is no calendar expression; see `man systemd.time`, e.g. 'Mon..Fri 03:10'"
    return None
