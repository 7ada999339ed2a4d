"""Bad sources and bad registries, as a user meets them: one sentence, exit code 5 or 2, and never a half-made tag.

Each case is one `fleet-audit merge` onto a tag that stood for something else before, which it must do afterwards too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from audit.image.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.farm.registry import PASSWORD, Registry, serving
from tests.farm.spoilers import answers, breaks, drips, endless, fails, hangs_up, raw
from tests.image.made import config, described, digest, entry, image
from tests.merging.conftest import Command
from tests.merging.stock import LIVE, STAGING, lacking, named, put_attested, put_image, put_index, tags
from tests.registry.conftest import Pki

AMD, ARM, RISC = "linux/amd64", "linux/arm64", "linux/riscv64"
SOURCE, CHILD, TAG_PUT = (
    rf"/v2/{STAGING}/manifests/bad",
    rf"/v2/{LIVE}/manifests/sha256:",
    rf"/v2/{LIVE}/manifests/1\.0",
)
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
LOOP = answers(302, Location=f"/v2/{STAGING}/manifests/bad")


class Case(NamedTuple):
    """What is wrong, and what must be said.

    Attributes:
        spoil: does it, to a registry in which all is well.
        says: in the sentence on stderr.
        words: arguments instead of the usual ones.
        tries: how often the failing call is made, where that matters.
    """

    spoil: Callable[[Registry], object]
    says: str
    words: tuple[str, ...] = ()
    tries: int | None = None


def served(*, by: object, on: str = SOURCE, method: str = "GET") -> Callable[[Registry], object]:
    """The registry answers so."""
    return lambda registry: registry.spoil(method, on, by)  # type: ignore[arg-type] # a spoiler


def stored(media_type: str, raw: bytes) -> Callable[[Registry], object]:
    """That stands under the source's tag."""
    return lambda registry: registry.add(STAGING, "bad", media_type, raw)


def no_child(registry: Registry) -> None:
    """An index whose image is gone."""
    put_index(registry, "bad", entry(image(RISC, note="gone"), RISC))


def another_child(registry: Registry) -> None:
    """A registry that serves other bytes under a child's digest."""
    index = put_attested(registry, "bad", RISC)
    child = next(name for where, name in registry.manifests if name.startswith("sha256:") and name.encode() in index)
    registry.spoil("GET", child, answers(200, image(RISC, note="x"), Content_Type=OCI_MANIFEST))


def schema_1_child(registry: Registry) -> None:
    """An index of what Docker has given up."""
    put_index(registry, "bad", described(b"x", SCHEMA1, platform={"os": "linux", "architecture": "riscv64"}))


def no_config(registry: Registry) -> None:
    """A flat image whose config is gone."""
    del registry.blobs[STAGING][digest(config(RISC))]


def no_layer(registry: Registry) -> None:
    """A flat image one of whose layers is gone: it is neither mounted nor copied."""
    del registry.blobs[STAGING][digest(f"{RISC} ".encode())]


def wrong_layer(registry: Registry) -> None:
    """A layer with other bytes, which a registry that does not mount would stream through us."""
    registry.mounts = False
    registry.blobs[STAGING][digest(f"{RISC} ".encode())] = b"x" * len(f"{RISC} ")


def false_mounts(registry: Registry) -> None:
    """A registry that says of every blob that it is there, and has none of them."""
    registry.spoil("POST", "mount=", answers(201))
    registry.spoil("PUT", "/uploads/", answers(201))


def immutable(registry: Registry) -> None:
    """Tags that may not be changed."""
    registry.mutable = False


