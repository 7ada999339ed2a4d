"""The limiter: asked before every request, told of every answer; it waits, or says that there is no use in waiting."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from audit.errors import StepError, UsageError
from audit.registry.failures import (
    Call,
    Headers,
    Limited,
    LoginLocked,
    RegistryError,
    ServerFailed,
    Unreachable,
)
from audit.registry.options import known_as
from audit.registry.pace import bucket as buckets
from audit.registry.pace import health as healths
from audit.registry.pace import quota as quotas
from audit.registry.pace.rates import RATES
from audit.registry.pace.shared import Key, Shared
from audit.registry.pace.state import PAUSES, State, Turn, failed, seen, take

if TYPE_CHECKING:
    from audit.registry.transport import Request

Answer = TypeVar("Answer")
Told = Callable[[str, float], None]
_SLICE = 5.0
"""So long is slept at most before looking again: another process may have found the registry well."""
_MANIFESTS = ("GET manifest", "HEAD manifest")
_WORDS = {
    "limit": "the registry has asked for fewer requests",
    "secondary-limit": "the registry has asked for fewer requests for a while",
    "abuse-limit": "the registry has had too many requests from this address",
    "api-quota": "the quota of the registry's API is used up",
    "pull-quota": "the registry's quota of pulls is used up",
    "login-locked": "the registry has locked this login after too many failed ones",
    "server": "the registry does not answer",
    "rate": "as many requests were made as its rate allows",
}
_TODO = {
    "pull-quota": "sign in, wait, or use a paid plan; writing goes on",
    "login-locked": "check the password meanwhile",
}


class Stopped(StepError):  # noqa: N818 - named after what happened, as every error of this room
    """The run was told to stop while something was waiting."""


class PaceNow(NamedTuple):
    """How fast a registry is asked now.

    Attributes:
        rate: requests a minute; None: as fast as it answers.
        nominal: requests a minute when all is well; None where none is known.
        tokens: requests that may go at once; None where nothing is held back.
        paused: seconds until the next request may go; 0: now.
        why: in words, why that is not now; empty where it is.
        slug: the same as a word: ``rate``, ``server``, or the class of the error that asked for it.
        reads_left: pulls that are left; None: nothing counts them, as far as is known.
        reads_limit: pulls in a window; None likewise.
        window: seconds of that window; None likewise.
        reads_again: seconds until pulls are allowed for certain, where none are left; 0: they are.
        source: whom the registry counts pulls for, as it says: an address or a user's id.
    """

    rate: float | None = None
    nominal: float | None = None
    tokens: float | None = None
    paused: float = 0.0
    why: str = ""
    slug: str = ""
    reads_left: int | None = None
    reads_limit: int | None = None
    window: float | None = None
    reads_again: float = 0.0
    source: str = ""


class Limiter:
    """Paces every client that it is given to, and with a folder every process of this user. For many threads at once.

    Args:
        folder: where the state is shared; None: in this process only.
        rates: requests a minute by registry; None: none is known. They win over `RATES`.
        clock: the machine's monotonic clock, seconds.
        sleep: how to wait, seconds; None: as long as `stop` is not set.
        now: UNIX time.
        draw: between its two arguments, evenly.
        stop: once set, every wait ends, and nothing more is sent.
        longest: seconds; a pause that is longer is not waited for: its error is raised instead, with `after`.
        boot: what tells one boot of the machine from another; None: as the kernel says.

    Raises:
        UsageError: a rate is not above 0.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        rates: Mapping[str, float | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], float] = time.time,
        draw: Callable[[float, float], float] = random.uniform,
        stop: threading.Event | None = None,
        longest: float = 600.0,
        boot: str | None = None,
    ) -> None:
        """Nothing is opened yet."""
        for registry, rate in (rates or {}).items():
            if rate is not None and not 0 < rate <= 1e9:
                raise UsageError(f"{registry}: a rate must be more than 0 requests a minute, not {rate}")
        self.clock, self.longest = clock, longest
        self._rates: dict[str, float | None] = {**RATES}
        self._rates |= {known_as(registry): rate for registry, rate in (rates or {}).items()}
        self._sleep, self._now, self._draw, self._stop = sleep, now, draw, stop
        self._shared = Shared(folder, clock=clock, now=now, boot=boot)

    # ------------------------------------------------------------------- hooks of a client

    def before(self, request: Request, told: Told | None = None) -> float:
        """Wait until a request may be sent, and take its place.

        Args:
            request: what is to be sent.
            told: is given the reason and the seconds of each wait.

        Returns:
            The moment that it was granted at.

        Raises:
            PullQuota: it is a pull, and none is left; `after` says for how long.
            LoginLocked: it is a login, and these are locked; `after` says for how long.
            RegistryError: the registry asked for a pause that is longer than `longest`.
            Stopped: the run was told to stop.
        """
        key = Key(known_as(request.registry), request.account)
        reads, lot = request.call.kind == "GET manifest", self._draw(0.0, 1.0)

        def ask(state: State, now: float) -> tuple[State, tuple[Turn, float]]:
            state, turn = take(state, now, reads=reads, login=request.login, lot=lot)
            return state, (turn, now)

        while True:
            self._go_on()
            turn, moment = self._change(key, ask)
            if turn.wait <= 0:
                return moment
            if turn.never or (turn.slug and turn.wait > self.longest):
                raise self._refusal(request.call, turn)
            began = self.clock()
            try:
                self.rest(min(turn.wait, _SLICE))
            finally:
                if told:
                    told(turn.why, max(0.0, self.clock() - began))

    def seen(self, request: Request, status: int, headers: Headers) -> None:
        """After every answer, whatever it is."""
        key = Key(known_as(request.registry), request.account)
        manifest = request.call.kind in _MANIFESTS and "ratelimit-remaining" in headers
        known = self._shared.look(key)
        if not manifest and (status >= 500 or known is None or not known.health.fails):
            return  # it would change nothing
        wall = self._now()
        self._change(key, lambda state, now: (seen(state, status, headers, now, wall, manifest=manifest), None))

    def failed(self, request: Request, error: RegistryError) -> None:
        """After every request that failed, be it by its answer or for want of one."""
        if not isinstance(error, Limited | LoginLocked | Unreachable | ServerFailed):
            return
        key, wall = Key(known_as(request.registry), request.account), self._now()
        self._change(key, lambda state, now: (failed(state, error, now, wall, request.sent), None))

    def check_login(self, call: Call, registry: str, account: str) -> None:
        """Fail at once where logins are locked, before anything is sent that would lead to one.

        Raises:
            LoginLocked: they are.
        """
        key = Key(known_as(registry), account)
        left = self._change(key, lambda state, now: (state, state.locked.until - now))
        if left > 0:
            raise self._refusal(call, Turn(left, "", LoginLocked.slug, never=True))

    def rest(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            Stopped: the run was told to stop.
        """
        if self._sleep is not None:
            self._sleep(seconds)
        elif self._stop is not None:
            self._stop.wait(seconds)
        else:
            time.sleep(seconds)
        self._go_on()

    # ------------------------------------------------------------------- questions

    def state(self, registry: str, account: str = "") -> PaceNow:
        """How fast a registry is asked now."""
        return self._change(Key(known_as(registry), account), lambda state, now: (state, _told(state, now)))

    def reads_left(self, registry: str, account: str = "") -> int | None:
        """Pulls that are left; None: nothing counts them, as far as is known."""
        return self.state(registry, account).reads_left

    def reads_suffice(self, registry: str, account: str, need: int) -> bool:
        """Whether so many manifests can be read now; true where nothing counts them."""
        left = self.reads_left(registry, account)
        return left is None or left >= need

    def close(self) -> None:
        """Close the files of the shared state; it can be used again."""
        self._shared.close()

    # ------------------------------------------------------------------- inside

    def _change(self, key: Key, do: Callable[[State, float], tuple[State, Answer]]) -> Answer:
        nominal = self._rates.get(key.registry)

        def fresh(found: State | None, now: float) -> State:
            if found is None or found.bucket.at == buckets.NEVER:
                made = buckets.fresh(nominal, now)
                return State(made) if found is None else found._replace(bucket=made)
            return found._replace(bucket=buckets.to_nominal(found.bucket, nominal))

        return self._shared.change(key, fresh, do)

    def _go_on(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Stopped("the run was told to stop; the same command goes on with it")

    def _refusal(self, call: Call, turn: Turn) -> RegistryError:
        made = PAUSES.get(turn.slug, Limited)
        ends = datetime.fromtimestamp(self._now() + turn.wait, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        why = f"{_WORDS.get(turn.slug, _WORDS['limit'])}; nothing of the kind is sent before {ends}"
        return made(call, why, _TODO.get(turn.slug, "wait"), after=turn.wait)


def _told(state: State, now: float) -> PaceNow:
    bucket = buckets.advance(state.bucket, now)
    rate, limit = bucket.rate or None, state.quota.limit
    known = now - state.quota.seen <= state.quota.window
    waits = [
        (healths.pause(state.health, now, 0.0), "server"),
        (max(0.0, bucket.paused - now), bucket.why),
        (max(0.0, (1 - bucket.tokens) * 60 / rate) if rate else 0.0, "rate"),
    ]
    paused, slug = max(waits)
    return PaceNow(
        rate=rate,
        nominal=bucket.nominal or None,
        tokens=bucket.tokens if rate else None,
        paused=paused,
        why=_WORDS.get(slug, _WORDS["limit"]) if paused > 0 else "",
        slug=slug if paused > 0 else "",
        reads_left=quotas.left(state.quota, now),
        reads_limit=limit if known and limit >= 0 else None,
        window=state.quota.window if known and state.quota.remaining >= 0 else None,
        reads_again=max(0.0, state.quota.until - now),
        source=state.quota.source if known else "",
    )
