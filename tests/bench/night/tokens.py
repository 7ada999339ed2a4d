"""The proxy's own token server: who may do what, and for how long."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Judged = Literal["may", "none", "expired", "scope"]
SERVICE = "night"


class _Token(NamedTuple):
    ends: float
    access: frozenset[tuple[str, str]]


class Tokens:
    """Gives tokens for credentials, and checks them for every request."""

    def __init__(self, accounts: Mapping[str, str], seconds: float, tick: Callable[[], float] = time.monotonic) -> None:
        """Any account may do anything with any repository; tokens live for so many real seconds."""
        self._accounts = dict(accounts)
        self.seconds = seconds
        self._tick = tick
        self._known: dict[str, _Token] = {}

    def issue(self, login: tuple[str, str], scopes: Sequence[str]) -> dict[str, Any] | None:
        """An answer's body; None where the credentials are wrong."""
        user, password = login
        if not password or not secrets.compare_digest(self._accounts.get(user, "").encode(), password.encode()):
            return None
        access = set()
        for scope in " ".join(scopes).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access |= {(name, action) for action in actions.split(",") if kind == "repository"}
        token = secrets.token_urlsafe(24)
        self._known[token] = _Token(self._tick() + self.seconds, frozenset(access))
        return {"token": token, "access_token": token, "expires_in": int(self.seconds)}

    def judge(self, header: str, wanted: Sequence[tuple[str, str]]) -> Judged:
        """Whether a request with this Authorization may do all of that: (repository, ``pull`` or ``push``)."""
        kind, _, word = header.partition(" ")
        if kind.lower() != "bearer" or not word:
            return "none"
        found = self._known.get(word)
        if found is None or found.ends < self._tick():
            return "expired"
        return "may" if found.access.issuperset(wanted) else "scope"

    def forget(self) -> None:
        """Every token that is out is worth nothing from now on, before its time."""
        self._known.clear()


def basic(header: str) -> tuple[str, str]:
    """User and password of an Authorization; empty ones where it has none."""
    kind, _, encoded = header.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if kind.lower() == "basic" else ("", "")


def wanted_of(method: str, repository: str, mounted_from: str) -> list[tuple[str, str]]:
    """What a request needs."""
    wanted = [(repository, "pull")] if method in ("GET", "HEAD") else [(repository, "pull"), (repository, "push")]
    return wanted + ([(mounted_from, "pull")] if mounted_from else [])


def challenge(realm: str, wanted: Sequence[tuple[str, str]], judged: Judged) -> str:
    """A WWW-Authenticate; the error is that of RFC 6750."""
    actions: dict[str, list[str]] = {}
    for name, action in wanted:
        actions.setdefault(name, []).append(action)
    scope = " ".join(f"repository:{name}:{','.join(words)}" for name, words in actions.items())
    said = f'Bearer realm="{realm}",service="{SERVICE}"' + (f',scope="{scope}"' if scope else "")
    error = {"expired": "invalid_token", "scope": "insufficient_scope"}.get(judged)
    return f'{said},error="{error}"' if error else said


def refusal(code: str, message: str, detail: object = None) -> bytes:
    """An error's body as the protocol shapes it."""
    one = {"code": code, "message": message} | ({} if detail is None else {"detail": detail})
    return json.dumps({"errors": [one]}).encode()
