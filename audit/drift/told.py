"""A drift report in the order a person reads it, each line as plain words: what text and Markdown have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.drift.model import Difference, DriftReport, HostDrift, HostNote, Node, Side
from audit.drift.transitions import Transition
from audit.drift.wording import text as value_text

SECTIONS = {
    "renamed": "renamed",
    "new": "new",
    "vanished": "vanished",
    "unlisted": "known before, not in the inventory",
    "unreachable": "not reached",
    "stale": "stale",
    "reachable": "reached again",
}
"""Host notes in the order they are told, what to do something about first."""


@dataclass(frozen=True)
class Block:
    """Hosts of which the same is told; ``HOST`` stands for each one's name where there are several.

    Attributes:
        hosts: their names, in order.
        pools: of them, each once.
        causes: of the first of them.
        fixes: what to do.
        was: the older name, where there is one host and it had another.
    """

    hosts: tuple[str, ...]
    pools: tuple[str, ...]
    causes: tuple[Node, ...]
    fixes: tuple[str, ...]
    was: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of a tree.

    Attributes:
        depth: 0 for a cause.
        text: of the node.
        node: the node itself; None: its symptom.
    """

    depth: int
    text: str
    node: Node | None


def when(at: float) -> str:
    """``2026-06-13 07:00 UTC``; what no calendar has stays a number."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"@{at:g}"


def side(one: Side) -> str:
    """``run 12 of 2026-06-13 07:00 UTC``."""
    return f"{one.run} of {when(one.at)}" if one.run else when(one.at)


def title(report: DriftReport) -> str:
    """What was compared with what."""
    if report.peers:
        return f"{side(report.after)} against the majority of each pool"
    return f"{side(report.after)} against {side(report.before)}"


def headline(report: DriftReport) -> str:
    """The whole report in one line."""
    parts = [_many(report.changed, "host drifted", "hosts drifted") if report.changed else ""]
    for what, words in SECTIONS.items():
        count = sum(note.what == what for note in report.notes)
        parts.append(f"{count} {words}" if count else "")
    turned = (*report.turned, *report.fleet)
    worse, better = sum(one.worse for one in turned), sum(one.better for one in turned)
    parts.append(_many(worse, "rule fails now", "rules fail now") if worse else "")
    parts.append(f"{better} resolved" if better else "")
    parts.append(_many(len(report.waivers), "waiver ended", "waivers ended") if report.waivers else "")
    lost = sum(bool(host.lost) for host in report.hosts)
    parts.append(f"not everything could be compared on {_many(lost, 'host', 'hosts')}" if lost else "")
    said = [part for part in parts if part]
    if not report.drifted:
        said.insert(0, "none seen" if report.incomplete else "none")
    held = report.held_counts
    said += [f"{held['ignored']} ignored"] if held["ignored"] else []
    said += [f"{held['damped']} not seen often enough"] if held["damped"] else []
    return ", ".join(said)


def _many(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def blocks(report: DriftReport) -> tuple[Block, ...]:
    """Hosts with the same tree together, in order."""
    groups: dict[object, list[HostDrift]] = {}
    for host in report.hosts:
        if host.causes:
            key = _nameless(tuple(_texts(host)), host.host)
            groups.setdefault(key if host.before is None else (key, host.host), []).append(host)
    return tuple(_block(hosts) for hosts in groups.values())


def _texts(host: HostDrift) -> Iterator[str]:
    for cause in host.causes:
        for line in lines(cause):
            yield f"{line.depth}{line.text}"
    yield from host.fixes


def _block(hosts: Sequence[HostDrift]) -> Block:
    first = hosts[0]
    causes, fixes = first.causes, first.fixes
    if len(hosts) > 1:
        causes = tuple(_anonymous(cause, first.host) for cause in causes)
        fixes = _nameless(fixes, first.host)
    pools = tuple(dict.fromkeys(host.pool for host in hosts if host.pool))
    return Block(tuple(host.host for host in hosts), pools, causes, fixes, first.before)


def _anonymous(node: Node, name: str) -> Node:
    text, symptom = _nameless((node.text, node.symptom), name)
    then = tuple(_anonymous(one, name) for one in node.then)
    return node.model_copy(update={"text": text, "symptom": symptom, "then": then})


def _nameless(texts: tuple[str, ...], name: str) -> tuple[str, ...]:
    if not name or not any(name in text for text in texts):
        return texts
    pattern = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)")
    return tuple(pattern.sub("HOST", text) for text in texts)


def lines(node: Node, depth: int = 0) -> Iterator[Line]:
    """A tree as lines: each node, its symptom below it, then what follows."""
    yield Line(depth, node.text, node)
    if node.symptom:
        yield Line(depth + 1, f"seen as: {node.symptom}", None)
    for one in node.then:
        yield from lines(one, depth + 1)


def notes(report: DriftReport) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Host notes that say the same together: the word, the detail, the hosts."""
    for what, words in SECTIONS.items():
        groups: dict[str, list[str]] = {}
        for note in report.notes:
            if note.what == what:
                groups.setdefault(_detail(note), []).append(note.host)
        for detail, hosts in groups.items():
            yield words, detail, tuple(hosts)


