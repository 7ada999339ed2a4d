"""The limiter as clients use it, over real sockets, by a clock that the test moves: requests are counted, not times."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audit.errors import UsageError
from audit.image.media import OCI_INDEX, OCI_MANIFEST
from audit.registry import (
    AbuseLimit,
    Client,
    Credentials,
    Limited,
    LoginLocked,
    ManifestUnknown,
    PullQuota,
    RegistryError,
    Retry,
    SecondaryLimit,
    ServerFailed,
    Unreachable,
)
from audit.registry.failures import Call
from audit.registry.ledger import Ledger, charged
from audit.registry.pace import Limiter, PaceNow, Stopped
from audit.registry.transport import Request
from tests.farm.registry import PASSWORD, USER, Handler, Registry
from tests.farm.spoilers import answers, breaks, fails, hangs_up
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, index, manifest, named, stocked
from tests.registry.test_pace_shared import Clocks


class Paced:
    """A registry, a clock, a limiter of it and clients of that."""

    def __init__(self, registry: Registry, dial: Dial, rate: float | None = 600.0, **more: Any) -> None:
        """At 600 requests a minute."""
        self.registry, self.clocks, self.dial = registry, Clocks(), dial
        clocks = self.clocks
        settings: dict[str, Any] = {
            "rates": {registry.address: rate}, "clock": clocks.clock, "now": clocks.now, "sleep": clocks.sleep,
            "draw": lambda low, high: low,
        }  # fmt: skip
        self.limiter = Limiter(**(settings | more))

    def client(self, who: Credentials | None = None, tries: int = 3, **more: Any) -> Client:
        """That tries three times, with no pause of its own."""
        retry = Retry(tries=tries, draw=lambda low, high: 0.0)
        return self.dial(self.registry, who, retry=retry, limiter=self.limiter, now=self.clocks.now, **more)

    def pace(self, account: str = "") -> PaceNow:
        """As it stands."""
        return self.limiter.state(self.registry.address, account)


@pytest.fixture
def paced(registry: Registry, dial: Dial) -> Paced:
    """One, with an image in its registry."""
    stocked(registry)
    return Paced(registry, dial)


FORMS: dict[str, tuple[Any, type[Limited], float]] = {
    "seconds": (answers(429, Retry_After="12"), AbuseLimit, 12),
    "date": (answers(429, Retry_After="Tue, 14 Nov 2023 22:14:20 GMT"), AbuseLimit, 60),
    "epoch": (answers(429, Retry_After="1700000030"), AbuseLimit, 30),
    "body": (fails(429, "TOOMANYREQUESTS", "retry-after: 10.3s, allowed: 2000/minute"), Limited, 10.3),
    "none": (answers(429, "Too Many Requests (HAP429)"), AbuseLimit, 60),
    "least": (fails(429, "TOOMANYREQUESTS", "retry-after: 10.305464ms, allowed: 44000/minute"), Limited, 1),
    "secondary": (fails(403, "DENIED", "exceeded a secondary rate limit"), SecondaryLimit, 120),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_wait_is_waited_once(paced: Paced, form: str) -> None:
    """The limiter waits for what was asked, the policy does not wait for it again, and the call goes through."""
    spoiler, error, seconds = FORMS[form]
    paced.registry.spoil("GET", "/manifests/", spoiler, times=1)
    client = paced.client()
    client.manifest(named(paced.registry))
    booked = client.ledger.now()
    assert sum(paced.clocks.slept) == pytest.approx(seconds)
    assert sum(booked.waited.values()) == pytest.approx(seconds)
    assert booked.waited["abuse-limit" if error is AbuseLimit else "limit"] == pytest.approx(seconds)
    assert booked.errors[error.slug].number == 1
    assert (booked.requests, booked.pulls) == (2, 1)
    assert paced.pace().nominal == 600


def test_without_a_limiter_the_policy_waits_as_before(registry: Registry, dial: Dial) -> None:
    """What is asked for, and its own part."""
    stocked(registry)
    registry.spoil("GET", "/manifests/", answers(429, Retry_After="12"), times=1)
    slept: list[float] = []
    client = dial(registry, retry=Retry(sleep=slept.append, draw=lambda low, high: 0.5))
    client.manifest(named(registry))
    assert slept == [12.5]
    assert client.ledger.now().waited == {"retry": 12.5}


def test_everything_of_a_registry_counts_and_waits(registry: Registry, dial: Dial) -> None:
    """Tokens, refused requests and redirections go through the bucket; beyond it, the rate is waited for."""
    registry.auth = "bearer"
    stocked(registry)
    paced = Paced(registry, dial, rate=6.0)
    client = paced.client(ROBOT)
    for _ in range(6):
        client.manifest(named(registry))
    assert client.counts.by_kind == {"GET manifest": 7, "token": 1}
    assert len(registry.asked) == 8
    assert sum(paced.clocks.slept) == pytest.approx(20.0)
    assert client.ledger.now().waited == {"rate": pytest.approx(20.0)}
    now = paced.pace(USER)
    assert (now.rate, now.nominal, now.reads_left) == (6, 6, None)
    assert now.paused == pytest.approx(10.0)
    assert "rate" in now.why
    assert client.account(registry.address) == USER
    assert client.account("nobody.invalid") == ""
    assert paced.pace("somebody else").tokens == 6


def test_a_longer_pause_than_allowed_is_an_error(registry: Registry, dial: Dial) -> None:
    """An hour is not waited for: the call fails with it, and so does the next one, without a request."""
    stocked(registry)
    paced = Paced(registry, dial, longest=300.0)
    registry.spoil("GET", "/manifests/", answers(429, Retry_After="3600"), times=1)
    client = paced.client()
    with pytest.raises(AbuseLimit) as told:
        client.manifest(named(registry))
    assert told.value.after == 3600
    with pytest.raises(AbuseLimit, match=r"nothing of the kind is sent before 2023-11-14 23:13:20 UTC") as told:
        client.head(named(registry))
    assert told.value.after == pytest.approx(3600)
    assert len(registry.asked) == 1
    assert client.ledger.now().errors["abuse-limit"].number == 2
    assert not paced.clocks.slept


# ------------------------------------------------------------------- pulls


def with_quota(registry: Registry, left: int, seconds: int = 21600) -> None:
    """Let the registry say so with each manifest."""

    def tell(handler: Handler) -> None:
        media_type, raw = registry.manifests[("team/app", "1.0")]
        handler.reply(200, raw, {
            "Content-Type": media_type, "Docker-Content-Digest": digest(raw),
            "ratelimit-limit": f"100;w={seconds}", "ratelimit-remaining": f"{left};w={seconds}",
            "docker-ratelimit-source": "192.0.2.7",
        })  # fmt: skip

    registry.spoilt.clear()
    registry.spoil("GET", "/manifests/", tell)
    registry.spoil("HEAD", "/manifests/", tell)


def test_the_quota_is_read_and_obeyed(paced: Paced) -> None:
    """Counted down as told; at none left no manifest is read, heads and writes go on, and a head brings reads back."""
    registry, client = paced.registry, paced.client()
    raw = stocked(registry)
    with_quota(registry, 3)
    client.manifest(named(registry))
    assert paced.pace().reads_left == 3
    assert paced.pace()[-4:] == (100, 21600, 0, "192.0.2.7")
    assert paced.limiter.reads_suffice(registry.address, "", 3)
    assert not paced.limiter.reads_suffice(registry.address, "", 4)
    assert paced.limiter.reads_suffice(registry.address, "another", 400)
    with_quota(registry, 0)
    client.head(named(registry))
    paced.clocks.sleep(600)
    asked = len(registry.asked)
    with pytest.raises(PullQuota) as told:
        client.manifest(named(registry))
    assert told.value.after == pytest.approx(21000)
    assert paced.pace().reads_again == pytest.approx(21000)
    assert len(registry.asked) == asked
    client.head(named(registry))
    client.put(named(registry), OCI_MANIFEST, raw)
    assert paced.pace().rate == 600
    with_quota(registry, 5)
    client.head(named(registry))
    client.manifest(named(registry))
    assert paced.pace().reads_left == 5


def test_refused_pulls_stop_reads_only(paced: Paced) -> None:
    """A 429 for want of pulls halves nothing and pauses no write; it is not asked again till the window has passed."""
    registry, client = paced.registry, paced.client()
    raw = stocked(registry)
    registry.spoil("GET", "/manifests/", fails(429, "TOOMANYREQUESTS", "You have reached your pull rate limit."))
    for _ in range(5):
        with pytest.raises(PullQuota):
            client.manifest(named(registry))
    assert [one.method for one in registry.asked] == ["GET"]
    client.put(named(registry), OCI_MANIFEST, raw)
    assert (paced.pace().rate, paced.pace().reads_left) == (600, 0)
    assert not paced.clocks.slept
    paced.clocks.sleep(6 * 3600 + 1)
    registry.spoilt.clear()
    client.manifest(named(registry))
    assert client.ledger.now().errors["pull-quota"].number == 5


# ------------------------------------------------------------------- logins


@pytest.mark.parametrize("auth", ["bearer", "basic"])
def test_a_locked_login_is_never_hammered(registry: Registry, dial: Dial, auth: str) -> None:
    """One refusal, and for a quarter of an hour no thread and no other client of this limiter logs in."""
    stocked(registry)
    registry.auth = auth
    locked = answers(429, '{"message": "toomanyrequests: too many failed login attempts for username"}')
    registry.spoil("GET", "/token" if auth == "bearer" else "/manifests/", locked)
    paced = Paced(registry, dial)
    clients = [paced.client(ROBOT), paced.client(ROBOT)]

    def outcome(number: int) -> str:
        try:
            return clients[number % 2].manifest(named(registry)).digest
        except RegistryError as error:
            return type(error).__name__

    assert outcome(0) == "LoginLocked"
    asked = len(registry.asked)
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(outcome, range(24))) == {"LoginLocked"}
    assert len(registry.asked) == asked
    with pytest.raises(LoginLocked, match="before 2023-11-14 22:28:20 UTC") as told:
        clients[1].head(named(registry))
    assert told.value.after == pytest.approx(900)
    assert PASSWORD not in str(told.value)
    registry.spoilt.clear()
    registry.public = True
    paced.client().manifest(named(registry))  # nobody in particular has no login that could be locked
    paced.clocks.sleep(901)
    assert outcome(1).startswith("sha256:")


def test_a_good_token_goes_on_while_logins_are_locked(registry: Registry, dial: Dial) -> None:
    """A refresh that finds the login locked is no error while the old token is good, and is not tried again."""
    stocked(registry)
    registry.auth = "bearer"
    paced = Paced(registry, dial)
    client = paced.client(ROBOT, clock=paced.clocks.clock)
    client.manifest(named(registry))
    registry.spoil("GET", "/token", answers(429, '{"message": "you have been locked out"}'))
    paced.clocks.at += 275
    for _ in range(9):
        client.manifest(named(registry))
        paced.clocks.at += 2
    assert client.counts.tokens == 2
    paced.clocks.at += 20
    with pytest.raises(LoginLocked):
        client.manifest(named(registry))
    assert client.counts.tokens == 2


# ------------------------------------------------------------------- a registry that is down


@pytest.mark.parametrize("spoiler", [answers(502), hangs_up, breaks(10, 5000, Content_Type=OCI_MANIFEST)])
def test_failures_pause_the_host_and_success_ends_it(paced: Paced, spoiler: Any) -> None:
    """Each failure in a row waits longer; a success begins anew, and 404 is one."""
    registry, client = paced.registry, paced.client(tries=4)
    registry.spoil("GET", "/manifests/", spoiler, times=3)
    client.manifest(named(registry))
    broken = getattr(spoiler, "__qualname__", "").startswith("breaks")
    waits = [0.5] * 3 if broken else [0.5, 1, 2]  # an answer that breaks off has begun: the host is there
    assert client.ledger.now().waited == {"host-down": pytest.approx(sum(waits)), "retry": 0}
    registry.spoil("GET", "/manifests/", spoiler, times=1)
    client.manifest(named(registry))
    assert client.ledger.now().waited["host-down"] == pytest.approx(sum(waits) + 0.5)
    with pytest.raises(ManifestUnknown):
        client.manifest(named(registry, "team/app:none"))
    assert paced.pace().paused == 0


def test_a_server_says_when_it_is_back(paced: Paced) -> None:
    """503 with Retry-After is waited for once, by everybody."""
    paced.registry.spoil("GET", "/manifests/", answers(503, Retry_After="30"), times=1)
    client = paced.client()
    client.manifest(named(paced.registry))
    assert client.ledger.now().waited == {"host-down": pytest.approx(30), "retry": 0}


def test_a_registry_that_is_gone_costs_few_requests(dial: Dial) -> None:
    """A closed port: every call tries as often as it may, one pause after the other; the last error is told."""
    registry = Registry(address="127.0.0.1:1")
    paced = Paced(registry, dial)
    client = paced.client(tries=6)
    for _ in range(3):
        with pytest.raises(Unreachable, match="refused"):
            client.manifest(named(registry))
    assert client.counts.requests == 18
    assert sum(paced.clocks.slept) == pytest.approx(0.5 + 1 + 2 + 4 + 8 + 16 + 11 * 30)
    assert "does not answer" in paced.pace().why


# ------------------------------------------------------------------- stopping, settings


def test_a_wait_ends_when_the_run_is_stopped(registry: Registry, dial: Dial) -> None:
    """Whoever waits for the limiter, or between two tries, is woken with an error that is not retried."""
    stocked(registry)
    stop = threading.Event()
    limiter = Limiter(rates={registry.address: 600}, stop=stop)
    registry.spoil("GET", "/manifests/", answers(429, Retry_After="300"), times=1)
    client = dial(registry, retry=Retry(draw=lambda low, high: 0.0), limiter=limiter)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.manifest, named(registry))
        while limiter.state(registry.address).paused == 0:
            time.sleep(0.001)  # until the refusal has come
        began = time.monotonic()
        stop.set()
        with pytest.raises(Stopped, match="the same command goes on"):
            waiting.result(20)
        assert time.monotonic() - began < 4
    asked = len(registry.asked)
    for one in (client, dial(registry, limiter=Limiter(stop=stop))):
        with pytest.raises(Stopped):
            one.head(named(registry))
    assert len(registry.asked) == asked


def test_the_answers_time_begins_after_the_wait(registry: Registry, dial: Dial) -> None:
    """A request that had to wait has its whole limit still before it."""
    stocked(registry)
    limiter = Limiter(rates={registry.address: 60}, draw=lambda low, high: low)
    request = Request(Call("GET manifest", registry.address), "GET", registry.address, registry.address)
    for _ in range(60):
        limiter.before(request)
    client = dial(registry, limiter=limiter, answer=0.4)
    client.manifest(named(registry))
    assert client.ledger.now().waited["rate"] > 0.5


def test_an_upload_has_its_time_while_its_source_waits(registry: Registry, dial: Dial) -> None:
    """A blob that is copied waits for its turn in the midst of its own upload, which is not cut short by that."""
    stocked(registry)

    def before(request: Request) -> None:
        if request.call.kind == "GET blob":
            time.sleep(0.7)  # a wait is what is looked at

    client = dial(registry, before=before, answer=0.5, slowest=1e6)
    client.copy(named(registry), named(registry, "team/other:1.0"), digest(b"layer"), 5)
    assert registry.blobs["team/other"] == {digest(b"layer"): b"layer"}


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 1e12])
def test_a_rate_that_is_none(rate: float) -> None:
    """Refused at once."""
    with pytest.raises(UsageError, match="a rate must be"):
        Limiter(rates={"docker.io": rate})


def test_names_of_docker_hub_are_one() -> None:
    """Whatever it is called, it is one bucket with the known rate."""
    limiter = Limiter(rates={"index.docker.io": 200})
    assert limiter.state("docker.io").nominal == 200
    assert limiter.state("registry-1.docker.io").nominal == 200
    assert Limiter().state("ghcr.io").nominal == 1500
    assert Limiter().state("registry.example") == PaceNow()
    limiter.close()


# ------------------------------------------------------------------- ledgers


def test_each_ledger_has_its_own_share(paced: Paced) -> None:
    """Threads of two tags side by side: requests, pulls, waits and errors of each are its own; the sum is the whole."""
    registry, client = paced.registry, paced.client(tries=1)
    stocked(registry, "team/bad")
    registry.spoil("GET", "/team/bad/manifests/", answers(400, "no\x1b[31m"))
    ledgers = {"app": Ledger(), "bad": Ledger()}

    def read(name: str) -> None:
        try:
            client.manifest(named(registry, f"team/{name}:1.0"))
        except RegistryError:
            assert name == "bad"

    with ThreadPoolExecutor(4) as pool:
        done = []
        for number in range(20):
            name = "bad" if number % 4 == 0 else "app"
            with charged(ledgers[name]):
                done.append(pool.submit(contextvars.copy_context().run, read, name))
        for one in done:
            one.result(20)
    app, bad, whole = ledgers["app"].now(), ledgers["bad"].now(), client.ledger.now()
    assert (app.requests, app.pulls, app.errors) == (15, 15, {})
    assert (bad.requests, bad.pulls) == (5, 0)
    assert bad.errors["invalid"].number == 5
    assert bad.errors["invalid"].last.isprintable()
    assert (whole.requests, whole.pulls, whole.errors["invalid"].number) == (20, 15, 5)
    assert client.counts.requests == 20


def test_children_are_charged_to_who_asked(paced: Paced) -> None:
    """What is read in threads of our own belongs to the same ledger; bytes too; one inside another is in both."""
    registry, client = paced.registry, paced.client()
    children = [manifest(b"layer"), manifest(b"other")]
    for child in children:
        registry.add("team/app", "", OCI_MANIFEST, child)
    registry.add("team/app", "many", OCI_INDEX, index(*children))
    outer, inner = Ledger(), Ledger()
    with charged(outer):
        client.blob_bytes(named(registry), digest(b"layer"), 5)
        with charged(inner), charged(inner):
            client.arrived(named(registry, "team/app:many"))
    client.manifest(named(registry))
    assert inner.now().by_kind == {"GET manifest": 3}
    assert (outer.now().by_kind, outer.now().bytes_read) == ({"GET blob": 1, "GET manifest": 3}, 5)
    assert outer.now().pulls == 3
    assert client.ledger.now().pulls == 4


def test_what_is_no_error(paced: Paced) -> None:
    """A HEAD that finds nothing has done its work; each attempt that failed is one error, whoever tells of it."""
    registry, client = paced.registry, paced.client(tries=2)
    with pytest.raises(ManifestUnknown):
        client.head(named(registry, "team/app:none"))
    assert client.blob_size(named(registry), digest(b"none")) is None
    assert client.ledger.now().errors == {}
    registry.spoil("GET", "/manifests/", answers(500, "oops"), times=2)
    with pytest.raises(ServerFailed):
        client.manifest(named(registry))
    assert client.ledger.now().errors["server"].number == 2
    registry.spoil("GET", "/manifests/", hangs_up, times=2)
    with pytest.raises(Unreachable):
        client.manifest(named(registry))
    assert client.ledger.now().errors["network"].number == 2
    with pytest.raises(ManifestUnknown):
        client.manifest(named(registry, "team/app:none"))
    assert client.ledger.now().errors["manifest-unknown"].number == 1
