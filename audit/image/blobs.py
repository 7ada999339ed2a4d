"""The blobs of an image: its config and its layers."""

from __future__ import annotations

import json

from audit.image.descriptor import BadDescriptor, Descriptor

_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_MOST_LAYERS = 10_000


def blobs(raw: bytes) -> tuple[Descriptor, ...]:
    """The blobs that an image's manifest names, config first; those that stand elsewhere for ever are left out.

    Raises:
        BadDescriptor: it is no image's manifest.
    """
    try:
        body = json.loads(raw)
        rows = [body["config"], *body.get("layers", [])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadDescriptor("it is no image's manifest") from None
    if len(rows) > _MOST_LAYERS:
        raise BadDescriptor("it names too many layers")
    found = (Descriptor.read(row) for row in rows)
    # Windows' base layers of old are on Microsoft's servers only; no registry is asked for them.
    return tuple(
        one
        for one in found
        if not (one.raw.get("urls") and (one.media_type == _FOREIGN or "nondistributable" in one.media_type))
    )
