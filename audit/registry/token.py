"""Tokens: one for all the scopes of a batch, asked for once by whoever comes first, replaced before it ends.

The way of distribution docs/spec/auth/token.md (GET) and oauth.md (POST with an identity token).
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from audit.registry.answers import from_answer
from audit.registry.challenge import Challenge
from audit.registry.failures import Call, Garbled, LoginRefused, RedirectRefused, RegistryError
from audit.registry.options import Credentials, Options
from audit.registry.transport import Answer, Transport
from audit.registry.urls import split
from audit.registry.vault import KeptToken, Vault

_MOST = 1024 * 1024
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,262144}")
_DEFAULT_SECONDS, _MOST_SECONDS = 60.0, 12 * 3600.0
_MARGIN, _SHARE = 30.0, 0.2
"""A token is replaced so many seconds before its end, or in this last part of a short life."""
_MOST_SCOPES, _MOST_TOKENS, _MOST_KEPT = 10, 100, 8
_CLIENT = "fleet-audit"


class Scope(NamedTuple):
    """What is wanted of one repository.

    Attributes:
        repository: its path in the registry.
        actions: of ``pull``, ``push`` and ``delete``.
    """

    repository: str
    actions: frozenset[str]

    def __str__(self) -> str:
        """As a token server reads it."""
        order = [name for name in ("pull", "push", "delete") if name in self.actions]
        return f"repository:{self.repository}:{','.join([*order, *sorted(self.actions - set(order))])}"

    def covers(self, other: Scope) -> bool:
        """Whether whoever has this may do the other."""
        return self.repository == other.repository and self.actions >= other.actions


def scope(repository: str, *actions: str) -> Scope:
    """A scope, written shortly."""
    return Scope(repository, frozenset(actions))


def merged(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each repository once, with all that is wanted of it; pushes first, since some registries read one scope only."""
    wanted: dict[str, frozenset[str]] = {}
    for one in scopes:
        wanted[one.repository] = wanted.get(one.repository, frozenset()) | one.actions
    found = [Scope(*item) for item in wanted.items()]
    return tuple(sorted(found, key=lambda one: "push" not in one.actions))


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        value: never shown.
        scopes: what was asked for with it.
        ends: on the clock of `Tokens`, when it is replaced.
        kept: it comes from an earlier run.
    """

    value: str = field(repr=False)
    scopes: tuple[Scope, ...]
    ends: float
    kept: bool = False

    def covers(self, wanted: Iterable[Scope]) -> bool:
        """Whether all of it was asked for."""
        return all(any(had.covers(one) for had in self.scopes) for one in wanted)


class Tokens:
    """Every token of a client. May be used by many threads: one asks, the others wait for what it gets."""

    def __init__(
        self,
        options: Options,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        vault: Vault | None = None,
    ) -> None:
        """None yet, but what the vault has."""
        self._options, self._transport, self._clock, self._now = options, transport, clock, now
        self._vault = vault or Vault(None)
        self._of: dict[tuple[str, Credentials | None], Challenge] = {}
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._held: dict[tuple[str, Credentials | None], list[Token]] = {}
        self._batch: dict[str, tuple[Scope, ...]] = {}
        self._single: set[str] = set()
        self._refused: dict[tuple[str, Credentials], LoginRefused] = {}

    def expect(self, registry: str, scopes: Iterable[Scope]) -> None:
        """Say what a batch will need of a registry, so that one token is asked for it all."""
        with self._guard:
            self._batch[registry] = merged(scopes)

    def keep(self) -> None:
        """Leave the tokens that are held to a later run."""
        with self._guard:
            held = {key: list(tokens) for key, tokens in self._held.items()}
        now, clock = self._now(), self._clock()
        for (registry, credentials), tokens in held.items():
            rows = [
                KeptToken(token.value, tuple((one.repository, tuple(sorted(one.actions))) for one in token.scopes),
                     now + token.ends - clock)
                for token in tokens[-_MOST_KEPT:] if token.ends > clock
            ]  # fmt: skip
            if rows and (challenge := self._of.get((registry, credentials))):
                self._vault.put(registry, challenge, credentials, rows, now=now)

    def values(self) -> tuple[str, ...]:
        """The tokens that are held, to keep them out of messages."""
        with self._guard:
            return tuple(token.value for held in self._held.values() for token in held)

    def get(
        self,
        call: Call,
        registry: str,
        challenge: Challenge,
        credentials: Credentials | None,
        wanted: tuple[Scope, ...],
        *,
        refused: str = "",
        alone: bool = False,
    ) -> Token:
        """A token that covers what is wanted: one that is held, else a new one.

        Args:
            call: what needs it.
            registry: whose token.
            challenge: where to ask.
            credentials: who we are; None: nobody.
            wanted: scopes of this call.
            refused: a token that the registry did not take: it is forgotten.
            alone: only with these scopes, whatever else the batch needs.

        Raises:
            LoginRefused: the token server refuses the credentials; it is not asked again with the same.
            RegistryError: no token could be had.
        """
        with self._lock(registry):
            self.raise_refused(call, registry, credentials)
            if registry in self._single:
                wanted, alone = wanted[:1], False
            with self._guard:
                if (registry, credentials) not in self._held:
                    self._held[(registry, credentials)] = self._found(registry, challenge, credentials)
                held = self._held[(registry, credentials)]
                self._of[(registry, credentials)] = challenge
                # Where one from an earlier run is refused, so may the others be.
                held[:] = [
                    token for token in held
                    if token.value != refused and token.ends > self._clock() and not (refused and token.kept)
                ]  # fmt: skip
                for token in reversed(held):
                    if not alone and token.covers(wanted):
                        return token
                batch = self._batch.get(registry, ())
                single = registry in self._single
            asked = merged(wanted) if alone or single else self._asked(wanted, batch, held)
            try:
                token = self._fetch(call, registry, challenge, credentials, asked)
            except LoginRefused as error:
                if credentials is not None:
                    self.refuse(registry, credentials, error)
                raise
            except RegistryError as error:
                # Some token servers take one scope at a time; asked so, they may answer.
                if error.transient or len(asked) == 1:
                    raise
                token = self._fetch(call, registry, challenge, credentials, wanted[:1])
                self.one_at_a_time(registry)
            with self._guard:
                held.append(token)
                del held[:-_MOST_TOKENS]
            return token

    def one_at_a_time(self, registry: str) -> None:
        """From now on, ask for one repository with each token: this registry understands no more."""
        with self._guard:
            self._single.add(registry)

    def refuse(self, registry: str, credentials: Credentials, error: LoginRefused) -> None:
        """Remember that these credentials are wrong, so that nobody is locked out by our asking again."""
        with self._guard:
            self._refused[(registry, credentials)] = error

    def raise_refused(self, call: Call, registry: str, credentials: Credentials | None) -> None:
        """Fail at once with credentials that were refused before.

        Raises:
            LoginRefused: they were.
        """
        with self._guard:
            error = self._refused.get((registry, credentials)) if credentials else None
        if error is not None:
            raise LoginRefused(call, error.why, error.todo, status=error.status, codes=error.codes)

    def _found(self, registry: str, challenge: Challenge, credentials: Credentials | None) -> list[Token]:
        """What an earlier run has left."""
        now, clock = self._now(), self._clock()
        return [
            Token(one.value, tuple(scope(name, *actions) for name, actions in one.scopes), clock + one.ends - now, True)
            for one in self._vault.get(registry, challenge, credentials, now=now)
            if _PRINTABLE.fullmatch(one.value)
        ]

    def _lock(self, registry: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(registry, threading.Lock())

    @staticmethod
    def _asked(wanted: tuple[Scope, ...], batch: tuple[Scope, ...], held: list[Token]) -> tuple[Scope, ...]:
        """What to ask for: the whole batch where this call is of it, else this with what the last token had."""
        if batch and Token("", batch, 0).covers(wanted):
            return batch
        before = held[-1].scopes if held else ()
        both = merged([*wanted, *before])
        return both if len(both) <= _MOST_SCOPES else merged(wanted)

    def _fetch(
        self, call: Call, registry: str, challenge: Challenge, credentials: Credentials | None, asked: tuple[Scope, ...]
    ) -> Token:
        realm = split(challenge.realm, call)
        if realm.scheme != "https" and not self._options.speaks_http(registry):
            raise RedirectRefused(
                call, "it wants the login sent to a token server by http", "have the registry's realm corrected"
            )
        about = Call("token", realm.netloc, " ".join(map(str, asked)))
        answer = None
        if credentials is not None and credentials.identity_token:
            answer = self._post(about, registry, challenge, credentials, asked)
            if answer.status in (400, 401, 404, 405) and credentials.password and credentials.username:
                answer = None
        if answer is None:
            answer = self._get(about, registry, challenge, credentials, asked)
        if answer.status != 200:
            secrets = credentials.secrets if credentials else ()
            error = from_answer(about, answer.status, answer.headers, answer.body, now=self._now(), secrets=secrets)
            if credentials is None and isinstance(error, LoginRefused):
                todo = "give credentials for it (`docker login`)"
                raise LoginRefused(call, "the registry wants to know who asks", todo,
                                   status=error.status, codes=error.codes)  # fmt: skip
            raise error
        return self._read(about, answer, asked)

    def _get(
        self, call: Call, registry: str, challenge: Challenge, credentials: Credentials | None, asked: tuple[Scope, ...]
    ) -> Answer:
        realm = urlsplit(challenge.realm)
        query = [*parse_qsl(realm.query, keep_blank_values=True), *_service(challenge)]
        query += [("scope", str(one)) for one in asked]
        url = realm._replace(query=urlencode(query), fragment="").geturl()
        authorization = basic(credentials) if credentials else None
        return self._transport.ask(call, "GET", url, registry, limit=_MOST, authorization=authorization)

    def _post(
        self, call: Call, registry: str, challenge: Challenge, credentials: Credentials, asked: tuple[Scope, ...]
    ) -> Answer:
        form = [
            ("grant_type", "refresh_token"),
            *_service(challenge),
            ("client_id", _CLIENT),
            ("scope", " ".join(map(str, asked))),
            ("refresh_token", credentials.identity_token),
        ]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return self._transport.ask(call, "POST", challenge.realm, registry, limit=_MOST, headers=headers, body=body)

    def _read(self, call: Call, answer: Answer, asked: tuple[Scope, ...]) -> Token:
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Garbled(call, "the token server's answer is no JSON object", "check the registry's settings")
        value = body.get("token") or body.get("access_token")
        if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
            raise Garbled(call, "the token server's answer holds no token", "check the registry's settings")
        lives = _seconds(body, answer)
        return Token(value, asked, self._clock() + lives - min(_MARGIN, lives * _SHARE))


def basic(credentials: Credentials) -> str | None:
    """The header of basic authentication; None where there are no user name and password."""
    if not (credentials.username and credentials.password):
        return None
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


def granted(token: str) -> str | None:
    """What a token says that it allows, for a message; None where it does not say. Nothing is believed of it."""
    try:
        part = token.split(".")[1]
        access = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["access"] or []
        rows = [f"{row['name']}:{','.join(map(str, row['actions']))}" for row in access if row["actions"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return " ".join(rows) or "nothing"


def _service(challenge: Challenge) -> list[tuple[str, str]]:
    return [("service", challenge.service)] if challenge.service else []


def _seconds(body: dict[str, Any], answer: Answer) -> float:
    """How long the token still lives: ``expires_in``, less what has passed since ``issued_at``."""
    said = body.get("expires_in")
    if not isinstance(said, (int, float)) or isinstance(said, bool) or not said > 0:
        return _DEFAULT_SECONDS
    passed = 0.0
    try:
        issued = datetime.fromisoformat(str(body.get("issued_at")).replace("Z", "+00:00"))
        passed = (parsedate_to_datetime(answer.headers["date"]) - issued).total_seconds()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        passed = 0.0
    return max(0.0, min(float(said), _MOST_SECONDS) - max(0.0, passed))
