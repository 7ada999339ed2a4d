"""What changed on the way to a recorded run, as a page shows it: the last checks, each held against the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.drift import DriftReport, HostDrift
    from audit.reports.html import TimelineEntry

SINCE = "the checks before"
"""What the section's heading says that it was compared with."""


def timeline_of(history: Any, found: Any, pairs: int = 8) -> tuple[TimelineEntry, ...] | None:
    """Entries for the checks up to this one; None where there was none before it.

    Args:
        history: `audit.store.history.History`.
        found: the run, as `History.find` gives it.
        pairs: checks that are compared, each with the one before it.
    """
    from audit.drift import drift
    from audit.snapshot import Snapshot

    runs = [one for one in history.runs(200) if one.at <= found.at][: pairs + 1]
    if len(runs) < 2:
        return None
    entries: list[TimelineEntry] = []
    newer = Snapshot.model_validate(history.snapshot(runs[0].id), strict=False)
    for run in runs[1:]:
        older = Snapshot.model_validate(history.snapshot(run.id), strict=False)
        entries += _entries(drift(older, newer), newer.at)
        newer = older
    return tuple(entries)


def _entries(report: DriftReport, at: float) -> Iterator[TimelineEntry]:
    from audit.reports.html import TimelineEntry

    for note in report.notes:
        yield TimelineEntry(
            at=at, host=note.host, kind=note.what, title=f"{note.what}: {note.host}", detail=note.detail
        )
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
            detail="; ".join(f"{one.path}: {one.before} → {one.after}" for one in cause.differences[:4]),
            consequences=tuple(f"{node.text}{f' ({node.symptom})' if node.symptom else ''}" for node in after),
        )
