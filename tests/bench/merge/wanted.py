"""What is wanted of our own engine's figures, and what has fallen short of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_REQUESTS = {"two_flat_cold": 28, "two_attested_cold": 36, "same_repository_repeat": 1, "two_flat_repeat": 1,
                 "two_attested_repeat": 1, "five_mixed_repeat": 1}  # fmt: skip
"""Tokens and refusals included. A source that is named by tag has to be looked at again: `two_flat_by_tag_repeat`."""
OF_THE_BEST_PEER = 0.5
"""Of its wall time."""


def fallen_short(cases: Mapping[str, Mapping[str, Mapping[str, Any]]], ours: str) -> list[tuple[str, bool]]:
    """What is more than wanted, a sentence each, and whether it is a count, which no busy machine excuses."""
    short: list[tuple[str, bool]] = []
    for case, row in cases.items():
        mine = row[ours]
        if "seconds" not in mine:
            short.append((f"{case}: not merged", True))
            continue
        most = MOST_REQUESTS.get(case)
        if most is not None and mine["requests"] > most:
            short.append((f"{case}: {mine['requests']} requests, where {most} are wanted", True))
        if mine["bytes_through_controller"]:
            short.append((f"{case}: {mine['bytes_through_controller']} bytes of blobs came through us", True))
        for what in ("seconds", "seconds_with_round_trip"):
            peers = {name: one[what] for name, one in row.items() if name != ours and what in one and "digest" in one}
            best = min(peers, key=lambda name: peers[name], default=None)
            if best is not None and mine[what] > OF_THE_BEST_PEER * peers[best]:
                share = mine[what] / peers[best]
                short.append((f"{case}: {what} is {share:.2f} of {best}'s, where {OF_THE_BEST_PEER} is wanted", False))
    return short
