"""Secrets are cut out here, before anything else sees what a worker said.

Every pattern is linear: no nested repetition, every run that could be scanned again from another start is bounded.
A pattern is tried only where a word that it needs is there, so ordinary text costs a few substring tests.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MASK = "***"

_NAME = r"(?:password|passwd|passphrase|token|secret|credential|api_?key|access_?key|private_?key)"
"""A name that holds one of these names a secret; matched without regard to case."""
_END = r"(?:_key|_pass|_auth)"
"""Likewise, where the name ends so."""
_NAMES = ("passw", "passphrase", "token", "secret", "credential", "key", "_pass", "auth")
_VARIABLE = rf"(?:\w{{0,60}}{_NAME}\w{{0,60}}|\w{{1,60}}{_END})="
_QUOTE = r"\\{0,3}\""


class _Rule(NamedTuple):
    """`pattern` is replaced by `by` where one of `needs` (lower case) stands in the text."""

    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    by: str


def _rule(needs: tuple[str, ...] | str, pattern: str, by: str, flags: int = re.I) -> _Rule:
    return _Rule((needs,) if isinstance(needs, str) else needs, re.compile(pattern, flags | re.A), by)


_RULES = (
    # PEM, to its end or to the end of the text
    _rule("private key", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?"
          r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)", f"-----{MASK}-----", re.S),
    # scheme://user:password@host; the second one for a password that holds a slash
    _rule("@", r"(:\\?/\\?/)[^\s/\"'<>]{0,500}@", rf"\1{MASK}@"),
    _rule("@", r"(:\\?/\\?/)[^\s/@:\"'<>]{1,100}:(?!\d{1,5}/)[^\s@\"'<>]{0,200}@", rf"\1{MASK}@"),
    # a proxy written without its scheme
    _rule("proxy", r"(proxy\w{0,20}[\"']?\s{0,5}[=:]\s{0,5}[\"']?)[^\s/@:\"']{1,100}:[^\s@\"']{1,200}@", rf"\1{MASK}@"),
    # headers
    _rule("auth", r"(authorization\\{0,3}[\"']?[ \t]{0,5}[:=][ \t]{0,5}\\{0,3}[\"']?)[^\r\n\"']+", rf"\1{MASK}"),
    _rule("x-", r"(\bx-[\w-]{0,40}(?:auth|token|key)[\w-]{0,40}\\{0,3}[\"']?[ \t]{0,5}[:=][ \t]{0,5}\\{0,3}[\"']?)"
          r"[^\r\n\"']+", rf"\1{MASK}"),
    _rule("bearer", r"(\bbearer[ \t]{1,5})[\w.~+/=-]{8,}", rf"\1{MASK}"),
    # JSON members; the text stays JSON
    _rule(_NAMES, rf"({_QUOTE}[\w.-]{{0,60}}(?:{_NAME}|auth|{_END})[\w.-]{{0,30}}{_QUOTE}\s{{0,20}}:\s{{0,20}}{_QUOTE})"
          r"[^\"\\]*(?:\\.[^\"\\]*)*", rf"\1{MASK}"),
    _rule(_NAMES, r"(\"[\w.-]{0,60}(?:password|passphrase|secret|token)\"\s{0,20}:\s{0,20})-?\d+", rf'\1"{MASK}"'),
    # NAME=value: inside quotes up to the quote; alone on its line to the end of it; else up to a space
    _rule(_NAMES, rf"(?<=\")({_VARIABLE})(?!\")[^\"\r\n\\]*(?:\\.[^\"\r\n\\]*)*", rf"\1{MASK}"),
    _rule(_NAMES, rf"(?<=')({_VARIABLE})(?!')[^'\r\n]*", rf"\1{MASK}"),
    _rule(_NAMES, rf"({_VARIABLE})(?:\"[^\"\\\r\n]*(?:\\.[^\"\\\r\n]*)*\"?|'[^'\r\n]*'?)", rf"\1{MASK}"),
    _rule(_NAMES, rf"(^(?:export )?{_VARIABLE})(?!.{{0,2000}}\s\w{{1,60}}=)[^\s].*$", rf"\1{MASK}", re.I | re.M),
    _rule(_NAMES, rf"(\b{_VARIABLE})[^\s\"']+", rf"\1{MASK}"),
    # name: value and name = value, a line each
    _rule(_NAMES, rf"(^[ \t]{{0,40}}[\w.-]{{0,60}}(?:{_NAME}|{_END})[\w.-]{{0,30}}[ \t]{{0,20}}(?::|=)[ \t]{{1,20}})"
          r"[^\s].*$", rf"\1{MASK}", re.I | re.M),
    # options of a command line
    _rule(_NAMES, rf"((?<![\w-])--?[\w-]{{0,40}}{_NAME}[\w-]{{0,20}}[ =])[^\s\"']+", rf"\1{MASK}"),
    # tokens known by their look
    _rule(("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK, 0),
    _rule(("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "dckr_pat_", "dckr_oat_", "npm_"),
          r"\b(?:gh[pousr]_|github_pat_|glpat-|dckr_[po]at_|npm_)[\w-]{16,}", MASK),
    _rule("xox", r"\bxox[abeoprs]-[\w-]{10,}", MASK),
    _rule("eyj", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", MASK, 0),
)  # fmt: skip


_WORDS = tuple(sorted({word for rule in _RULES for word in rule.needs}))


def redact(text: str) -> str:
    """The text with what looks like a secret replaced by ``***``.

    Userinfo of URLs, authorization headers, registry credentials and other members of JSON that are named like
    secrets, assignments named like secrets, private keys, and tokens that show by their look.
    """
    lowered = text.lower()
    there = {word for word in _WORDS if word in lowered}
    if there:
        for needs, pattern, by in _RULES:
            if not there.isdisjoint(needs):
                text = pattern.sub(by, text)
    return text


def one_line(text: str, limit: int = 300) -> str:
    """For a message: redacted, on one line, printable, at most `limit` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in redact(text[: 4 * limit])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