CASES: dict[str, Case] = {
    # ---- sources
    "missing-tag": Case(lambda _: None, "no such manifest .*; check the tag or the digest", (f"{STAGING}:none",)),
    "missing-digest": Case(lambda _: None, "no such manifest", (f"{STAGING}@{digest(b'none')}",)),
    "missing-repository": Case(lambda _: None, "no such manifest|no such repository", ("nobody/app:1",)),
    "wrong-digest": Case(
        served(by=answers(200, image(AMD), Content_Type=OCI_MANIFEST), on="/manifests/sha256:"),
        f"the registry serves {digest(image(AMD))} where {digest(image(RISC))} is wanted; do not use it; push it again",
        (f"{STAGING}@{digest(image(RISC))}",),
    ),
    "digest-header-lies": Case(
        served(by=answers(200, image(AMD), Content_Type=OCI_MANIFEST, Docker_Content_Digest=digest(b"x"))),
        f"the registry serves .* where {digest(b'x')} is wanted",
    ),
    "schema-1": Case(stored(SCHEMA1, b"{}"), f"has the type {re.escape(SCHEMA1)}; only Docker's .*; build it anew"),
    "schema-1-in-an-index": Case(schema_1_child, "no image, but 'application/vnd.docker.*; build it anew"),
    "truncated": Case(stored(OCI_MANIFEST, image(RISC)[:-20]), "what stands there is not JSON; push it again"),
    "truncated-index": Case(stored(OCI_INDEX, b'{"manifests": ['), "what stands there is not JSON; push it again"),
    "over-long": Case(served(by=endless(Content_Type=OCI_MANIFEST)), "the answer has more than 4194304 bytes"),
    "lying-type": Case(
        stored(OCI_INDEX, image(RISC)), "was served as .*index.*, but says that it is .*manifest.*; push it again"
    ),
    "not-an-index": Case(stored(OCI_INDEX, b'{"manifests": 3}'), "an index without a list of manifests"),
    "empty-index": Case(stored(OCI_INDEX, b'{"manifests": []}'), "there is no image in it, so .*; leave it out"),
    "not-an-image": Case(stored(OCI_MANIFEST, b"{}"), f"{STAGING}:bad: its config cannot be read: it is no ob"),
    "child-missing": Case(no_child, f"{STAGING}:bad: its index names sha256:.*, which is not in .*; push"),
    "child-of-another-digest": Case(another_child, "the registry serves sha256:.* where sha256:.* is wanted"),
    "config-missing": Case(no_config, "no such blob there .*; check the digest and the repository"),
    "layer-missing": Case(no_layer, f"GET blob {STAGING}@{digest(f'{RISC} '.encode())}: the registry has no such blob"),
    "layer-of-another-digest": Case(wrong_layer, "GET blob .*: the bytes have the digest"),
    "another-platform": Case(
        lambda _: None, f"{STAGING}:bad: it is for {RISC}, where linux/s390x was wanted; see which worker built it",
        (f"{STAGING}:bad=linux/s390x",),
    ),
    "the-same-platform-twice": Case(
        lambda registry: put_image(registry, "bad", AMD, note="again"), f"two different images are for {AMD}: .*:bad"
    ),
    # ---- registries
    "401": Case(lambda registry: setattr(registry, "auth", "basic"), "wants credentials.*give credentials for it"),
    "401-token": Case(lambda registry: setattr(registry, "auth", "bearer"), "the account has not|wants to know who"),
    "403": Case(served(by=fails(403, "DENIED", "no")), "the account has not the right to do that .*HTTP 403: DENIED"),
    "403-on-the-target": Case(
        served(by=fails(403, "DENIED", "no"), on=f"/v2/{LIVE}/", method="*"), "the account has not the right to",
    ),
    "404-on-the-target": Case(
        served(by=fails(404, "NAME_UNKNOWN", "no such repository"), on=f"/v2/{LIVE}/", method="*"),
        "the registry has no such repository .*; check the name",
    ),
    "405-on-the-tag": Case(served(by=answers(405), on=TAG_PUT, method="PUT"), "set not to allow that .*ask who"),
    "405-on-a-child": Case(served(by=answers(405), on=CHILD, method="PUT"), "set not to allow that .*ask who"),
    "429": Case(served(by=answers(429, Retry_After="5")), "too many requests came from this address", tries=4),
    "429-on-the-tag": Case(
        served(by=answers(429, Retry_After="5"), on=TAG_PUT, method="PUT"), "too many requests came", tries=4
    ),
    "429-for-hours": Case(
        served(by=fails(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")),
        "quota of pulls is used up .*; sign in, wait, or use a paid plan", tries=1,
    ),
    "500": Case(served(by=answers(500, "oops")), "the server failed .HTTP 500: oops.; try again", tries=4),
    "503-on-a-mount": Case(served(by=answers(503), on="mount=", method="POST"), "POST mount .*HTTP 503"),
    "502-on-a-child": Case(served(by=answers(502), on=CHILD, method="PUT"), "PUT manifest .*HTTP 502"),
    "503-on-the-tag": Case(served(by=answers(503), on=TAG_PUT, method="PUT"), "HTTP 503", tries=4),
    "web-page": Case(served(by=answers(200, "<html>", Content_Type="text/html")), "a web page came instead of a man"),
    "garbage": Case(served(by=raw(bytes(range(256)))), "what answers does not speak HTTP; check the port"),
    "breaks-off": Case(served(by=breaks(10, 5000, Content_Type=OCI_MANIFEST)), "answer broke off; try again", tries=4),
    "hangs-up": Case(served(by=hangs_up), "the server hung up without an answer", tries=4),
    "hangs-up-on-the-tag": Case(served(by=hangs_up, on=TAG_PUT, method="PUT"), "hung up without an answer", tries=4),
    "slow": Case(served(by=drips(b"HTTP/1.1 200 OK\r\nX: ")), "no answer in time", tries=4),
    "redirect-loop": Case(served(by=LOOP), "more than 5 redirections in a row; check the registry's address"),
    "redirect-on-the-tag": Case(
        served(by=answers(307, Location="/elsewhere"), on=TAG_PUT, method="PUT"), "the server sends us elsewhere"
    ),
    "immutable-tag": Case(immutable, "does not let a tag be changed .*; use another tag, or allow it in the registry"),
    "gone-between-mount-and-manifest": Case(false_mounts, "lacks what .* names .*; push these first: sha256:"),
    "another-digest-taken": Case(
        served(by=answers(201, Docker_Content_Digest=digest(b"x")), on=CHILD, method="PUT"), "the registry serves .*",
    ),
    "manifest-refused": Case(
        served(by=fails(400, "MANIFEST_INVALID", "manifest invalid"), on=TAG_PUT, method="PUT"), "MANIFEST_INVALID",
    ),
    "too-large": Case(served(by=answers(413), on=TAG_PUT, method="PUT"), "too large .*HTTP 413.*make it smaller"),
}  # fmt: skip


@pytest.fixture
def old(registry: Registry) -> str:
    """What the tag stood for before, whole; and two sources that are well, one of them called bad; its digest."""
    raw = put_image(registry, "", AMD, DOCKER_MANIFEST, note="of yesterday", repository=LIVE)
    put_image(registry, "1-amd64", AMD, DOCKER_MANIFEST)
    put_image(registry, "bad", RISC)
    return digest(put_index(registry, "1.0", entry(raw, AMD), repository=LIVE))


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_and_no_half_made_tag(
    registry: Registry, command: Command, slept: list[float], old: str, name: str
) -> None:
    """Exit code 5, a sentence that names registry and what to do, an empty stdout, and the tag as it was."""
    case = CASES[name]
    case.spoil(registry)
    words = case.words or (f"{STAGING}:bad",)
    began = time.monotonic()
    told = command(
        "merge", "--no-cache", "-q", "-t", named(registry, f"{LIVE}:1.0"), f"{registry.address}/{STAGING}:1-amd64",
        *(f"{registry.address}/{word}" for word in words), http=[registry],
    )  # fmt: skip
    assert time.monotonic() - began < 30
    assert told.code == 5, told.err
    assert told.out == ""
    assert re.search(case.says, told.err), told.err
    assert told.err.startswith(f"fleet-audit: {registry.address}") or "two different images" in told.err
    assert told.err.count("\n") == 1
    assert PASSWORD not in told.err
    assert tags(registry) == {"1.0": old}
    assert lacking(registry) == []
    if case.tries is not None:
        assert case.tries - 1 <= len(slept) <= 4 * case.tries, (
            "each try after a pause, a part of which is the limiter's"
        )


UNREADABLE = (
    "schema-1", "schema-1-in-an-index", "truncated", "over-long", "lying-type", "empty-index", "not-an-image",
    "child-missing", "config-missing", "layer-missing", "child-of-another-digest",
)  # fmt: skip
UNREACHABLE = ("403", "500", "web-page", "slow", "redirect-loop")


@pytest.mark.parametrize("name", [*UNREADABLE, *UNREACHABLE])
def test_verify_is_never_fooled(registry: Registry, command: Command, old: str, name: str) -> None:
    """What cannot be merged is not verified as right either: exit code 5, or 3 where nothing could be told."""
    CASES[name].spoil(registry)
    told = command("verify", named(registry, f"{STAGING}:bad"), "--expect", RISC, "--deep", http=[registry])
    assert told.code == (5 if name in UNREADABLE else 3), told
    assert "right:" not in told.out
    assert told.out.startswith(("wrong: ", "unknown: ")) or told.err.startswith("fleet-audit: ")


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("expired", "its certificate has expired; have it renewed"),
        ("stranger", r"signed by no CA that is trusted here; give the CA's certificate with ca_file \(--registry-ca\)"),
        ("elsewhere", "its certificate is for another name"),
    ],
)
def test_certificates(pki: Pki, command: Command, server: str, says: str) -> None:
    """Nothing is sent to whom nobody vouches for: exit code 5."""
    with serving(Registry(), tls=pki.server(server)) as registry:
        put_image(registry, "1-amd64", AMD)
        told = command("merge", "-t", named(registry, f"{LIVE}:1.0"), named(registry, f"{STAGING}:1-amd64"),
                       "--registry-ca", pki.path("ca"))  # fmt: skip
        assert (told.code, told.out) == (5, "")
        assert re.search(says, told.err), told.err
        assert registry.asked == []
        assert command("verify", named(registry, f"{LIVE}:1.0"), "--registry-ca", pki.path("ca")).code == 3


