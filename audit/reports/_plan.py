"""A plan as text, Markdown or JSON: what a person checks before saying yes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from audit import inert
from audit.plan import BuildStep, MergePlan, Placed, Plan, Work
from audit.plan.model import SCHEMA_VERSION
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import labelled, painter, shown, wrap

HEADINGS = ("platform", "host", "builder", "flags", "pushes", "to")


def text(plan: Plan, style: Style) -> Iterator[str]:
    """For a terminal: a line a platform; every command with -v; the merge and why; who was not chosen and why."""
    yield from (f"{line}\n" for line in _lines(plan, style))


def _lines(plan: Plan, style: Style) -> Iterator[str]:
    yield from wrap(shown(_headline(plan)), style.width)
    yield from labelled("attestations", (plan.attestations.why,), style)
    yield ""
    if plan.steps:
        yield from _table(plan, style)
        yield ""
    for problem in plan.problems:
        yield from wrap(
            f"cannot be built: {shown(problem.text)}" if problem.platform else shown(problem.text), style.width
        )
        for host in problem.hosts:
            yield from labelled(shown(host.name), (host.why,), style)
    if plan.problems:
        yield ""
    for note in plan.notes:
        yield from wrap(f"note: {shown(note)}", style.width)
    yield from _merge(plan.merge, style) if plan.merge else wrap(_no_merge(plan), style.width)
    yield from _idle(plan, style)


def _headline(plan: Plan) -> str:
    request = plan.request
    count = len(request.platforms)
    hosts = len({step.host for step in plan.steps})
    head = f"{count} platform{'s' * (count != 1)} of {request.context} on {hosts} of {len(plan.hosts)} hosts"
    if not plan.whole:
        return f"{head}: the plan is not whole"
    if not plan.alike:
        return f"{head}: the pushes differ in their shapes"
    shapes = sorted({step.shape.text for step in plan.steps})
    return f"{head}: every push is {' or '.join(shapes)}"


def _table(plan: Plan, style: Style) -> Iterator[str]:
    paint = painter(style)
    rows = [HEADINGS, *(_cells(step) for step in plan.steps)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS) - 1)]
    for place, row in enumerate(rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        line = "  ".join([*cells, row[-1]]).rstrip()
        yield line if place else paint(line, "bold")
        if place and style.verbosity:
            yield from _detail(plan.steps[place - 1], plan.request.retries, style)


def _cells(step: BuildStep) -> tuple[str, ...]:
    work = step.work
    cells = (step.platform, work.host, work.builder, " ".join(work.flags), _shape(work), step.staging)
    return tuple(shown(cell) for cell in cells)


def _shape(work: Work) -> str:
    return f"{work.shape.text}{' (assumed)' if work.assumed else ''}"


def _detail(step: BuildStep, retries: int, style: Style) -> Iterator[str]:
    yield from _commands("run", step.work, style)
    yield from labelled("digest", (f"{step.work.read.text}, confirmed at the registry",), style)
    yield from labelled("chosen", (step.work.why,), style)
    yield from labelled("note", step.work.notes, style)
    yield from labelled("assumed", step.work.assumed, style)
    if style.verbosity > 1:
        yield from labelled("why", (one.text for one in step.shape.steps), style)
        yield from labelled("inputs", (step.inputs,), style)
    for place, work in enumerate(step.alternates):
        tried = "" if place < retries else "; not tried, --retries is less"
        yield from labelled("else", (f"{work.host}, {work.builder}, {_shape(work)} ({work.why}{tried})",), style)
        if style.verbosity > 1:
            yield from _commands("run", work, style, indent=8)


def _commands(label: str, work: Work, style: Style, indent: int = 6) -> list[str]:
    """In one line each, however long: a copy of it must be the command."""
    lines = [work.build.text, *([work.push.text] if work.push else [])]
    return labelled(label, (f"`{line}`" if "`" not in line else line for line in lines), style, indent)


def _merge(merge: MergePlan, style: Style) -> Iterator[str]:
    paint = painter(style)
    where = f" on {merge.host}" if merge.host else ""
    yield from wrap(f"{paint('merge', 'bold')} by {merge.engine}{shown(where)}: {shown(merge.why)}", style.width)
    yield from labelled("tags", merge.tags, style)
    yield from labelled("sources", merge.sources, style)
    yield from labelled("note", merge.notes, style)
    for other in merge.not_chosen:
        yield from labelled(f"not {other.name}", (other.why,), style)


def _no_merge(plan: Plan) -> str:
    if not plan.request.tags:
        return "no merge: no tag (-t) is given"
    return "no merge is planned, since the plan is not whole"


def _idle(plan: Plan, style: Style) -> Iterator[str]:
    """Hosts that build nothing, those with one reason together; who is told of above is not told again."""
    told = {host.name for problem in plan.problems for host in problem.hosts}
    idle = [one for one in plan.hosts if not one.builds and one.host not in told]
    if not idle:
        return
    yield ""
    yield painter(style)("not chosen", "bold")
    for why, names in _alike(idle).items():
        yield from wrap(f"{', '.join(map(shown, names))}: {shown(why)}", style.width, "  ", "      ")


def _alike(hosts: Iterable[Placed]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in hosts:
        found.setdefault(one.why, []).append(one.host)
    return found


def markdown(plan: Plan, style: Style) -> Iterator[str]:
    """For an issue or a job summary; commands stand in one block for a shell."""
    del style  # Markdown has no columns and no colours
    plain, wide = inert.markdown, Style(color=False, width=10_000)
    yield f"{plain(_headline(plan))}\n\n- {plain(plan.attestations.why)}\n\n"
    if plan.steps:
        yield f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}\n"
        for step in plan.steps:
            yield f"| {' | '.join(plain(cell) for cell in _cells(step))} |\n"
        yield "\n"
        for step in plan.steps:
            commands = [step.work.build.text, *([step.work.push.text] if step.work.push else [])]
            yield f"- {plain(step.platform)} on {plain(step.host)}\n"
            yield from (f"  - {plain(_code(command))}\n" for command in commands)
        yield "\n"
    closing = [line for line in _lines(plan.model_copy(update={"steps": ()}), wide) if line.strip()][2:]
    yield from (f"{'  ' if line.startswith(' ') else ''}- {plain(line.strip())}\n" for line in closing)


def _code(command: str) -> str:
    return f"`{command}`" if not set(command) & set("`<>&|\n") else command


def as_json(plan: Plan, style: Style) -> Iterator[str]:
    """For programs, and for a later build; `schema()` describes it."""
    del style
    yield _json.dumps(plan)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the plan."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Plan.model_json_schema(mode="serialization"),
        "title": f"fleet-audit plan, schema version {SCHEMA_VERSION}",
    }


FORMATS: Mapping[str, Callable[[Plan, Style], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "markdown": markdown,
}
