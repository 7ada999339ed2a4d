"""A `Whatif` as text, Markdown or JSON: one block for all hosts with the same answer, cause first."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from audit import inert
from audit.fact import Facts
from audit.facts.image_store import ImageStore
from audit.model import Fleet, Model, Unknown
from audit.shape import How, predict
from audit.whatif.changes import REINSTALL, UPGRADE, WIPE, Changes
from audit.whatif.compare import Comparison, VerdictChange, Whatif
from audit.whatif.then import Then, facts_then

SCHEMA_VERSION = 1
Row = tuple[str, str]
"""A label and its text; an empty label goes on with the row before."""

_SHOWN = {
    ("engine", "version"): "engine",
    ("engine", "min_api_version"): "oldest API",
    ("engine", "data_root"): "data-root",
    ("docker_client", "version"): "client",
    ("buildx", "version"): "buildx",
    ("buildx", "state"): "buildx",
}
"""Fields that the line of the cause shows; all of them stand in the JSON."""


def text(answer: Whatif, width: int = 120) -> Iterator[str]:
    """For a terminal."""
    yield f"change: {inert.terminal(', '.join(answer.changes)) or 'none'}\n"
    for hosts, rows in _blocks(answer):
        yield f"\n{inert.terminal(_named(hosts))}\n"
        for label, said in rows:
            yield _wrapped(f"  {label:<9}", inert.terminal(said), width)
    shared = list(_shared(answer))
    if shared:
        yield "\nfleet\n"
        yield from (_wrapped(f"  {label:<9}", inert.terminal(said), width) for label, said in shared)
    yield f"\n{_summary(answer)}\n"


def markdown(answer: Whatif, width: int = 120) -> Iterator[str]:
    """For GitHub."""
    del width
    yield f"# What if: {inert.markdown(', '.join(answer.changes)) or 'nothing changes'}\n"
    sections = [(_named(hosts), rows) for hosts, rows in _blocks(answer)]
    shared = list(_shared(answer))
    for title, rows in [*sections, *([("fleet", shared)] if shared else [])]:
        yield f"\n## {inert.markdown(title)}\n\n"
        for label, said in rows:
            yield f"- **{label}:** {inert.markdown(said)}\n" if label else f"  - {inert.markdown(said)}\n"
    yield f"\n{inert.markdown(_summary(answer))}\n"


def as_json(answer: Whatif, width: int = 120) -> Iterator[str]:
    """For programs; `exit_code` is the command's."""
    del width
    document = {"kind": "fleet-audit whatif", "schema_version": SCHEMA_VERSION, "exit_code": answer.exit_code}
    yield inert.json(json.dumps(document | answer.model_dump(mode="json"), indent=2, ensure_ascii=False))
    yield "\n"


FORMATS: Mapping[str, Callable[[Whatif, int], Iterator[str]]] = {"text": text, "json": as_json, "markdown": markdown}


def _blocks(answer: Whatif) -> list[tuple[list[Comparison], tuple[Row, ...]]]:
    """Hosts with the same answer together, in the fleet's order."""
    found: dict[tuple[Row, ...], list[Comparison]] = {}
    for one in answer.hosts:
        found.setdefault(tuple(_rows(one)), []).append(one)
    return [(hosts, rows) for rows, hosts in found.items()]


def _named(hosts: Sequence[Comparison]) -> str:
    names = ", ".join(one.host for one in hosts)
    return names if len(hosts) == 1 else f"{len(hosts)} hosts: {names}"


def _rows(one: Comparison) -> Iterator[Row]:
    if not one.applies:
        yield "n/a", "the host has no Docker of its own"
        return
    causes = list(dict.fromkeys(_causes(one)))
    if causes:
        yield "change", "; ".join(causes)
    if one.refuses is not None:
        yield "engine", f"does not start: {one.refuses}"
    else:
        yield "store", _moved(one.store_now, one.store_then)
        if one.images_now or one.images_then:
            yield "images", _moved(one.images_now or "not known", one.images_then or "not known")
        yield "pushes", _moved(one.shape_now, one.shape_then)
        if one.shape_now != one.shape_then and one.reasons:
            yield "why", "; ".join(one.reasons)
    yield from _verdicts(one.verdicts)
    for broken in one.breaks:
        label = "already" if broken.already else "breaks"
        yield label, f"{broken.what}{f' ({broken.only})' if broken.only else ''}"
        yield "", f"seen as: {broken.symptom}"
        yield "", f"fix: {broken.fix}"
    for said in one.untold:
        yield "untold", said
    for said in one.assumed:
        yield "assumed", said


def _causes(one: Comparison) -> Iterator[str]:
    for difference in one.differences:
        if difference.fact == "build_env" and difference.field in ("service", "shell"):
            yield from _moves(_variables(difference.now), _variables(difference.then))
        if (difference.fact, difference.field) == ("daemon_config", "settings"):
            yield from _moves(_keys(difference.now), _keys(difference.then))
        label = _SHOWN.get((difference.fact, difference.field))
        if label is not None:
            yield f"{label} {difference.now} → {difference.then}"


