"""Random source sets of a merge, the same for ever: images, indexes as builders leave them, and odd ones."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.image.media import (
    ATTESTATION,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REFERENCE_DIGEST,
    REFERENCE_TYPE,
)

LAYER = b"one layer for all"
_PLATFORMS: tuple[dict[str, Any], ...] = (
    {"os": "linux", "architecture": "amd64"},
    {"os": "linux", "architecture": "amd64", "variant": "v3"},
    {"os": "linux", "architecture": "arm64", "variant": "v8"},
    {"os": "linux", "architecture": "arm64"},
    {"os": "linux", "architecture": "arm", "variant": "v6"},
    {"os": "linux", "architecture": "arm", "variant": "v7"},
    {"os": "linux", "architecture": "arm"},
    {"os": "linux", "architecture": "386"},
    {"os": "linux", "architecture": "ppc64le"},
    {"os": "linux", "architecture": "riscv64"},
    {"os": "linux", "architecture": "s390x"},
    {"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.6414"},
    {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2762"},
    {"os": "windows", "architecture": "amd64", "os.version": "10.0.26100.1", "os.features": ["win32k"]},
)
_NOWHERE = {"architecture": "unknown", "os": "unknown"}


@dataclass(frozen=True)
class Pushed:
    """A manifest that is pushed, and what describes it in an index."""

    media_type: str
    raw: bytes
    platform: Mapping[str, Any] | None = None
    blobs: tuple[bytes, ...] = ()

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return f"sha256:{hashlib.sha256(self.raw).hexdigest()}"

    def row(self, **more: Any) -> dict[str, Any]:
        """Its descriptor."""
        said: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.raw)}
        return said | ({"platform": dict(self.platform)} if self.platform else {}) | more


@dataclass(frozen=True)
class Set:
    """One merge: sources in their order, and what is asked for besides."""

    number: int
    sources: tuple[Pushed, ...]
    annotations: tuple[str, ...] = ()
    prefer_index: bool = True


@dataclass
class World:
    """Everything that is pushed, images before the indexes that name them."""

    chance: random.Random
    pushed: dict[str, Pushed] = field(default_factory=dict)
    flat: list[Pushed] = field(default_factory=list)
    indexes: list[Pushed] = field(default_factory=list)

    def keep(self, one: Pushed) -> Pushed:
        """Have it pushed."""
        return self.pushed.setdefault(one.digest, one)


def world(seed: int, many: int) -> tuple[World, tuple[Set, ...]]:
    """The pool, so many sets made of it, and one that is always there."""
    chance = random.Random(seed)
    made = World(chance)
    for platform in _PLATFORMS:
        for kind in ("schema2", "oci"):
            made.flat.append(made.keep(_image(platform, kind, "first")))
    # Rivals for a platform that is there already, and images that say not what they are for.
    made.flat.append(made.keep(_image(_PLATFORMS[0], "oci", "rival")))
    made.flat.append(made.keep(_image({"os": "", "architecture": ""}, "oci", "nowhere")))
    for _ in range(70):
        made.indexes.append(made.keep(_index(made)))
    random_ones = [_set(made, number) for number in range(many)]
    return made, (*random_ones, Set(many, (made.flat[-1],)))  # the image for nowhere, which chance may leave out


def _image(platform: Mapping[str, Any], kind: str, word: str) -> Pushed:
    manifest, config_type, layer_type = {
        "schema2": (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
        "oci": (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER),
    }[kind]
    config = _json({**platform, "config": {"Labels": {"word": word, "kind": kind}}, "rootfs": {"type": "layers"}})
    rows = [_blob(config_type, config), _blob(layer_type, LAYER)]
    raw = _json({"schemaVersion": 2, "mediaType": manifest, "config": rows[0], "layers": rows[1:]})
    return Pushed(manifest, raw, dict(platform), (config, LAYER))


def _proof(made: World, image: Pushed) -> Pushed:
    statement = _json({"subject": image.digest})
    rows = [_blob(OCI_CONFIG, b"{}"), _blob("application/vnd.in-toto+json", statement)]
    raw = _json({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": rows[0], "layers": rows[1:]})
    return made.keep(Pushed(OCI_MANIFEST, raw, _NOWHERE, (b"{}", statement)))


def _proved(made: World, image: Pushed, subject: Pushed | None = None) -> dict[str, Any]:
    said = {REFERENCE_DIGEST: (subject or image).digest, REFERENCE_TYPE: ATTESTATION}
    more = {"artifactType": "application/vnd.docker.attestation.manifest.v1+json"} if made.chance.random() < 0.2 else {}
    return _proof(made, image).row(annotations=said, **more)


def _index(made: World) -> Pushed:
    """One index, plain for the most part."""
    chance = made.chance
    kind = chance.choices(
        ("attested", "grouped", "list", "before", "orphan", "annotated", "own", "more", "bare", "other", "nested"),
        (8, 5, 5, 2, 2, 4, 2, 2, 2, 1, 2),
    )[0]
    known = made.flat[:-2]
    image = chance.choice([one for one in known if one.media_type == OCI_MANIFEST])
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image.row()]}
    rows = body["manifests"]
    if kind == "attested":
        rows.append(_proved(made, image))
    elif kind == "grouped":
        images = chance.sample([one for one in known if one.media_type == OCI_MANIFEST], 2)
        rows[:] = [*(one.row() for one in images), *(_proved(made, one) for one in images)]
    elif kind == "list":
        body["mediaType"] = DOCKER_LIST
        rows[:] = [one.row() for one in chance.sample([one for one in known if one.media_type == DOCKER_MANIFEST], 2)]
    elif kind == "before":
        rows.insert(0, _proved(made, image))
    elif kind == "orphan":
        rows.append(_proved(made, image, chance.choice(known)))
    elif kind == "annotated":
        rows[0]["annotations"] = {"org.example.z": "a <b> & c\u2028d", "com.example.a": chance.choice(("x", "é", ""))}
    elif kind == "own":
        body["annotations"] = {"org.example.index": "1"}
    elif kind == "more":
        rows[0] |= {"x-unknown": [1, 2], "data": "e30=", "urls": ["https://example.org/<x>"]}
    elif kind == "bare":
        del rows[0]["platform"]
    elif kind == "other":
        rows[0]["platform"] = {"os": "linux", "architecture": "mips64le"}
    else:
        inner = made.keep(Pushed(OCI_INDEX, _json({**body, "manifests": [image.row()]})))
        rows[:] = [inner.row()]
    return Pushed(body["mediaType"], _json(body, chance.choice((None, 2, 3))))


def _set(made: World, number: int) -> Set:
    """Most sets are ones that somebody would really merge: different platforms, each once."""
    chance = made.chance
    wild = chance.random() < 0.3
    wanted = chance.choices((1, 2, 3, 4), (2, 5, 3, 2))[0]
    sources: list[Pushed] = []
    seen: set[str] = set()
    while len(sources) < wanted:
        one = chance.choice(made.indexes if chance.random() < 0.5 else made.flat)
        if one.platform and one.platform["os"] == "windows" and chance.random() < 0.6:
            continue
        platforms = _platforms(one)
        if not wild and (seen & platforms or None in platforms):
            continue
        seen |= {platform for platform in platforms if platform}
        sources.append(one)
    if chance.random() < 0.1:
        sources.append(chance.choice(sources))
    if chance.random() < 0.1:
        sources.append(_inside(made, chance.choice(sources)))
    return Set(number, tuple(sources), tuple(_annotations(chance)), chance.random() > 0.15)


def _platforms(one: Pushed) -> set[str | None]:
    rows = json.loads(one.raw).get("manifests")
    said = [row.get("platform") for row in rows] if rows is not None else [one.platform]
    return {_words(platform) for platform in said if platform != _NOWHERE}


def _words(platform: Mapping[str, Any] | None) -> str | None:
    """Roughly: arm64 is arm64/v8."""
    if not platform or not platform.get("os"):
        return None
    variant = platform.get("variant", "")
    return f"{platform['os']}/{platform['architecture']}/{variant}/{platform.get('os.version')}".replace(
        "arm64/v8", "arm64/"
    )


def _inside(made: World, one: Pushed) -> Pushed:
    """An image that the index brings already, or the image itself."""
    rows = json.loads(one.raw).get("manifests")
    images = [row for row in rows or [] if row.get("platform") != _NOWHERE]
    return made.pushed[made.chance.choice(images)["digest"]] if images else one


def _annotations(chance: random.Random) -> Sequence[str]:
    if chance.random() < 0.75:
        return ()
    every = (
        "index:org.example.a=1", "org.example.b=two words & <more>", "manifest-descriptor:org.example.c=3",
        "manifest-descriptor[linux/amd64]:org.example.d=4", "index,manifest-descriptor:org.example.e=é",
    )  # fmt: skip
    return chance.sample(every, chance.choice((1, 2)))


def _blob(media_type: str, raw: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(raw), "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}"}


def _json(body: Mapping[str, Any], indent: int | None = 2) -> bytes:
    return json.dumps(body, indent=indent, ensure_ascii=False).encode()
