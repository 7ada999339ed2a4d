"""A registry that misbehaves: each way ends in one class of error, with one sentence, in bounded time."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from audit.image.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.image.reference import Reference
from audit.registry import (
    AbuseLimit,
    ApiQuota,
    Client,
    Denied,
    DigestMismatch,
    Garbled,
    Invalid,
    Limited,
    LoginLocked,
    ManifestUnknown,
    NameUnknown,
    NotAllowed,
    NotARegistry,
    NotFound,
    PullQuota,
    RedirectRefused,
    RegistryError,
    SecondaryLimit,
    ServerFailed,
    TooLong,
    Unreachable,
    _sockets,
    transport,
)
from tests.farm.registry import PASSWORD, Handler, Registry, Spoiler, basic
from tests.farm.spoilers import answers, breaks, drips, endless, fails, hangs_up, raw
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, manifest, named, stocked

NOW = 1_700_000_000.0
HAP429 = (
    b"HTTP/1.1 429 Too Many Requests\nCache-Control: no-cache\nConnection: close\nContent-Type: text/html\n"
    b"Retry-After: 60\nToo Many Requests (HAP429)\n\n"
)
"""As Docker Hub's front was seen to send it: bare line feeds, and text where a header should be."""

Do = Callable[[Client, Reference], object]


def read(client: Client, name: Reference) -> object:
    """The manifest."""
    return client.manifest(name)


def fetch(client: Client, name: Reference) -> object:
    """The layer."""
    return client.blob_bytes(name, digest(b"layer"), 5)


def head(client: Client, name: Reference) -> object:
    """Without the body."""
    return client.head(name)


def push(client: Client, name: Reference) -> object:
    """The manifest, back."""
    return client.put(name, OCI_MANIFEST, manifest(b"layer"))


class Case(NamedTuple):
    """What is done to whom, and what it must end in.

    Attributes:
        spoiler: how the registry answers.
        error: the class.
        says: part of the sentence.
        do: the call.
        after: seconds that the registry asks for.
    """

    spoiler: Spoiler
    error: type[RegistryError]
    says: str
    do: Do = read
    after: float | None = None


OK = f"HTTP/1.1 200 OK\r\nContent-Type: {OCI_MANIFEST}\r\n".encode()
WHOLE = manifest(b"layer")

