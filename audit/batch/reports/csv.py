"""For a spreadsheet: a row a tag. A cell that a spreadsheet would take for a formula begins with an apostrophe."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from audit import inert
from audit.batch.model import BatchReport, TagReport
from audit.reports._style import Style

name = "csv"
about = "a row a tag, for spreadsheets"

COLUMNS = (
    "run", "tag", "state", "digest", "before", "platforms", "requests", "requests_by_kind", "pulls", "waited_seconds",
    "waited_by_reason", "attempts", "errors", "why",
)  # fmt: skip


class _Lines(list[str]):
    """What `csv.writer` writes to."""

    write = list.append


def render(report: BatchReport, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    lines = _Lines()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(COLUMNS)
    for tag in report.tags:
        rows.writerow(inert.csv(text) for text in _row(tag, report))
    return "".join(lines)


def _row(tag: TagReport, report: BatchReport) -> Iterator[str]:
    yield report.run
    yield tag.tag
    yield tag.state
    yield tag.digest or ""
    yield tag.before or ("none" if tag.before_known else "")
    yield " ".join(tag.platforms)
    yield str(sum(tag.requests.values()))
    yield " ; ".join(f"{kind}={count}" for kind, count in tag.requests.items())
    yield str(tag.pulls)
    yield f"{sum(tag.waited.values()):.1f}"
    yield " ; ".join(f"{reason}={spent:.1f}" for reason, spent in tag.waited.items())
    yield str(tag.attempts)
    yield " ; ".join(f"{one.kind} x{one.count}: {one.last}" for one in tag.errors)
    yield tag.why
