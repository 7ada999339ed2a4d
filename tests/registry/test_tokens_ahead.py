"""Tokens that are replaced ahead of their end: one asks, nobody waits who has a good one, and a failure is no error."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audit.errors import UsageError
from audit.image.media import OCI_MANIFEST
from audit.registry import Client, Garbled, LoginRefused, Options, RegistryError, Retry, ServerFailed, Unreachable
from tests.farm.registry import Handler, Registry
from tests.farm.spoilers import answers, hangs_up
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import named, stocked
from tests.registry.test_login import Clock


class Held:
    """A token server that answers when it is let."""

    def __init__(self, registry: Registry, spoiler: Any = None) -> None:
        """In front of the registry's own; afterwards `spoiler` answers, or that one."""
        self.came, self.go = threading.Event(), threading.Event()

        def hold(handler: Handler) -> None:
            self.came.set()
            assert self.go.wait(20)
            if spoiler is not None:
                spoiler(handler)
                return
            handler._token({"scope": ["repository:team/app:pull"]})

        registry.spoil("GET", "/token", hold, times=1)


@pytest.fixture
def bearer(registry: Registry) -> Registry:
    """A registry with tokens of 300 s and an image."""
    registry.auth = "bearer"
    stocked(registry)
    return registry


def begun(registry: Registry, dial: Dial, **more: Any) -> tuple[Client, Clock]:
    """A client that has a token, 275 of whose 300 s are over."""
    clock = Clock()
    client = dial(registry, ROBOT, clock=clock, **more)
    client.manifest(named(registry))
    assert client.counts.tokens == 1
    clock.at += 275
    return client, clock


def test_nobody_waits_while_one_asks(bearer: Registry, dial: Dial) -> None:
    """While the next token is asked for, other threads go on with the one there is; one request in all."""
    client, _ = begun(bearer, dial)
    held = Held(bearer)
    with ThreadPoolExecutor(5) as pool:
        asking = pool.submit(client.manifest, named(bearer))
        assert held.came.wait(20)
        others = [pool.submit(client.manifest, named(bearer)) for _ in range(40)]
        for one in others:
            one.result(20)  # it comes while the token server still says nothing
        assert not asking.done()
        held.go.set()
        asking.result(20)
    assert client.counts.by_kind == {"GET manifest": 43, "token": 2}
    old = bearer.asked[2].headers["authorization"]
    assert [one.headers["authorization"] == old for one in bearer.asked[4:44]].count(True) == 40
    client.manifest(named(bearer))
    assert bearer.asked[-1].headers["authorization"] != old
    assert client.counts.tokens == 2


@pytest.mark.parametrize("spoiler", [answers(503), hangs_up, answers(200, "<html>"), answers(403, "no")])
def test_a_failing_refresh_is_no_error(bearer: Registry, dial: Dial, spoiler: Any) -> None:
    """While the old token is good, a token server that fails is asked every 5 s and no call fails; then one does."""
    client, clock = begun(bearer, dial)
    bearer.spoil("GET", "/token", spoiler)
    for _ in range(20):
        client.manifest(named(bearer))
        clock.at += 1
    assert client.counts.tokens == 1 + 4
    clock.at += 4
    with pytest.raises(RegistryError):
        client.manifest(named(bearer))
    bearer.spoilt.clear()
    client.manifest(named(bearer))


def test_a_refused_refresh_is_not_repeated(bearer: Registry, dial: Dial) -> None:
    """Credentials that were changed meanwhile: asked once, used on while the token is good, and then told."""
    client, clock = begun(bearer, dial)
    bearer.spoil("GET", "/token", answers(401, '{"details": "incorrect username or password"}'))
    for _ in range(20):
        client.manifest(named(bearer))
        clock.at += 1
    assert client.counts.tokens == 2
    clock.at += 10
    with pytest.raises(LoginRefused):
        client.manifest(named(bearer))
    assert client.counts.tokens == 2


class Counted:
    """A lock that counts who has come to it."""

    def __init__(self) -> None:
        """Free."""
        self._lock, self.came = threading.Lock(), 0
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> None:
        """Come, and wait."""
        self.came += 1  # under the interpreter's own lock
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        """Go."""
        self._lock.release()


