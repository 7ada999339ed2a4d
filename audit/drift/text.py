"""Drift and diff for a terminal at 3 a.m.: a host's cause, below it what follows, then what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.drift import told
from audit.drift.model import Difference, DriftReport, Node
from audit.drift.pair import HostDiff
from audit.drift.wording import moves
from audit.reports._style import Style
from audit.reports._text import LABELS, hosts_text, labelled, painter, shown, subjects_text, wrap

_HOOK = "\u2514 "


def drift_text(report: DriftReport, style: Style) -> Iterator[str]:
    """The report, a line or more a piece."""
    paint = painter(style)
    yield from _ended(wrap(shown(f"drift: {told.headline(report)}"), style.width))
    yield paint(shown(told.title(report)), "dim") + "\n"
    for block in told.blocks(report):
        pools = f" (pool{'s' * (len(block.pools) > 1)} {', '.join(block.pools)})" if block.pools else ""
        was = f", before {block.was}" if block.was else ""
        name = hosts_text(block.hosts)
        yield "\n"
        if len(block.causes) == 1 and not block.causes[0].then and not block.causes[0].symptom:
            said = f": {shown(block.causes[0].text)}"
            yield from _ended(wrap(f"{paint(name, 'bold')}{shown(pools + was)}{said}", style.width, "", "  "))
            yield from _fields(block.causes[0], style, 2)
        else:
            yield f"{paint(name, 'bold')}{shown(pools + was)}\n"
            yield from _trees(block.causes, style)
        for fix in block.fixes:
            yield from _ended(labelled("fix", (fix,), style, 2))
    yield from _rest(report, style)


def _trees(causes: Sequence[Node], style: Style) -> Iterator[str]:
    for cause in causes:
        for line in told.lines(cause):
            indent = "  " + "  " * line.depth
            hook = _HOOK if line.depth and line.node is not None else "  " if line.node is None else ""
            head = indent[: -len(hook)] + hook if line.depth else indent
            yield from _ended(wrap(shown(line.text), style.width, head, indent))
            if line.node is not None:
                yield from _fields(line.node, style, len(indent) + 2)


def _fields(node: Node, style: Style, indent: int) -> Iterator[str]:
    """With -v each field behind a sentence."""
    if style.verbosity:
        yield from _differences(node.differences, style, indent)


def _differences(found: Sequence[Difference], style: Style, indent: int) -> Iterator[str]:
    paint = painter(style)
    for one in found:
        for said in moves(one):
            for line in wrap(shown(said), style.width, " " * indent, " " * (indent + 2)):
                yield paint(line, "dim") + "\n"


def _rest(report: DriftReport, style: Style) -> Iterator[str]:
    """Hosts that came and went, verdicts of no tree, what closes; a line each where one will do."""
    paint = painter(style)
    found: list[str] = []
    for words, detail, hosts in told.notes(report):
        head = f"{paint(words, 'bold')} {hosts_text(hosts)}"
        found += wrap(f"{head}: {shown(detail)}" if detail else head, style.width, "", "  ")
    for hosts, said in told.lost(report):
        found += wrap(f"{paint('??', '??')} {hosts_text(hosts)}: {shown(said)}", style.width, "", "  ")
    for one in told.loose(report):
        label = next((text for kind, text in LABELS.items() if kind.value == one.severity), one.severity)
        label = label if one.worse else "good"
        color = label if one.worse else "good"
        found += wrap(
            f"{_painted(label, color, style)} {subjects_text((one.subject,))}: {shown(told.turned(one))}",
            style.width, "", "  ",
        )  # fmt: skip
        if one.worse and one.remedy:
            found += labelled("fix", (one.remedy,), style, 2)
    for word, said in told.tail(report):
        found += wrap(f"{paint(word, 'bold')} {shown(said)}", style.width, "", "  ")
    if found:
        yield "\n"
        yield from _ended(found)
    if style.verbosity:
        yield from _verbose(report, style)


def _painted(label: str, color: str, style: Style) -> str:
    return painter(style)(label, color if color in ("ERROR", "WARN", "NOTE", "good") else "bold")


def _verbose(report: DriftReport, style: Style) -> Iterator[str]:
    held = list(told.held(report))
    if held:
        yield "\nnot counted\n"
        for said in held:
            yield from _ended(wrap(shown(said), style.width, "  ", "    "))
    moving = [host for host in report.hosts if host.volatile]
    if moving:
        yield "\nvolatile, never counted\n"
        for host in moving:
            said = "; ".join(part for one in host.volatile for part in moves(one))
            yield from _ended(wrap(f"{shown(host.host)}: {shown(said)}", style.width, "  ", "    "))


def diff_text(found: HostDiff, style: Style) -> Iterator[str]:
    """Two hosts: what differs, cause first."""
    paint = painter(style)
    pair = f"{shown(found.before)} → {shown(found.after)}"
    if not found.causes and not found.turned:
        what = "cannot be compared" if found.dark else "no difference"
        yield f"{paint(pair, 'bold')}: {what}\n"
    else:
        yield paint(pair, "bold") + "\n"
        yield from _trees(found.causes, style)
        placed = {node.id for cause in found.causes for node in cause.walk()}
        for one in found.turned:
            if one.rule not in placed:
                yield from _ended(wrap(shown(f"{one.subject}: {told.turned(one)}"), style.width, "  ", "    "))
        for fix in dict.fromkeys(node.fix for cause in found.causes for node in cause.walk() if node.fix):
            yield from _ended(labelled("fix", (fix,), style, 2))
    for said in (*found.dark, *(told.only(one, found.before, found.after) for one in found.lost)):
        yield from _ended(wrap(f"{paint('??', '??')} {shown(said)}", style.width, "  ", "     "))
    if style.verbosity and found.volatile:
        yield "\nvolatile, never counted\n"
        yield from _differences(found.volatile, style, 2)


def _ended(found: Sequence[str]) -> Iterator[str]:
    return (f"{line}\n" for line in found)
