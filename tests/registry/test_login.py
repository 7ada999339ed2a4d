"""Telling a registry who we are: tokens, refusals, and that nothing is asked for ever."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audit.registry import (
    Client,
    Credentials,
    Denied,
    Garbled,
    LoginRefused,
    NotARegistry,
    RedirectRefused,
    RegistryError,
    Unauthorized,
)
from audit.registry.failures import Call
from audit.registry.scopes import merged, scope
from audit.registry.tokenserver import granted
from audit.registry.transport import Request
from tests.farm.registry import IDENTITY, PASSWORD, USER, Registry, basic, serving
from tests.farm.spoilers import answers, fails
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, named, stocked

WRONG = Credentials(username=USER, password="wrong-do-not-show")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        """At noon."""
        self.at = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.at


def outcome(client: Client, registry: Registry, rest: str = "team/app:1.0") -> str:
    """The name of the error, or the digest."""
    try:
        return client.manifest(named(registry, rest)).digest
    except RegistryError as error:
        return type(error).__name__


def test_basic(registry: Registry, dial: Dial) -> None:
    """A registry that wants a password gets it with each request, once it has asked for it."""
    registry.auth = "basic"
    raw = stocked(registry)
    client = dial(registry, ROBOT)
    assert [outcome(client, registry) for _ in range(3)] == [digest(raw)] * 3
    assert client.counts.by_kind == {"GET manifest": 4}
    assert "authorization" not in registry.asked[0].headers


@pytest.mark.parametrize(("auth", "asks"), [("basic", 2), ("bearer", 2)])
def test_a_refused_login_is_never_repeated(registry: Registry, dial: Dial, auth: str, asks: int) -> None:
    """Two refused answers end it; further calls, from any thread, ask nobody."""
    registry.auth = auth
    stocked(registry)
    client = dial(registry, WRONG)
    with pytest.raises(LoginRefused, match="check") as told:
        client.manifest(named(registry))
    assert "wrong-do-not-show" not in str(told.value)
    assert len(registry.asked) == asks
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: outcome(client, registry), range(8))) == {"LoginRefused"}
    assert len(registry.asked) == asks


def test_nobody_is_told_to_give_credentials(registry: Registry, dial: Dial) -> None:
    """Without credentials, the sentence says so; a public repository can be read."""
    registry.auth = "bearer"
    raw = stocked(registry)
    with pytest.raises(Unauthorized, match="give credentials for it"):
        dial(registry).manifest(named(registry))
    registry.public = True
    assert outcome(dial(registry), registry) == digest(raw)


def test_a_right_that_is_missing(registry: Registry, dial: Dial) -> None:
    """What was wanted and what the token allows stand in the sentence; three answers at most."""
    registry.auth = "bearer"
    registry.grants = {"team/app": {"pull"}}
    raw = stocked(registry)
    client = dial(registry, ROBOT)
    with pytest.raises(Denied, match="wanted is repository:team/app:pull,push") as told:
        client.put(named(registry), "application/vnd.oci.image.manifest.v1+json", raw)
    assert "allows team/app:pull" in str(told.value)
    assert not told.value.transient
    assert [one.method for one in registry.asked] == ["PUT", "GET", "PUT"]


@pytest.mark.parametrize("spoilt", ["always-401", "always-403"])
def test_a_registry_that_refuses_its_own_tokens(registry: Registry, dial: Dial, spoilt: str) -> None:
    """A registry that refuses what it has just given ends in an error after a few requests."""
    registry.auth = "bearer"
    stocked(registry)
    realm = f'Bearer realm="http://{registry.address}/token",service="x",scope="repository:team/app:pull",error="invalid_token"'
    status = int(spoilt[-3:])
    registry.spoil("GET", "/manifests/", answers(401, WWW_Authenticate=realm), times=1)
    registry.spoil("GET", "/manifests/", answers(status, WWW_Authenticate=realm))
    client = dial(registry, ROBOT)
    client.expect(registry.address, pull=["team/app", "team/other"])
    assert outcome(client, registry) == "Denied"
    assert len(registry.asked) <= 5


def test_a_token_is_replaced_before_it_ends(registry: Registry, dial: Dial) -> None:
    """A token lives as long as the server says, less a margin."""
    registry.auth, registry.expires_in = "bearer", 300
    stocked(registry)
    clock = Clock()
    client = dial(registry, ROBOT, clock=clock)
    for later, tokens in ((0, 1), (269, 1), (2, 2), (200, 2), (80, 3)):
        clock.at += later
        client.manifest(named(registry))
        assert client.counts.tokens == tokens
    assert client.counts.by_kind["GET manifest"] == 6, "only the very first one was refused"


@pytest.mark.parametrize(
    ("body", "lives"),
    [
        ({}, 48),
        ({"expires_in": "soon"}, 48),
        ({"expires_in": -5}, 48),
        ({"expires_in": 10}, 8),
        ({"expires_in": 1e300}, 12 * 3600 - 30),
        ({"expires_in": 300, "issued_at": "2023-11-14T22:11:20Z"}, 300 - 120 - 30),
        ({"expires_in": 300, "issued_at": "2023-11-14T23:11:20Z"}, 270),
        ({"expires_in": 300, "issued_at": "yesterday"}, 270),
    ],
)
def test_how_long_a_token_lives(registry: Registry, dial: Dial, body: dict[str, Any], lives: float) -> None:
    """expires_in, or 60 s; what has passed since issued_at by the server's own clock is taken off."""
    stocked(registry)
    registry.challenge = f'Bearer realm="http://{registry.address}/token"'
    registry.auth = "bearer"
    registry.tokens["fixed"] = {"team/app": {"pull"}}

    def token(handler: Any) -> None:
        handler.date_time_string = lambda timestamp=None: "Tue, 14 Nov 2023 22:13:20 GMT"
        handler.reply(200, json.dumps({"token": "fixed"} | body).encode())

    registry.spoil("GET", "/token", token)
    clock = Clock()
    client = dial(registry, ROBOT, clock=clock)
    client.manifest(named(registry))
    clock.at += lives - 1
    client.manifest(named(registry))
    assert client.counts.tokens == 1
    clock.at += 2
    client.manifest(named(registry))
    assert client.counts.tokens == 2


