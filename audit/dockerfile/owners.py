"""COPY and ADD lines whose --chown names somebody whom BuildKit looks for where nobody is.

With --link, and without --chmod, the copy is made on an empty layer (moby/buildkit v0.32.2
`dockerfile2llb/convert_copy.go`, since dockerfile 1.4.0), and a name in --chown then has no /etc/passwd to be looked up
in (`solver/llbsolver/ops/file.go:534`). Engines with a graphdriver store switch that path off, and so does the legacy
builder, which takes --link and forgets it: there the line works. A stage that holds nothing yet fails everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from audit.dockerfile.accounts import Accounts, fits
from audit.dockerfile.parser import Instruction, Problem, parse, unquoted, words

ERROR = "invalid user index: -1"
"""What a user reads, for a group's name too; seen on engines 26.1.5 and 28.5.2."""

MOST_STAGES = 1000
MOST_VARIABLES = 200
"""Of one stage; a file with more is no file for people, and its other variables count as not known."""
_LONGEST = 1000
_HIDDEN = "\0"
"""Stands for a value that is not known here."""
_OF_THE_BUILD = ("TARGET", "BUILD", "HTTP", "FTP", "NO_PROXY", "ALL_PROXY", "SOURCE_DATE", "http", "ftp", "no_proxy")
"""How the variables begin that BuildKit sets by itself."""


@dataclass(frozen=True)
class LinkChown:
    """One line.

    Attributes:
        file: as given.
        line: where the instruction begins, 1-based.
        instruction: its beginning.
        owner: what --chown says once variables are replaced; as written where they are not known.
        sure: it fails; False: it hangs on a variable that is not known here.
        why: one sentence.
        fix: what to write.
        everywhere: it fails on every store.
        onbuild: it fails in builds from this image.
    """

    file: str
    line: int
    instruction: str
    owner: str
    sure: bool
    why: str
    fix: str
    everywhere: bool = False
    onbuild: bool = False


