"""For a ticket: the one line, and each cause with its tags; all that a registry said shown as plain text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tabulate import tabulate

from audit import inert
from audit.batch.model import BatchReport
from audit.batch.reports import _told
from audit.batch.reports._told import Cause
from audit.reports._style import Style

name = "markdown"
about = "for tickets: the causes of what is left undone, with their tags"

NAMED = 20
"""Tags that are named of one cause; all of them with -v."""


def render(report: BatchReport, style: Style) -> str:
    """The report."""
    return "\n".join(_lines(report, style)).rstrip("\n") + "\n"


def _lines(report: BatchReport, style: Style) -> Iterator[str]:
    when = datetime.fromtimestamp(report.began, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield from (f"# Merges of {inert.markdown(report.plan)}, {when}", "")
    yield from (inert.markdown(" · ".join(_told.summary(report))), "")
    causes = _told.causes(report)
    if causes:
        yield from ("## Left undone", "")
    for cause in causes:
        yield from _cause(cause, style)
    yield from (f"Run {inert.markdown(report.run)}, plan {inert.markdown(report.plan_digest[:12])}.", "")
    if style.verbosity:
        heads = ["Tag", "State", "Digest", "Requests", "Pulls", "Attempts", "Errors"]
        rows = [
            [
                tag.tag, tag.state, tag.digest or "-", str(sum(tag.requests.values())), str(tag.pulls),
                str(tag.attempts), _told.errors(tag),
            ]
            for tag in report.tags
        ]  # fmt: skip
        cells = [[inert.markdown(text) for text in row] for row in rows]
        yield tabulate(cells, heads, tablefmt="github", disable_numparse=True)


def _cause(cause: Cause, style: Style) -> Iterator[str]:
    why = inert.markdown(cause.why or "no reason was given: report this")
    yield from (f"**{_told.counted(len(cause.tags), 'tag')} {cause.state}**: {why}", "")
    most = len(cause.tags) if style.verbosity else NAMED
    yield from (f"- {inert.markdown(tag.tag)}" for tag in cause.tags[:most])
    if len(cause.tags) > most:
        yield f"- and {len(cause.tags) - most:,} more"
    yield from (f"- To do: {_told.NEXT[cause.state]}", "")
