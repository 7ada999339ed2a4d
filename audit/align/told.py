"""An alignment for people and for programs: text, Markdown, JSON; the commands to run are the playbooks'."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from audit import inert
from audit.align.model import Align, HostAlign, PoolAlign, State, Way
from audit.reports._style import Style
from audit.reports._text import hosts_text, labelled, painter, shown, wrap

_STATES: Mapping[State, str] = {
    "aligned": "aligned", "change": "to change", "impossible": "cannot be aligned", "undecided": "undecided",
    "unknown": "not known",
}  # fmt: skip


Key = TypeVar("Key")


@dataclass(frozen=True)
class Drawn:
    """An alignment, and how it is told.

    Attributes:
        found: it.
        plan: with the ways and commands, not only who differs.
        command: the words before ``--limit``: ``ansible-playbook -i INVENTORY playbooks/remediate.yml``, unquoted.
    """

    found: Align
    plan: bool
    command: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """One for all that change the same, in order; quoted for a shell."""
        return tuple(command for command, _ in self.runs)

    @property
    def runs(self) -> tuple[tuple[str, str], ...]:
        """Each command with what it changes."""
        found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for one in self.found.hosts:
            way = _by_playbook(one)
            if way is not None:
                found.setdefault(way.playbook, []).append((one.host, way.what))
        return tuple(
            (
                shlex.join([*self.command, "--limit", ",".join(host for host, _ in changed), *words]),
                "; ".join(dict.fromkeys(what for _, what in changed)),
            )
            for words, changed in found.items()
        )


def _by_playbook(one: HostAlign) -> Way | None:
    """What a playbook can do of the proposal; for a flag, which it cannot say, the environment instead."""
    proposed = one.proposed
    if proposed is None or "flag" not in proposed.parts:
        return proposed if proposed is not None and proposed.playbook else None
    rest = tuple(part for part in proposed.parts if part != "flag")
    instead = {("environment", *rest), rest}
    found = next((way for way in one.ways if way.works and way.playbook and way.parts in instead), proposed)
    return found if found.playbook else None


def headline(found: Align) -> str:
    """The whole in one line."""
    counts = found.counts
    said = ", ".join(f"{counts[state]} {words}" for state, words in _STATES.items() if counts[state])
    if len(found.pools) == 1:
        (only,) = found.pools
        return f"pool {only.pool}: {_aim(only)}: {said}"
    each = f"{len(found.pools)} pools, each for itself"
    return f"align to {found.asked} ({each}): {said}"


def _aim(pool: PoolAlign) -> str:
    return f"{pool.to or 'no shape'} ({pool.because})"


def text(drawn: Drawn, style: Style) -> Iterator[str]:
    """Who differs, why, and the least change; with the plan each way that was tried, and at the end the commands."""
    return (f"{line}\n" for line in _lines(drawn, style))


def _lines(drawn: Drawn, style: Style) -> Iterator[str]:
    found, paint = drawn.found, painter(style)
    yield from wrap(shown(headline(found)), style.width, "", "  ")
    for pool in found.pools:
        yield from _pool(drawn, pool, style)
    dark = [one for one in found.hosts if one.state == "unknown"]
    if dark:
        yield ""
        for now, hosts in _alike((one.now, one.host) for one in dark):
            yield from wrap(f"{paint(hosts_text(hosts), 'bold')}: {shown(now)}", style.width, "", "  ")
        yield from labelled("do", ("see `fleet-audit check` for them, and ask again",), style, 2)
    for line in _apart(found):
        yield ""
        yield from labelled("note", (line,), style, 0)
    if drawn.plan and drawn.commands:
        yield ""
        yield paint("nothing was changed; on workers that playbooks/drain.yml has taken out of work:", "bold")
        for command, what in drawn.runs:  # on one line, for the terminal to wrap: a copy must not hold a line end
            yield paint(f"  # {shown(what)}", "dim")
            yield f"  {shown(command)}"


def _apart(found: Align) -> Iterator[str]:
    if found.apart:
        said = "; ".join(f"{to}: {', '.join(pools)}" for to, pools in found.apart.items())
        yield (
            f"the pools push different shapes even then ({said}), and `docker manifest create` merges no index "
            "(FA506): --to flat makes them one"
        )


def _pool(drawn: Drawn, pool: PoolAlign, style: Style) -> Iterator[str]:
    paint = painter(style)
    several = len(drawn.found.pools) > 1
    if pool.differs and several:
        yield ""
        said = pool.because if pool.to is None else _aim(pool)
        yield from wrap(f"{paint(f'pool {shown(pool.pool)}', 'bold')}: {shown(said)}", style.width, "", "  ")
    elif style.verbosity and several:
        yield from wrap(shown(f"pool {pool.pool}: {_aim(pool)}"), style.width, "", "  ")
    differ = [one for one in pool.hosts if one.state in ("change", "impossible", "undecided")]
    for key, hosts in _alike((one.model_copy(update={"host": ""}), one.host) for one in differ):
        yield from _differs(drawn, key, hosts, style)
    if style.verbosity:
        for now, hosts in _alike((one.now, one.host) for one in pool.hosts if one.state == "aligned"):
            yield from wrap(f"  {hosts_text(hosts)}: {shown(now)}", style.width, "", "    ")


def _differs(drawn: Drawn, one: HostAlign, hosts: Sequence[str], style: Style) -> Iterator[str]:
    """Workers that differ alike, under one head: the cause first."""
    verb = "pushes" if len(hosts) == 1 else "push"
    yield from wrap(f"{painter(style)(hosts_text(hosts), 'bold')} {verb} {shown(one.now)}", style.width, "  ", "    ")
    if one.why:
        yield from labelled("why", (one.why,), style, 4)
    if one.state == "undecided":
        return
    if one.proposed is None:
        yield from labelled("do", ("no change leads there: merge with an index-aware tool, or reinstall it like its "
                                   "peers (`fleet-audit onboard --like PEER`)",), style, 4)  # fmt: skip
    if not drawn.plan:
        if one.proposed is not None:
            yield from labelled("least change", (f"{one.proposed.what} (all ways: --plan)",), style, 4)
        return
    works = [way for way in one.ways if way.works]
    for number, way in enumerate(works, 1):
        yield from wrap(shown(f"{way.what}: {way.leaves}"), style.width, f"    {number}. ", "       ")
        yield from labelled("risk", ("; ".join(way.risks),), style, 7)
        if way.several:
            yield from labelled("but", (f"several platforms in one build: {way.several}",), style, 7)
    for leaves, whats in _alike((way.leaves, way.what) for way in one.ways if not way.works):
        yield from labelled("no use", (f"{'; '.join(whats)}: {leaves}",), style, 4)


def _alike(named: Iterable[tuple[Key, str]]) -> list[tuple[Key, list[str]]]:
    """Names of those of one key, in the order of the first; a key need not be hashable."""
    found: list[tuple[Key, list[str]]] = []
    for key, name in named:
        names = next((names for seen, names in found if seen == key), None)
        if names is None:
            found.append((key, [name]))
        else:
            names.append(name)
    return found


def markdown(drawn: Drawn, style: Style) -> Iterator[str]:
    """For a ticket."""
    del style
    found = drawn.found
    yield f"### {inert.markdown(headline(found))}\n\n"
    yield "| host | pool | to | pushes | proposed | leaves then |\n|---|---|---|---|---|---|\n"
    for pool in found.pools:
        for one in pool.hosts:
            way = one.proposed
            cells = (one.host, pool.pool, pool.to or "-", one.now, way.what if way else "-", way.leaves if way else "-")
            yield f"| {' | '.join(inert.markdown(cell) for cell in cells)} |\n"
    for line in _apart(found):
        yield f"\n{inert.markdown(line)}\n"
    if drawn.plan and drawn.commands:
        yield "\n"
        for command, what in drawn.runs:
            yield f"- [ ] {inert.markdown(what)}: `{inert.terminal(command).replace('`', '')}`\n"


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
