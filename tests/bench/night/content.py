"""What a registry's disk holds of a repository, to the byte and without times, so that two runs can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path


def content(storage: Path, repository: str) -> dict[str, str]:
    """Tags, revisions and layers by their paths, with what stands behind each of them.

    A tag is its digest, and the digests that it had before (the registry keeps them); a manifest the hash of its bytes
    on the disk, not only its name; a layer the digest that it is linked to. Uploads that were begun and left are no
    content: the registry cleans them up.

    Args:
        storage: the folder of docker-registry (distribution's filesystem driver).
        repository: without the registry.
    """
    return dict(_found(storage / "docker/registry/v2", repository))


def _found(top: Path, repository: str) -> Iterator[tuple[str, str]]:
    where = top / "repositories" / repository
    for link in sorted(where.glob("_manifests/tags/*/current/link")):
        yield str(link.relative_to(where)), link.read_text(encoding="ascii")
    for link in sorted(where.glob("_manifests/tags/*/index/*/*/link")):
        yield str(link.relative_to(where)), link.read_text(encoding="ascii")
    for link in sorted(where.glob("_manifests/revisions/*/*/link")):
        digest = link.read_text(encoding="ascii")
        yield str(link.relative_to(where)), f"{digest} {_bytes(top, digest)}"
    for link in sorted(where.glob("_layers/*/*/link")):
        yield str(link.relative_to(where)), link.read_text(encoding="ascii")


def _bytes(top: Path, digest: str) -> str:
    algorithm, _, digits = digest.partition(":")
    return hashlib.sha256((top / "blobs" / algorithm / digits[:2] / digits / "data").read_bytes()).hexdigest()


def differences(one: dict[str, str], other: dict[str, str], most: int = 5) -> list[str]:
    """The first few paths at which two contents differ, with both of what stands there."""
    paths = sorted(path for path in {*one, *other} if one.get(path) != other.get(path))
    return [f"{path}: {one.get(path, 'nothing')}, {other.get(path, 'nothing')}" for path in paths[:most]]
