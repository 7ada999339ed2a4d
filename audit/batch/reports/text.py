"""For an operator at night: what is left undone and why, each cause once, then one line; -v adds a row a tag."""

from __future__ import annotations

from collections.abc import Iterator

from audit import inert
from audit.batch.model import BatchReport, TagReport
from audit.batch.reports import _told
from audit.batch.reports._told import Cause
from audit.reports._style import Style
from audit.reports._text import labelled, painter, shown, wrap

name = "text"
about = "what is left undone and why, then one line; -v: a row a tag"

NAMED = 3
"""Tags that are named of one cause; all of them with -v."""


def render(report: BatchReport, style: Style) -> str:
    """The report."""
    return "".join(f"{line}\n" for line in _lines(report, style))


def _lines(report: BatchReport, style: Style) -> Iterator[str]:
    causes = _told.causes(report)
    for cause in causes:
        yield from _cause(cause, style)
    advice: dict[str, list[str]] = {}
    for cause in causes:
        states = advice.setdefault(_told.NEXT[cause.state], [])
        if cause.state not in states:
            states.append(cause.state)
    for what, states in advice.items():
        yield from wrap(f"{' and '.join(states)}: {what}", style.width, "", "  ")
    if causes:
        yield ""
    if style.verbosity and report.tags:
        yield from _table(report, style)
        yield ""
    yield from wrap(shown(" · ".join(_told.summary(report))), style.width, "", "  ")
    if style.verbosity:
        yield from wrap(shown(f"run {report.run} of {report.plan} (plan {report.plan_digest[:12]})"), style.width)
        yield from labelled("requests", [_told.by_kind(report.requests)], style, indent=0)


def _cause(cause: Cause, style: Style) -> Iterator[str]:
    paint = painter(style)
    head = f"{cause.state} {_told.counted(len(cause.tags), 'tag')}: "
    lines = wrap(shown(cause.why or "no reason was given: report this"), style.width, head, "  ")
    color = "ERROR" if cause.state in ("failed", "moved") else "WARN"
    yield paint(cause.state, color) + lines[0].removeprefix(cause.state)
    yield from lines[1:]
    most = len(cause.tags) if style.verbosity else NAMED
    named = [tag.tag for tag in cause.tags[:most]]
    if len(cause.tags) > most:
        named[-1] += f" and {len(cause.tags) - most:,} more (-v)"
    yield from wrap(shown(", ".join(named)), style.width, "  ", "  ")


def _table(report: BatchReport, style: Style) -> Iterator[str]:
    paint = painter(style)
    heads = ("tag", "state", "digest", "requests", "pulls", "waited", "attempts", "errors")
    rows = [heads, *(_cells(tag) for tag in report.tags)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for place, row in enumerate(rows):
        line = "  ".join(
            cell.rjust(width) if 3 <= column <= 6 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        yield line if place else paint(line, "bold")


def _cells(tag: TagReport) -> tuple[str, ...]:
    return (
        inert.terminal(tag.tag), tag.state, inert.terminal((tag.digest or "-").removeprefix("sha256:")[:12]),
        f"{sum(tag.requests.values()):,}", f"{tag.pulls:,}", _told.seconds(sum(tag.waited.values())),
        f"{tag.attempts:,}", inert.terminal(_told.errors(tag)),
    )  # fmt: skip
