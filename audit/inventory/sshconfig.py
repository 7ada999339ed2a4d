"""The Host entries of an ssh_config, with what ssh would use for each."""

from __future__ import annotations

import fnmatch
import glob
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.inventory.place import Place
from audit.inventory.yamlfile import read_text

_LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*\Z")
_MOST_INCLUDES = 16
Condition = tuple[str, ...]


@dataclass(frozen=True)
class Directive:
    """One line: what it sets, under which Host lines (all must match), and where."""

    keyword: str
    words: tuple[str, ...]
    conditions: tuple[Condition, ...]
    place: Place


def entries(path: Path, home: Path | None = None) -> Iterator[tuple[str, dict[str, tuple[str, ...]], Place]]:
    """Each concrete Host name with the values that ssh would take for it (the first of each wins) and its place.

    ``Match`` blocks other than ``Match all`` are left out: they depend on more than the name.

    Raises:
        InventoryError: the file cannot be read, or a line has an open quote.
    """
    directives = list(_directives(path, home or Path.home(), (), 0))
    done: set[str] = set()
    for directive in directives:
        if directive.keyword != "host":
            continue
        for name in directive.words:
            if re.search(r"[*?!]", name) or name in done:
                continue
            done.add(name)
            yield name, _values(name, directives), directive.place


def _values(name: str, directives: list[Directive]) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for directive in directives:
        if directive.keyword != "host" and all(_holds(name, each) for each in directive.conditions):
            values.setdefault(directive.keyword, directive.words)
    return values


def _holds(name: str, patterns: Condition) -> bool:
    """Whether a Host line speaks of a name: some pattern matches, and no negated one does."""
    if any(p.startswith("!") and fnmatch.fnmatchcase(name, _glob(p[1:])) for p in patterns):
        return False
    return any(not p.startswith("!") and fnmatch.fnmatchcase(name, _glob(p)) for p in patterns)


def _glob(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _directives(path: Path, home: Path, outer: tuple[Condition, ...], depth: int) -> Iterator[Directive]:
    text = read_text(path)
    conditions = outer
    for number, line in enumerate(text.splitlines(), 1):
        place = Place(str(path), number)
        found = _LINE.match(line)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if found is None:
            raise place.error(f"is no line of an ssh_config: {line.strip()[:60]!r}")
        keyword, rest = found[1].lower(), found[2]
        words = (rest,) if keyword in ("proxycommand", "localcommand", "remotecommand") else _split(rest, place)
        if keyword == "host":
            conditions = (*outer, words)
            yield Directive("host", words, conditions, place)
        elif keyword == "match":
            conditions = outer if [word.lower() for word in words] == ["all"] else (*outer, ())
        elif keyword == "include":
            if depth >= _MOST_INCLUDES:
                raise place.error("includes files more than 16 deep: does one include itself?")
            for each in words:
                for file in _included(each, path, home):
                    yield from _directives(file, home, conditions, depth + 1)
        else:
            yield Directive(keyword, words, conditions, place)


def _split(text: str, place: Place) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text, comments=True))
    except ValueError as error:
        raise place.error(f"has an open quote ({error}): close it") from None


def _included(pattern: str, origin: Path, home: Path) -> list[Path]:
    """Files of an Include: relative ones lie in ~/.ssh, or in /etc/ssh for the system's file."""
    if pattern.startswith("~/"):
        pattern = str(home / pattern[2:])
    elif not pattern.startswith("/"):
        base = Path("/etc/ssh") if str(origin).startswith("/etc/ssh/") else home / ".ssh"
        pattern = str(base / pattern)
    return [Path(name) for name in sorted(glob.glob(pattern)) if Path(name).is_file()]  # noqa: PTH207 - an absolute pattern
