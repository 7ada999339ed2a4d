"""Speaking to token servers.

The way of distribution docs/spec/auth/token.md (GET) and oauth.md (POST with an identity token).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from audit.registry.answers import from_answer
from audit.registry.challenge import Challenge
from audit.registry.failures import Call, Garbled, LoginRefused, RedirectRefused
from audit.registry.options import Credentials, Options, account_of
from audit.registry.scopes import Scope, Token
from audit.registry.transport import Answer, Transport
from audit.registry.urls import split

_MOST = 1024 * 1024
PRINTABLE = re.compile(r"[\x21-\x7e]{1,262144}")
_DEFAULT_SECONDS, _MOST_SECONDS = 60.0, 12 * 3600.0
_MARGIN, _SHARE = 30.0, 0.2
"""A token is to be replaced so many seconds before its end, or in this last part of a short life."""
_LAST = 2.0
"""It is not used in its last seconds (or the last half of that part): a request may be on its way so long."""
_CLIENT = "fleet-audit"


class TokenServer:
    """Asks for one token at a time; waits for nobody but the limiter, and tries nothing twice."""

    def __init__(
        self,
        options: Options,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is asked yet."""
        self._options, self._transport, self._clock, self._now = options, transport, clock, now

    def fetch(
        self, call: Call, registry: str, challenge: Challenge, credentials: Credentials | None, asked: tuple[Scope, ...]
    ) -> Token:
        """A new token.

        Args:
            call: what needs it.
            registry: whose token.
            challenge: where to ask.
            credentials: who we are; None: nobody.
            asked: scopes.

        Raises:
            LoginRefused: the token server refuses the credentials, or wants some.
            RegistryError: no token could be had.
        """
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
                error = LoginRefused(call, "the registry wants to know who asks", todo,
                                     status=error.status, codes=error.codes)  # fmt: skip
            self._transport.failed(answer.request, error)
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
        return self._transport.ask(
            call, "GET", url, registry, limit=_MOST, authorization=authorization, seconds=self._options.token,
            account=account_of(credentials),
        )  # fmt: skip

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
        return self._transport.ask(
            call, "POST", challenge.realm, registry, limit=_MOST, headers=headers, body=body,
            seconds=self._options.token, account=account_of(credentials),
        )  # fmt: skip

    def _read(self, call: Call, answer: Answer, asked: tuple[Scope, ...]) -> Token:
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Garbled(call, "the token server's answer is no JSON object", "check the registry's settings")
        value = body.get("token") or body.get("access_token")
        if not isinstance(value, str) or not PRINTABLE.fullmatch(value):
            raise Garbled(call, "the token server's answer holds no token", "check the registry's settings")
        lives, now = _seconds(body, answer), self._clock()
        early = min(_MARGIN, lives * _SHARE)
        return Token(value, asked, now + lives - early, now + lives - min(_LAST, early / 2))


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
