"""What was read of one tag at a registry, and what its parts say; whether it is right is `audit.image.verified`'s."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from audit.image.descriptor import Descriptor
from audit.image.media import MANIFESTS
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.value import Model


class Missing(Model):
    """Why something was not read.

    Attributes:
        gone: the registry says that it is not there; else it could not be asked.
        why: one sentence.
    """

    gone: bool
    why: str


class Brought(Model):
    """What a staging image brings to a merge.

    Attributes:
        digest: of the image or index itself.
        images: digests of its images; the same one where it is flat.
        attestations: digests of its attestations.
    """

    digest: str
    images: tuple[str, ...]
    attestations: tuple[str, ...] = ()


class Seen(Model):
    """What was read of one tag.

    Attributes:
        reference: the tag.
        digest: that it stands for.
        media_type: of that.
        raw: its bytes.
        manifests: its children's bytes by digest, or why not.
        configs: the images' configs by the digest of their manifest, or why not.
        blobs: with ``--deep``: bytes of each blob by digest, or why not; None: not asked for.
        sources: by the name of a staging image: what it brings, or why that is not known.
    """

    reference: Reference
    digest: str
    media_type: str
    raw: bytes = Field(repr=False, exclude=True)
    manifests: Mapping[str, bytes | Missing] = Field(default_factory=dict, exclude=True)
    configs: Mapping[str, bytes | Missing] = Field(default_factory=dict, exclude=True)
    blobs: Mapping[str, int | Missing] | None = Field(default=None, exclude=True)
    sources: Mapping[str, Brought | Missing] = Field(default_factory=dict)


def entries(seen: Seen) -> tuple[Descriptor, ...]:
    """The children of an index, in its order; none where it is none, or cannot be read."""
    try:
        return tuple(Descriptor.read(row) for row in json.loads(seen.raw)["manifests"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def images(seen: Seen) -> Iterator[tuple[str, Descriptor | None]]:
    """The digest of every image's manifest, with its entry where it stands in an index."""
    if seen.media_type in MANIFESTS:
        yield seen.digest, None
    for entry in entries(seen):
        if entry.attests is None:
            yield entry.digest, entry


def _body(read: bytes | Missing | None) -> dict[str, Any] | None:
    if not isinstance(read, bytes):
        return None
    try:
        body = json.loads(read)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def unread(read: bytes | Missing | None) -> bool:
    """Whether it is not known: not asked for, or no answer; what is gone is known."""
    return read is None or (isinstance(read, Missing) and not read.gone)


def said_by(seen: Seen, digest: str) -> Platform | None:
    """The platform that an image's config says, empty where it says none; None where the config is not known."""
    body = _body(seen.configs.get(digest))
    return Platform.of(body) if body is not None else None


def created(read: bytes | Missing | None) -> datetime | None:
    """When a config says that its image was built, UTC, whole seconds; None where it was not read, or says nothing."""
    body = _body(read)
    said = body.get("created") if body else None
    try:
        # Go writes nanoseconds, which Python does not read.
        when = datetime.fromisoformat(said[:19]) if isinstance(said, str) else None
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when is not None else None
