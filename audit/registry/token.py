"""Tokens: one for all the scopes of a batch, asked for once by whoever comes first, replaced before it ends.

A token that is to be replaced soon is still good: everybody uses it but the one thread that asks for the next, and
where that fails, so does that one; it is asked for again some seconds later. So nobody waits for a token who has one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from audit.registry.challenge import Challenge
from audit.registry.failures import Call, LoginLocked, LoginRefused, RegistryError
from audit.registry.options import Credentials, Options
from audit.registry.scopes import Scope, Token, merged, scope
from audit.registry.tokenserver import PRINTABLE, TokenServer
from audit.registry.transport import Transport
from audit.registry.vault import KeptToken, Vault

_MOST_SCOPES, _MOST_TOKENS, _MOST_KEPT = 10, 100, 8
LOCKED = 900.0
"""Seconds without a login after too many failed ones: Docker Hub was seen to want 10 or 15 minutes."""
_REST = 5.0
"""Seconds until a token is asked for again, ahead of its end, after that has failed."""

_Key = tuple[str, Credentials | None]


class _Flight:
    """Who asks for a token, and how it ended for those who waited for him.

    Attributes:
        lock: held by whoever asks.
        fails: failures so far that another try may mend.
        error: the last of them.
        asked: what it was asked for.
        rests: moment before which nobody asks ahead of time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.fails = 0
        self.error: RegistryError | None = None
        self.asked: tuple[Scope, ...] = ()
        self.rests = float("-inf")


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
        self._server = TokenServer(options, transport, clock=clock, now=now)
        self._clock, self._now = clock, now
        self._vault = vault or Vault(None)
        self._of: dict[_Key, Challenge] = {}
        self._guard = threading.Lock()
        self._flights: dict[_Key, _Flight] = {}
        self._held: dict[_Key, list[Token]] = {}
        self._batch: dict[str, tuple[Scope, ...]] = {}
        self._single: set[str] = set()
        self._refused: dict[tuple[str, Credentials], LoginRefused] = {}
        self._locked: dict[_Key, tuple[float, LoginLocked]] = {}

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
        key = (registry, credentials)
        with self._guard:
            flight = self._flights.setdefault(key, _Flight())
            fails = flight.fails
            if registry in self._single:
                wanted, alone = wanted[:1], False
        good = self._good(key, challenge, wanted, refused, alone)
        if good is not None:
            return good if good.ends > self._clock() else self._ahead(flight, good, call, key, challenge, wanted)
        with flight.lock:
            good = self._good(key, challenge, wanted, refused, alone)
            if good is not None:
                return good
            if flight.error is not None and flight.fails != fails and Token("", flight.asked, 0, 0).covers(wanted):
                raise flight.error.again()  # it was asked for while we waited, and could not be had
            self.raise_refused(call, registry, credentials)
            return self._new(flight, call, key, challenge, wanted, alone=alone)

    def one_at_a_time(self, registry: str) -> None:
        """From now on, ask for one repository with each token: this registry understands no more."""
        with self._guard:
            self._single.add(registry)

    def refuse(self, registry: str, credentials: Credentials, error: LoginRefused) -> None:
        """Remember that these credentials are wrong, so that nobody is locked out by our asking again."""
        with self._guard:
            self._refused[(registry, credentials)] = error

    def lock(self, registry: str, credentials: Credentials | None, error: LoginLocked) -> None:
        """Remember that the registry lets nobody log in so, which each further attempt would prolong."""
        with self._guard:
            self._locked[(registry, credentials)] = (self._clock() + LOCKED, error)

    def raise_refused(self, call: Call, registry: str, credentials: Credentials | None) -> None:
        """Fail at once with credentials that were refused before, or whose login was locked not long ago.

        Raises:
            LoginRefused, LoginLocked: they were.
        """
        with self._guard:
            error = self._refused.get((registry, credentials)) if credentials else None
            until, locked = self._locked.get((registry, credentials), (float("-inf"), None))
        if error is not None:
            raise LoginRefused(call, error.why, error.todo, status=error.status, codes=error.codes)
        if locked is not None and self._clock() < until:
            raise LoginLocked(call, locked.why, locked.todo, status=locked.status, codes=locked.codes,
                              after=until - self._clock())  # fmt: skip

    # ------------------------------------------------------------------- inside

    def _good(
        self, key: _Key, challenge: Challenge, wanted: tuple[Scope, ...], refused: str, alone: bool
    ) -> Token | None:
        """One that is held and covers this: the newest that need not be replaced yet, else the newest."""
        with self._guard:
            if key not in self._held:
                self._held[key] = self._found(*key, challenge)
            held, now = self._held[key], self._clock()
            self._of[key] = challenge
            # Where one from an earlier run is refused, so may the others be.
            held[:] = [
                token for token in held
                if token.value != refused and token.dies > now and not (refused and token.kept)
            ]  # fmt: skip
            fit = [] if alone else [token for token in reversed(held) if token.covers(wanted)]
            return next((token for token in fit if token.ends > now), fit[0] if fit else None)

    def _ahead(
        self, flight: _Flight, good: Token, call: Call, key: _Key, challenge: Challenge, wanted: tuple[Scope, ...]
    ) -> Token:
        """The next token, where nobody else is asking for it; else, and where it cannot be had, the one we have."""
        with self._guard:
            hopeless = key[1] is not None and (key[0], key[1]) in self._refused
        if hopeless or self._clock() < flight.rests or not flight.lock.acquire(blocking=False):
            return good
        try:
            newer = self._good(key, challenge, wanted, "", alone=False)
            if newer is not None and newer.ends > self._clock():
                return newer
            return self._new(flight, call, key, challenge, wanted, alone=False)
        except RegistryError:
            flight.rests = self._clock() + _REST
            return good
        finally:
            flight.lock.release()

    def _new(
        self,
        flight: _Flight,
        call: Call,
        key: _Key,
        challenge: Challenge,
        wanted: tuple[Scope, ...],
        *,
        alone: bool,
    ) -> Token:
        """Ask for one; whoever calls this holds the flight's lock."""
        registry, credentials = key
        with self._guard:
            single = alone or registry in self._single
            batch, held = self._batch.get(registry, ()), self._held[key]
            asked = merged(wanted) if single else self._asked(wanted, batch, held)
        try:
            token = self._server.fetch(call, registry, challenge, credentials, asked)
        except LoginRefused as error:
            if credentials is not None:
                self.refuse(registry, credentials, error)
            raise
        except LoginLocked as error:
            if error.status is not None:  # else it is a limiter's word, who knows until when
                self.lock(registry, credentials, error)
            raise
        except RegistryError as error:
            # Some token servers take one scope at a time; asked so, they may answer.
            if error.transient or len(asked) == 1:
                if error.transient:
                    flight.fails, flight.error, flight.asked = flight.fails + 1, error, asked
                raise
            token = self._server.fetch(call, registry, challenge, credentials, wanted[:1])
            self.one_at_a_time(registry)
        flight.error = None
        with self._guard:
            held.append(token)
            del held[:-_MOST_TOKENS]
        return token

    def _found(self, registry: str, credentials: Credentials | None, challenge: Challenge) -> list[Token]:
        """What an earlier run has left."""
        now, clock = self._now(), self._clock()
        return [
            Token(
                one.value, tuple(scope(name, *actions) for name, actions in one.scopes),
                clock + one.ends - now, clock + one.ends - now, kept=True,
            )
            for one in self._vault.get(registry, challenge, credentials, now=now)
            if PRINTABLE.fullmatch(one.value)
        ]  # fmt: skip

    @staticmethod
    def _asked(wanted: tuple[Scope, ...], batch: tuple[Scope, ...], held: list[Token]) -> tuple[Scope, ...]:
        """What to ask for: the whole batch where this call is of it, else this with what the last token had."""
        if batch and Token("", batch, 0, 0).covers(wanted):
            return batch
        before = held[-1].scopes if held else ()
        both = merged([*wanted, *before])
        return both if len(both) <= _MOST_SCOPES else merged(wanted)