CASES: dict[str, Case] = {
    # ---- the line
    "hangs-up": Case(hangs_up, Unreachable, "hung up without an answer"),
    "reset": Case(breaks(10, 5000, reset=True, Content_Type=OCI_MANIFEST), Unreachable, "try again"),
    "breaks-off": Case(breaks(10, 5000, Content_Type=OCI_MANIFEST), Unreachable, "the answer broke off"),
    "blob-breaks-off": Case(breaks(2, 5), Unreachable, "broke off", fetch),
    "blob-too-short": Case(answers(200, b"lay"), Unreachable, "only 3 of its 5 bytes", fetch),
    "silent": Case(lambda handler: time.sleep(3), Unreachable, "no answer in time"),
    "dripping-head": Case(drips(b"HTTP/1.1 200 OK\r\nX: "), Unreachable, "no answer in time"),
    "dripping-body": Case(drips(OK + b"\r\n"), Unreachable, "no answer in time"),
    "dripping-blob": Case(drips(b"HTTP/1.1 200 OK\r\n\r\n", b""), Unreachable, "no answer in time", fetch),
    "no-http": Case(raw(b"SSH-2.0-OpenSSH_9.9\r\n"), NotARegistry, "does not speak HTTP"),
    "binary": Case(raw(bytes(range(256)) * 40), NotARegistry, "does not speak HTTP"),
    "endless-head-line": Case(raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), Garbled, "too long"),
    "many-headers": Case(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000), Garbled, "head"),
    "bad-chunks": Case(raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), Unreachable, "broke off"),
    "bad-length": Case(raw(OK + b"Content-Length: 5, 6\r\n\r\n{}"), Garbled, "contradict each other"),
    # ---- too much
    "endless-body": Case(endless(Content_Type=OCI_MANIFEST), TooLong, "more than 4194304 bytes"),
    "endless-error": Case(endless(500), ServerFailed, "HTTP 500"),
    "endless-blob": Case(endless(), TooLong, "more than its 5 bytes", fetch),
    "deep-json": Case(answers(200, "[" * 200_000, Content_Type=OCI_MANIFEST), Garbled, "not JSON"),
    # ---- lies
    "wrong-digest-said": Case(
        answers(200, WHOLE, Content_Type=OCI_MANIFEST, Docker_Content_Digest=digest(b"x")), DigestMismatch, digest(b"x")
    ),
    "wrong-digest-asked": Case(
        answers(200, b"{}", Content_Type=OCI_MANIFEST), DigestMismatch, "the registry serves",
        lambda client, name: client.manifest(name.at(digest(WHOLE))),
    ),
    "wrong-head": Case(
        answers(200, b"{}", Content_Type=OCI_MANIFEST, Docker_Content_Digest=digest(b"x")), DigestMismatch, "is wanted",
        lambda client, name: client.head(name.at(digest(WHOLE))),
    ),
    "wrong-blob": Case(answers(200, b"LAYER"), DigestMismatch, "the bytes have the digest", fetch),
    "type-lies": Case(answers(200, WHOLE, Content_Type=OCI_INDEX), Garbled, "but says that it is"),
    "type-schema1": Case(
        answers(200, "{}", Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws"), Garbled,
        "build it anew",
    ),
    "type-escapes": Case(answers(200, "{}", Content_Type="text/\x1b[31mred"), Garbled, "has the type"),
    "web-page": Case(answers(200, "<html>Sign in", Content_Type="text/html"), NotARegistry, "a web page came"),
    "no-json": Case(answers(200, "hello", Content_Type=OCI_MANIFEST), Garbled, "is not JSON"),
    "no-object": Case(answers(200, "[]", Content_Type=OCI_MANIFEST), Garbled, "no object"),
    "no-index": Case(
        answers(200, '{"manifests": 3}', Content_Type=OCI_INDEX), Garbled, "without a list of manifests",
        lambda client, name: client.arrived(name),
    ),
    "teapot": Case(answers(418, "short and stout"), Invalid, "HTTP 418: short and stout"),
    "no-content": Case(answers(204), Garbled, "no place for"),
    "not-modified": Case(answers(304), RedirectRefused, "HTTP 304"),
    # ---- refusals
    "no-manifest": Case(fails(404, "MANIFEST_UNKNOWN", "manifest unknown"), ManifestUnknown, "MANIFEST_UNKNOWN"),
    "no-name": Case(fails(404, "NAME_UNKNOWN", "repository name not known"), NameUnknown, "no such repository"),
    "no-head": Case(answers(404), ManifestUnknown, "HTTP 404", head),
    "no-page": Case(answers(404, "<html>", Content_Type="text/html"), NotFound, "HTTP 404"),
    "forbidden": Case(fails(403, "DENIED", "requested access to the resource is denied"), Denied, "DENIED"),
    "not-allowed": Case(fails(405, "UNSUPPORTED", "no"), NotAllowed, "ask whoever runs it"),
    "immutable": Case(fails(409, "TAG_IMMUTABLE", "tag is immutable"), NotAllowed, "another tag", push),
    "too-large": Case(answers(413), Invalid, "too large", push),
    "manifest-invalid": Case(fails(400, "MANIFEST_INVALID", "manifest invalid"), Invalid, "MANIFEST_INVALID", push),
    "server-error": Case(answers(500, "oops"), ServerFailed, "HTTP 500: oops"),
    "unavailable": Case(answers(503, Retry_After="7"), ServerFailed, "HTTP 503", after=7),
    "cloudflare": Case(answers(522), ServerFailed, "HTTP 522"),
    # ---- limits
    "429": Case(answers(429), AbuseLimit, "too many requests"),
    "429-seconds": Case(answers(429, Retry_After="12"), AbuseLimit, "HTTP 429", after=12),
    "429-date": Case(answers(429, Retry_After="Tue, 14 Nov 2023 22:14:20 GMT"), AbuseLimit, "HTTP 429", after=60),
    "429-epoch": Case(answers(429, Retry_After="1700000030"), AbuseLimit, "HTTP 429", after=30),
    "429-clamped": Case(answers(429, Retry_After="999999"), AbuseLimit, "HTTP 429", after=6 * 3600),
    "429-garbage": Case(answers(429, Retry_After="soon"), AbuseLimit, "HTTP 429"),
    "429-head": Case(answers(429, Retry_After="3"), AbuseLimit, "HTTP 429", head, 3),
    "ghcr": Case(
        fails(429, "TOOMANYREQUESTS", "retry-after: 10.305464ms, allowed: 44000/minute"), Limited, "ask less often",
        after=0.010305464,
    ),
    "github-secondary": Case(
        fails(403, "DENIED", "You have exceeded a secondary rate limit"), SecondaryLimit, "less often"
    ),
    "hub-pulls-head": Case(
        answers(429, ratelimit_limit="100;w=21600", ratelimit_remaining="0;w=21600"), PullQuota, "quota", head
    ),
    "hub-api-reset": Case(
        answers(429, '{"detail": "Docker Hub API rate limit exceeded"}', X_RateLimit_Reset="1700000045"), ApiQuota,
        "quota", after=45,
    ),
    "hub-pulls": Case(
        fails(429, "TOOMANYREQUESTS", "You have reached your pull rate limit. You may increase the limit by ... "
              "https://www.docker.com/increase-rate-limits"), PullQuota, "use a paid plan",
    ),
    "hub-anonymous": Case(
        fails(429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit."), PullQuota, "sign in"
    ),
    "hub-hap429": Case(answers(429, "Too Many Requests (HAP429)", Retry_After="60"), AbuseLimit, "HAP429", after=60),
    "hub-hap429-malformed": Case(raw(HAP429), AbuseLimit, "HTTP 429", after=60),
    "hub-api": Case(answers(429, '{"detail": "Docker Hub API rate limit exceeded"}'), ApiQuota, "quota"),
    "hub-locked": Case(
        answers(429, '{"message": "toomanyrequests: too many failed login attempts for username or IP address"}'),
        LoginLocked, "15 minutes",
    ),
    # ---- redirections
    "redirect-loop": Case(answers(302, Location="/v2/team/app/manifests/1.0"), RedirectRefused, "more than 5"),
    "redirect-nowhere": Case(answers(307, Location="ftp://files.invalid/x"), Garbled, "an address that is none"),
    "redirect-user": Case(answers(307, Location="http://me:pw@127.0.0.1/x"), Garbled, "an address that is none"),
    "redirect-split": Case(answers(307, Location="http://127.0.0.1/a b"), Garbled, "an address that is none"),
    "redirect-port": Case(answers(307, Location="http://127.0.0.1:99999/"), Garbled, "an address that is none"),
    "redirect-put": Case(answers(307, Location="/elsewhere"), RedirectRefused, "sends us elsewhere", push),
    "redirect-nothing": Case(answers(301), RedirectRefused, "HTTP 301"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_misbehaviour_ends_in_its_error(registry: Registry, dial: Dial, name: str) -> None:
    """The class, the sentence with host and call, the wait asked for; soon enough, and with no secret in it."""
    case = CASES[name]
    stocked(registry)
    registry.auth = "basic"
    registry.spoil("*", "/(manifests|blobs)/", case.spoiler)
    client = dial(registry, ROBOT, idle=0.6, answer=1.2, slowest=1e6, now=lambda: NOW)
    began = time.monotonic()
    with pytest.raises(case.error) as told:
        case.do(client, named(registry))
    assert time.monotonic() - began < 5
    assert type(told.value) is case.error
    said = str(told.value)
    assert any(part in said for part in case.says.split("|")), said
    assert said.startswith(registry.address)
    assert said.isprintable()
    assert len(said) < 900
    assert told.value.after == (pytest.approx(case.after) if case.after is not None else None)
    assert PASSWORD not in said
    assert basic() not in said


@pytest.mark.parametrize("error", [Unreachable, ServerFailed, Limited, AbuseLimit, PullQuota, ApiQuota])
def test_what_may_be_tried_again(error: type[RegistryError]) -> None:
    """Transient are exactly the classes that say so; this is the list of those that the line and limits make."""
    assert error.transient


def test_nobody_listens(dial: Dial) -> None:
    """A closed port and a name that does not exist."""
    with pytest.raises(Unreachable, match="the connection was refused"):
        dial(Registry(address="127.0.0.1:1")).manifest(Reference.parse("127.0.0.1:1/a/b:c"))
    with pytest.raises(Unreachable, match="cannot be resolved"):
        dial(Registry(address="nobody.invalid")).manifest(Reference.parse("nobody.invalid/a/b:c"))


def test_a_docker_type_served_as_plain_json(registry: Registry, dial: Dial) -> None:
    """A manifest served without a type is what it says itself."""
    stocked(registry)
    body = json.dumps({"mediaType": DOCKER_MANIFEST})
    for kind in ("application/json; charset=utf-8", "", "text/plain"):
        registry.spoilt.clear()
        registry.spoil("GET", "/manifests/", answers(200, body, Content_Type=kind))
        assert dial(registry).manifest(named(registry)).media_type == DOCKER_MANIFEST


def hap429(*, length: bool, close: bool, after: bool, blank: bool, stays: threading.Event | None = None) -> Spoiler:
    """That answer with these lines of its head; with `stays` the line is not closed before that is set."""
    lines = [b"HTTP/1.1 429 Too Many Requests", b"Cache-Control: no-cache", b"Content-Type: text/html"]
    lines += [b"Content-Length: 27"] * length + [b"Connection: close"] * close + [b"Retry-After: 60"] * after
    lines += [b"Too Many Requests (HAP429)"] + [b""] * blank

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"\n".join(lines) + b"\n")
        handler.wfile.flush()
        if stays is not None:
            stays.wait(20)

    return spoil


@pytest.mark.parametrize("kind", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("stays", [False, True])
def test_hap429_in_every_shape(
    registry: Registry, dial: Dial, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    kind: str, stays: bool,
) -> None:  # fmt: skip
    """Whatever lines its head has, and where nobody closes the line: the same error, soon, without a word of urllib3.

    The connection is not used again, so that what is left of the answer is not taken for the next one.
    """
    monkeypatch.setattr(_sockets, "RUDE", 0.05)
    monkeypatch.setattr(transport, "RUDE", 0.05)
    raw = stocked(registry)
    calls: dict[str, Do] = {"GET": read, "HEAD": head, "PUT": push}
    client = dial(registry, idle=30.0, answer=60.0, now=lambda: NOW)
    for shape in itertools.product((False, True), repeat=4):
        length, close, after, blank = shape
        done = threading.Event()
        registry.spoilt.clear()
        spoiler = hap429(length=length, close=close, after=after, blank=blank, stays=done if stays else None)
        registry.spoil(kind, "/manifests/", spoiler, times=1)
        began = time.monotonic()
        with pytest.raises(AbuseLimit) as told:
            calls[kind](client, named(registry))
        assert time.monotonic() - began < 5
        done.set()
        assert told.value.after == (60 if after else None)
        assert client.manifest(named(registry)).raw == raw
    assert not caplog.records


def test_an_errors_words_are_not_waited_for(registry: Registry, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error whose body does not come is told by its status, long before the limit of an answer."""
    monkeypatch.setattr(transport, "RUDE", 0.05)
    stocked(registry)
    done = threading.Event()

    def spoil(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 500\r\n\r\nso")
        done.wait(20)

    registry.spoil("GET", "/manifests/", spoil)
    began = time.monotonic()
    with pytest.raises(ServerFailed, match="HTTP 503"):
        dial(registry, idle=30.0, answer=60.0).manifest(named(registry))
    done.set()
    assert time.monotonic() - began < 5
