"""What a registry serves under one name, in the terms that a prediction is made in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from audit.image.media import ATTESTATION, INDEXES, MANIFESTS, REFERENCE_TYPE
from audit.value import Model

MOST_CHILDREN = 1000


class BadManifest(ValueError):  # noqa: N818 - named after what was served
    """What was served is no manifest that a push could have left; its text says why."""


class Entry(Model):
    """One child of an index, in its order."""

    media_type: str
    digest: str
    size: int
    role: Literal["image", "attestation"]
    platform: str | None = Field(default=None, description="os/arch[/variant] as its descriptor says")
    artifact: bool | None = Field(default=None, description="Kept as an OCI artifact; None: it was not read")


class Arrived(Model):
    """One manifest or index as served; `config` and `layers` are those of its images."""

    kind: Literal["flat", "index"]
    media_type: str
    digest: str = Field(description="SHA-256 over the bytes served")
    entries: tuple[Entry, ...] = ()
    manifest: str | None = Field(default=None, description="Media type of the image's own manifest")
    config: str | None = None
    layers: tuple[str, ...] = Field(default=(), description="Distinct media types of the layers, in order")

    @classmethod
    def of(cls, media_type: str, raw: bytes, children: Mapping[str, bytes] | None = None) -> Arrived:
        """Read what was served, with the bytes of an index's children by digest, as far as they were fetched.

        Raises:
            BadManifest: it is no manifest, or says another media type than it was served as.
        """
        body = _object(raw)
        said = body.get("mediaType")
        kind = media_type.partition(";")[0].strip()
        if kind not in (*INDEXES, *MANIFESTS):
            raise BadManifest(f"served as {kind or 'nothing'}, which is no manifest")
        if said not in (None, kind):
            raise BadManifest(f"served as {kind}, but says that it is {said}")
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if kind in MANIFESTS:
            config, layers = _parts(body)
            return cls(kind="flat", media_type=kind, digest=digest, manifest=kind, config=config, layers=layers)
        rows = body.get("manifests")
        if not isinstance(rows, list) or len(rows) > MOST_CHILDREN:
            raise BadManifest("an index without a list of manifests, or with too long a one")
        entries, images = [], []
        for row in rows:
            read = (children or {}).get(str(row.get("digest"))) if isinstance(row, dict) else None
            entry = _entry(row, _object(read) if read is not None else None)
            entries.append(entry)
            if entry.role == "image" and read is not None and entry.media_type in MANIFESTS:
                images.append((entry.media_type, *_parts(_object(read))))
        types = {media for media, _, _ in images}
        configs = {config for _, config, _ in images}
        return cls(
            kind="index",
            media_type=kind,
            digest=digest,
            entries=tuple(entries),
            manifest=types.pop() if len(types) == 1 else None,
            config=configs.pop() if len(configs) == 1 else None,
            layers=tuple(dict.fromkeys(layer for _, _, layers in images for layer in layers)),
        )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadManifest("it is not JSON") from None
    if not isinstance(body, dict):
        raise BadManifest("it is JSON, but no object")
    return body


def _parts(body: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Media types of the config and, each once, of the layers."""
    config, layers = body.get("config"), body.get("layers")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    rows = layers if isinstance(layers, list) else []
    found = [row.get("mediaType") for row in rows if isinstance(row, dict)]
    return (
        kind if isinstance(kind, str) else None,
        tuple(dict.fromkeys(kind for kind in found if isinstance(kind, str))),
    )


def _entry(row: object, body: dict[str, Any] | None) -> Entry:
    if not isinstance(row, dict) or not isinstance(row.get("digest"), str) or not isinstance(row.get("mediaType"), str):
        raise BadManifest("an index with an entry that is no descriptor")
    annotations, platform = row.get("annotations"), row.get("platform")
    marked = isinstance(annotations, dict) and annotations.get(REFERENCE_TYPE) == ATTESTATION
    words: list[str] = []
    if isinstance(platform, dict):
        words = [str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key)]
    nowhere = words[:2] == ["unknown", "unknown"]
    size = row.get("size")
    return Entry(
        media_type=row["mediaType"],
        digest=row["digest"],
        size=size if isinstance(size, int) else 0,
        role="attestation" if marked or nowhere else "image",
        platform="/".join(words) or None,
        artifact=None if body is None else isinstance(body.get("artifactType"), str),
    )