def test_an_expired_token_is_replaced_once(registry: Registry, dial: Dial) -> None:
    """A token that the registry has forgotten is replaced, and the call made again."""
    registry.auth = "bearer"
    raw = stocked(registry)
    client = dial(registry, ROBOT)
    client.manifest(named(registry))
    registry.tokens.clear()
    assert outcome(client, registry) == digest(raw)
    assert client.counts.tokens == 2


def test_one_scope_at_a_time(registry: Registry, dial: Dial) -> None:
    """A token server that takes one scope only is asked so from then on."""
    registry.auth, registry.one_scope = "bearer", True
    for name in ("a/one", "a/two", "a/three"):
        stocked(registry, name)
    client = dial(registry, ROBOT)
    client.expect(registry.address, pull=["a/one", "a/two", "a/three"])
    for name in ("a/one", "a/two", "a/three", "a/one"):
        client.manifest(named(registry, f"{name}:1.0"))
    assert client.counts.tokens == 4, "one that was refused, and one a repository"


def test_a_registry_that_reads_one_scope_only(registry: Registry, dial: Dial) -> None:
    """Where a token of many scopes is refused at the registry, one with this call's alone is tried."""
    registry.auth = "bearer"
    raw = stocked(registry)
    true_may = registry.may

    def may(header: str, repository: str, action: str) -> bool:
        return true_may(header, repository, action) and len(registry.tokens[header.partition(" ")[2]]) == 1

    registry.may = may  # type: ignore[method-assign] # a registry of another making
    client = dial(registry, ROBOT)
    client.expect(registry.address, pull=["team/app", "team/other"])
    assert outcome(client, registry) == digest(raw)
    assert outcome(client, registry) == digest(raw)
    assert client.counts.tokens == 2, "one for all, and one for this alone"


