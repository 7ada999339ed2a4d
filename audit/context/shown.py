"""File names and sizes for people: names are whatever someone called a file."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3
"""How many of a list are named before the others are counted."""
LONGEST = 120


def shown(path: bytes) -> str:
    """A path on one line: no control letter, no odd space, not too long."""
    text = path.decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"


def listed(parts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(parts) - NAMED
    return ", ".join(parts[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def size(count: int) -> str:
    """Bytes, in decimal units as `docker` and `ls --si` print them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.{0 if unit == 'B' else 1}f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
