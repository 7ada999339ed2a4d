r"""Go's regular expressions, as far as an ignore pattern can become one, for Python's `re`.

Docker turns a pattern into a regular expression by replacing letters, so that what a user wrote in brackets or after a
backslash is read by Go's `regexp`: ``\d`` is a digit, ``[[:alpha:]]`` a letter, and ``[a*]`` is no list at all. What
Python reads otherwise is written out here as ranges; what is not worth that is refused, never guessed.
"""

from __future__ import annotations

import re

Ranges = list[tuple[int, int]]

_LAST = 0x10FFFF
_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_PERL: dict[str, Ranges] = {
    "d": [(48, 57)],
    "s": [(9, 10), (12, 13), (32, 32)],
    "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
}
_POSIX: dict[str, Ranges] = {
    "alnum": [(48, 57), (65, 90), (97, 122)],
    "alpha": [(65, 90), (97, 122)],
    "ascii": [(0, 127)],
    "blank": [(9, 9), (32, 32)],
    "cntrl": [(0, 31), (127, 127)],
    "digit": [(48, 57)],
    "graph": [(33, 126)],
    "lower": [(97, 122)],
    "print": [(32, 126)],
    "punct": [(33, 47), (58, 64), (91, 96), (123, 126)],
    "space": [(9, 13), (32, 32)],
    "upper": [(65, 90)],
    "word": [(48, 57), (65, 90), (95, 95), (97, 122)],
    "xdigit": [(48, 57), (65, 70), (97, 102)],
}


class ExpressionError(ValueError):
    """Go refuses the expression, or reads it in a way that is not offered here; the message says which part."""


def compiled(expression: str) -> re.Pattern[str]:
    """The same for `re`, to be used with `fullmatch`.

    Args:
        expression: for Go's `regexp`, without ``^`` in front and ``$`` behind.

    Raises:
        ExpressionError: it is no expression, or one with ``\\x``, ``\\p``, ``\\Q``, ``\\A``, ``\\z``, ``\\C`` or digits
            after a backslash.
    """
    out: list[str] = []
    at = 0
    while at < len(expression):
        letter = expression[at]
        if letter == "[":
            text, at = _brackets(expression, at + 1)
            out.append(text)
            continue
        at += 1
        if letter == "\\":
            out.append(_escaped(expression, at))
            at += 1
        elif letter == "(":
            out.append("(?:")
        elif letter in ")*?.^":
            out.append(letter)
        else:
            out.append(re.escape(letter))
    try:
        return re.compile("".join(out), re.ASCII)
    except re.error as error:
        raise ExpressionError("no regular expression can be made of it") from error


def _escaped(expression: str, at: int) -> str:
    """What a backslash outside of brackets and the letter at `at` mean."""
    letter = expression[at : at + 1]
    if letter in {"b", "B"}:
        return f"\\{letter}"
    ranges = _perl(letter)
    return re.escape(chr(_letter(letter))) if ranges is None else _written(ranges)


def _perl(letter: str) -> Ranges | None:
    ranges = _PERL.get(letter.lower())
    return ranges if ranges is None or letter.islower() else _others(ranges)


def _letter(letter: str) -> int:
    """The one code point that a backslash and a letter stand for, in brackets or not."""
    if letter in _CONTROLS:
        return _CONTROLS[letter]
    if len(letter) != 1 or not letter.isascii() or letter.isalnum():
        raise ExpressionError(f"\\{letter} has no meaning there, or one of Go's own")
    return ord(letter)


def _brackets(expression: str, at: int) -> tuple[str, int]:
    """A list in brackets from behind its ``[``, and where it ends."""
    negated = expression.startswith("^", at)
    at += negated
    first = at
    found: Ranges = []
    while at == first or not expression.startswith("]", at):
        named = _posix(expression, at) or _listed_perl(expression, at)
        if named is not None:
            found += named[0]
            at = named[1]
            continue
        low, at = _one(expression, at)
        high = low
        if expression.startswith("-", at) and expression[at + 1 : at + 2] not in {"", "]"}:
            high, at = _one(expression, at + 1)
        if high < low:
            raise ExpressionError(f"{chr(low)}-{chr(high)} is no range")
        found.append((low, high))
    return _written(_others(found) if negated else found), at + 1


def _posix(expression: str, at: int) -> tuple[Ranges, int] | None:
    if not expression.startswith("[:", at):
        return None
    end = expression.find(":]", at + 2)
    if end < 0:
        return None
    name = expression[at + 2 : end]
    ranges = _POSIX.get(name.removeprefix("^"))
    if ranges is None:
        raise ExpressionError(f"[:{name}:] is no kind of letter")
    return (_others(ranges) if name.startswith("^") else ranges), end + 2


def _listed_perl(expression: str, at: int) -> tuple[Ranges, int] | None:
    ranges = _perl(expression[at + 1 : at + 2]) if expression.startswith("\\", at) else None
    return None if ranges is None else (ranges, at + 2)


def _one(expression: str, at: int) -> tuple[int, int]:
    letter = expression[at : at + 1]
    if not letter:
        raise ExpressionError("a [ has no ]")
    if letter == "\\":
        return _letter(expression[at + 1 : at + 2]), at + 2
    return ord(letter), at + 1


def _others(ranges: Ranges) -> Ranges:
    """Every code point that is in none of them."""
    out: Ranges = []
    free = 0
    for low, high in sorted(ranges):
        if low > free:
            out.append((free, low - 1))
        free = max(free, high + 1)
    if free <= _LAST:
        out.append((free, _LAST))
    return out


def _written(ranges: Ranges) -> str:
    if not ranges:
        return "(?!)"
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"
