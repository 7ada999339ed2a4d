"""One authenticated call to a registry: who we are is told when it is asked for, and never asked for again in vain."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeVar

from audit.image.reference import Reference
from audit.registry import failures
from audit.registry.answers import from_answer
from audit.registry.auth import Keyring
from audit.registry.challenge import Challenge, best
from audit.registry.counter import Counts
from audit.registry.failures import Call, Headers, LoginRefused, RegistryError
from audit.registry.ledger import Books, Ledger
from audit.registry.options import Credentials, Options, account_of
from audit.registry.retry import Retry
from audit.registry.scopes import Scope, merged, scope
from audit.registry.token import Tokens
from audit.registry.tokenserver import basic, granted
from audit.registry.transport import Answer, Open, Request, Transport
from audit.registry.urls import same_origin
from audit.registry.vault import Vault

if TYPE_CHECKING:
    from audit.registry.pace import Limiter, PaceNow

T = TypeVar("T")
Body = bytes | Callable[[], Iterable[bytes]]
"""What is sent: bytes, or a function that begins to give them anew, since a call may have to be made twice."""
_SMALL = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ask:
    """One call.

    Attributes:
        call: what it is for.
        method: the HTTP method.
        registry: as in references.
        path: in the registry, from ``/v2/`` on; or a whole URL, where the registry gave one.
        scopes: what a token must allow; the first one is the least that the call needs.
        headers: more of them.
        body: what is sent.
        seconds: limit for the whole answer; None for `Options.answer`.
    """

    call: Call
    method: str
    registry: str
    path: str
    scopes: tuple[Scope, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    seconds: float | None = None


@dataclass(slots=True)
class _Identity:
    """What was sent with a call: the header, and the token in it, if it was one."""

    header: str | None = None
    token: str = ""
    asked: tuple[Scope, ...] = ()


class Calls:
    """What every kind of call needs: the transport, the tokens, the ledger. May be used by many threads at once.

    Args:
        options: see `Options`.
        before: called before every single HTTP request, those for tokens too; it may wait (a limiter), or raise.
        seen: called with the status and headers of every answer.
        challenges: how registries ask who we are, as `challenges` gave it after an earlier run; spares the call that
            would be refused first.
        now: UNIX time.
        clock: seconds that never go back.
        vault: where tokens are kept for a later run, once `keep_tokens` is called; None: nowhere.
        limiter: asked before every request; waits as long as registries want, so that `Options.retry` waits for its
            own part only, by the limiter's clock. None: nothing is held back.

    Attributes:
        options: as they were given, but for what the limiter does in place of `Options.retry`.
        ledger: all that was spent so far.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        before: Callable[[Request], None] | None = None,
        seen: Callable[[Request, int, Headers], None] | None = None,
        challenges: Mapping[str, Challenge] | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        vault: Vault | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        """Nothing is read or connected yet."""
        self.ledger = Ledger()
        self._books, self._limiter = Books(self.ledger), limiter
        given = options or Options()
        self.options = dataclasses.replace(given, retry=_told(given.retry, self._books, limiter))
        self._now = now
        self._transport = Transport(self.options, self._books, before, seen, limiter)
        self._keyring = Keyring(self.options)
        self._tokens = Tokens(self.options, self._transport, clock=clock, now=now, vault=vault)
        self._challenges: dict[str, Challenge] = dict(challenges or {})
        self._lock = threading.Lock()

    @property
    def counts(self) -> Counts:
        """What was asked so far."""
        return self.ledger.counts

    @property
    def challenges(self) -> dict[str, Challenge]:
        """How each registry asks who we are, as far as it was met; holds no secret."""
        with self._lock:
            return dict(self._challenges)

    def account(self, registry: str) -> str:
        """Whose requests a registry counts ours as: the user's name, empty for nobody. Never a secret.

        Raises:
            CredentialsError: a file or a helper that should know it cannot be used.
        """
        return account_of(self._keyring.find(registry))

    def pace(self, registry: str) -> PaceNow:
        """How fast a registry is asked now."""
        from audit.registry.pace import PaceNow

        return self._limiter.state(registry, self.account(registry)) if self._limiter else PaceNow()

    def require_pulls(self, registry: str, need: int) -> None:
        """Fail before the first of several manifests is read where the registry will not give all of them.

        Args:
            registry: as in references.
            need: manifests that are to be read.

        Raises:
            PullQuota: it has told that fewer pulls are left.
        """
        left = self.pace(registry).reads_left
        if left is not None and left < need:
            again = self.pace(registry).reads_again
            raise failures.PullQuota(
                Call("GET manifest", registry), f"{left} pulls are left there, and {need} are needed",
                "wait, sign in, or use a paid plan; what needs no pull goes on", after=again or None,
            )  # fmt: skip

    def expect(self, registry: str, *, pull: Iterable[str] = (), push: Iterable[str] = ()) -> None:
        """Say which repositories a batch will read and write, so that one token is asked for all of it.

        Args:
            registry: as in references.
            pull: repositories that are read.
            push: repositories that are written, and read.
        """
        wanted = [scope(name, "pull", "push") for name in push] + [scope(name, "pull") for name in pull]
        self._tokens.expect(registry, wanted)

    def keep_tokens(self) -> None:
        """Leave the tokens to a later run; call it only after a success, so that none is kept that may too little."""
        self._tokens.keep()

    def close(self) -> None:
        """End every connection."""
        self._transport.close()

    def _ask(self, ask: Ask, *wanted: int, limit: int = _SMALL, retry: Retry | None = None) -> Answer:
        """A whole answer whose status is among the wanted ones, asked for as often as `Options.retry` allows."""

        def once() -> Answer:
            with self._open(ask) as answer:
                if answer.status not in wanted:
                    self._fail(ask, answer)
                head = ask.method == "HEAD"
                if head:
                    answer.read()  # there is no body; but what was read to its end leaves its connection to the next
                body = b"" if head else answer.whole(limit) if answer.status < 400 else answer.beginning()
                return Answer(answer.status, answer.headers, body, answer.url, answer.request)

        return (retry or self.options.retry).call(once)

    def _open(self, ask: Ask) -> Open:
        """An answer, whatever its status, after telling who we are as far as that helps."""
        try:
            return self._opened(ask)
        except RegistryError as error:
            self._books.failed(error)  # once: most are in there already
            raise

    def _opened(self, ask: Ask) -> Open:
        credentials = self._credentials(ask)
        account = account_of(credentials)
        sent = self._identity(ask, credentials)
        answer = self._send(ask, sent, account)
        try:
            for alone in (False, True):
                fresh = self._again(ask, answer, credentials, sent, alone=alone) if answer.status == 401 else None
                if fresh is None:
                    break
                answer.beginning()  # read to its end, so that the connection can be used again
                answer.close()
                sent = fresh
                answer = self._send(ask, sent, account)
                if alone and answer.status != 401:
                    self._tokens.one_at_a_time(ask.registry)
            if answer.status in (401, 403) and sent.header:
                self._refused(ask, answer, credentials, sent)
        except BaseException:
            answer.close()
            raise
        return answer

    def _credentials(self, ask: Ask) -> Credentials | None:
        return self._keyring.find(ask.registry, ask.scopes[0].repository if ask.scopes else "")

    def _send(self, ask: Ask, sent: _Identity, account: str) -> Open:
        url = ask.path if "://" in ask.path else self.options.base(ask.registry) + ask.path
        body = ask.body() if callable(ask.body) else ask.body
        return self._transport.open(
            ask.call,
            ask.method,
            url,
            ask.registry,
            headers=ask.headers,
            # An upload may have to go to another host; that one is not told who we are.
            authorization=sent.header if same_origin(url, self.options.base(ask.registry)) else None,
            body=body,
            seconds=ask.seconds,
            account=account,
        )

    def _identity(self, ask: Ask, credentials: Credentials | None) -> _Identity:
        """What the registry is known to want, before it is asked."""
        with self._lock:
            challenge = self._challenges.get(ask.registry)
        if challenge is None or challenge.scheme == "basic" or (credentials and credentials.registry_token):
            self._tokens.raise_refused(ask.call, ask.registry, credentials)
        if credentials is not None and credentials.registry_token:
            return _Identity(f"Bearer {credentials.registry_token}")
        if challenge is None:
            if credentials is not None and self._limiter is not None:  # it would be asked for them next
                self._limiter.check_login(ask.call, ask.registry, account_of(credentials))
            return _Identity()
        if challenge.scheme == "basic":
            return _Identity(basic(credentials) if credentials else None)
        token = self._tokens.get(ask.call, ask.registry, challenge, credentials, ask.scopes)
        return _Identity(f"Bearer {token.value}", token.value, token.scopes)

    def _again(
        self, ask: Ask, answer: Open, credentials: Credentials | None, sent: _Identity, *, alone: bool
    ) -> _Identity | None:
        """Another way to tell who we are after a 401, or None where none is left."""
        challenge = best(answer.headers.get("www-authenticate"))
        if challenge is None or (credentials is not None and credentials.registry_token):
            return None
        with self._lock:
            self._challenges[ask.registry] = challenge
        if challenge.scheme == "basic":
            header = basic(credentials) if credentials else None
            return None if header is None or header == sent.header else _Identity(header)
        wanted = ask.scopes[:1] if alone else ask.scopes
        if alone and len(sent.asked) <= 1:
            return None  # the token that was refused was for this alone already
        token = self._tokens.get(
            ask.call, ask.registry, challenge, credentials, wanted, refused=sent.token, alone=alone
        )
        return _Identity(f"Bearer {token.value}", token.value, token.scopes)

    def _refused(self, ask: Ask, answer: Open, credentials: Credentials | None, sent: _Identity) -> None:
        """What we said of ourselves was refused: that is an error that no repetition mends."""
        error = self._error(ask, answer)
        if isinstance(error, failures.LoginLocked | failures.Limited | failures.NotAllowed):
            self._raise(ask, answer, error)
        if answer.status == 401 and not sent.token and credentials is not None:
            refused = LoginRefused(ask.call, error.why, f"check the credentials ({credentials.origin})",
                                   status=error.status, codes=error.codes)  # fmt: skip
            self._tokens.refuse(ask.registry, credentials, refused)
            self._raise(ask, answer, refused)
        wanted = " ".join(map(str, merged(ask.scopes)))
        allows = granted(sent.token) if sent.token else None
        who = f"the login ({credentials.origin})" if credentials else "nobody in particular"
        todo = f"wanted is {wanted}"
        todo += f", the token of {who} allows {allows}" if allows else f", asked as {who}"
        if credentials is None:
            todo += "; give credentials for it (`docker login`)"
        self._raise(ask, answer, failures.Denied(ask.call, error.why, todo, status=error.status, codes=error.codes))

    def _error(self, ask: Ask, answer: Open) -> RegistryError:
        body = b"" if ask.method == "HEAD" else answer.beginning()
        secrets = (*self._keyring.secrets(), *self._tokens.values())
        return from_answer(ask.call, answer.status, answer.headers, body, now=self._now(), secrets=secrets)

    def _fail(self, ask: Ask, answer: Open) -> NoReturn:
        self._raise(ask, answer, self._error(ask, answer))

    def _raise(self, ask: Ask, answer: Open, error: RegistryError) -> NoReturn:
        if isinstance(error, failures.LoginLocked):
            self._tokens.lock(ask.registry, self._credentials(ask), error)
        self._transport.failed(answer.request, error)
        raise error


def _told(retry: Retry, books: Books, limiter: Limiter | None) -> Retry:
    """The same policy, its waits booked; with a limiter, that one's clock, and only its own part of a wait."""
    sleep = limiter.rest if limiter else retry.sleep

    def rest(seconds: float) -> None:
        books.waited("retry", seconds)
        sleep(seconds)

    if limiter is None:
        return dataclasses.replace(retry, sleep=rest)
    return dataclasses.replace(retry, sleep=rest, clock=limiter.clock, paced=True, longest_after=limiter.longest)


def api(name: Reference, *parts: str) -> str:
    """A path in the registry's API for a repository."""
    return "/".join(("/v2", name.repository, *parts))


def about(kind: str, name: Reference, what: str = "") -> Call:
    """A call for messages: ``team/app:1.0``, ``team/app@sha256:…``."""
    joint = "@" if ":" in what else ":"
    return Call(kind, name.registry, f"{name.repository}{joint}{what}" if what else name.repository)