def _detail(note: HostNote) -> str:
    return f"{note.detail}, {note.runs} checks in a row" if note.runs else note.detail


def lost(report: DriftReport) -> Iterator[tuple[tuple[str, ...], str]]:
    """What could not be compared, hosts with the same together."""
    groups: dict[str, list[str]] = {}
    for host in report.hosts:
        for one in host.lost:
            groups.setdefault(loss(one), []).append(host.host)
    return ((tuple(hosts), text) for text, hosts in groups.items())


def loss(one: Difference) -> str:
    """A fact that only one side could tell."""
    if one.kind == "lost":
        return f"{one.fact} cannot be told any more ({value_text(one.after)})"
    return f"{one.fact} can be told again, and could not then ({value_text(one.before)})"


def only(one: Difference, before: str, after: str) -> str:
    """A fact that only one of two hosts could tell."""
    here, there, why = (before, after, one.after) if one.kind == "lost" else (after, before, one.before)
    return f"{one.fact} is known of {here}, and not of {there} ({value_text(why)})"


def loose(report: DriftReport) -> Iterator[Transition]:
    """Verdicts that turned and stand in no tree, worse first."""
    placed = {
        (host.host, node.id)
        for host in report.hosts
        for cause in host.causes
        for node in cause.walk()
        if node.role == "verdict"
    }
    rest = [one for one in (*report.fleet, *report.turned) if (one.subject, one.rule) not in placed]
    return iter(sorted(rest, key=lambda one: not one.worse))


def turned(one: Transition) -> str:
    """``FA006 error: …`` or ``FA006 resolved: …``."""
    return f"{one.rule} {one.severity if one.worse else 'resolved'}: {one.message}"


def tail(report: DriftReport) -> Iterator[tuple[str, str]]:
    """What closes the report: a word and a sentence each."""
    for one in report.waivers:
        until = f" (until {one.until})" if one.until else ""
        yield "waiver ended", f"{one.rule} on {one.subject}{until}: now {one.now or 'gone'}: {one.message}"
    for over in report.expired:
        hits = _many(over.hits, "difference counts again", "differences count again")
        yield (
            "ignore rule expired",
            f"{over.what} on {over.host} (until {over.until}, {over.owner}: {over.reason}): {hits}",
        )
    for remark in report.remarks:
        yield "note", remark


def held(report: DriftReport) -> Iterator[str]:
    """Each difference that does not count, with the reason."""
    for one in report.held:
        if one.kind == "ignored":
            yield f"{one.host} {one.path} ignored until {one.until} ({one.owner}: {one.why})"
        else:
            yield f"{one.host} {one.path}: {one.why}"
