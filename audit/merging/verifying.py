"""What a registry really serves under a tag, read for `audit.image.verified`; what cannot be read is a value too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from audit.errors import StepError
from audit.image.arrived import MOST_CHILDREN
from audit.image.blobs import blobs
from audit.image.descriptor import BadDescriptor
from audit.image.media import EVERY, INDEXES, MANIFESTS
from audit.image.reference import Reference
from audit.image.seen import Brought, Missing, Seen, entries, images
from audit.merging.resolving import MOST_CONFIG
from audit.registry import Client, Garbled, NotFound, RegistryError

K = TypeVar("K")
V = TypeVar("V")


def look(
    client: Client, tag: Reference, sources: Sequence[Reference] = (), *, deep: bool = False, connections: int = 6
) -> Seen:
    """Read a tag: its index, every child, every image's config; with `deep` ask for every blob.

    Args:
        client: of the registries.
        tag: what is to be verified.
        sources: the staging images that it should have been merged from.
        deep: one HEAD a distinct blob more.
        connections: requests at once.

    Raises:
        RegistryError: the tag itself cannot be read.
    """
    top = client.manifest(tag)
    seen = Seen(reference=tag, digest=top.digest, media_type=top.media_type, raw=top.raw)
    named = entries(seen)[:MOST_CHILDREN]
    names = {entry.digest: tag.at(entry.digest) for entry in named if entry.media_type in EVERY}
    with ThreadPoolExecutor(connections, thread_name_prefix="verify") as pool:

        def each(keys: Iterable[K], work: Callable[[K], V]) -> dict[K, V | Missing]:
            every = list(dict.fromkeys(keys))
            return dict(zip(every, pool.map(lambda key: _told(lambda: work(key)), every), strict=True))

        manifests = each(names, lambda digest: client.manifest(names[digest]).raw)
        read = {digest: raw for digest, raw in manifests.items() if isinstance(raw, bytes)}
        if seen.media_type in MANIFESTS:
            read[seen.digest] = seen.raw
        wanted = [digest for digest, _ in images(seen) if digest in read]
        configs = each(wanted, lambda digest: _config(client, tag, read[digest]))
        held = each(_every_blob(read), lambda digest: _size(client, tag, digest)) if deep else None
        found = each(sources, lambda name: _brought(client, name))
    return seen.model_copy(
        update={
            "manifests": manifests,
            "configs": configs,
            "blobs": held,
            "sources": {name.familiar: one for name, one in found.items()},
        }
    )


def _told(work: Callable[[], V]) -> V | Missing:
    """A value, or why there is none: only what the registry says for sure is gone."""
    try:
        return work()
    except (NotFound, Garbled) as error:
        return Missing(gone=True, why=str(error))
    except RegistryError as error:
        return Missing(gone=False, why=str(error))
    except StepError as error:
        return Missing(gone=True, why=str(error))


def _config(client: Client, tag: Reference, raw: bytes) -> bytes:
    try:
        config = blobs(raw)[0]
    except BadDescriptor as error:
        raise StepError(str(error)) from None
    return client.blob_bytes(tag, config.digest, config.size, limit=MOST_CONFIG)


def _size(client: Client, tag: Reference, digest: str) -> int:
    size = client.blob_size(tag, digest)
    if size is None:
        raise StepError(f"it is not in {tag.name}; merge again")
    return size


def _every_blob(manifests: dict[str, bytes]) -> list[str]:
    found: dict[str, None] = {}
    for raw in manifests.values():
        try:
            found |= dict.fromkeys(blob.digest for blob in blobs(raw))
        except BadDescriptor:
            continue  # the check itself says so
    return list(found)


def _brought(client: Client, name: Reference) -> Brought:
    top = client.manifest(name)
    if top.media_type not in INDEXES:
        return Brought(digest=top.digest, images=(top.digest,))
    seen = Seen(reference=name, digest=top.digest, media_type=top.media_type, raw=top.raw)
    rows = entries(seen)
    return Brought(
        digest=top.digest,
        images=tuple(row.digest for row in rows if row.attests is None),
        attestations=tuple(row.digest for row in rows if row.attests is not None),
    )
