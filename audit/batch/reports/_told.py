"""What several formats say of a batch: causes, counts, waits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from audit.batch.model import UNDONE, BatchReport, TagReport, TagState

STATES: tuple[TagState, ...] = get_args(TagState)
ORDER: tuple[TagState, ...] = ("failed", "moved", "parked", "left")
"""What a person has to look at first."""
NEXT: Mapping[TagState, str] = {
    "failed": "mend what is named and give the same command again: what is done stays done",
    "moved": "look who wrote them; --force writes them all the same",
    "parked": "give the same command again: it goes on where this one stopped",
    "left": "give the same command again: it goes on where this one stopped",
}
_DIGEST = re.compile(r"\bsha(?:256|512):[0-9a-f]{8,128}")
_NUMBER = re.compile(r"\b[0-9]+(?:\.[0-9]+)?\b")


@dataclass(frozen=True)
class Cause:
    """One reason for which tags are left undone.

    Attributes:
        state: that they are in.
        why: the sentence of the first of them.
        tags: all of them, in the plan's order.
    """

    state: TagState
    why: str
    tags: tuple[TagReport, ...]


def causes(report: BatchReport) -> tuple[Cause, ...]:
    """What is left undone, by its cause; sentences that differ in the tag, a digest or a number are one cause."""
    found: dict[tuple[TagState, str], list[TagReport]] = {}
    for tag in report.tags:
        if tag.state in UNDONE:
            found.setdefault((tag.state, _alike(tag)), []).append(tag)
    made = [Cause(state, tags[0].why, tuple(tags)) for (state, _), tags in found.items()]
    return tuple(sorted(made, key=lambda cause: (ORDER.index(cause.state), -len(cause.tags))))


def _alike(tag: TagReport) -> str:
    name, colon, label = tag.tag.rpartition(":")
    why = tag.why.replace(tag.tag, "…")
    if colon:
        why = re.sub(rf"(?<![\w.-]){re.escape(label)}(?![\w.-])", "…", why.replace(name, "…"))
    return _NUMBER.sub("…", _DIGEST.sub("…", why))


def counted(number: float, thing: str) -> str:
    """``1 tag``, ``1,432 tags``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def summary(report: BatchReport) -> Iterator[str]:
    """The parts of the one line that is always there."""
    states = ", ".join(f"{report.count(state):,} {state}" for state in STATES if report.count(state))
    yield f"{counted(len(report.tags), 'tag')}: {states}" if states else counted(0, "tag")
    yield counted(sum(report.requests.values()), "request")
    yield counted(report.pulls, "pull")
    yield minutes(report.ended - report.began)
    # Waiting for the rate is how a batch works; and several connections wait at once, so this is not the night's time.
    odd = {reason: spent for reason, spent in report.waited.items() if spent >= 1 and reason != "rate"}
    if waits := ", ".join(f"{reason} {seconds(spent)}" for reason, spent in odd.items()):
        yield f"waits, added up: {waits}"
    if report.resumed:
        yield f"resumed {report.resumed:,} time{'s' * (report.resumed != 1)}"
    if report.bytes_moved:
        yield f"{report.bytes_moved / 1e6:,.1f} MB moved"
    if report.stopped:
        yield f"stopped: {report.stopped}"


def minutes(spent: float) -> str:
    """``12 s``, ``24.3 min``; a clock that went back is no time."""
    return f"{max(0.0, spent):.0f} s" if spent < 90 else f"{spent / 60:,.1f} min"


def seconds(spent: float) -> str:
    """``42 s``, ``3 min``."""
    return f"{spent:.0f} s" if spent < 120 else f"{spent / 60:,.0f} min"


def by_kind(requests: Mapping[str, int]) -> str:
    """``3 GET manifest, 2 PUT manifest``."""
    return ", ".join(f"{count:,} {kind}" for kind, count in requests.items() if count)


def errors(tag: TagReport) -> str:
    """``network x3, pull-quota``."""
    return ", ".join(f"{one.kind} x{one.count}" if one.count > 1 else one.kind for one in tag.errors)