def test_an_identity_token(registry: Registry, dial: Dial) -> None:
    """It is exchanged by POST, and never stands in a header or a URL."""
    registry.auth = "bearer"
    raw = stocked(registry)
    client = dial(registry, Credentials(identity_token=IDENTITY))
    assert outcome(client, registry) == digest(raw)
    (post,) = [one for one in registry.asked if one.method == "POST"]
    assert post.path == "/token"
    assert b"grant_type=refresh_token" in post.body
    assert "authorization" not in post.headers
    assert all(IDENTITY not in str((one.path, one.query, one.headers)) for one in registry.asked)
    registry.oauth = False
    assert outcome(dial(registry, Credentials(identity_token=IDENTITY)), registry) == "NotARegistry"
    both = Credentials(identity_token=IDENTITY, username=USER, password=PASSWORD)
    assert outcome(dial(registry, both), registry) == digest(raw)
    assert outcome(dial(registry, Credentials(identity_token="wrong")), registry) == "NotARegistry"
    registry.oauth = True
    assert outcome(dial(registry, Credentials(identity_token="wrong")), registry) == "LoginRefused"


def test_a_registry_token(registry: Registry, dial: Dial) -> None:
    """It is sent as it is, at once, and no other one is asked for."""
    registry.auth = "bearer"
    raw = stocked(registry)
    registry.tokens["ready"] = {"team/app": {"pull"}}
    client = dial(registry, Credentials(registry_token="ready"))
    assert outcome(client, registry) == digest(raw)
    assert client.counts.by_kind == {"GET manifest": 1}
    assert outcome(dial(registry, Credentials(registry_token="stale")), registry) == "LoginRefused"
    assert client.counts.tokens == 0


@pytest.mark.parametrize(
    ("challenge", "error"),
    [
        ("", "LoginRefused"),
        ("Negotiate", "LoginRefused"),
        ("Bearer", "LoginRefused"),
        ("\x00\xff,,,=\"", "LoginRefused"),
        ('Bearer realm="/token"', "Garbled"),
        ('Bearer realm="file:///etc/passwd"', "Garbled"),
        ('Bearer realm="http://me:pw@127.0.0.1/token"', "Garbled"),
        ('Bearer realm="http://127.0.0.1:1/token"', "Unreachable"),
        ('Bearer realm="http://127.0.0.1:99999/token"', "Garbled"),
        ("Bearer realm=" + "x" * 60_000, "Garbled"),
    ],
)  # fmt: skip
def test_garbage_in_www_authenticate(registry: Registry, dial: Dial, challenge: str, error: str) -> None:
    """Whatever stands there ends in an error, soon."""
    registry.auth, registry.challenge = "bearer", challenge
    stocked(registry)
    assert outcome(dial(registry, ROBOT), registry) == error
    assert len(registry.asked) <= 2


@pytest.mark.parametrize(
    ("spoiler", "error"),
    [
        (answers(200, "{}"), Garbled),
        (answers(200, "[]"), Garbled),
        (answers(200, "<html>"), Garbled),
        (answers(200, '{"token": 5}'), Garbled),
        (answers(200, '{"token": "a\\r\\nX-Evil: 1"}'), Garbled),
        (answers(200, '{"token": ""}'), Garbled),
        (answers(404, "no"), NotARegistry),
        (fails(401, "UNAUTHORIZED", f"no entry for {PASSWORD}"), LoginRefused),
        (answers(403, '{"details": "not you"}'), Denied),
        (answers(302, Location="https://127.0.0.1:1/x"), RegistryError),
    ],
)
def test_a_token_server_that_misbehaves(registry: Registry, dial: Dial, spoiler: Any, error: type[Exception]) -> None:
    """No token, or one that would be a header of its own, is an error that names the token server."""
    registry.auth = "bearer"
    stocked(registry)
    registry.spoil("GET", "/token", spoiler)
    with pytest.raises(error, match=rf"{registry.address}: token repository:team/app:pull|redirect") as told:
        dial(registry, ROBOT).manifest(named(registry))
    assert PASSWORD not in str(told.value)


