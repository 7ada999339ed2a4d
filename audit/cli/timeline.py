"""What changed on the way to a recorded run, for its page: since the baseline, or from check to check."""

from __future__ import annotations

from collections.abc import Iterator
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

    newer = Snapshot.model_validate(history.snapshot(found.id), strict=False)
    if any(one.name == BASELINE for one in history.baselines()):
        before = Snapshot.model_validate(history.baseline(BASELINE), strict=False)
        if before.at < found.at:
            return Timeline(f"baseline {BASELINE}", tuple(_entries(drift(before, newer), newer.at)))
    earlier = [one for one in history.runs(200) if one.at < found.at][:pairs]
    entries: list[TimelineEntry] = []
    for run in earlier:
        older = Snapshot.model_validate(history.snapshot(run.id), strict=False)
        entries += _entries(drift(older, newer), newer.at)
        newer = older
    return Timeline("the checks before", tuple(entries)) if earlier else None


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