@dataclass(frozen=True)
class Note:
    """Something to know about a line, and no failure."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Examined:
    """What one file holds."""

    file: str
    findings: tuple[LinkChown, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()


class Variables:
    """ARG and ENV where an instruction stands.

    Attributes:
        told: nothing else can set one: no base image that we have not seen is below.
    """

    def __init__(self, values: Mapping[str, str | None], *, told: bool) -> None:
        """Begin with these; None: declared, and without a value."""
        self.values = dict(values)
        self.told = told

    def set(self, name: str, value: str | None) -> None:
        """Set one, as long as there is room."""
        if name in self.values or len(self.values) < MOST_VARIABLES:
            self.values[name] = value
        else:
            self.told = False

    def expand(self, text: str) -> str | None:
        """The text with its variables replaced; None where one of them is not known."""
        if "$" not in text:
            return text
        known = True

        def value(found: re.Match[str]) -> str:
            nonlocal known
            said = self._get(found[1] or found[2])
            if said == _HIDDEN:
                known = False
                return ""
            operator, word = found[3] or "", found[4] or ""
            there = bool(said) if operator.startswith(":") else said is not None
            if operator.endswith("-"):
                return said if there and said else word if not there else ""
            if operator:
                return word if there else ""
            return said or ""

        expanded = _VARIABLE.sub(value, text)
        return expanded if known and "$" not in expanded and len(expanded) <= _LONGEST else None

    def _get(self, name: str) -> str | None:
        said = self.values.get(name)
        if said is None and (not self.told or name.startswith(_OF_THE_BUILD)):
            return _HIDDEN
        return said


_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^${}]*))?\})", re.ASCII)


@dataclass
class _Stage:
    """What is known where an instruction stands."""

    variables: Variables
    accounts: Accounts
    empty: bool


def is_named(owner: str) -> bool:
    """Whether a --chown names a user or a group that must be looked up: all but numbers of 32 bits, and root."""
    return any(part not in ("", "root") and not fits(part) for part in owner.split(":", 1))


def examine(text: str, file: str, build_args: Mapping[str, str] | None = None) -> Examined:
    """Find the lines that work on a graphdriver store and fail on containerd's.

    Args:
        text: the Dockerfile.
        file: its name, for the findings.
        build_args: values of ``--build-arg``.
    """
    parsed = parse(text)
    walk = _Walk(file, dict(build_args or {}))
    for one in parsed.instructions:
        walk.step(one)
    if parsed.syntax is not None and not _STOCK.fullmatch(parsed.syntax):
        walk.notes.append(Note(file, 1, f"the frontend {parsed.syntax} is not Docker's own: what it does is not known"))
    return Examined(file, tuple(walk.findings), tuple(walk.notes), (*parsed.problems, *walk.problems))


_STOCK = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")


class _Walk:
    """One pass over the instructions of a file."""

    def __init__(self, file: str, given: Mapping[str, str]) -> None:
        self.file = file
        self.given = given
        self.findings: list[LinkChown] = []
        self.notes: list[Note] = []
        self.problems: list[Problem] = []
        self.globals = Variables({}, told=True)
        self.stages: dict[str, _Stage] = {}
        self.stage: _Stage | None = None
        self.count = 0

    def step(self, one: Instruction) -> None:
        if one.name == "FROM" and not one.onbuild:
            self.stage = self._begin(one)
        elif one.name == "ARG" and self.stage is None:
            self._declare(one, self.globals, {})
        elif self.stage is None:
            return
        elif one.name == "ARG":
            self._declare(one, self.stage.variables, self.globals.values)
        elif one.name == "ENV":
            _set(one, self.stage.variables)
        elif one.name in ("COPY", "ADD"):
            self._copy(one, self.stage)
            self.stage.empty = self.stage.empty and one.onbuild
        elif one.name in ("RUN", "WORKDIR") and not one.onbuild:
            self.stage.empty = False
            self.stage.accounts.note(one)

    def _begin(self, one: Instruction) -> _Stage | None:
        """A stage: fresh, or with all that the stage it is built from holds."""
        self.count += 1
        if self.count > MOST_STAGES:
            if self.count == MOST_STAGES + 1:
                self.problems.append(Problem(one.line, f"more than {MOST_STAGES} stages: the rest is not looked at"))
            return None
        said = one.args.split()
        base = ((self.globals.expand(said[0]) if said else None) or "").lower()
        parent = self.stages.get(base)
        if parent is not None:
            variables = Variables(parent.variables.values, told=parent.variables.told)
            stage = _Stage(variables, parent.accounts.copy(), empty=parent.empty)
        else:
            stage = _Stage(Variables({}, told=base == "scratch"), Accounts(), empty=base == "scratch")
        if len(said) >= 3 and said[1].lower() == "as":
            self.stages[said[2].lower()] = stage
        return stage

    def _declare(self, one: Instruction, into: Variables, outer: Mapping[str, str | None]) -> None:
        """ARG: the build's value, else its default, else that of an ARG before the first FROM."""
        for word in words(one.args):
            name, equals, default = (word or "").partition("=")
            if name in self.given:
                into.set(name, self.given[name])
            elif equals:
                value = into.expand(unquoted(default))
                into.set(name, _HIDDEN if value is None else value)
            elif name:
                into.set(name, outer.get(name))

    def _copy(self, one: Instruction, stage: _Stage) -> None:
        said = one.flag("chown")
        links = (one.flag("link") or "").lower() in ("", "true") and one.flag("link") is not None
        everywhere = stage.empty and not one.onbuild
        if not said or not (links or everywhere):
            return
        owner = stage.variables.expand(said)
        if owner is not None and not is_named(owner):
            return
        mode = one.flag("chmod")
        chmod = stage.variables.expand(mode) if mode else ""
        if chmod and not everywhere:
            text = f"--chmod gives up --link here: that alone lets --chown={said} work on the containerd store"
            self.notes.append(Note(self.file, one.line, text))
            return
        who = owner or said
        why = (
            f"the stage holds no file yet, so nobody is called {who} there"
            if everywhere
            else f"--link copies onto an empty layer, where nobody is called {who}"
        )
        if owner is None:
            why = f"it hangs on {said}, which is not known here (--build-arg may tell it); a name fails: {why}"
        elif not everywhere and chmod is None:
            why = f"it hangs on --chmod={mode}, which is not known here; where that is empty: {why}"
        self.findings.append(
            LinkChown(
                file=self.file,
                line=one.line,
                instruction=one.text if len(one.text) <= 100 else f"{one.text[:99]}…",
                owner=who,
                sure=owner is not None and (everywhere or chmod == ""),
                why=why,
                fix=stage.accounts.fix(owner),
                everywhere=everywhere,
                onbuild=one.onbuild,
            )
        )


def _set(one: Instruction, into: Variables) -> None:
    """ENV: several NAME=VALUE, or the old NAME VALUE."""
    first, _, rest = one.args.partition(" ")
    pairs = [word.partition("=") for word in words(one.args) if word] if "=" in first else [(first, "=", rest.strip())]
    values = [(name, into.expand(unquoted(value))) for name, equals, value in pairs if equals]
    for name, value in values:
        into.set(name, _HIDDEN if value is None else value)
