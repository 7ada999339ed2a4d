"""For a spreadsheet: a row a verdict, every status but ``n/a`` (a question that does not arise is no row to count).

One row is one line: what several lines of evidence say is joined by `` ; ``. A cell that a spreadsheet would take for
a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from audit import inert
from audit.model import Status, Verdict
from audit.reports._style import Style
from audit.run import Run

name = "csv"
about = "a row a verdict (all but n/a), for spreadsheets"

COLUMNS = (
    "when",
    "host",
    "pool",
    "platform",
    "rule",
    "title",
    "status",
    "severity",
    "message",
    "evidence",
    "remedy",
    "because",
    "waived_until",
    "owner",
    "waiver_reason",
)


class _Lines(list[str]):
    """What `csv.writer` writes to."""

    write = list.append


def render(run: Run, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    lines = _Lines()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(COLUMNS)
    for verdict in run.verdicts:
        if verdict.status is not Status.NOT_APPLICABLE:
            rows.writerow(inert.csv(text) for text in _row(verdict, run))
    return "".join(lines)


def _row(verdict: Verdict, run: Run) -> Iterator[str]:
    host = run.hosts.get(verdict.subject)
    rule = run.rules.get(verdict.rule)
    waiver = verdict.waiver
    yield run.when.isoformat(timespec="seconds")
    yield host.name if host else verdict.subject
    yield (host.pool or host.platform or "") if host else verdict.subject.partition(":")[2]
    yield (host.platform or "") if host else ""
    yield verdict.rule
    yield rule.title if rule else ""
    yield verdict.status.value
    yield verdict.severity.value
    yield verdict.message
    yield " ; ".join(verdict.evidence)
    yield verdict.remedy
    yield verdict.because or ""
    yield waiver.until.isoformat() if waiver else ""
    yield waiver.owner if waiver else ""
    yield waiver.reason if waiver else ""