def test_http_where_https_is_said_and_the_other_way_round(registry: Registry, pki: Pki, command: Command) -> None:
    """Each says which flag would be right."""
    put_image(registry, "1-amd64", AMD)
    told = command("merge", "-t", named(registry, f"{LIVE}:1.0"), named(registry, f"{STAGING}:1-amd64"))
    assert told.code == 5
    assert re.search(r"the port does not speak TLS; say with plain_http \(--plain-http\)", told.err), told.err
    assert tags(registry) == {}
    with serving(Registry(), tls=pki.server()) as secure:
        put_image(secure, "1-amd64", AMD)
        told = command("merge", "-t", named(secure, f"{LIVE}:1.0"), named(secure, f"{STAGING}:1-amd64"), http=[secure])
        assert told.code == 5
        assert told.err.startswith(f"fleet-audit: {secure.address}: GET manifest")


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no-tag": (("R/staging/app:1",), "no --tag: name what the result shall be called, or look at it with --dry-run"),
    "no-source": (("-t", "R/live/app:1"), "nothing to merge: name at least one SOURCE"),
    "digest-as-tag": (("-t", f"R/live/app@{digest(b'')}", "R/staging/app:1-amd64"), "write REPOSITORY:TAG"),
    "bad-tag": (("-t", "R/live/App:1", "R/staging/app:1"), "must be in lower case"),
    "bad-source": (("-t", "R/live/app:1", "https://R/staging/app:1"), "it is a URL; leave https:// off"),
    "bad-digest": (("-t", "R/live/app:1", "R/staging/app@sha256:12"), "needs 64 lower-case hex digits"),
    "bad-platform": (("-t", "R/live/app:1", "R/staging/app:1=amd65"), "'amd65' is no platform"),
    "bad-engine": (
        ("-t", "R/live/app:1", "--engine", "magic", "R/staging/app:1-amd64"),
        "--engine magic: write auto, registry",
    ),
    "bad-attest": (
        ("-t", "R/live/app:1", "--attest", "maybe", "R/staging/app:1"),
        "--attest maybe: write keep, drop, req",
    ),
    "bad-orphans": (
        ("-t", "R/live/app:1", "--orphans", "maybe", "R/staging/app:1"),
        "--orphans maybe: write refuse, drop",
    ),
    "bad-format": (("-t", "R/live/app:1", "--format", "yaml", "R/staging/app:1"), "--format yaml: write text, json"),
    "bad-annotation": (("-t", "R/live/app:1", "--annotation", "x", "R/staging/app:1"), "write KEY=VALUE"),
    "no-ca": (
        ("-t", "R/live/app:1", "--registry-ca", "/nowhere.crt", "R/staging/app:1"),
        "/nowhere.crt: there is no such",
    ),
    "no-password": (("-t", "R/live/app:1", "--registry-user", "me", "R/staging/app:1"), "give both, or neither"),
    "no-host": (("-t", "R/live/app:1", "--merge-host", "w1", "R/staging/app:1"), "inventory"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage(registry: Registry, command: Command, name: str) -> None:
    """Exit code 2, with the flag that is wrong, before anything is asked of a registry."""
    put_image(registry, "1-amd64", AMD)
    words, says = WRONG[name]
    told = command("merge", *(word.replace("R/", f"{registry.address}/") for word in words), http=[registry])
    assert told.code == 2, told.err
    assert says in told.err
    assert told.out == ""
    assert registry.asked == []
