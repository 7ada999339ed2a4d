"""`.dockerignore`: its lines, and which paths they leave out.

As BuildKit reads it (moby/patternmatcher, tonistiigi/fsutil): a line counts from the context's root, a later line wins
over an earlier one, and a folder that is left out takes with it what is in it, unless a later `!` line takes it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit.context.patterns import Pattern, PatternError, cleaned, pattern, trimmed

MARK = b"\xef\xbb\xbf"
LONGEST = 64 * 1024
"""Bytes; docker reads no longer line."""

Marks = tuple[bool, ...]
"""Which of the patterns matched a folder, or one above it."""


class Judged(NamedTuple):
    """Whether a path is left out, and what those in it have to know."""

    out: bool
    marks: Marks


class LineError(ValueError):
    """A line that cannot be read (`PatternError`), or is longer than docker reads.

    Attributes:
        line: 1-based.
    """

    def __init__(self, message: str, line: int) -> None:
        """Keep the place."""
        super().__init__(message)
        self.line = line


class Ignore:
    """The patterns of one file, in order."""

    def __init__(self, patterns: Sequence[Pattern] = ()) -> None:
        """Take them as they were read."""
        self.patterns = tuple(patterns)
        exceptions = [each for each in self.patterns if each.exception]
        self._anywhere = any(each.root is None for each in exceptions)
        self._roots = tuple(
            f"{each.root}/".encode("utf-8", "surrogateescape") for each in exceptions if each.root is not None
        )

    @classmethod
    def read(cls, content: bytes) -> Ignore:
        """The patterns of a file's content.

        Raises:
            LineError: at the first line that cannot be read.
        """
        found: list[Pattern] = []
        for number, raw in enumerate(content.removeprefix(MARK).split(b"\n"), 1):
            if len(raw) >= LONGEST:
                raise LineError(f"is longer than the {LONGEST:,} bytes that docker reads", number)
            text = _line(raw.removesuffix(b"\r").decode("utf-8", "surrogateescape"))
            try:
                each = None if text is None else pattern(text, number)
            except PatternError as error:
                raise LineError(f"{error}", number) from error
            if each is not None:
                found.append(each)
        return cls(found)

    def judge(self, path: bytes, above: Marks | None = None) -> Judged:
        """Whether a path is left out.

        Args:
            path: from the context's root, with slashes.
            above: the marks of the folder it is in; None at the root.
        """
        out = False
        marks: list[bool] = []
        for at, each in enumerate(self.patterns):
            # A pattern that would change nothing is not compared, and so leaves no mark for those below: docker's
            # own order, which tells `a/b` with `!a` from `!a` with `a/b`.
            match = (above is not None and above[at]) or (each.exception == out and each.matches(path))
            marks.append(match)
            if match:
                out = not each.exception
        return Judged(out, tuple(marks))

    def may_keep_below(self, folder: bytes) -> bool:
        """Whether something in a folder that is left out may be taken in by an exception."""
        inside = folder + b"/"
        return self._anywhere or any(root.startswith(inside) for root in self._roots)


def _line(text: str) -> str | None:
    """The pattern of a line; None for a comment or nothing."""
    if text.startswith("#"):
        return None
    text = trimmed(text)
    if not text:
        return None
    exception = text.startswith("!")
    if exception:
        text = trimmed(text[1:])
    if text:
        text = cleaned(text)
        if len(text) > 1:
            text = text.removeprefix("/")
    return f"!{text}" if exception else text
