"""Every error that leaves fleet-audit, and the exit code that each one is.

    FleetAuditError                 4   our own fault, where nothing more exact fits
    ├── UsageError                  2   the command line, or a settings file, is wrong
    │   ├── InventoryError          2   an inventory source is wrong (file, line, key)
    │   ├── PolicyError             2   the policy is wrong (file, line, key)
    │   └── SavedRunError           2   a file given to --from is not a saved run of ours
    ├── FindingsError               1   reserved for flows that stop at a finding
    ├── IncompleteError             3   what is asked for cannot be told now, so nothing was begun
    └── StepError                   5   a build, a merge or a verification failed

A message is one sentence for a person: what was wrong, where, and what to do next.
What goes wrong on one worker is not an error here: it is an `audit.model.Unknown`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class FleetAuditError(Exception):
    """Base of all; by itself it means a bug of ours (exit code 4)."""

    exit_code: ClassVar[int] = 4


class UsageError(FleetAuditError):
    """The user's input cannot be used (exit code 2)."""

    exit_code = 2


class PlacedError(UsageError):
    """A usage error at a place in a file.

    Args:
        message: what is wrong and what would be right, as one sentence.
        file: the file it stands in, where there is one.
        line: 1-based line in that file.
        key: dotted path of the key at fault, e.g. ``all.hosts.w01.timeout``.
    """

    def __init__(
        self, message: str, *, file: Path | str | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        """Keep the place, so that reports can name it."""
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line
        self.key = key
        place = self.file or ""
        if place and line:
            place += f":{line}"
        parts = [part for part in (place, key, message) if part]
        super().__init__(": ".join(parts))


class InventoryError(PlacedError):
    """An inventory source is wrong; nothing has been contacted."""


class PolicyError(PlacedError):
    """The policy is wrong; nothing has been contacted."""


class SavedRunError(PlacedError):
    """A file given to ``--from`` is not a saved run that this version can read."""


class IncompleteError(FleetAuditError):
    """What is asked for cannot be told now (exit code 3); nothing was begun."""

    exit_code = 3


class StepError(FleetAuditError):
    """A build, merge or verification failed (exit code 5)."""

    exit_code = 5
