"""How a report is drawn; what a format does not draw it ignores."""

from __future__ import annotations

from dataclasses import dataclass

from audit.model import Severity


@dataclass(frozen=True)
class Style:
    """How to draw.

    Attributes:
        color: ANSI colours.
        width: columns of the terminal; content that cannot be wrapped stays whole all the same.
        verbosity: 0 what must be read; 1 symptoms, all evidence, counts a host; 2 also what each host is.
        fail_on: the least severity that counts as a finding for the exit code; None: none does.
    """

    color: bool = False
    width: int = 120
    verbosity: int = 0
    fail_on: Severity | None = Severity.ERROR