def test_a_login_is_not_sent_by_http(registry: Registry, dial: Dial) -> None:
    """A registry that was not said to speak http cannot have the login sent by http."""
    tokens = dial(registry, ROBOT, plain_http=frozenset())._tokens
    from audit.registry.challenge import Challenge

    challenge = Challenge("bearer", f"http://{registry.address}/token")
    with pytest.raises(RedirectRefused, match="by http"):
        tokens.get(Call("GET manifest", registry.address), registry.address, challenge, ROBOT, (scope("a", "pull"),))
    assert registry.asked == []


def test_credentials_stay_with_their_host(registry: Registry, dial: Dial) -> None:
    """A redirection to another host is followed without the login; one on the same host keeps it."""
    registry.auth = "basic"
    stocked(registry)
    with serving(Registry(), host="127.0.0.2") as other:
        other.add_blob("team/app", b"layer")
        path = f"/v2/team/app/blobs/{digest(b'layer')}"
        registry.spoil("GET", "/blobs/", answers(307, Location=f"http://{other.address}{path}"), times=2)
        client = dial(registry, ROBOT)
        assert client.blob_bytes(named(registry), digest(b"layer"), 5) == b"layer"
        assert client.counts.by_kind == {"GET blob": 1, "redirect": 1}
        (there,) = other.asked
        assert "authorization" not in there.headers
        client.manifest(named(registry))  # now the client knows that it has to log in
        assert client.blob_bytes(named(registry), digest(b"layer"), 5) == b"layer"
        assert all("authorization" not in one.headers for one in other.asked)
        assert registry.asked[-1].headers["authorization"] == f"Basic {basic()}"
        registry.spoil("GET", "/blobs/", answers(307, Location=f"{path}?again"), times=1)
        assert client.blob_bytes(named(registry), digest(b"layer"), 5) == b"layer"
        assert registry.asked[-1].query == {"again": [""]}
        assert registry.asked[-1].headers["authorization"] == f"Basic {basic()}"


def test_an_upload_to_another_host_goes_without_the_login(registry: Registry, dial: Dial) -> None:
    """A session at another host gets the bytes, not the login."""
    registry.auth = "basic"
    with serving(Registry(), host="127.0.0.2") as other:
        other.uploads["x"] = bytearray()
        place = f"http://{other.address}/v2/team/app/blobs/uploads/x?sig=1"
        stocked(registry)
        client = dial(registry, ROBOT)
        client.manifest(named(registry))
        registry.spoil("POST", "/uploads/", answers(202, Location=place))
        client.upload(named(registry), digest(b"data"), 4, b"data")
        (there,) = other.asked
        assert there.body == b"data"
        assert "authorization" not in there.headers


def test_one_thread_asks_for_the_token(registry: Registry, dial: Dial) -> None:
    """Many threads at once are one request for a token."""
    registry.auth = "bearer"
    stocked(registry)
    client = dial(registry, ROBOT)
    gate = threading.Barrier(8)

    def one(_: int) -> str:
        gate.wait()
        return outcome(client, registry)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(8)))) == 1
    assert client.counts.tokens == 1


def test_a_wrong_password_in_many_threads(registry: Registry, dial: Dial) -> None:
    """Threads that wait for a token while it is refused do not ask again: nobody is locked out by our number."""
    registry.auth = "bearer"
    stocked(registry)
    client = dial(registry, WRONG)
    gate = threading.Barrier(8)

    def one(_: int) -> str:
        gate.wait()
        return outcome(client, registry)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(8))) == {"LoginRefused"}
    assert client.counts.tokens == 1


