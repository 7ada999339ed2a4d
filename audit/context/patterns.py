"""One ignore pattern: what it matches.

As docker's matcher (moby/patternmatcher): ``*`` and ``?`` stop at a slash, ``**`` does not, a backslash takes the next
letter's meaning away, brackets are Go's. A pattern is compared with whole paths, from the context's root.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from audit.context.goregexp import ExpressionError, compiled

_TO_ESCAPE = frozenset(".+()|{}$")
_WILD = frozenset("*[]?^\\")


class PatternError(ValueError):
    """A pattern that is none; the message says why, without its place.

    Docker refuses it too, or only once it meets a path that makes it look so far, or reads it by an accident.
    """


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready to be compared.

    Attributes:
        text: without ``!``, cleaned.
        exception: written with ``!``: what it matches is taken in again.
        line: 1-based, in the file it stands in.
        matches: whether it matches a path (raw, slashes, from the root, clean). Folders above are not looked at.
        root: the folder that everything it matches is in or is, where it says so without wildcards; else None.
    """

    text: str
    exception: bool
    line: int
    matches: Callable[[bytes], bool]
    root: str | None


def pattern(text: str, line: int) -> Pattern | None:
    """Read one, as it comes from an ignore file's line (`ignorefile.patterns`); None for an empty one.

    Raises:
        PatternError: brackets that do not close, a backslash at the end, ``!`` alone, an expression that cannot be.
    """
    text = trimmed(text)
    if not text:
        return None
    text = cleaned(text)
    exception = text.startswith("!")
    if exception:
        text = text[1:]
        if not text:
            raise PatternError("a `!` excepts nothing: write the path behind it")
    _check(text)
    try:
        matches = _matcher(text)
    except ExpressionError as error:
        raise PatternError(f"{error}") from error
    root = text.removesuffix("/**").removesuffix("/*")
    return Pattern(text, exception, line, matches, None if _WILD & set(root) else root)


def trimmed(text: str) -> str:
    """Without white space around, which is what Go calls so: not quite Python's."""
    return text.strip("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
                      "\u2028\u2029\u202f\u205f\u3000")  # fmt: skip


def cleaned(path: str) -> str:
    """The shortest spelling: no `.`, no doubled slash, `..` resolved by name; never empty."""
    if path.startswith("//"):  # which POSIX lets mean something of its own
        path = "/" + path.lstrip("/")
    return posixpath.normpath(path)


def _matcher(text: str) -> Callable[[bytes], bool]:
    """Go through the letters as docker does, whose kinds of match are not all equal to their expression's."""
    plain = text.encode("utf-8", "surrogateescape")
    letters = readable(text).removeprefix("\ufeff")
    kind = "exact"
    out: list[str] = []
    at, first = 0, True
    while at < len(letters):
        letter = letters[at]
        at += 1
        if letter == "*" and letters.startswith("*", at):
            at += 2 if letters.startswith("/", at + 1) else 1
            if at < len(letters):
                out.append("(.*/)?")
                kind = "expression"
            elif kind == "exact":
                kind = "prefix"
            else:
                out.append(".*")
                kind = "expression"
            if first:
                kind = "suffix"
        elif letter in "*?":
            out.append("[^/]*" if letter == "*" else "[^/]")
            kind = "expression"
        elif letter in _TO_ESCAPE:
            out.append(f"\\{letter}")
        elif letter == "\\":
            out.append(f"\\{letters[at : at + 1]}")
            at += 1
            kind = "expression"
        else:
            out.append(letter)
            if letter in "[]":
                kind = "expression"
        first = False
    return _by_kind(kind, plain, "".join(out))


def _by_kind(kind: str, plain: bytes, expression: str) -> Callable[[bytes], bool]:
    if kind == "exact":
        return plain.__eq__
    if kind == "prefix":
        start = plain[:-2]
        return lambda path: path.startswith(start)
    if kind == "suffix":
        end = plain[2:]
        whole = end[1:] if end.startswith(b"/") else None
        return lambda path: path.endswith(end) or path == whole
    fits = compiled(expression).fullmatch
    return lambda path: fits(readable(path.decode("utf-8", "surrogateescape"))) is not None


def readable(text: str) -> str:
    """Each byte that is no UTF-8 is U+FFFD to Go's expressions."""
    if text.isascii():
        return text
    return "".join("\ufffd" if "\udc80" <= letter <= "\udcff" else letter for letter in text)


def _check(text: str) -> None:
    """Whether Go's `filepath.Match` takes it, which docker asks first."""
    at = 0
    while at < len(text):
        while text.startswith("*", at):
            at += 1
        end = _piece(text, at)
        _check_piece(text[at:end])
        at = end


def _piece(text: str, at: int) -> int:
    """Where the piece up to the next star that is not in brackets ends."""
    listed = False
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += at + 1 < len(text)
        elif letter == "[":
            listed = True
        elif letter == "]":
            listed = False
        elif letter == "*" and not listed:
            break
        at += 1
    return at


def _check_piece(piece: str) -> None:
    at = 0
    while at < len(piece):
        if piece[at] == "[":
            at += 2 if piece.startswith("^", at + 1) else 1
            start = at
            while at == start or not piece.startswith("]", at):
                at = _listed(piece, at)
                if piece.startswith("-", at):
                    at = _listed(piece, at + 1)
        elif piece[at] == "\\":
            at += 1
            if at == len(piece):
                raise PatternError("a backslash at the end takes no letter's meaning away: double it, or drop it")
        at += 1


def _listed(piece: str, at: int) -> int:
    """Behind one letter of a list in brackets."""
    if piece.startswith("\\", at):
        at += 1
        escaped = True
    else:
        escaped = False
    letter = piece[at : at + 1]
    if not letter or (letter in "-]" and not escaped) or "\udc80" <= letter <= "\udcff" or at + 1 >= len(piece):
        raise PatternError("its brackets are not closed, or hold a `-` or `]` without a backslash")
    return at + 1
