"""What a forecast reads of manifests that are at hand: an image's blobs, an index's children."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from audit.image.blobs import blobs
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import EVERY, INDEXES


@dataclass(frozen=True)
class Image:
    """One image or attestation.

    Attributes:
        digest: of its manifest.
        config: of its config; empty where it names none.
        blobs: digest -> bytes, each once, the config among them.
        references: how many it names, those that it names twice counted twice.
    """

    digest: str
    config: str
    blobs: dict[str, int]
    references: int


@dataclass(frozen=True)
class Index:
    """One index.

    Attributes:
        images: digests.
        attestations: digest -> the image's that it is of.
    """

    images: tuple[str, ...]
    attestations: dict[str, str]


@dataclass
class Shelf:
    """Manifests that are at hand, each read once.

    Attributes:
        known: the bytes of a manifest by its digest, or None.
    """

    known: Callable[[str], bytes | None]
    _read: dict[str, Image | Index | None] = field(default_factory=dict)

    def has(self, digest: str) -> bool:
        """Whether these bytes need not be asked for."""
        return self.known(digest) is not None

    def get(self, digest: str) -> Image | Index | None:
        """What that manifest is; None where it is not at hand, or is neither image nor index."""
        if digest not in self._read:
            raw = self.known(digest)
            self._read[digest] = None if raw is None else _read(digest, raw)
        return self._read[digest]

    def image(self, digest: str) -> Image | None:
        """The same, for what must be an image."""
        found = self.get(digest)
        return found if isinstance(found, Image) else None


def _read(digest: str, raw: bytes) -> Image | Index | None:
    try:
        body = json.loads(raw)
        if body.get("mediaType") in INDEXES or "manifests" in body:
            return _index(body.get("manifests"))
        named = blobs(raw)
    except (ValueError, AttributeError, RecursionError):
        return None
    config = body["config"].get("digest") if isinstance(body.get("config"), dict) else ""
    return Image(digest, config if isinstance(config, str) else "", {one.digest: one.size for one in named}, len(named))


def _index(rows: object) -> Index | None:
    if not isinstance(rows, list):
        return None
    images: list[str] = []
    attestations: dict[str, str] = {}
    for row in rows:
        try:
            one = Descriptor.read(row)
        except BadDescriptor:
            continue
        if one.media_type not in EVERY or one.media_type in INDEXES:
            continue
        if one.attests is None:
            images.append(one.digest)
        else:
            attestations[one.digest] = one.attests
    return Index(tuple(dict.fromkeys(images)), attestations)
