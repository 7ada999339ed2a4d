"""A small fleet of base images, each for several architectures, and of what is built on them; manifests to the byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache

from audit.batch import Unit, units
from audit.batch.reading import read_plan
from audit.image.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

BASES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "alpine": (6, ("amd64", "arm64")),
    "debian": (9, ("amd64", "arm64", "s390x")),
    "fedora": (4, ("amd64",)),
}
"""Base -> layers, architectures."""
BUILT = ("5.3", "5.4")
OWN = 5
"""Layers that each image has of its own, the base images themselves apart."""


def digest_of(raw: bytes) -> str:
    """SHA-256, as registries write it."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def named(text: str) -> str:
    """A digest that nothing else has."""
    return digest_of(text.encode())


def image(config: str, layers: list[str], media_type: str = OCI_MANIFEST) -> bytes:
    """An image's manifest; blobs by name."""
    rows = [{"mediaType": "layer", "digest": named(one), "size": 100} for one in layers]
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": "c", "digest": named(config), "size": 7},
    }
    return json.dumps(body | {"layers": rows}).encode()


def index(children: Mapping[str, bytes], attested: Mapping[str, bytes]) -> bytes:
    """An index of images by architecture, and of their attestations."""
    rows = [
        {
            "mediaType": OCI_MANIFEST, "digest": digest_of(raw), "size": len(raw),
            "platform": {"os": "linux", "architecture": one},
        }
        for one, raw in children.items()
    ]  # fmt: skip
    rows += [
        {
            "mediaType": OCI_MANIFEST, "digest": digest_of(raw), "size": len(raw),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": digest_of(children[one]),
            },
        }
        for one, raw in attested.items()
    ]  # fmt: skip
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode()


@cache
def images() -> dict[str, list[str]]:
    """Every staged image with the names of its blobs, the config last."""
    found: dict[str, list[str]] = {}
    for base, (layers, architectures) in BASES.items():
        for one in architectures:
            own = [f"base {base} {one} {number}" for number in range(layers)]
            found[f"{base}-opam-{one}"] = [*own, f"config {base} {one}"]
            for version in BUILT:
                name = f"{base}-{version}-{one}"
                found[name] = [*own, *(f"own {name} {number}" for number in range(OWN)), f"config {name}"]
    return found


@cache
def manifests() -> dict[str, bytes]:
    """Every staged image's manifest by its digest."""
    return {digest_of(raw): raw for raw in _raws().values()}


@cache
def _raws() -> dict[str, bytes]:
    return {name: image(blobs[-1], blobs[:-1], DOCKER_MANIFEST) for name, blobs in images().items()}


def digest(name: str) -> str:
    """Of the image that is staged under that tag."""
    return digest_of(_raws()[name])


@cache
def fleet(*, platforms: bool = True) -> tuple[Unit, ...]:
    """Units for every base and what is built on it; the newest version has a second tag; derived ones come first."""
    lines = ["defaults: {target: live/x, staging: staging/x}", "merges:"]
    for base, (_, architectures) in BASES.items():
        for version in (*BUILT, "opam"):
            tags = [f"{base}-{version}", base] if version == BUILT[-1] else [f"{base}-{version}"]
            lines.append(f"- tags: [{', '.join(tags)}]\n  sources:")
            lines += [f"  - {base}-{version}-{one}{f'={one}' if platforms else ''}" for one in architectures]
    return units(read_plan("\n".join(lines), "fleet.yml").entries)


def blobs_of(made: tuple[Unit, ...]) -> dict[str, set[str]]:
    """What each unit's images are of, by its key."""
    return {
        one.key: {blob for source in one.entry.sources for blob in images()[str(source.reference.tag)]} for one in made
    }