def _moves(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """What comes, goes, or has another value."""
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield f"{name} {_value(before.get(name))} → {_value(after.get(name))}"


def _variables(side: str) -> dict[str, str]:
    return {item["name"]: item["value"] for item in json.loads(side)} if side.startswith("[") else {}


def _keys(side: str) -> dict[str, str]:
    """Keys of daemon.json as a user would write them, each feature by itself."""
    found: dict[str, str] = {}
    for key, value in json.loads(side).items():
        loaded = json.loads(value)
        if key == "features" and isinstance(loaded, dict):
            found |= {f"features.{name}": json.dumps(on) for name, on in loaded.items()}
        else:
            found[key] = loaded if isinstance(loaded, str) else value
    return found


def _value(value: str | None) -> str:
    return "unset" if value is None else value or "(empty)"


def _moved(now: str, then: str) -> str:
    return f"{then}, as now" if now == then else f"{now} → {then}"


def _verdicts(changes: Sequence[VerdictChange]) -> Iterator[Row]:
    """One row a change; rules that become unknown for the same reason share one."""
    alike: dict[tuple[str, str], list[VerdictChange]] = {}
    for one in changes:
        same = one.message if one.change == "unknown" else one.rule
        alike.setdefault((one.change, same), []).append(one)
    for (change, _), found in alike.items():
        rules = ", ".join(one.rule for one in found)
        yield change, _verdict(found[0]) if len(found) == 1 else f"{rules}: {found[0].message}"


def _verdict(one: VerdictChange) -> str:
    return f"{one.rule} {one.severity}: {one.message}"


def _shared(answer: Whatif) -> Iterator[Row]:
    for verdict in answer.fleet:
        yield verdict.change, f"{verdict.subject}: {_verdict(verdict)}"
    for note in answer.notes:
        yield "note", note


def _summary(answer: Whatif) -> str:
    concerned = [one for one in answer.hosts if one.applies]
    broken = [one.host for one in concerned if one.broken]
    dark = [one.host for one in concerned if one.untold and not one.broken]
    parts = [f"something would break on {', '.join(broken)}"] if broken else []
    parts += [f"could not be told for {', '.join(dark)}"] if dark else []
    many = f"{len(concerned)} host{'s' * (len(concerned) != 1)}"
    return "; ".join(parts) or f"the change breaks nothing on {many}"


def _wrapped(label: str, said: str, width: int) -> str:
    lines = textwrap.wrap(
        said, max(40, width - len(label)), break_long_words=False, break_on_hyphens=False
    ) or [""]  # fmt: skip
    indent = " " * len(label)
    return "".join(f"{label if place == 0 else indent}{line}\n" for place, line in enumerate(lines))


# ---------------------------------------------------------------- without a change: the three futures

FUTURES: tuple[tuple[str, Changes], ...] = (
    ("now", Changes()),
    ("upgrade in place", UPGRADE),
    ("data-root wiped", WIPE),
    ("reinstalled", REINSTALL),
)


class Future(Model):
    """One host in the usual futures: for each its store and shape in a word each."""

    host: str
    cells: tuple[str, ...]
    told: bool = True


def futures(fleet: Fleet, facts: Mapping[str, Facts], how: How | None = None) -> tuple[Future, ...]:
    """What each host would be after the usual changes, newest engine known."""
    found = []
    for host in fleet.hosts:
        known = facts.get(host.name, Facts({}))
        thens = [facts_then(known, changes, host) for _, changes in FUTURES]
        cells = tuple(_cell(then, how or How()) for then in thens)
        found.append(Future(host=host.name, cells=cells, told=not any("not known" in cell for cell in cells)))
    return tuple(found)


def _cell(then: Then, how: How) -> str:
    if then.refuses is not None:
        return "does not start"
    store, prediction = then.facts[ImageStore], predict(then.facts, how)
    if not prediction.shapes and prediction.missing:
        return "n/a"
    if isinstance(store, Unknown) and prediction.kind == "unknown":
        return "not known"
    name = "store not known" if isinstance(store, Unknown) else store.driver
    if prediction.kind == "unknown":
        return f"{name}, push not known"
    return f"{name}, {prediction.kind.upper() if prediction.kind != 'flat' else 'flat'}"


def futures_text(found: Sequence[Future], width: int = 120) -> Iterator[str]:
    """A table, a host a row."""
    del width
    titles = ["host", *(title for title, _ in FUTURES)]
    rows = [[inert.terminal(one.host), *map(inert.terminal, one.cells)] for one in found]
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    for row in [titles, *rows]:
        yield "  ".join(cell.ljust(space) for cell, space in zip(row, widths, strict=True)).rstrip() + "\n"


def futures_markdown(found: Sequence[Future], width: int = 120) -> Iterator[str]:
    """The same for GitHub."""
    del width
    yield f"| host | {' | '.join(title for title, _ in FUTURES)} |\n"
    yield f"|{'---|' * (len(FUTURES) + 1)}\n"
    for one in found:
        yield f"| {' | '.join(inert.markdown(cell) for cell in (one.host, *one.cells))} |\n"


def futures_json(found: Sequence[Future], width: int = 120) -> Iterator[str]:
    """The same for programs."""
    del width
    keys = ("now", "upgrade", "wipe", "reinstall")
    hosts = [{"host": one.host, "told": one.told, **dict(zip(keys, one.cells, strict=True))} for one in found]
    document = {"kind": "fleet-audit futures", "schema_version": SCHEMA_VERSION, "hosts": hosts}
    yield inert.json(json.dumps(document, indent=2, ensure_ascii=False))
    yield "\n"


FUTURE_FORMATS: Mapping[str, Callable[[Sequence[Future], int], Iterator[str]]] = {
    "text": futures_text,
    "json": futures_json,
    "markdown": futures_markdown,
}
