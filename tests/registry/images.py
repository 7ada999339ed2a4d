"""Small images for a registry of the farm."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from audit.image.media import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from audit.image.reference import Reference
from tests.farm.registry import Registry


def digest(raw: bytes) -> str:
    """SHA-256."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def dumped(body: dict[str, Any]) -> bytes:
    """As a registry stores it."""
    return json.dumps(body).encode()


def manifest(*layers: bytes, config: bytes = b"{}", **more: Any) -> bytes:
    """An image's manifest."""
    rows = [{"mediaType": OCI_LAYER, "digest": digest(layer), "size": len(layer)} for layer in layers]
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    return dumped(body | {"config": {"mediaType": OCI_CONFIG, "digest": digest(config), "size": len(config)}}
                  | {"layers": rows} | more)  # fmt: skip


def index(*children: bytes, **more: Any) -> bytes:
    """An index of images for one processor after another."""
    rows = [
        {"mediaType": OCI_MANIFEST, "digest": digest(child), "size": len(child),
         "platform": {"os": "linux", "architecture": name}}
        for child, name in zip(children, ("amd64", "arm64", "s390x"), strict=False)
    ]  # fmt: skip
    return dumped({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows} | more)


def stocked(registry: Registry, repository: str = "team/app", tag: str = "1.0", note: bytes = b"layer") -> bytes:
    """Put one image with one layer into a registry; its manifest."""
    raw = manifest(note)
    registry.add_blob(repository, note)
    registry.add_blob(repository, b"{}")
    registry.add(repository, tag, OCI_MANIFEST, raw)
    return raw


def named(registry: Registry, rest: str = "team/app:1.0") -> Reference:
    """A reference into a registry of the farm."""
    return Reference.parse(f"{registry.address}/{rest}")
