"""What a build, push or merge log says when it fails, and what that means: the table, a few files by area.

A file of this folder (but those that begin with ``_``) has ``SYMPTOMS = (Symptom(...), ...)``; the folder is listed in
name order, and an id that stands twice is an error. Ids are never reused: ``S1`` to ``S31`` are the symptoms that users
report, ``R-…`` the classes of a registry's errors, ``D-…`` what Docker's own client, builder and engine say.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, get_args

Nature = Literal["transient", "permanent", "configuration", "harmless"]
"""transient: the same command may succeed later; permanent: it never will, the input or the image must change;
configuration: a setting of a machine, a registry or an account must change; harmless: nothing failed."""

_ID = re.compile(r"S\d{1,2}|[RD](?:-[a-z0-9]+)+")
_PLACE = re.compile(r"\{([a-z]+)\}")
_GROUP = re.compile(r"\(\?P<([a-z]+)>")
_TOKEN = re.compile(r"(?P<escape>\\.)|(?P<set>\[\^?\]?[^\]]*\])|(?P<many>\{\d[\d,]*\}\??|\?)|(?P<other>.)", re.S)
_CLASSES = frozenset("wWdDsSbBAZ")


@dataclass(frozen=True)
class Signature:
    """Texts that stand in one line of a log, in this order.

    Attributes:
        parts: regular expressions, matched without regard to case, each after the end of the one before. They are
            written for Python and for the Perl-like dialect of OCaml's Re alike, and bounded: literals, sets, groups,
            ``?`` and ``{m,n}``, no ``*`` or ``+``, no lookaround. So a search is linear in the line's length.
        score: how surely it names the cause, 1 to 99; on one line the highest wins, the others are its consequences.
        says: the symptom's title with what the named groups caught (``{ref}``); empty: the title as it is.
    """

    parts: tuple[str, ...]
    score: int
    says: str = ""

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The parts, compiled."""
        return tuple(re.compile(part, re.I | re.A) for part in self.parts)

    @cached_property
    def key(self) -> str:
        """A text in lower case without which no line can match: the longest literal of all parts."""
        found = max((literal for part in self.parts for literal in _literals(part)), key=len, default="")
        return found.lower()

    def find(self, line: str) -> dict[str, str] | None:
        """What the named groups caught, or None where the line does not match."""
        found = self._find(line)
        if found is None:
            return None
        return {name: text for one in found for name, text in one.groupdict().items() if text is not None}

    def span(self, line: str) -> tuple[int, int] | None:
        """Where in the line it stands, from the start of the first part to the end of the last."""
        found = self._find(line)
        return (found[0].start(), found[-1].end()) if found else None

    def _find(self, line: str) -> list[re.Match[str]] | None:
        found: list[re.Match[str]] = []
        for pattern in self.patterns:
            one = pattern.search(line, found[-1].end() if found else 0)
            if one is None:
                return None
            found.append(one)
        return found

    @cached_property
    def regex(self) -> str:
        """One pattern for OCaml's Re: groups by number, and no bounds, since it matches without backtracking."""
        text = ".*".join(_GROUP.sub("(", part).replace('\\"', '"') for part in self.parts)
        return re.sub(r"\{[1-9]\d*,\d+\}", "+", re.sub(r"\{0,\d+\}", "*", text))

    def report(self, title: str) -> str:
        """What OCurrent reports: groups as ``\\1``."""
        names = [name for part in self.parts for name in _GROUP.findall(part)]
        return _PLACE.sub(lambda found: f"\\{names.index(found[1]) + 1}", self.says or title)


def seen(*parts: str, score: int, says: str = "") -> Signature:
    """A signature of the parts given."""
    return Signature(parts, score, says)


def filled(text: str, caught: Mapping[str, str]) -> str | None:
    """A template with its places filled; None where one of them caught nothing."""
    if any(not caught.get(name) for name in _PLACE.findall(text)):
        return None
    return _PLACE.sub(lambda found: caught[found[1]], text)


@dataclass(frozen=True)
class Symptom:
    """One known failure.

    Attributes:
        id: see the folder's docstring.
        title: what it is, in a few words.
        nature: see `Nature`.
        where: who says it.
        cause: why, in a sentence or two.
        do: what to do first, one clause, for the headline of a report.
        fixes: everything that helps, the best first, a sentence each.
        signatures: what it looks like in a log.
        refs: where it is reported (``owner/repository#number``).
        rules: rules of ours that find its cause on a worker.
        leads_to: symptoms that follow from it when they stand later in the same log.
    """

    id: str
    title: str
    nature: Nature
    where: str
    cause: str
    do: str
    fixes: tuple[str, ...]
    signatures: tuple[Signature, ...]
    refs: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an id or a nature of the wrong form."""
        if not _ID.fullmatch(self.id) or self.nature not in get_args(Nature):
            raise ValueError(f"{self.id} ({self.nature}) is no symptom")

    @property
    def score(self) -> int:
        """Of its surest signature."""
        return max(signature.score for signature in self.signatures)


@cache
def all_symptoms() -> Mapping[str, Symptom]:
    """Every symptom by id: S1, S2, … first, then the classes by name."""
    found: dict[str, Symptom] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name[0] != "_"):
        for symptom in importlib.import_module(f"{__name__}.{name}").SYMPTOMS:
            if symptom.id in found:
                raise TypeError(f"audit/symptoms/{name}.py: {symptom.id} stands twice")
            found[symptom.id] = symptom
    return {name: found[name] for name in sorted(found, key=_order)}


def _order(name: str) -> tuple[int, int, str]:
    return (0, int(name[1:]), "") if name[1:].isdigit() else ("SRD".index(name[0]), 0, name)


def _literals(part: str) -> Iterator[str]:
    """Runs of characters that every match of a part holds; what stands in a group does not count."""
    depth, run = 0, ""
    for token in _TOKEN.finditer(part):
        kind, text = token.lastgroup, token[0]
        if kind == "other" and text == "(":
            depth += 1
        elif kind == "other" and text == ")":
            depth -= 1
        elif depth == 0:
            if kind == "escape" and text[1] not in _CLASSES:
                run += text[1]
                continue
            if kind == "other" and text not in ".|^$*+":
                run += text
                continue
            if kind == "many":  # the character before may be missing
                run = run[:-1]
        if run:
            yield run
        run = ""
    if run:
        yield run
