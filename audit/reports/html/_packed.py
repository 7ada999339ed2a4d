"""Facts and verdicts of every host, packed: most hosts of a fleet say the same, so each thing said stands once.

The page's own script unpacks it when a host is opened. Texts are inert before they are packed, and each is written
into the page as text; so a worker's words are never read as markup on either side.

    {"t": [text, …],                    every text, once
     "f": [[name, row, …], …],          facts: places in "t" of the name, in "r" of its rows
     "r": [[key, value], …],            rows: places in "t"
     "v": [[rule, status, severity, message, remedy, because, evidence, …], …],   verdicts: places in "t"
     "h": [[[fact, …], [verdict, …]], …]}   hosts, in the page's order: places in "f" and "v"

A NUL in a text stands for the host's own name; no inert text holds one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic_core import to_json

from audit import inert
from audit.model import Status, Unknown, Verdict
from audit.reports._text import shown
from audit.run import Run

_Key = TypeVar("_Key", bound=Hashable)
OWN_NAME = "\0"
MOST_ROWS = 200
"""Rows of one fact that a page shows; a list that a worker made long is counted out loud."""


class _Table(Generic[_Key]):
    """Each value once, and its place."""

    def __init__(self) -> None:
        self.places: dict[_Key, int] = {}

    def place(self, value: _Key) -> int:
        return self.places.setdefault(value, len(self.places))

    def values(self) -> list[_Key]:
        return list(self.places)


def packed(run: Run) -> str:
    """The whole as JSON that may stand inside a page: no ``<`` in it, nothing unseen."""
    texts: _Table[str] = _Table()
    rows: _Table[tuple[int, int]] = _Table()
    facts: _Table[tuple[int, ...]] = _Table()
    verdicts: _Table[tuple[int, ...]] = _Table()
    hosts: list[list[list[int]]] = []
    for member in run.view.members:
        name = member.host.name
        own = _own(name)
        mine = []
        for fact, value in member.facts.items():
            pairs = _rows(value.model_dump(mode="json")) if not isinstance(value, Unknown) else _unknown(value)
            places = [rows.place((texts.place(key), texts.place(own(shown(text))))) for key, text in pairs]
            mine.append(facts.place((texts.place(fact.replace("_", " ")), *places)))
        said = [
            verdicts.place(tuple(texts.place(own(shown(text))) for text in _verdict(verdict)))
            for verdict in sorted(run.by_subject.get(name, ()), key=reading_order)
        ]
        hosts.append([mine, said])
    whole = {"t": texts.values(), "r": rows.values(), "f": facts.values(), "v": verdicts.values(), "h": hosts}
    return inert.json(to_json(whole).decode())  # inert texts hold no lone surrogate, so JSON can hold them


def reading_order(verdict: Verdict) -> tuple[bool, int, str]:
    """How one host's verdicts stand: what must be read first, the worst of it before the rest, then by rule."""
    quiet = verdict.status in (Status.PASS, Status.NOT_APPLICABLE, Status.WAIVED) or verdict.because is not None
    return (quiet, -verdict.severity.rank, verdict.rule)


def _own(name: str) -> Callable[[str], str]:
    """A function that puts the place-holder where a text names the host as a word of its own."""
    shown_name = shown(name)
    if len(shown_name) < 2:
        return lambda text: text
    pattern = re.compile(rf"(?<![\w.-]){re.escape(shown_name)}(?![\w-]|\.\w)")
    return lambda text: pattern.sub(OWN_NAME, text) if shown_name in text else text


def _verdict(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.rule,
        verdict.status.value,
        verdict.severity.value,
        verdict.message,
        verdict.remedy,
        verdict.because or "",
        *verdict.evidence,
    )


def _unknown(value: Unknown) -> Iterator[tuple[str, str]]:
    yield "not known", value.reason.value
    if value.detail:
        yield "detail", value.detail


def _rows(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A fact's fields as lines; what is empty or not told is left out."""
    found: list[tuple[str, str]] = []
    for row in _flat("", value):
        if len(found) == MOST_ROWS:
            found.append(("more", "not shown here: --report json has all of them"))
            break
        found.append(row)
    return found


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None or value in ("", [], {}):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = shown(str(key)).replace("_", " ")
            yield from _flat(f"{path}, {name}" if path else name, item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if all(not isinstance(item, (Mapping, list, tuple)) for item in value):
            yield path, " · ".join(_scalar(item) for item in value)
        else:
            for number, item in enumerate(value, 1):
                yield from _flat(f"{path} {number}", item)
    else:
        yield path, _scalar(value)


def _scalar(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
