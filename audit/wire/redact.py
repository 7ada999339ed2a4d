"""Secrets are cut out here, before anything else sees what a worker said.

Two kinds of rules: patterns of secrets that show by their look, and names (of variables, JSON members, options, keys
of a file) that announce one. Every pattern is linear: it starts at a fixed character or at the edge of a word, and no
two repetitions in it share a character. None is tried where a word that it needs is missing, so ordinary text costs a
few substring tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

MASK = "***"

_SECRET = re.compile(
    r"password|passwd|passphrase|token|secret|credential|api_?key|access_?key|private_?key|(?:[_-]key|_pass|_auth)$",
    re.I,
)
"""A name that announces a secret."""
_SECRET_MEMBER = re.compile(rf"{_SECRET.pattern}|auth$", re.I)
"""Likewise of a JSON member."""
_NAMES = ("passw", "passphrase", "token", "secret", "credential", "key", "_pass", "auth")


class _Look(NamedTuple):
    """`pattern` is replaced by `by` where one of `needs` (lower case) stands in the text."""

    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    by: str


def _look(needs: str, pattern: str, by: str = MASK, flags: int = re.I) -> _Look:
    return _Look(tuple(needs.split()), re.compile(pattern, flags | re.A), by)


_LOOKS = (
    # PEM, to its end or to the end of the text
    _look(
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\Z)",
        f"-----{MASK}-----",
        re.S,
    ),
    # scheme://user:password@host; the second one for a password that holds a slash
    _look("@", r"(:\\?/\\?/)[^\s/\"'<>]{0,500}@", rf"\1{MASK}@"),
    _look("@", r"(:\\?/\\?/)[^\s/@:\"'<>]{1,100}:(?!\d{1,5}/)[^\s@\"'<>]{0,200}@", rf"\1{MASK}@"),
    # a proxy written without its scheme
    _look("proxy", r"(proxy\w{0,20}[\"']?\s{0,5}[=:]\s{0,5}[\"']?)[^\s/@:\"']{1,100}:[^\s@\"']{1,200}@", rf"\1{MASK}@"),
    # headers; a member of JSON that holds no text (`"Authorization":null,`) has no secret, and must stay JSON
    _look(
        "auth",
        r"(authorization\\{0,3}[\"']?[ \t]{0,5}[:=][ \t]{0,5}\\{0,3}[\"']?)"
        r"(?!(?:(?<=\":)|(?<=\": ))[ \t]{0,5}(?:null|true|false)[,}\]])[^\r\n\"']+",
        rf"\1{MASK}",
    ),
    _look(
        "x-",
        r"(\bx-[a-z-]{0,60}(?<=auth|oken|-key)\\{0,3}[\"']?[ \t]{0,5}[:=][ \t]{0,5}\\{0,3}[\"']?)[^\r\n\"']+",
        rf"\1{MASK}",
    ),
    _look("bearer", r"(\bbearer[ \t]{1,5})[\w.~+/=-]{8,}", rf"\1{MASK}"),
    # tokens
    _look("akia asia", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", flags=0),
    _look("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- npm_", r"\b(?:gh[pousr]_|github_pat_|glpat-|npm_)[\w-]{16,}"),
    _look("dckr_pat_ dckr_oat_", r"\bdckr_[po]at_[\w-]{16,}"),
    _look("xox", r"\bxox[abeoprs]-[\w-]{10,}"),
    _look("eyj", r"\beyJ[\w-]{8,200}\.[\w-]{8,4000}\.[\w-]*", flags=0),
)


class _Named(NamedTuple):
    """`pattern` finds a name (group ``name``) up to its value; `end` says where the value ends."""

    pattern: re.Pattern[str]
    secret: re.Pattern[str]
    end: Callable[[str, re.Match[str]], int]


_MEMBER = re.compile(r"[^\"\\]*+(?:\\.[^\"\\]*+)*+", re.S)
_DOUBLE = re.compile(r"\"[^\"\\\r\n]*+(?:\\.[^\"\\\r\n]*+)*+\"?")
_SINGLE = re.compile(r"'[^'\r\n]*+'?")
_IN_DOUBLE = re.compile(r"[^\"\\\r\n]*+(?:\\.[^\"\\\r\n]*+)*+")
_IN_SINGLE = re.compile(r"[^'\r\n]*+")
_LINE = re.compile(r"[^\r\n]*+")
_WORD = re.compile(r"[^\s\"']*+")
_ANOTHER = re.compile(r"\s\w++=", re.A)


def _till(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _end_of_assignment(text: str, found: re.Match[str]) -> int:
    """Inside quotes up to the quote; alone on its line to the end of it; else up to a space."""
    at, start = found.end(), found.start()
    before = text[start - 1 : start]
    if before == '"':
        return _till(_IN_DOUBLE, text, at)
    if before == "'":
        return _till(_IN_SINGLE, text, at)
    quote = text[at : at + 1]
    if quote in ('"', "'"):
        return _till(_DOUBLE if quote == '"' else _SINGLE, text, at)
    if before in ("", "\n") or text[max(0, start - 8) : start].endswith("\nexport ") or text[:start] == "export ":
        end = _till(_LINE, text, at)
        if not _ANOTHER.search(text, at, end):
            return end
    return _till(_WORD, text, at)


_NAMED = (
    # "name": "value" in JSON, and in JSON inside of JSON
    _Named(
        re.compile(r"(?P<quote>\\{0,3}\")(?P<name>[\w.-]++)(?P=quote)\s*+:\s*+(?P=quote)", re.A),
        _SECRET_MEMBER,
        lambda text, found: _till(_MEMBER, text, found.end()),
    ),
    # NAME=value
    _Named(re.compile(r"\b(?P<name>\w++)=", re.A), _SECRET, _end_of_assignment),
    # name: value and name = value, a line each
    _Named(
        re.compile(r"^[ \t]*+(?P<name>[\w.-]++)[ \t]*+[:=][ \t]++", re.A | re.M),
        _SECRET,
        lambda text, found: _till(_LINE, text, found.end()),
    ),
    # options of a command line
    _Named(
        re.compile(r"(?<![\w-])--?(?P<name>[\w-]++)[ =]", re.A),
        _SECRET,
        lambda text, found: _till(_WORD, text, found.end()),
    ),
)
_NUMBER = re.compile(r"(\"[\w.-]{0,60}(?:password|passphrase|secret|token)\"\s*+:\s*+)-?\d+", re.I | re.A)
_WORDS = tuple(sorted({word for look in _LOOKS for word in look.needs} | set(_NAMES)))


def redact(text: str) -> str:
    """The text with what looks like a secret replaced by ``***``.

    Userinfo of URLs, authorization headers, registry credentials and other members of JSON that are named like
    secrets, assignments named like secrets, private keys, and tokens that show by their look.
    """
    lowered = text.lower()
    there = {word for word in _WORDS if word in lowered}
    if not there:
        return text
    for look in _LOOKS:
        if not there.isdisjoint(look.needs):
            text = look.pattern.sub(look.by, text)
    if not there.isdisjoint(_NAMES):
        for named in _NAMED:
            text = _cut(text, named)
        text = _NUMBER.sub(rf'\1"{MASK}"', text)
    return text


def _cut(text: str, named: _Named) -> str:
    parts: list[str] = []
    done = 0
    for found in named.pattern.finditer(text):
        if found.start() < done or not named.secret.search(found["name"]):
            continue
        end = named.end(text, found)
        if end > found.end():
            parts += [text[done : found.end()], MASK]
            done = end
    if not parts:
        return text
    return "".join([*parts, text[done:]])


def one_line(text: str, limit: int = 300) -> str:
    """For a message: redacted, on one line, printable, at most `limit` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in redact(text[: 4 * limit])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
