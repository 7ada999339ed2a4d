"""Settings of builds: what unit files, the manager and the running process say, and which of them is in force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from audit.fact import Answers
from audit.facts import _docker
from audit.facts._read import Lines, no_userinfo
from audit.facts._sh import ENV_NAMES
from audit.model import Unknown

BY_UNIT = ("manager", "unit", "drop-in", "environment-file")
"""Kinds of places that systemd takes a unit's environment from, in its order: the last one wins."""


@dataclass(frozen=True)
class Line:
    """One thing that a file does to the environment.

    Attributes:
        verb: set, reset, unset or exec.
        kind: manager, unit, drop-in, environment-file or etc-environment.
        path: the file; None for the manager's own environment.
        name: the variable, or empty.
        value: its value, or the program of an ``exec``.
    """

    verb: str
    kind: str
    path: str | None
    name: str = ""
    value: str = ""


def lines_of(answers: Answers) -> tuple[Line, ...]:
    """All lines of the probe ``build-unit``; none where it has no answer."""
    answer = answers.get("build-unit")
    found = []
    for text in () if isinstance(answer, Unknown) else answer.stdout.split("\n"):
        cells = text.split("\t", 3)
        if len(cells) != 4 or cells[1] not in (*BY_UNIT, "etc-environment"):
            continue
        verb, kind, path, rest = cells
        name, _, value = rest.partition("=")
        if verb == "exec":
            name, value = "", rest
        elif verb != "reset" and name not in ENV_NAMES:
            continue
        found.append(Line(verb, kind, None if path == "-" else no_userinfo(path), name, no_userinfo(value)))
    return tuple(found[:2000])


def in_force(lines: tuple[Line, ...]) -> dict[str, Line]:
    """What systemd makes of them: environment files beat Environment=, the last one wins, an empty line starts anew."""
    found: dict[str, Line] = {}
    gone = {line.name for line in lines if line.verb == "unset"}
    for kinds in (("manager",), ("unit", "drop-in"), ("environment-file",)):
        layer: dict[str, Line] = {}
        for line in lines:
            if line.kind not in kinds:
                continue
            if line.verb == "reset":
                layer.clear()
            elif line.verb == "set":
                layer[line.name] = line
        found |= layer
    return {name: line for name, line in found.items() if name not in gone}


def source(answers: Answers) -> str | None:
    """Where the wire took the build service's environment from: process, unit or absent; None where not asked."""
    lines = _docker.lines(answers, "unit-env")
    return lines.first("source") if lines else None


def running(answers: Answers) -> dict[str, str]:
    """The variables that the wire found, HOME too; from the process where `source` says so."""
    answer = answers.get("unit-env")
    found = {}
    for text in () if isinstance(answer, Unknown) else answer.stdout.split("\n"):
        name, equals, value = text.partition("=")
        if equals and name in (*ENV_NAMES, "HOME"):
            found[name] = no_userinfo(value)
    return found


def stale(answers: Answers) -> bool | None:
    """Whether the running process has another environment than the files now say; None: cannot tell.

    A program that a wrapper has put in its own place may have got variables from there: what it has more is no proof.
    """
    answer = answers.get("build-unit")
    if isinstance(answer, Unknown) or source(answers) != "process":
        return None
    lines = Lines(answer.stdout)
    if lines.has("unreadable"):
        return None
    found = lines_of(answers)
    wanted = {name: line.value for name, line in in_force(found).items()}
    now = {name: value for name, value in running(answers).items() if name in ENV_NAMES}
    if any(now.get(name) != value for name, value in wanted.items() if "%" not in value):
        return True
    if set(now) <= set(wanted):
        return False
    program = next((line.value for line in reversed(found) if line.verb == "exec"), "")
    return True if PurePosixPath(program).name[:15] == lines.first("comm") else None
