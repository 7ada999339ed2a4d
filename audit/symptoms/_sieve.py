"""One search for many texts at once, fast on what holds none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

_RARITY = {letter: place for place, letter in enumerate("qzjxkvbwygpfmuhdclrnosait e")}


@cache
def sieve(keys: tuple[str, ...]) -> Callable[[bytes, int], int | None]:
    """A search for the first place, from one on, where any of the keys stands (or nearly: a part that tells it).

    Of each key the search takes what follows its rarest letters, so that it seldom has to look twice.
    """
    needles = {_needle(key).encode() for key in keys}
    shortest = [one for one in needles if not any(one != other and other in one for other in needles)]
    by_first: dict[bytes, list[bytes]] = {}
    for needle in sorted(shortest):
        by_first.setdefault(needle[:1], []).append(needle[1:])
    branches = [
        re.escape(first) + b"(?:" + b"|".join(re.escape(rest) for rest in rests) + b")"
        for first, rests in by_first.items()
    ]
    pattern = re.compile(b"|".join(branches) or b"(?!)")

    def search(data: bytes, at: int) -> int | None:
        found = pattern.search(data, at)
        return found.start() if found else None

    return search


_SHORTEST_NEEDLE = 5
_COMMON = len(_RARITY)


def _needle(key: str) -> str:
    """What follows the key's rarest pair of letters; digits and punctuation are common in logs."""

    def rarity(place: int) -> float:
        return _RARITY.get(key[place], _COMMON) + _RARITY.get(key[place + 1 : place + 2], _COMMON) / 2

    return key[min(range(max(1, len(key) - _SHORTEST_NEEDLE + 1)), key=rarity) :]