def test_hooks_see_every_request(registry: Registry, dial: Dial) -> None:
    """A limiter is asked before each HTTP request, tokens and redirections too, and told of each answer."""
    registry.auth = "bearer"
    stocked(registry)
    before: list[Request] = []
    seen: list[tuple[str, int]] = []
    client = dial(
        registry,
        ROBOT,
        before=before.append,
        seen=lambda asked, status, headers: seen.append((asked.call.kind, status)),
    )
    client.manifest(named(registry))
    assert [(one.call.kind, one.method, one.registry) for one in before] == [
        ("GET manifest", "GET", registry.address),
        ("token", "GET", registry.address),
        ("GET manifest", "GET", registry.address),
    ]
    assert seen == [("GET manifest", 401), ("token", 200), ("GET manifest", 200)]
    assert PASSWORD not in repr(before)

    def never(request: Request) -> None:
        raise RuntimeError("parked")

    with pytest.raises(RuntimeError, match="parked"):
        dial(registry, ROBOT, before=never).manifest(named(registry))


def test_no_secret_is_shown(registry: Registry, dial: Dial) -> None:
    """Neither objects nor errors show a password or a token, even where the registry repeats them."""
    registry.auth = "bearer"
    stocked(registry)
    both = Credentials(username=USER, password=PASSWORD, identity_token=IDENTITY, registry_token="")
    client = dial(registry, both)
    client.manifest(named(registry))
    (token,) = client._tokens.values()
    shown = repr((both, client.options, client._tokens.__dict__, client.counts, client.challenges, client.__dict__))
    for echo in (
        fails(500, "UNKNOWN", f"{PASSWORD} {IDENTITY} {token}"),
        answers(500, f"Authorization: Bearer {token}"),
    ):
        registry.spoilt.clear()
        registry.spoil("GET", "/manifests/", echo)
        with pytest.raises(RegistryError, match=r"\*\*\*") as told:
            client.manifest(named(registry))
        shown += repr(told.value) + str(told.value) + repr(told.value.__dict__)
    for secret in (PASSWORD, IDENTITY, token, basic()):
        assert secret not in shown


def test_scopes() -> None:
    """Each repository once, pushes first."""
    both = merged([scope("a", "pull"), scope("b", "pull", "push"), scope("a", "delete")])
    assert [str(one) for one in both] == ["repository:b:pull,push", "repository:a:pull,delete"]


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "a.e30.c", "a.bnVsbA.c", "a.WzFd.c", "é.é.é", "a." + "W" * 9000]
)
def test_a_token_that_says_nothing(token: str) -> None:
    """A token need not be a JSON Web Token."""
    assert granted(token) is None


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_locked_login_is_left_alone(registry: Registry, dial: Dial, auth: str) -> None:
    """Too many failed logins: not one more for a quarter of an hour, from any thread; without scopes one by one."""
    registry.auth = auth
    stocked(registry)
    locked = answers(429, '{"message": "toomanyrequests: too many failed login attempts for username"}')
    registry.spoil("GET", "/token" if auth == "bearer" else "/manifests/", locked)
    clock = Clock()
    client = dial(registry, ROBOT, clock=clock)
    client.expect(registry.address, pull=["team/app", "team/other"])
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: outcome(client, registry), range(12))) == {"LoginLocked"}
    logins = [one for one in registry.asked if "token" in one.path or "authorization" in one.headers]
    assert len(logins) <= (1 if auth == "bearer" else 4)
    asked = len(registry.asked)
    clock.at += 890
    assert outcome(client, registry) == "LoginLocked"
    assert len(registry.asked) <= asked + (auth == "bearer")
    registry.spoilt.clear()
    clock.at += 20
    assert outcome(client, registry).startswith("sha256:")
