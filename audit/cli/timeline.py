"""What changed on the way to a recorded run, for its page: since the baseline, or from check to check."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from audit.drift import DriftReport, HostDrift
    from audit.reports.html import TimelineEntry

BASELINE = "default"
"""The baseline that a page is held against, where it was set before that run."""


class Timeline(NamedTuple):
    """What a page shows of it.

    Attributes:
        since: what it was compared with, as the section's heading says it.
        entries: what changed.
    """

    since: str
    entries: tuple[TimelineEntry, ...]


def timeline_of(history: Any, found: Any, pairs: int = 8) -> Timeline | None:
    """What changed up to this run; None where there is nothing to hold it against.

    Args:
        history: `audit.store.history.History`.
        found: the run, as `History.find` gives it.
        pairs: without a baseline: checks that are compared, each with the one before it.
    """
    from audit.drift import drift
    from audit.snapshot import Snapshot

    entries: list[TimelineEntry] = []
    since = since_of(history, found, pairs)
    for new, old in pairwise((found.id, *since)):
        older, newer = (Snapshot.model_validate(one, strict=False) for one in history.pair(old, new))
        entries += _entries(drift(older, newer), newer.at)
    named = f"baseline {BASELINE}" if since == (BASELINE,) else "the checks before"
    return Timeline(named, tuple(entries)) if since else None


def since_of(history: Any, found: Any, pairs: int = 8) -> tuple[str, ...]:
    """What a run is held against: the baseline where it is older, else so many checks before it, newest first."""
    for one in history.baselines():
        if one.name == BASELINE and history.find(one.runs[-1]).at < found.at:
            return (BASELINE,)
    return tuple(history.before(found.id, pairs))


def _entries(report: DriftReport, at: float) -> Iterator[TimelineEntry]:
    from audit.reports.html import TimelineEntry

    for note in report.notes:
        title = f"{note.what}: {note.host}"
        yield TimelineEntry(at=at, host=note.host, kind=note.what, title=title, detail=note.detail)
    for host in report.hosts:
        yield from _of_host(host, at)


def _of_host(host: HostDrift, at: float) -> Iterator[TimelineEntry]:
    from audit.reports.html import TimelineEntry

    for cause in host.causes:
        after = [node for node in cause.walk() if node is not cause]
        yield TimelineEntry(
            at=at,
            host=host.host,
            kind=cause.id,
            title=cause.text,
            consequences=tuple(f"{node.text}{f' ({node.symptom})' if node.symptom else ''}" for node in after),
        )
