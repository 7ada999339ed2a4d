"""Images, attestations and indexes as bytes, and the sources of a merge made of them; nothing is fetched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from audit.image.media import (
    ATTESTATION,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REFERENCE_DIGEST,
    REFERENCE_TYPE,
)
from audit.image.merged import Source
from audit.image.platform import Platform
from audit.image.reference import Reference

STAGING = "registry.example/staging/app"
NOWHERE = {"architecture": "unknown", "os": "unknown"}


def digest(raw: bytes) -> str:
    """SHA-256."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def described(raw: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """What names these bytes."""
    return {"mediaType": media_type, "digest": digest(raw), "size": len(raw), **more}


def config(platform: str, **more: Any) -> bytes:
    """An image's config; its members are more exact than the platform's text where both say something."""
    said = Platform.parse(platform).members()
    return json.dumps(said | {"created": "2026-11-20T10:00:00.123456789Z"} | more).encode()


def image(platform: str, kind: str = OCI_MANIFEST, *, note: str = "", configured: bytes | None = None) -> bytes:
    """An image's manifest; the note makes another image of it."""
    types = (DOCKER_CONFIG, DOCKER_LAYER) if kind == DOCKER_MANIFEST else (OCI_CONFIG, OCI_LAYER)
    layer = f"{platform} {note}".encode()
    return json.dumps({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": described(configured or config(platform), types[0]),
        "layers": [described(layer, types[1])],
    }).encode()  # fmt: skip


def attestation(of: bytes) -> bytes:
    """What BuildKit says of an image."""
    statement = f"of {digest(of)}".encode()
    return json.dumps({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described(b"{}", OCI_CONFIG),
        "layers": [described(statement, "application/vnd.in-toto+json")],
    }).encode()  # fmt: skip


def entry(raw: bytes, platform: str, **more: Any) -> dict[str, Any]:
    """An image in an index."""
    kind = json.loads(raw)["mediaType"]
    return described(raw, kind, platform=Platform.parse(platform).members(), **more)


def proof(raw: bytes, of: bytes, **more: Any) -> dict[str, Any]:
    """An attestation in an index, marked as BuildKit marks it."""
    marks = {REFERENCE_DIGEST: digest(of), REFERENCE_TYPE: ATTESTATION}
    return described(raw, OCI_MANIFEST, annotations=marks, platform=NOWHERE) | more


def flat(platform: str, kind: str = OCI_MANIFEST, *, note: str = "", wanted: str = "", at: str = STAGING) -> Source:
    """A source that is one image."""
    raw = image(platform, kind, note=note)
    return Source(
        reference=Reference.parse(f"{at}@{digest(raw)}"),
        given=f"{at}:{platform.replace('/', '-')}{note}",
        media_type=kind,
        raw=raw,
        platform=Platform.parse(platform),
        wanted=Platform.parse(wanted) if wanted else None,
    )


def index(
    rows: Sequence[Mapping[str, Any]], children: Sequence[bytes] = (), *, kind: str = OCI_INDEX, wanted: str = "",
    given: str = "", **more: Any,
) -> Source:  # fmt: skip
    """A source that is an index."""
    raw = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": list(rows), **more}).encode()
    return Source(
        reference=Reference.parse(f"{STAGING}@{digest(raw)}"),
        given=given or f"{STAGING}:index",
        media_type=kind,
        raw=raw,
        children={digest(child): child for child in children},
        wanted=Platform.parse(wanted) if wanted else None,
    )


def attested(platform: str, *, note: str = "", wanted: str = "") -> Source:
    """What a push from a containerd store leaves: one image, and its attestation."""
    one = image(platform, note=note)
    said = attestation(one)
    rows = [entry(one, platform), proof(said, one)]
    return index(rows, [one, said], wanted=wanted, given=f"{STAGING}:{platform.replace('/', '-')}{note}")
