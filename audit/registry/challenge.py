"""WWW-Authenticate, read whatever it looks like (RFC 9110 section 11.6.1; distribution docs/spec/auth/token.md)."""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST = 16 * 1024
_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}"
_SCHEME = re.compile(rf"({_NAME}(?=\s|$)|(?:basic|bearer|negotiate)(?=,))", re.I)
_BETWEEN = re.compile(r"[\s,]*")
_PARAMETER = re.compile(rf"({_NAME})[ \t]{{0,8}}=[ \t]{{0,8}}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)', re.S)
_BARE = re.compile(r"[^\s,\"]*")


class Challenge(NamedTuple):
    """How a registry wants to be told who asks.

    Attributes:
        scheme: ``bearer`` or ``basic``, in small letters; others are possible.
        realm: for ``bearer`` the URL of the token server.
        service: what the token server knows the registry as.
        scope: what the token must allow, as the registry says.
        error: why a token was refused: ``invalid_token`` or ``insufficient_scope`` (RFC 6750 section 3.1).
    """

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""


def challenges(header: str | None) -> tuple[Challenge, ...]:
    """Every challenge in a header, in its order; what cannot be read is passed over."""
    text = (header or "")[:_LONGEST]
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(text):
        if (between := _BETWEEN.match(text, at)) and between.end() > at:
            at = between.end()
        elif match := _PARAMETER.match(text, at):
            value, at = _value(text, match.end())
            if found:
                # The first one counts: a second `realm` is somebody's addition.
                found[-1][1].setdefault(match[1].lower(), value)
        elif match := _SCHEME.match(text, at):
            found.append((match[1].lower(), {}))
            at = match.end()
        else:
            at += 1
    keys = ("realm", "service", "scope", "error")
    return tuple(Challenge(scheme, *(said.get(key, "") for key in keys)) for scheme, said in found)


def best(header: str | None) -> Challenge | None:
    """The challenge that we answer: a bearer's with a realm before a basic one; None where there is neither."""
    said = challenges(header)
    for scheme in ("bearer", "basic"):
        for challenge in said:
            if challenge.scheme == scheme and (challenge.realm or scheme == "basic"):
                return challenge
    return None


def _value(text: str, at: int) -> tuple[str, int]:
    if match := _QUOTED.match(text, at):
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.S), match.end()
    bare = _BARE.match(text, at)
    return (bare[0], bare.end()) if bare else ("", at)
