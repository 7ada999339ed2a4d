"""Every way in which the history database can fail us.

    StoreError      2   it cannot be opened, made or read: the place that was given is wrong, or must be mended first
    JournalFailed   5   a merge was under way, and what it does can no longer be noted

A message is one sentence: the place, what is wrong there, and what to do next. A password in a URL is never shown.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Literal

from audit.errors import StepError, UsageError

Kind = Literal["missing", "foreign", "damaged", "newer", "older", "read-only", "full", "locked", "unreachable", "other"]
"""What is wrong: ``foreign`` is somebody else's file, or no database; ``damaged`` was ours."""


class StoreError(UsageError):
    """The database cannot be used (exit code 2).

    Args:
        place: of the database.
        what: is wrong, e.g. ``its disk is full``.
        remedy: what to do next, e.g. ``free space``.
        kind: of what is wrong.
    """

    def __init__(self, place: str, what: str, remedy: str, kind: Kind = "other") -> None:
        """Keep the parts, so that a journal can say them in its own sentence."""
        self.place, self.what, self.remedy, self.kind = place, what, remedy, kind
        super().__init__(f"{place}: {what}; {remedy}")


class JournalFailed(StepError):  # noqa: N818 - named after what happened, as the registry's errors are
    """What a merge does can no longer be noted (exit code 5); nothing that was waited for is lost."""


def journal_failed(error: BaseException, place: str) -> JournalFailed:
    """The sentence for a merge that was under way.

    Args:
        error: a `StoreError`, or a fault of ours.
        place: of the database.
    """
    if isinstance(error, JournalFailed):
        return JournalFailed(str(error))
    what, remedy = f"{type(error).__name__}: {_line(error)}", "report this"
    if isinstance(error, StoreError):
        what, remedy = error.what, error.remedy
    return JournalFailed(
        f"{place}: the journal of merges cannot go on, for {what}; {remedy}, "
        "and run the same command: it goes on where it stopped"
    )


AGAIN = "move it aside with its -wal and -shm files, and the next run begins a new one (no registry is touched)"
"""What to do with a file that cannot be saved."""


def told(error: BaseException, place: str) -> StoreError:
    """What a driver's error means to a person.

    Args:
        error: as the driver raised it.
        place: of the database, without a password.
    """
    if not isinstance(error, sqlite3.Error):
        return StoreError(place, f"the database failed ({_line(error)})", "see to the database server", "unreachable")
    code = getattr(error, "sqlite_errorcode", None)
    base = (code or 0) & 0xFF
    if base == sqlite3.SQLITE_FULL or (base == sqlite3.SQLITE_IOERR and _full(place)):
        return StoreError(place, "its disk (or quota) is full", "free space", "full")
    if base in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(place, "another process keeps it locked", "end that process or wait for it", "locked")
    if base == sqlite3.SQLITE_NOTADB:
        return StoreError(place, "it is not a SQLite database", "give another place", "foreign")
    if base == sqlite3.SQLITE_CORRUPT:
        return StoreError(place, f"the file is damaged ({_line(error)})", AGAIN, "damaged")
    if base == sqlite3.SQLITE_READONLY:
        return StoreError(place, "it cannot be written", "make the file and its folder writable", "read-only")
    if base in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StoreError(place, f"it cannot be opened ({_line(error)})", "see to its permissions", "read-only")
    if base == sqlite3.SQLITE_IOERR:
        return StoreError(place, f"its disk fails ({_line(error)})", "see to the disk")
    return StoreError(place, f"the database failed ({_line(error)})", "report this")


def _full(place: str) -> bool:
    """Whether nothing more fits where the file lies; SQLite calls that an I/O error where it maps its index."""
    try:
        found = os.statvfs(os.path.dirname(place) or ".")  # noqa: PTH120 - a URL is no path, and this takes either
    except (OSError, ValueError):
        return False
    return found.f_bavail * found.f_frsize < 64 << 10


def _line(error: BaseException) -> str:
    """What the driver says, on one line, printable and short."""
    text = " ".join(str(error).split())
    return "".join(char if char.isprintable() else "?" for char in text)[:200]
