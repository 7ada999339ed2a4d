"""The ids of a page: what a link to a host or a rule ends with."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 80
_OTHER = re.compile(r"[^A-Za-z0-9._~-]+")


def anchors(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """An id for each name: ``host-w1`` for ``w1``.

    What an address or an id cannot hold becomes ``_``, and names that would meet get a number, so that every name
    has one id and no two have the same.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in found:
            continue
        wanted = one = f"{prefix}-{_OTHER.sub('_', name)[:LONGEST]}"
        number = 1
        while one in taken:
            number += 1
            one = f"{wanted}~{number}"
        taken.add(one)
        found[name] = one
    return found
