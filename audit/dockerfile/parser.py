"""Dockerfiles as BuildKit reads them: any text in, instructions out; what cannot be read is a value too.

Pure and linear in the text's length. The reading follows moby/buildkit v0.32.2 `frontend/dockerfile/parser`:
continuations, comments inside them, directives, heredocs, flags before arguments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)")
_DIRECTIVES = ("syntax", "escape", "check")
_HEREDOC = re.compile(r"\d*<<(-?)[ \t]*([^<]+)")
_WORD = re.compile(r"""(?:[^\s'"\\]++|\\.|'[^']*+'|"(?:[^"\\]++|\\.)*+"|\\$)++""", re.DOTALL)
_WITH_HEREDOCS = ("ADD", "COPY", "RUN")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: in capitals.
        flags: as written, without quotes, e.g. ``--chown=$USER``.
        args: what follows the flags, continuations joined.
        line: where it begins, 1-based.
        text: all of it, continuations joined.
        onbuild: it is what an ONBUILD holds: it runs in builds from this image.
        heredocs: contents of its heredocs.
    """

    name: str
    flags: tuple[str, ...]
    args: str
    line: int
    text: str
    onbuild: bool = False
    heredocs: tuple[str, ...] = ()

    def flag(self, name: str) -> str | None:
        """A flag's value; empty for one without; None where it is not given. Flags know capitals from small letters."""
        for said in self.flags:
            key, _, value = said.partition("=")
            if key == f"--{name}":
                return value
        return None


@dataclass(frozen=True)
class Problem:
    """What cannot be read: the build would fail there, or we cannot follow."""

    line: int
    text: str


@dataclass(frozen=True)
class Dockerfile:
    """A file's instructions.

    Attributes:
        syntax: the frontend that its ``# syntax=`` names.
        instructions: in order, an ONBUILD's as the instruction inside it.
        problems: where reading it ended early or a line is none.
    """

    syntax: str | None
    instructions: tuple[Instruction, ...]
    problems: tuple[Problem, ...] = ()


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; any text gives a value."""
    reader = _Reader(text.removeprefix("\ufeff"))
    instructions = tuple(reader.instructions())
    return Dockerfile(reader.directives.get("syntax"), instructions, tuple(reader.problems))


class _Reader:
    """One pass over the lines."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.at = 0
        self.escape = "\\"
        self.directives: dict[str, str] = {}
        self.leading = True
        self.problems: list[Problem] = []

    def instructions(self) -> Iterator[Instruction]:
        while self.at < len(self.lines):
            start = self.at + 1
            line = self._logical()
            if not line.strip():
                continue
            found = self._instruction(line, start)
            if found is None:
                continue
            heredocs = self._heredocs(found)
            if heredocs is None:
                return
            yield Instruction(**{**found.__dict__, "heredocs": heredocs}) if heredocs else found

    def _next(self) -> str:
        self.at += 1
        return self.lines[self.at - 1].rstrip("\r\n")

    def _logical(self) -> str:
        """One line with its continuations; empty for a comment, a directive or a blank line."""
        first = self._next().lstrip()
        if self.leading and self._directive(first):
            return ""
        if first.startswith("#"):
            return ""
        text, more = self._continued(first)
        parts = [text]
        while more and self.at < len(self.lines):
            line = self._next()
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            text, more = self._continued(line)
            parts.append(text)
        return "".join(parts)

    def _continued(self, line: str) -> tuple[str, bool]:
        """The line without its continuation mark, and whether it had one; a mark behind another is none."""
        bare = line.rstrip(" \t")
        if bare.endswith(self.escape) and not bare[:-1].endswith(self.escape):
            return bare[:-1], True
        return line, False

    def _directive(self, line: str) -> bool:
        """Directives stand before everything else, a comment too."""
        found = _DIRECTIVE.fullmatch(line.rstrip())
        name = found[1].lower() if found else ""
        if found is None or name not in _DIRECTIVES or name in self.directives:
            self.leading = line.startswith("#!") and self.at == 1
            return False
        value = self.directives[name] = found[2].strip()
        if name == "syntax":
            self.directives[name] = value.partition(" ")[0]
        if name == "escape":
            if value in ("\\", "`"):
                self.escape = value
            else:
                self.problems.append(Problem(self.at, f"the escape directive is neither \\ nor `: {value[:20]}"))
        return True

    def _instruction(self, line: str, start: int, *, onbuild: bool = False) -> Instruction | None:
        words = line.strip().split(None, 1)
        name, rest = words[0].upper(), words[1] if len(words) == 2 else ""
        flags, args = self._flags(rest)
        if name == "ONBUILD":
            if onbuild or not args:
                self.problems.append(Problem(start, "ONBUILD holds no instruction of its own"))
                return None
            return self._instruction(args, start, onbuild=True)
        return Instruction(name, flags, args.strip(), start, line.strip(), onbuild)

    def _flags(self, rest: str) -> tuple[tuple[str, ...], str]:
        """Words that begin with --, quotes taken away, up to the first that does not."""
        flags: list[str] = []
        at = 0
        while True:
            while at < len(rest) and rest[at].isspace():
                at += 1
            if not rest.startswith("--", at):
                return tuple(flags), rest[at:]
            word: list[str] = []
            quote = ""
            while at < len(rest) and (quote or not rest[at].isspace()):
                letter = rest[at]
                if letter == quote:
                    quote = ""
                elif not quote and letter in "'\"":
                    quote = letter
                elif letter == self.escape:
                    at += 1
                    word.append(rest[at : at + 1])
                else:
                    word.append(letter)
                at += 1
            said = "".join(word)
            if said == "--":
                return tuple(flags), rest[at:]
            flags.append(said)

    def _heredocs(self, instruction: Instruction) -> tuple[str, ...] | None:
        """The contents that follow; None: one never ends, and with it the file."""
        if instruction.name not in _WITH_HEREDOCS or "<<" not in instruction.text or _is_json(instruction.args):
            return ()
        contents = []
        for name, chomp in _openings(instruction.text):
            lines: list[str] = []
            while self.at < len(self.lines):
                line = self._next()
                if (line.lstrip("\t") if chomp else line) == name:
                    break
                lines.append(line)
            else:
                self.problems.append(Problem(instruction.line, f"the heredoc {name[:40]} never ends: the build fails"))
                return None
            contents.append("\n".join(lines))
        return tuple(contents)


def _is_json(args: str) -> bool:
    if not args.startswith("["):
        return False
    try:
        value = json.loads(args)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _openings(text: str) -> Iterator[tuple[str, bool]]:
    """The names of the heredocs that a line opens, and whether leading tabs are cut; none where a quote never ends."""
    found_words = list(words(text))
    if None in found_words:
        return
    for word in found_words:
        found = _HEREDOC.fullmatch(word or "")
        if found:
            name = unquoted(found[2])
            if name:
                yield name, found[1] == "-"


def words(text: str) -> Iterator[str | None]:
    """Words with their quotes; None for one whose quote never ends."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _WORD.match(text, at)
        end = found.end() if found else at
        if end < len(text) and not text[end].isspace():
            yield None
            return
        yield text[at:end]
        at = end


def unquoted(value: str) -> str:
    """Without quotes and the marks that escape."""
    return re.sub(r"""['"]|\\(?=.)""", "", value)
