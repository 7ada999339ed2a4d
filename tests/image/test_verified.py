"""Every check of `verify`, over what was read: what is right is silent, what is wrong or unknown is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from audit.image.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.image.seen import Brought, Missing, Seen
from audit.image.verified import CHECKS, verify
from tests.image.made import attestation, config, described, digest, entry, image, proof

TAG = Reference.parse("registry.example/live/app:1.0")
AMD, ARM = "linux/amd64", "linux/arm64"
ONE, TWO = image(AMD), image(ARM)
SAID = attestation(TWO)
GONE, DARK = Missing(gone=True, why="it is not there"), Missing(gone=False, why="HTTP 503")


def seen(*rows: dict[str, Any], **more: Any) -> Seen:
    """An index of these, or of the usual three: all of them there, as their descriptors say."""
    rows = rows or (entry(ONE, AMD), entry(TWO, ARM), proof(SAID, TWO))
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode()
    usual: dict[str, Any] = {
        "manifests": {digest(one): one for one in (ONE, TWO, SAID)},
        "configs": {digest(ONE): config(AMD), digest(TWO): config(ARM)},
    }
    return Seen(reference=TAG, digest=digest(raw), media_type=OCI_INDEX, raw=raw, **(usual | more))


def told(one: Seen, expected: str | None = f"{AMD},{ARM}", **more: Any) -> list[str]:
    """The flaws, shortly: level, check, message."""
    wanted = None if expected is None else [Platform.parse(word) for word in expected.split(",")]
    return [f"{flaw.level} {flaw.check}: {flaw.message}" for flaw in verify(one, wanted, **more)]


def test_what_is_right_is_silent() -> None:
    """Nothing is told of a whole index, with its sources and its blobs."""
    sources = {
        "amd64": Brought(digest=digest(ONE), images=(digest(ONE),)),
        "arm64": Brought(digest=digest(b"index"), images=(digest(TWO),), attestations=(digest(SAID),)),
    }
    sizes = {
        blob["digest"]: blob["size"]
        for raw in (ONE, TWO, SAID)
        for blob in [json.loads(raw)["config"], *json.loads(raw)["layers"]]
    }
    assert told(seen(sources=sources, blobs=sizes)) == []
    assert told(seen(), None) == []


def test_a_flat_image_is_verified_too() -> None:
    """Its platform is that of its config, since nothing else says it."""
    flat = Seen(
        reference=TAG, digest=digest(ONE), media_type=DOCKER_MANIFEST, raw=ONE, configs={digest(ONE): config(AMD)}
    )
    assert told(flat, AMD) == []
    assert told(flat, ARM)[0].startswith(f"wrong platforms: {ARM} is missing; there is {AMD}")
    dark = flat.model_copy(update={"configs": {digest(ONE): DARK}})
    assert [line.split(":")[0] for line in told(dark, AMD)] == [
        "unknown platforms", "wrong platforms", "unknown architecture",
    ]  # fmt: skip


OTHER = image(AMD, note="other")
CASES: dict[str, tuple[Callable[[], Seen], str, str]] = {
    "missing-platform": (seen, f"{AMD},{ARM},linux/s390x", "wrong platforms: linux/s390x is missing; there is"),
    "more-than-expected": (seen, AMD, f"wrong platforms: {ARM} is there, but was not expected"),
    "platform-twice": (
        lambda: seen(entry(ONE, AMD), entry(OTHER, AMD), manifests={digest(ONE): ONE, digest(OTHER): OTHER},
                     configs={digest(ONE): config(AMD), digest(OTHER): config(AMD)}),
        AMD, f"wrong platforms: {AMD} is there 2 times: {digest(ONE)} and {digest(OTHER)}",
    ),
    "no-platform": (
        lambda: seen(described(ONE, OCI_MANIFEST), entry(TWO, ARM)), ARM,
        f"wrong platforms: {digest(ONE)} does not say which platform it is for",
    ),
    "empty": (lambda: seen_of({"manifests": []}), AMD, "wrong index: registry.example/live/app:1.0 is an index of no"),
    "unreadable": (lambda: seen_of({"manifests": [3]}), AMD, "wrong index: the index cannot be read: it is no object"),
    "no-list": (lambda: seen_of({}), AMD, "wrong index: the index cannot be read: it has no list of manifests"),
    "nested": (
        lambda: seen(entry(ONE, AMD), described(b"x", OCI_INDEX)), AMD,
        f"wrong index: {digest(b'x')} is an index inside the index",
    ),
    "child-gone": (
        lambda: seen(manifests={digest(ONE): ONE, digest(TWO): GONE, digest(SAID): SAID}), f"{AMD},{ARM}",
        f"wrong children: {digest(TWO)}: the index names it, but it is not there",
    ),
    "child-dark": (
        lambda: seen(manifests={digest(ONE): ONE, digest(TWO): DARK, digest(SAID): SAID}), f"{AMD},{ARM}",
        f"unknown children: {digest(TWO)}: it could not be read: HTTP 503",
    ),
    "child-unread": (
        lambda: seen(manifests={digest(ONE): ONE, digest(TWO): TWO}), f"{AMD},{ARM}",
        f"unknown children: {digest(SAID)} was not read",
    ),
    "child-size": (
        lambda: seen(entry(ONE, AMD) | {"size": 7}, entry(TWO, ARM)), f"{AMD},{ARM}",
        f"wrong children: {digest(ONE)} has {len(ONE)} bytes, where the index says 7",
    ),
    "attestation-of-nothing": (
        lambda: seen(entry(ONE, AMD), proof(SAID, TWO)), AMD,
        f"wrong attestations: {digest(SAID)} attests {digest(TWO)}, which is not in the index",
    ),
    "attestation-of-nobody": (
        lambda: seen(entry(ONE, AMD), proof(SAID, TWO, annotations={})), AMD, "attests an image that it does not name",
    ),
    "another-architecture": (
        lambda: seen(configs={digest(ONE): config(AMD), digest(TWO): config("linux/riscv64")}), f"{AMD},{ARM}",
        f"wrong architecture: {digest(TWO)} stands under {ARM}, but was built for linux/riscv64; see which worker",
    ),
    "another-system": (
        lambda: seen(configs={digest(ONE): config("freebsd/amd64"), digest(TWO): config(ARM)}), f"{AMD},{ARM}",
        "but was built for freebsd/amd64",
    ),
    "another-variant": (
        lambda: seen(entry(ONE, "linux/arm/v7"), configs={digest(ONE): config("linux/arm/v6")}), "arm/v7",
        "warning architecture: ",
    ),
    "windows-without-its-version": (
        lambda: seen(entry(ONE, "windows/amd64"), configs={digest(ONE): config("windows(10.0.17763.1)/amd64")}),
        "windows/amd64", "stands under windows/amd64, but was built for windows(10.0.17763.1)/amd64; who pulls it",
    ),
    "config-gone": (
        lambda: seen(configs={digest(ONE): GONE, digest(TWO): config(ARM)}), f"{AMD},{ARM}",
        f"wrong architecture: the config of {digest(ONE)}: it is not there",
    ),
    "config-dark": (
        lambda: seen(configs={digest(ONE): DARK, digest(TWO): config(ARM)}), f"{AMD},{ARM}",
        f"unknown architecture: the config of {digest(ONE)}: HTTP 503",
    ),
    "config-unread": (
        lambda: seen(configs={digest(TWO): config(ARM)}), f"{AMD},{ARM}",
        f"unknown architecture: the config of {digest(ONE)}: it was not read",
    ),
    "config-garbage": (
        lambda: seen(configs={digest(ONE): b"[]", digest(TWO): config(ARM)}), f"{AMD},{ARM}",
        f"wrong architecture: the config of {digest(ONE)} cannot be read; build it anew",
    ),
    "blob-gone": (
        lambda: seen(blobs={digest(config(AMD)): GONE}), f"{AMD},{ARM}", f"wrong blobs: blob {digest(config(AMD))} of",
    ),
    "blob-dark": (lambda: seen(blobs={digest(config(AMD)): DARK}), f"{AMD},{ARM}", "unknown blobs: blob "),
    "blob-size": (
        lambda: seen(blobs={digest(config(AMD)): 7}), f"{AMD},{ARM}", f"has 7 bytes, not {len(config(AMD))}",
    ),
    "blob-not-asked": (lambda: seen(blobs={}), f"{AMD},{ARM}", "unknown blobs: blob "),
    "manifest-garbage": (
        lambda: seen(manifests={digest(ONE): b"{}", digest(TWO): TWO, digest(SAID): SAID}, blobs={}), f"{AMD},{ARM}",
        f"wrong blobs: {digest(ONE)} cannot be read",
    ),
    "source-dark": (
        lambda: seen(sources={"staging": DARK}), f"{AMD},{ARM}", "unknown sources: staging could not be compared",
    ),
    "source-newer": (
        lambda: seen(sources={"staging": Brought(digest=digest(OTHER), images=(digest(OTHER),))}), f"{AMD},{ARM}",
        f"wrong sources: staging has {digest(OTHER)} now, which is not in the index; it was built",
    ),
    "not-from-a-source": (
        lambda: seen(sources={"staging": Brought(digest=digest(ONE), images=(digest(ONE),))}), f"{AMD},{ARM}",
        f"wrong sources: {digest(TWO)} ({ARM}) is in the index, but in none of the sources",
    ),
    "attestation-lost": (
        lambda: seen(entry(TWO, ARM), sources={"staging": Brought(digest=digest(b"i"), images=(digest(TWO),),
                                                                  attestations=(digest(SAID),))}),
        ARM, f"warning sources: staging brings the attestation {digest(SAID)}, which is not in the index",
    ),
}  # fmt: skip


def seen_of(body: dict[str, Any]) -> Seen:
    """What is served as an index and is none."""
    raw = json.dumps(body).encode()
    return Seen(reference=TAG, digest=digest(raw), media_type=OCI_INDEX, raw=raw)


@pytest.mark.parametrize("name", CASES)
def test_each_flaw_is_told(name: str) -> None:
    """With its check, its level, and what it is about; and in the order of the checks."""
    made, expected, says = CASES[name]
    lines = told(made(), expected)
    assert any(says in line for line in lines), lines
    order = [CHECKS.index(line.split()[1].rstrip(":")) for line in lines]
    assert order == sorted(order)


def test_releases_of_windows() -> None:
    """Each is expected by its version; without one, several match, and that is told."""
    versions = ["10.0.17763.1", "10.0.20348.1"]
    raws = [image(f"windows({one})/amd64") for one in versions]
    rows = [entry(raw, f"windows({one})/amd64") for raw, one in zip(raws, versions, strict=True)]
    more = {
        "manifests": {digest(raw): raw for raw in raws},
        "configs": {digest(raw): config(f"windows({one})/amd64") for raw, one in zip(raws, versions, strict=True)},
    }
    assert told(seen(*rows, **more), "windows(10.0.17763)/amd64,windows(10.0.20348)/amd64") == []
    assert told(seen(*rows, **more), "windows(10.0.17763.1)/amd64,windows(10.0.20348.1)/amd64") == []
    (line,) = told(seen(*rows, **more), "windows/amd64")
    assert "windows/amd64 is there 2 times" in line
    assert "expect each of them by its version" in line


@pytest.mark.parametrize(
    ("created", "apart", "says"),
    [
        ("2026-11-05T09:00:00Z", 1.0, f"warning age: {ARM} was built 15.0 days before the newest image of the tag"),
        ("2026-11-20T00:00:00Z", 1.0, None),
        ("2026-11-20T00:00:00Z", 0.1, f"{ARM} was built 0.4 days before"),
        ("1970-01-01T00:00:00Z", 1.0, None),
        ("0001-01-01T00:00:00Z", 1.0, None),
        ("yesterday", 1.0, None),
        (None, 1.0, None),
        (["x"], 1.0, None),
    ],
)
def test_a_stale_architecture(created: object, apart: float, says: str | None) -> None:
    """An image that is much older than the newest was not built this time; a date that says nothing is no reason."""
    configs = {digest(ONE): config(AMD, created="2026-11-20T09:00:00.1Z"), digest(TWO): config(ARM, created=created)}
    lines = told(seen(configs=configs), apart=timedelta(days=apart))
    assert len(lines) == (says is not None)
    assert says is None or says in lines[0]
