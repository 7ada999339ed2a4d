"""An alignment for people and for programs: text, Markdown, JSON; the commands to run are the playbooks'."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit import inert
from audit.align.model import Align, HostAlign, State
from audit.reports._style import Style
from audit.reports._text import labelled, painter, shown, wrap

_STATES: Mapping[State, str] = {
    "aligned": "aligned", "change": "to change", "impossible": "cannot be aligned", "unknown": "not known",
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """An alignment, and how it is told.

    Attributes:
        found: it.
        plan: with the ways and commands, not only who differs.
        command: the words before ``--limit``: ``ansible-playbook -i INVENTORY playbooks/remediate.yml``.
    """

    found: Align
    plan: bool
    command: str

    @property
    def commands(self) -> tuple[str, ...]:
        """One for all that change the same, in order."""
        limits: dict[str, list[str]] = {}
        for one in self.found.hosts:
            way = one.proposed
            if way is not None and way.id == "flag":  # once for all builds, where a service has an environment
                way = next((other for other in one.ways if other.works and other.id == "environment"), way)
            if way is not None and way.playbook:
                limits.setdefault(way.playbook, []).append(one.host)
        return tuple(f"{self.command} --limit {','.join(hosts)} {words}" for words, hosts in limits.items())


def headline(found: Align) -> str:
    """The whole in one line."""
    counts = Counter(one.state for one in found.hosts)
    said = ", ".join(f"{counts[state]} {words}" for state, words in _STATES.items() if counts[state])
    return f"align to {found.to} ({found.because}): {said}"


def text(drawn: Drawn, style: Style) -> Iterator[str]:
    """Who differs; with the plan each way that was tried, and at the end the commands."""
    paint = painter(style)
    found = drawn.found
    yield from _ended(wrap(shown(headline(found)), style.width, "", "  "))
    for one in found.hosts:
        if one.state != "aligned":
            if drawn.plan:
                yield "\n"
            yield from _ended(_host(drawn, one, style))
        elif style.verbosity:
            yield from _ended(wrap(shown(f"{one.host} (pool {one.pool}): {one.now}"), style.width, "", "  "))
    if drawn.plan and drawn.commands:
        yield "\n" + paint("on drained workers (nothing was changed):", "bold") + "\n"
        for command in drawn.commands:
            yield from _ended(labelled("run", (command,), style, 2))


def _host(drawn: Drawn, one: HostAlign, style: Style) -> Iterator[str]:
    paint = painter(style)
    head = f"{paint(shown(one.host), 'bold')} (pool {shown(one.pool)}): "
    said = {"unknown": "", "change": "pushes ", "impossible": "pushes "}[one.state]
    yield from wrap(f"{head}{shown(said + one.now)}", style.width, "", "  ")
    if one.state == "unknown":
        yield from labelled("do", ("mend what `fleet-audit check` finds there, then ask again",), style, 2)
    if not drawn.plan:
        return
    for number, way in enumerate(one.ways, 1):
        mark = "" if way.works else "does not do: "
        yield from wrap(shown(f"{mark}{way.what}: {way.leaves}"), style.width, f"  {number}. ", "     ")
        if way.works:
            for risk in way.risks:
                yield from labelled("risk", (risk,), style, 5)
    if one.state == "impossible":
        yield from labelled("do", ("merge with an index-aware tool, or reinstall it as its peers are",), style, 2)


def _ended(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    return (f"{line}\n" for line in lines)


def markdown(drawn: Drawn, style: Style) -> Iterator[str]:
    """For a ticket."""
    del style
    found = drawn.found
    yield f"### {inert.markdown(headline(found))}\n\n"
    yield "| host | pool | pushes | proposed | leaves then |\n|---|---|---|---|---|\n"
    for one in found.hosts:
        way = one.proposed
        cells = (one.host, one.pool, one.now, way.what if way else "-", way.leaves if way else "-")
        yield f"| {' | '.join(inert.markdown(cell) for cell in cells)} |\n"
    if drawn.plan and drawn.commands:
        yield "\n"
        for command in drawn.commands:
            yield f"- [ ] `{inert.terminal(command).replace('`', '')}`\n"


def as_json(drawn: Drawn, style: Style) -> Iterator[str]:
    """For programs; the commands and the exit code are said, too."""
    del style
    more: dict[str, Any] = {"commands": list(drawn.commands), "exit_code": drawn.found.exit_code}
    yield inert.json(json.dumps(drawn.found.model_dump(mode="json") | more, indent=2, ensure_ascii=False))
    yield "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of what `as_json` writes."""
    made = Align.model_json_schema(mode="serialization")
    commands = {"type": "array", "items": {"type": "string"}, "description": "Commands of the playbooks, in order"}
    made["properties"] |= {"commands": commands, "exit_code": {"type": "integer"}}
    made["required"] = [*made.get("required", ()), "commands", "exit_code"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


FORMATS: Mapping[str, Callable[[Drawn, Style], Iterator[str]]] = {"text": text, "json": as_json, "markdown": markdown}
