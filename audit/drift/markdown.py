"""Drift and diff for a ticket: GitHub-flavoured Markdown, everything that a worker said shown as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit import inert
from audit.drift import told
from audit.drift.model import DriftReport, Node
from audit.drift.pair import HostDiff
from audit.drift.wording import moves
from audit.reports._style import Style
from audit.reports._text import hosts_text, subjects_text

plain = inert.markdown


def drift_markdown(report: DriftReport, style: Style) -> Iterator[str]:
    """The report, a line or more a piece."""
    yield f"# Drift: {plain(told.headline(report))}\n\n{plain(told.title(report))}\n"
    for block in told.blocks(report):
        pools = f" (pool{'s' * (len(block.pools) > 1)} {', '.join(block.pools)})" if block.pools else ""
        was = f", before {block.was}" if block.was else ""
        yield f"\n## {plain(hosts_text(block.hosts) + pools + was)}\n\n"
        yield from _trees(block.causes)
        yield from (f"- **Fix:** {plain(fix)}\n" for fix in block.fixes)
    rest = list(_rest(report))
    if rest:
        yield "\n## Also\n\n"
        yield from rest
    if style.verbosity:
        yield from _verbose(report)


def _trees(causes: Sequence[Node]) -> Iterator[str]:
    for cause in causes:
        for line in told.lines(cause):
            yield f"{'  ' * line.depth}- {plain(line.text)}\n"


def _rest(report: DriftReport) -> Iterator[str]:
    for words, detail, hosts in told.notes(report):
        yield f"- **{words}** {plain(hosts_text(hosts))}{f': {plain(detail)}' if detail else ''}\n"
    for hosts, said in told.lost(report):
        yield f"- **Unknown** {plain(hosts_text(hosts))}: {plain(said)}\n"
    for one in told.loose(report):
        yield f"- {plain(subjects_text((one.subject,)))}: {plain(told.turned(one))}\n"
        if one.worse and one.remedy:
            yield f"  - Fix: {plain(one.remedy)}\n"
    for word, said in told.tail(report):
        yield f"- **{word}** {plain(said)}\n"


def _verbose(report: DriftReport) -> Iterator[str]:
    held = list(told.held(report))
    if held:
        yield "\n## Not counted\n\n"
        yield from (f"- {plain(said)}\n" for said in held)
    moving = [host for host in report.hosts if host.volatile]
    if moving:
        yield "\n## Volatile, never counted\n\n"
        for host in moving:
            said = "; ".join(part for one in host.volatile for part in moves(one))
            yield f"- {plain(host.host)}: {plain(said)}\n"


def diff_markdown(found: HostDiff, style: Style) -> Iterator[str]:
    """Two hosts."""
    yield f"# {plain(found.before)} → {plain(found.after)}\n\n"
    if not found.causes and not found.turned and not found.dark:
        yield "No difference.\n"
    yield from _trees(found.causes)
    placed = {node.id for cause in found.causes for node in cause.walk()}
    for one in found.turned:
        if one.rule not in placed:
            yield f"- {plain(one.subject)}: {plain(told.turned(one))}\n"
    for fix in dict.fromkeys(node.fix for cause in found.causes for node in cause.walk() if node.fix):
        yield f"- **Fix:** {plain(fix)}\n"
    for said in (*found.dark, *(told.only(one, found.before, found.after) for one in found.lost)):
        yield f"- **Unknown** {plain(said)}\n"
    if style.verbosity and found.volatile:
        yield "\n## Volatile, never counted\n\n"
        yield from (f"- {plain(said)}\n" for one in found.volatile for said in moves(one))