def test_those_who_wait_share_a_failure(bearer: Registry, dial: Dial) -> None:
    """Without a token, one asks and the others wait; where it fails, they fail with it instead of asking one by one.

    Who comes later asks anew, and is not told of what failed before.
    """
    client = dial(bearer, ROBOT)
    bearer.spoil("GET", "/token", answers(503), times=1)
    with pytest.raises(ServerFailed):
        client.manifest(named(bearer))
    lock = Counted()
    (flight,) = client._tokens._flights.values()
    flight.lock = lock  # type: ignore[assignment] # as good as one
    held = Held(bearer, answers(503))
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(client.manifest, named(bearer)) for _ in range(6)]
        assert held.came.wait(20)
        until = time.monotonic() + 20
        while lock.came < 6 and time.monotonic() < until:
            time.sleep(0.001)
        held.go.set()
        errors = [one.exception(20) for one in calls]
    assert {type(error) for error in errors} == {ServerFailed}
    assert len({id(error) for error in errors}) == 6, "each thread has an error of its own"
    assert client.counts.tokens == 2
    assert client.ledger.now().errors["server"].number == 2
    client.manifest(named(bearer))
    assert client.counts.tokens == 3


def test_a_token_call_is_retried_as_any_other(bearer: Registry, dial: Dial) -> None:
    """Time-outs of the token server cost that call a pause, not its life, and each try is one request."""
    slept: list[float] = []
    client = dial(bearer, ROBOT, retry=Retry(sleep=slept.append, draw=lambda low, high: high))
    bearer.spoil("GET", "/token", hangs_up, times=2)
    bearer.spoil("GET", "/token", answers(503), times=1)
    client.manifest(named(bearer))
    assert slept == [1, 2, 4]
    assert client.counts.tokens == 4


def test_a_token_call_has_its_own_limit(bearer: Registry, dial: Dial) -> None:
    """A token server that says nothing is given up after `Options.token`, whatever other answers may take."""
    done = threading.Event()

    def silent(handler: Handler) -> None:
        handler.close_connection = True
        done.wait(20)

    bearer.spoil("GET", "/token", silent)
    client = dial(bearer, ROBOT, token=0.2, idle=30.0, answer=60.0)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no answer in time"):
        client.manifest(named(bearer))
    done.set()
    assert time.monotonic() - began < 5
    assert Options().token == 10
    with pytest.raises(UsageError, match="token"):
        Options(token=0)


def test_an_expired_token_in_mid_flight(bearer: Registry, dial: Dial) -> None:
    """All tokens are revoked while six threads work: one new token for all of them, and no call fails."""
    client = dial(bearer, ROBOT)
    client.manifest(named(bearer))
    bearer.tokens.clear()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: client.manifest(named(bearer)), range(30)))
    assert client.counts.tokens == 2
    assert client.counts.by_kind["GET manifest"] <= 2 + 30 + 6


def test_a_refresh_that_waits_for_its_turn_stalls_nobody(bearer: Registry, dial: Dial) -> None:
    """The limiter holds the request for a token back: threads with a good token go on meanwhile."""
    inside, go = threading.Event(), threading.Event()

    def before(request: Any) -> None:
        if request.call.kind == "token" and inside.is_set():
            raise AssertionError("two asked")
        if request.call.kind == "token" and armed.is_set():
            inside.set()
            assert go.wait(20)

    armed = threading.Event()
    client, _ = begun(bearer, dial, before=before)
    armed.set()
    with ThreadPoolExecutor(4) as pool:
        asking = pool.submit(client.put, named(bearer), OCI_MANIFEST, bearer.manifests[("team/app", "1.0")][1])
        assert inside.wait(20) or asking.result(20)
        for one in [pool.submit(client.manifest, named(bearer)) for _ in range(20)]:
            one.result(20)
        go.set()
        asking.result(20)


def test_a_token_with_a_short_life(bearer: Registry, dial: Dial) -> None:
    """Of ten seconds, it is replaced after eight, used until nine, and asked for anew after that."""
    bearer.expires_in = 10
    clock = Clock()
    client = dial(bearer, ROBOT, clock=clock)
    client.manifest(named(bearer))
    clock.at += 8.5
    bearer.spoil("GET", "/token", answers(503), times=1)
    client.manifest(named(bearer))
    assert client.counts.tokens == 2
    clock.at += 1
    client.manifest(named(bearer))
    assert client.counts.tokens == 3


def test_garbage_from_the_token_server_is_told_once(bearer: Registry, dial: Dial) -> None:
    """No JSON, no token: the error says so, and nothing is asked for ever."""
    bearer.spoil("GET", "/token", answers(200, json.dumps({"token": 3})))
    with pytest.raises(Garbled, match="holds no token"):
        dial(bearer, ROBOT).manifest(named(bearer))
