"""Which transitions are worth a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from audit.drift.transitions import Transition
from audit.snapshot import Snapshot

ON = ("new", "worse", "any")
"""What ``--notify-on`` takes: findings that are new; also what can no longer be told; also what ended or was waived."""

Kind = Literal["new", "untold", "ended", "other"]
"""What became of a verdict: a finding now; cannot be told now; a finding no longer; anything else (say, waived)."""

_WANTED: dict[str, tuple[Kind, ...]] = {
    "new": ("new",),
    "worse": ("new", "untold"),
    "any": ("new", "untold", "ended", "other"),
}


def kind_of(one: Transition) -> Kind:
    """What became of it."""
    if one.worse:
        return "new"
    if one.after == "unknown":
        return "untold"  # also where it was a finding: nobody knows that it has ended
    if one.better and one.after != "waived":
        return "ended"
    return "other"


def chosen(found: Iterable[Transition], on: str, now: Snapshot) -> tuple[Transition, ...]:
    """The transitions to tell of, in their order.

    Args:
        found: all of them.
        on: one of `ON`.
        now: the newer check; an "unknown" that follows from another one there is not told by itself.
    """
    wanted = _WANTED[on]
    following = {(row.subject, row.rule) for row in now.verdicts if row.because is not None}
    return tuple(
        one
        for one in found
        if kind_of(one) in wanted and not (one.after == "unknown" and (one.subject, one.rule) in following)
    )
