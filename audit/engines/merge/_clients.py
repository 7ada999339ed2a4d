"""What Docker's own clients can do, by their versions: the one place that knows, for the engines and for the plan."""

from __future__ import annotations

from collections.abc import Iterator

from audit import versions

RIGHT_TYPE = ">=0.11"
"""buildx before it writes Docker's list round OCI manifests too (buildx@v0.10.0:util/imagetools/create.go)."""
ANNOTATION = "0.12.0"
"""The first buildx with ``imagetools create --annotation``."""
PREFER_INDEX = "0.15.0"
"""The first one with ``--prefer-index``; those before always wrap a single image."""
METADATA_FILE = "0.32.0"
"""The first one with ``--metadata-file``."""
COPIES = ">=0.29,<0.32"
"""buildx that copies a whole source index once for each of its children (fixed by buildx 510369170)."""
MOUNTS_NOTHING = ">=0.33"
"""buildx that finds no blob to mount in another repository (buildx 989418936)."""
OCI_SOURCES = "23.0.0"
"""The first client whose `docker manifest create` takes OCI manifests (docker/cli 070825bc74), and which pushes a
manifest's own bytes (docker/cli 67b9617898)."""


def imagetools_fault(buildx: str | None, where: str) -> str | None:
    """Why the buildx there cannot merge, as one clause; None where it can.

    Args:
        buildx: its version; None: there is none.
        where: the machine, as messages name it.
    """
    if buildx is None:
        return f"there is no buildx on {where}"
    right = versions.within(buildx, RIGHT_TYPE)
    if right is None:
        return f"the version of buildx on {where} cannot be read"
    return None if right else f"buildx {versions.release(buildx)} on {where} writes a wrong type (0.11 needed)"


def imagetools_notes(buildx: str | None, where: str, *, indexes: bool, across: bool) -> Iterator[str]:
    """What is to be known before that buildx merges, a clause each.

    Args:
        buildx: its version.
        where: the machine, as messages name it.
        indexes: a source is an index.
        across: a tag stands in another repository than a source.
    """
    if indexes and versions.within(buildx, COPIES):
        yield (
            f"buildx {versions.release(buildx)} on {where} copies too much: a source that is an index is copied whole "
            "once for each of its children (0.32 does not)"
        )
    if across and versions.within(buildx, MOUNTS_NOTHING):
        yield (
            f"buildx {versions.release(buildx)} on {where} mounts nothing from another repository: every layer goes "
            "down to it and up again"
        )


def manifest_fault(client: str | None, where: str, oci: str | None) -> str | None:
    """Why the docker client there cannot make this list, as one clause; None where it can.

    Args:
        client: its version; None: there is none.
        where: the machine, as messages name it.
        oci: a source that is an OCI manifest; None: there is none.
    """
    if client is None:
        return f"there is no docker client on {where}"
    if oci is not None and not versions.at_least(client, OCI_SOURCES):
        return f"client {versions.release(client)} on {where} does not read {oci}, an OCI manifest"
    return None


def manifest_is_index(source: str) -> str:
    """What the client says of a source that is an index, as one clause."""
    return f"`docker manifest create` says of {source} that it is a manifest list"


def manifest_is_far(source: str, tag: str) -> str:
    """That it does not reach from one registry into another, as one clause."""
    return f"it cannot bring images from {source} to {tag}"


def manifest_is_mixed() -> str:
    """That types must not be mixed, as one clause."""
    return "the images are of two types, and it gives the list that of whichever file's name comes first"
