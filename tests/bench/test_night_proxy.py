"""The fault-making proxy, as a plain client finds it: its counts, its limit, its tokens, and every injury."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.bench.night.bucket import Bucket, Clock
from tests.bench.night.injuries import CALM, FORMS, Form, Injuries, Wounds, too_many
from tests.bench.night.proxy import LOGIN, Proxy, proxying
from tests.bench.night.stock import Shop
from tests.farm.registry import Registry, serving

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANY = 1e9


def image(blob: str) -> bytes:
    """A manifest of that blob only."""
    row = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": 400}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": row, "layers": []}).encode()


def index(*digests: str) -> bytes:
    """An index of these."""
    rows = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode()


def digest_of(raw: bytes) -> str:
    """SHA-256."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


CONTENT = b"blob" * 100
BLOB = digest_of(CONTENT)
MANIFEST = digest_of(image(BLOB))


class Client:
    """Asks as told, once, and says what came."""

    def __init__(self, proxy: Proxy) -> None:
        """Without a token."""
        self.proxy = proxy
        self.connection = http.client.HTTPConnection(proxy.address, timeout=10)
        self.bearer = ""

    def ask(
        self, method: str, path: str, body: bytes = b"", media_type: str = "", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers, body."""
        said = {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}", **headers}
        said |= {"Content-Type": media_type} if media_type else {}
        said |= {"Authorization": f"Bearer {self.bearer}"} if self.bearer and "Authorization" not in said else {}
        self.connection.request(method, path, body, said)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def login(self, *scopes: str, password: str = LOGIN[1]) -> int:
        """Fetch a token and keep it; the status."""
        basic = base64.b64encode(f"{LOGIN[0]}:{password}".encode()).decode()
        query = "&".join(f"scope={scope}" for scope in scopes)
        status, _, raw = self.ask("GET", f"/token?service=night&{query}", Authorization=f"Basic {basic}")
        self.bearer = json.loads(raw)["token"] if status == 200 else ""
        return status

    def anew(self) -> None:
        """Another connection."""
        self.connection.close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """What stands behind: one manifest and its blob in `a/a`."""
    with serving(Registry()) as one:
        one.add_blob("a/a", CONTENT)
        one.add("a/a", "tag", OCI_MANIFEST, image(BLOB))
        yield one


@contextmanager
def standing(registry: Registry, **how: Any) -> Iterator[tuple[Proxy, Client]]:
    """The proxy before it, and a client that may do everything in `a/a` and `b/b`."""
    with proxying(Shop(registry.address), **{"per_minute": MANY, "burst": MANY, **how}) as proxy:
        client = Client(proxy)
        try:
            assert client.login("repository:a/a:pull,push", "repository:b/b:pull,push") == 200
            yield proxy, client
        finally:
            client.connection.close()


# ------------------------------------------------------------------- the limit


def test_the_bucket_is_one_of_300_a_minute_however_fast_its_clock() -> None:
    """300 at once, then five a simulated second; what is refused costs nothing; a rest fills no more than the burst."""
    now = [100.0]
    clock = Clock(20, lambda: now[0])
    bucket = Bucket(clock, 300, 300)
    assert [bucket.take() for _ in range(300)] == [0.0] * 300
    assert bucket.take() == pytest.approx(0.2)
    assert bucket.take() == pytest.approx(0.2)
    now[0] += 0.25  # five simulated seconds
    assert sum(bucket.take() == 0.0 for _ in range(100)) == 25
    now[0] += 3600
    assert sum(bucket.take() == 0.0 for _ in range(1000)) == 300
    assert clock.now() == pytest.approx(3600.25 * 20)
    assert clock.real(60) == 3.0


def test_a_clock_that_stands_still_is_refused() -> None:
    """A speed is above zero."""
    with pytest.raises(ValueError, match="above 0"):
        Clock(0)


def test_over_the_limit_is_429_with_the_time_to_wait(registry: Registry) -> None:
    """Token calls count, too; the next minute has room again."""
    with standing(registry, per_minute=60, burst=3, speed=1) as (proxy, client):
        statuses = [client.ask("GET", "/v2/a/a/manifests/tag") for _ in range(3)]
        assert [one[0] for one in statuses] == [200, 200, 429]
        assert int(statuses[2][1]["Retry-After"]) in (1, 2)
        assert proxy.count.injuries == {"over the limit": 1}
    with standing(registry, per_minute=60, burst=1, speed=600) as (proxy, client):
        deadline = time.monotonic() + 10
        while client.ask("GET", "/v2/a/a/manifests/tag")[0] == 429:
            assert time.monotonic() < deadline


# ------------------------------------------------------------------- counts


def test_everything_is_counted_by_kind_repository_and_status(registry: Registry) -> None:
    """Phase by phase: what was counted before stays, and begins anew."""
    with standing(registry) as (proxy, client):
        first = proxy.count
        count = proxy.phase("cold")
        assert client.ask("HEAD", "/v2/a/a/manifests/tag")[0] == 200
        assert client.ask("GET", "/v2/a/a/manifests/tag")[2] == image(BLOB)
        mount = f"/v2/b/b/blobs/uploads/?mount={BLOB}&from=a/a"
        assert client.ask("POST", mount)[0] == 201
        body = image(BLOB)
        assert client.ask("PUT", f"/v2/b/b/manifests/{digest_of(body)}", body, OCI_MANIFEST)[0] == 201
        assert client.ask("GET", "/v2/b/b/manifests/none")[0] == 404
        assert client.ask("GET", f"/v2/b/b/blobs/{BLOB}")[2] == CONTENT
        client.ask("GET", "/v2/")  # this registry has no ping
        assert count.by_kind == {
            "HEAD manifest": 1, "GET manifest": 2, "POST mount": 1, "PUT manifest": 1, "GET blob": 1, "ping": 1
        }  # fmt: skip
        assert count.by_repository == {"a/a": 2, "b/b": 4}
        assert count.by_status == {"200": 3, "201": 2, "404": 2}
        assert (count.puts, count.requests, count.dangling, count.faults) == (1, 7, [], [])
        assert proxy.counts == {"cold": count}
        assert first.by_kind == {"token": 1}
        assert (first.connections, first.issued) == (1, 1)
        assert count.figures()["requests"] == 7


def test_an_upload_goes_through_with_a_location_of_the_proxy(registry: Registry) -> None:
    """And its bytes are those that were sent."""
    with standing(registry) as (proxy, client):
        status, headers, _ = client.ask("POST", "/v2/b/b/blobs/uploads/")
        assert status == 202
        place = urlsplit(headers["Location"])
        assert place.netloc in ("", proxy.address)
        raw = b"x" * 100_000
        path = f"{place.path}?{place.query}&digest={digest_of(raw)}"
        assert client.ask("PUT", path, raw)[0] == 201
        assert registry.blobs["b/b"][digest_of(raw)] == raw


def test_a_moment_can_be_waited_for(registry: Registry) -> None:
    """Before a request is passed on, once it is answered, and once its answer is sent; each time once."""
    with standing(registry) as (proxy, client):
        proxy.phase("moments")
        seen: list[tuple[str, int]] = []
        for number, stage in ((2, "before"), (2, "after"), (3, "answered")):
            proxy.at(number, stage, lambda stage=stage: seen.append((stage, len(registry.asked))))  # type: ignore[arg-type,misc]
        before = len(registry.asked)
        for _ in range(4):
            client.ask("GET", "/v2/a/a/manifests/tag")
        assert seen == [("before", before + 1), ("after", before + 2), ("answered", before + 3)]


# ------------------------------------------------------------------- tokens


def test_tokens_are_checked_for_what_they_may(registry: Registry) -> None:
    """No token, one of too little, one that has ended, wrong credentials: each told as RFC 6750 has it."""
    with standing(registry, token_seconds=0.3) as (proxy, client):
        client.login("repository:a/a:pull")
        assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 200
        status, headers, _ = client.ask("POST", "/v2/a/a/blobs/uploads/")
        assert (status, "insufficient_scope" in headers["WWW-Authenticate"]) == (401, True)
        assert f'realm="http://{proxy.address}/token"' in headers["WWW-Authenticate"]
        assert 'scope="repository:a/a:pull,push"' in headers["WWW-Authenticate"]
        deadline = time.monotonic() + 10
        while (found := client.ask("GET", "/v2/a/a/manifests/tag"))[0] == 200:
            assert time.monotonic() < deadline
        assert 'error="invalid_token"' in found[1]["WWW-Authenticate"]
        client.bearer = ""
        assert "error=" not in client.ask("GET", "/v2/a/a/manifests/tag")[1]["WWW-Authenticate"]
        assert client.login("repository:a/a:pull", password="wrong") == 401


def test_tokens_may_end_in_mid_flight(registry: Registry) -> None:
    """As a harness wants it, or by the schedule: the request that met it is refused, and a new token is good."""
    with standing(registry) as (proxy, client):
        proxy.forget_tokens()
        assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 401
        client.login("repository:a/a:pull")
        count = proxy.phase("expired", replaced(forms=(), expired=1, span=20))
        statuses = [client.ask("GET", "/v2/a/a/manifests/tag")[0] for _ in range(16)]
        assert 401 in statuses
        assert count.injuries == {"tokens expired": 1}


def replaced(**changed: Any) -> Wounds:
    """Calm, but for that."""
    return Wounds(**{**vars(CALM), **changed})


def test_an_oauth_client_gets_its_token_by_post(registry: Registry) -> None:
    """Credentials and scope in a form, as containerd sends them."""
    with standing(registry) as (_, client):
        form = f"username={LOGIN[0]}&password={LOGIN[1]}&scope=repository:a/a:pull&grant_type=password".encode()
        status, _, raw = client.ask("POST", "/token", form, "application/x-www-form-urlencoded")
        assert status == 200
        client.bearer = json.loads(raw)["access_token"]
        assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 200


def test_an_account_that_is_locked_is_so_for_the_right_password(registry: Registry) -> None:
    """In Docker Hub's words, until it is unlocked."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("locked")
        proxy.lock(900)
        assert client.login("repository:a/a:pull") == 429
        assert b"too many failed login attempts" in client.ask("GET", "/token")[2]
        assert count.injuries == {"locked": 2}
        proxy.unlock()
        assert client.login("repository:a/a:pull") == 200


# ------------------------------------------------------------------- injuries


@pytest.mark.parametrize("form", FORMS)
def test_a_429_comes_once_in_every_form(registry: Registry, form: Form) -> None:
    """Seconds, date, UNIX time, GHCR's text; and Docker Hub's bytes, with bare line feeds and a row without a colon."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("limits", replaced(forms=(form,), asked=7.0, span=20))
        seen = []
        for _ in range(16):
            asked = ["GET /v2/a/a/manifests/tag HTTP/1.1", "Host: x", f"Authorization: Bearer {client.bearer}",
                     "Connection: close", "", ""]  # fmt: skip
            raw = spoken(proxy, "\r\n".join(asked))
            if b" 429 " in raw[:20]:
                seen.append(raw)
        assert len(seen) == 1
        assert count.injuries == {f"429 {form}": 1}
        head, _, body = seen[0].partition(b"\r\n\r\n")
        if form == "broken":
            assert b"\r" not in seen[0]
            assert b"\nToo Many Requests (HAP429)\n" in seen[0]
            return
        said = dict(row.split(": ", 1) for row in head.decode().split("\r\n")[1:]).get("Retry-After", "")
        wait = {
            "seconds": lambda: float(said),
            "date": lambda: parsedate_to_datetime(said).timestamp() - time.time(),
            "epoch": lambda: float(said) - time.time(),
            "text": lambda: 7.0 if b"retry-after: 880ms, allowed: 2000/minute" in body else 0.0,
        }[form]()
        assert 5 < wait <= 7


def spoken(proxy: Proxy, said: str) -> bytes:
    """Everything that comes for these bytes."""
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as one:
        one.sendall(said.encode())
        pieces = []
        while piece := one.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def test_a_token_call_hangs_until_the_client_gives_up(registry: Registry) -> None:
    """The first one of a phase; the next one is answered."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("hang", replaced(hang=0.02))
        client.anew()
        client.connection.timeout = 0.2
        with pytest.raises(TimeoutError):
            client.login("repository:a/a:pull")
        client.anew()
        client.connection.timeout = 10
        assert client.login("repository:a/a:pull") == 200
        assert count.injuries == {"token hung": 1}
        assert count.by_status["hung"] == 1


def test_errors_of_the_server_come_in_all_three_kinds(registry: Registry) -> None:
    """One of every so many requests; the registry behind has not seen them."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("broken", replaced(broken=0.1))
        before = len(registry.asked)
        statuses = [client.ask("GET", "/v2/a/a/manifests/tag")[0] for _ in range(30)]
        assert {500, 502, 503} < set(statuses)
        assert statuses.count(200) == 27 == len(registry.asked) - before
        assert sum(count.injuries.values()) == 3


def test_an_answer_may_end_in_the_middle_of_its_body(registry: Registry) -> None:
    """By a reset, after a part of what its head has promised; the registry has done what it was asked."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("cut", replaced(cut_answer=1.0))
        before = len(registry.asked)
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            client.ask("GET", "/v2/a/a/manifests/tag")
        client.anew()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            client.ask("HEAD", "/v2/a/a/manifests/tag")
        assert len(registry.asked) == before + 2
        assert count.injuries == {"answer cut": 2}
        assert count.by_status == {"reset": 2}


def test_a_manifest_may_be_read_by_half(registry: Registry) -> None:
    """The client sees a reset, and the registry nothing of it."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("cut", replaced(cut_request=1.0))
        before = len(registry.asked)
        body = image(BLOB)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            client.ask("PUT", "/v2/a/a/manifests/other", body, OCI_MANIFEST)
        assert len(registry.asked) == before
        assert count.injuries == {"request cut": 1}


def test_what_was_put_may_not_be_there_yet(registry: Registry) -> None:
    """404 by its digest, and an index of it is told that it is missing; after the lag all is well."""
    with standing(registry, speed=10) as (proxy, client):
        count = proxy.phase("lag", replaced(lag=1.0, lag_seconds=5.0))
        raw = image(BLOB)
        raw += b"\n"
        digest = digest_of(raw)
        assert client.ask("PUT", f"/v2/a/a/manifests/{digest}", raw, OCI_MANIFEST)[0] == 201
        assert client.ask("HEAD", f"/v2/a/a/manifests/{digest}")[0] == 404
        both = index(digest, MANIFEST)
        status, _, said = client.ask("PUT", "/v2/a/a/manifests/merged", both, OCI_INDEX)
        assert (status, [one["detail"] for one in json.loads(said)["errors"]]) == (400, [digest])
        deadline = time.monotonic() + 10
        while client.ask("HEAD", f"/v2/a/a/manifests/{digest}")[0] == 404:
            assert time.monotonic() < deadline
        assert client.ask("PUT", "/v2/a/a/manifests/merged", both, OCI_INDEX)[0] == 201
        assert client.ask("GET", "/v2/a/a/manifests/merged")[0] == 404  # a tag may lag, too
        assert count.injuries["lag"] == 2
        assert count.injuries["lag seen"] >= 3


def test_a_tag_that_points_at_nothing_is_seen(registry: Registry) -> None:
    """By a registry that takes such an index; looking is not counted."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("dangling")
        nothing = digest_of(b"nothing")
        known = MANIFEST
        registry.spoil("PUT", r"/manifests/", lambda handler: handler.reply(201))
        assert client.ask("PUT", "/v2/a/a/manifests/right", index(known), OCI_INDEX)[0] == 201
        assert count.dangling == []
        assert client.ask("PUT", "/v2/a/a/manifests/merged", index(known, nothing), OCI_INDEX)[0] == 201
        assert count.dangling == [f"a/a:merged {nothing}"]
        assert count.requests == 2


def test_a_registry_may_be_down(registry: Registry) -> None:
    """Nobody listens, and open connections are reset; or 503; and afterwards it is up again at the same address."""
    with standing(registry, speed=100) as (proxy, client):
        proxy.down(30, "503")
        assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 503
        proxy.down(30)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            client.ask("GET", "/v2/a/a/manifests/tag")
        client.anew()
        with pytest.raises(ConnectionRefusedError):
            client.ask("GET", "/v2/a/a/manifests/tag")
        deadline = time.monotonic() + 10
        while True:
            client.anew()
            try:
                assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 200
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
            else:
                break


def test_a_registry_that_is_not_well_is_a_fault_of_the_rehearsal(registry: Registry) -> None:
    """So that nobody takes its errors for injuries."""
    with standing(registry) as (proxy, client):
        registry.spoil("GET", r"/manifests/", lambda handler: handler.reply(500))
        assert client.ask("GET", "/v2/a/a/manifests/tag")[0] == 500
        assert len(proxy.count.faults) == 1


# ------------------------------------------------------------------- chance


def test_equal_seeds_injure_alike() -> None:
    """And others otherwise."""

    def drawn(seed: int) -> list[object]:
        one = Injuries(Wounds(span=500), seed)
        return [(one.once(), one.broken(), one.cuts_answer(), one.lags(), one.cuts_request()) for _ in range(500)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_injury_comes_as_often_as_it_should() -> None:
    """Each form once, and each rate to the request; the first token call hangs, however few there are."""
    one = Injuries(Wounds(span=1000, hang=0.02, broken=0.005, lag=0.02), 3)
    found = [one.once() for _ in range(1000)]
    assert sorted(filter(None, found)) == sorted([*FORMS, "expired"])
    assert sum(bool(one.broken()) for _ in range(1000)) == 5
    assert sum(one.lags() for _ in range(1000)) == 20
    hung = [one.hangs() for _ in range(100)]
    assert (hung[0], sum(hung)) == (True, 2)
    calm = Injuries(CALM)
    assert not any(any((calm.once(), calm.broken(), calm.hangs(), calm.lags())) for _ in range(1000))


def test_no_429_asks_for_less_than_a_second() -> None:
    """Its forms have whole seconds."""
    made = too_many("seconds", 0.1)
    assert not isinstance(made, bytes)
    assert made[0]["Retry-After"] == "1"


def test_many_clients_at_once_lose_nothing(registry: Registry) -> None:
    """Six connections, 50 requests each, all counted and all answered."""
    with standing(registry) as (proxy, client):
        count = proxy.phase("many")
        statuses: list[int] = []

        def work() -> None:
            one = Client(proxy)
            one.bearer = client.bearer
            for _ in range(50):
                statuses.append(one.ask("GET", "/v2/a/a/manifests/tag")[0])  # noqa: PERF401 - each as it comes
            one.connection.close()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 300
        assert (count.requests, count.connections) == (300, 6)
