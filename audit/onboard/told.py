"""An onboarding for people and for programs: text, a Markdown checklist for a ticket, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from audit import inert
from audit.onboard.model import Onboarding, State, Step, Todo
from audit.reports._style import Style
from audit.reports._text import labelled, painter, shown, wrap

_MARK: Mapping[State, tuple[str, str]] = {
    "ok": ("ok", "good"), "note": ("note", "NOTE"), "todo": ("TODO", "ERROR"), "unknown": ("??", "??"),
}  # fmt: skip
_INDENT = 16


def text(found: Onboarding, style: Style) -> Iterator[str]:
    """A line a step with what must be read below it, then the verdict and the list."""
    paint = painter(style)
    yield from _ended(heading(found, style))
    for step in _folded(found.steps):
        yield from _ended(step_lines(step, style))
    yield "\n"
    yield paint(_verdict(found), "good" if found.ready else "ERROR") + "\n"
    for number, one in enumerate(found.todo, 1):
        yield from _ended(_todo(number, one, style))
    if found.later:
        yield f"{len(found.later)} worth doing, no obstacle{':' if style.verbosity else ' (-v lists them)'}\n"
    for number, one in enumerate(found.later if style.verbosity else (), len(found.todo) + 1):
        yield from _ended(_todo(number, one, style))
    for said in found.applied:
        yield from _ended(wrap(shown(f"changed: {said}"), style.width, "", "  "))
    if found.baseline:
        yield f"what it is now stands in the baseline {shown(found.baseline)}\n"


def _folded(steps: Sequence[Step]) -> Sequence[Step]:
    """Steps at the end that all say the same are one line."""
    last = [step for step in steps if (step.state, step.text, step.lines) == _said(steps[-1])] if steps else []
    if len(last) < 3 or list(steps[-len(last) :]) != last:
        return steps
    return (*steps[: -len(last)], last[0].model_copy(update={"id": "rest"}))


def _said(step: Step) -> tuple[State, str, tuple[str, ...]]:
    return step.state, step.text, step.lines


def heading(found: Onboarding, style: Style) -> list[str]:
    """Which machine, and what it is held against."""
    where = f" ({found.address})" if found.address != found.host else ""
    pool = f", pool {found.pool}" if found.pool else ""
    like = f", held against {found.like}" if found.like else ""
    return wrap(shown(f"onboard {found.host}{where}{pool}{like}"), style.width, "", "  ")


def step_lines(step: Step, style: Style) -> list[str]:
    """One step; of one that is fine the evidence only with -v."""
    mark, color = _MARK[step.state]
    head = f"{step.id:<9} {painter(style)(mark, color)}{' ' * (_INDENT - 10 - len(mark))}"
    found = wrap(shown(step.text), style.width - (len(head) - _INDENT), head, " " * _INDENT)
    if step.state != "ok" or style.verbosity:
        for line in step.lines:
            depth = len(line) - len(line.lstrip(" "))
            found += wrap(shown(line.strip(" ")), style.width, " " * (_INDENT + depth), " " * (_INDENT + depth + 2))
    return found


def _verdict(found: Onboarding) -> str:
    if found.ready:
        return f"READY: {shown(found.host)} pushes what the fleet merges, and here is the proof"
    many = len(found.todo)
    return f"NOT READY: {many} thing{'s' * (many != 1)} to do" if many else "NOT READY: not everything could be told"


def _todo(number: int, one: Todo, style: Style) -> list[str]:
    found = wrap(shown(one.what), style.width, f"{number:>3}. ", "     ")
    if one.fix and one.mended_by is None:
        found += labelled("do", (one.fix,), style, 5)
    if one.command:
        found += labelled("run", (one.command,), style, 5)
    if one.by_hand and one.rule is not None and style.verbosity:
        found += labelled("by hand", (one.by_hand,), style, 5)
    return found


def _ended(lines: Sequence[str]) -> Iterator[str]:
    return (f"{line}\n" for line in lines)


def markdown(found: Onboarding, style: Style) -> Iterator[str]:
    """A checklist: a box a step and a box a thing to do."""
    del style
    verdict = "READY" if found.ready else "NOT READY"
    yield f"### {verdict}: {inert.markdown(found.host)}\n\n"
    like = f"held against {inert.markdown(found.like)}; " if found.like else ""
    yield f"{like}fleet-audit {found.tool_version}, {found.when:%Y-%m-%d %H:%M} UTC\n\n"
    for step in found.steps:
        box = "x" if step.state in ("ok", "note") else " "
        yield f"- [{box}] **{step.id}**: {inert.markdown(step.text)}\n"
        if step.state != "ok":
            for line in step.lines:
                depth = (len(line) - len(line.lstrip(" "))) // 2
                yield f"{'  ' * (depth + 1)}- {inert.markdown(line.strip(' '))}\n"
    for title, listed in (("To do", found.todo), ("Worth doing", found.later)):
        if listed:
            yield f"\n**{title}**\n\n"
        for one in listed:
            yield f"- [ ] {inert.markdown(one.what)}\n"
            if one.fix:
                yield f"  - {inert.markdown(one.fix)}\n"
            if one.command:
                yield f"  - {_code(one.command)}\n"
    if found.applied:
        yield "\n**Changed**\n\n"
    for said in found.applied:
        yield f"- {inert.markdown(said)}\n"


def _code(command: str) -> str:
    """A code span; a text with a backtick of its own cannot be one."""
    said = inert.terminal(command)
    return inert.markdown(said) if "`" in said else f"`{said}`"


def schema() -> dict[str, Any]:
    """The JSON Schema of what `as_json` writes."""
    made = Onboarding.model_json_schema(mode="serialization")
    made["properties"] |= {"ready": {"type": "boolean"}, "exit_code": {"type": "integer"}}
    made["required"] = [*made.get("required", ()), "ready", "exit_code"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def as_json(found: Onboarding, style: Style) -> Iterator[str]:
    """For programs; `ready` and `exit_code` are said, too."""
    del style
    document = found.model_dump(mode="json") | {"ready": found.ready, "exit_code": found.exit_code}
    yield inert.json(json.dumps(document, indent=2, ensure_ascii=False))
    yield "\n"


FORMATS: Mapping[str, Callable[[Onboarding, Style], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "markdown": markdown,
}
