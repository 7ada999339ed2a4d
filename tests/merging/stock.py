"""Registries of the farm filled as builders fill them, and whether what stands under a repository's tags is whole."""

from __future__ import annotations

import json
from typing import Any

from audit.image.media import INDEXES, OCI_INDEX, OCI_MANIFEST
from audit.image.reference import Reference
from tests.farm.registry import Registry
from tests.image.made import attestation, config, digest, entry, image, proof

STAGING, LIVE = "staging/app", "live/app"


def put_image(
    registry: Registry, tag: str, platform: str, kind: str = OCI_MANIFEST, *, note: str = "", repository: str = STAGING,
    **said: Any,
) -> bytes:  # fmt: skip
    """A flat push; its manifest. What is said goes into its config."""
    configured = config(platform, **said)
    raw = image(platform, kind, note=note, configured=configured)
    registry.add_blob(repository, configured)
    registry.add_blob(repository, f"{platform} {note}".encode())
    registry.add(repository, tag, kind, raw)
    return raw


def put_attested(registry: Registry, tag: str, platform: str, *, note: str = "", repository: str = STAGING) -> bytes:
    """A push of an image with its attestation; the index."""
    one = put_image(registry, "", platform, note=note, repository=repository)
    said = attestation(one)
    registry.add_blob(repository, b"{}")
    registry.add_blob(repository, f"of {digest(one)}".encode())
    registry.add(repository, "", OCI_MANIFEST, said)
    return put_index(registry, tag, entry(one, platform), proof(said, one), repository=repository)


def put_index(registry: Registry, tag: str, *rows: dict[str, Any], repository: str = STAGING) -> bytes:
    """An index of these, whether they are there or not."""
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode()
    registry.add(repository, tag, OCI_INDEX, raw)
    return raw


def named(registry: Registry, rest: str) -> Reference:
    """A reference into a registry of the farm."""
    return Reference.parse(f"{registry.address}/{rest}")


def tags(registry: Registry, repository: str = LIVE) -> dict[str, str]:
    """What each tag of a repository stands for."""
    return {
        name: digest(raw) for (where, name), (_, raw) in registry.manifests.items()
        if where == repository and ":" not in name
    }  # fmt: skip


def lacking(registry: Registry, repository: str = LIVE) -> list[str]:
    """Children and blobs that the repository's tags name, and that are not there: a half-made tag has some."""
    missing: list[str] = []

    def look(name: str) -> None:
        if (repository, name) not in registry.manifests:
            missing.append(name)
            return
        media_type, raw = registry.manifests[(repository, name)]
        body = json.loads(raw)
        if media_type in INDEXES:
            for row in body["manifests"]:
                look(row["digest"])
            return
        wanted = [body["config"], *body["layers"]]
        missing.extend(one["digest"] for one in wanted if one["digest"] not in registry.blobs.get(repository, {}))

    for tag in tags(registry, repository):
        look(tag)
    return missing
