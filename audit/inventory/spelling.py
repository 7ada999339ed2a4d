"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def distance(one: str, other: str, most: int) -> int:
    """Edits (insert, delete, replace, swap neighbours) from one word to the other; ``most + 1`` where it is more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def nearest(word: str, known: Iterable[str], most: int = 2) -> str | None:
    """The known word fewest edits away, at most `most`; None where there is none."""
    ranked = sorted((distance(word, each, most), each) for each in known)
    return ranked[0][1] if ranked and ranked[0][0] <= most else None


def hint(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` where something is near, else the first few that there are."""
    names = list(known)
    close = nearest(word, names) or next(iter(difflib.get_close_matches(word, names, n=1)), None)
    if close:
        return f"did you mean {close}?"
    shown = ", ".join(sorted(names)[:12])
    return f"known are {shown}{', …' if len(names) > 12 else ''}" if names else "there are none"
