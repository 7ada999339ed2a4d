"""Sources, from names to bytes: every tag is resolved once, and what a digest names is asked for at most once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from audit.engines.merge import MergeSource, MergeStep
from audit.errors import UsageError
from audit.image.annotation import Annotation
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.index import Source, merge
from audit.image.media import EVERY, INDEXES
from audit.image.merged import Attest, MergeRefused, Orphans
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.kept import Kept
from audit.registry import Client, Invalid, Manifest, NotAllowed, NotFound

MOST_CONFIG = 4 << 20
"""Bytes of an image's config that are read."""
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Asked:
    """One source as it was asked for.

    Attributes:
        reference: by tag or by digest.
        wanted: the platform that it should be for; None where nobody said.
        platform: what a flat image is known to be for, e.g. from its build; None: its config is read.
        given: as it was written, for messages.
    """

    reference: Reference
    wanted: Platform | None = None
    platform: Platform | None = None
    given: str = ""

    def __str__(self) -> str:
        """As messages name it."""
        return self.given or self.reference.familiar


@dataclass
class _Reading:
    """What was read so far, for one resolution."""

    client: Client
    kept: Kept
    known: Mapping[str, bytes]
    connections: int
    met: set[str] = field(default_factory=set)
    kept_only: set[tuple[str, str]] = field(default_factory=set)
    """Repository and digest of what no registry was asked for in this run."""


def resolve(
    client: Client,
    asked: Sequence[Asked],
    *,
    children: bool = True,
    attestations: bool = True,
    kept: Kept | None = None,
    known: Mapping[str, bytes] | None = None,
    connections: int = 6,
) -> tuple[Source, ...]:
    """Read the sources: a manifest each, an index's children, and the config of a flat image of unknown platform.

    Args:
        client: for all registries.
        asked: sources; a name that stands twice is resolved once.
        children: read the children of indexes too: whoever copies them needs their bytes.
        attestations: also those children that are attestations.
        kept: manifests of earlier runs.
        known: manifests that a build handed over, by digest.
        connections: requests at once.

    Raises:
        MergeRefused: an image's config cannot be read.
        RegistryError: a source is not there, or is not what its digest says.
    """
    if not asked:
        raise UsageError("there is nothing to merge: name at least one source")
    reading = _Reading(client, kept or Kept(None), known or {}, connections)
    names = list(dict.fromkeys(one.reference for one in asked))
    tops = dict(zip(names, _each(reading, names, lambda name: _top(reading, name), lambda name: name), strict=True))
    sources = _each(reading, asked, lambda one: _source(reading, one, tops[one.reference]), lambda one: one.reference)
    if children:
        sources = _with_children(reading, sources, attestations=attestations)
    return tuple(sources)


def expect(client: Client, sources: Sequence[Reference], tags: Sequence[Reference]) -> None:
    """Say beforehand what will be read and written, so that one token is asked for all of it."""
    registries = dict.fromkeys(name.registry for name in (*tags, *sources))
    for registry in registries:
        push = dict.fromkeys(name.repository for name in tags if name.registry == registry)
        pull = dict.fromkeys(name.repository for name in sources if name.registry == registry)
        client.expect(registry, push=push, pull=[name for name in pull if name not in push])


def require_tags(tags: Sequence[Reference]) -> None:
    """Refuse what cannot be the name of a result.

    Raises:
        UsageError: one has a digest.
    """
    for tag in tags:
        if tag.digest is not None:
            raise UsageError(f"--tag {tag.familiar}: write REPOSITORY:TAG; the digest is what a merge finds out")


def prepare(
    sources: Sequence[Source],
    tags: Sequence[Reference],
    *,
    attest: Attest = "keep",
    orphans: Orphans = "refuse",
    annotations: Sequence[Annotation] = (),
    prefer_index: bool = True,
) -> MergeStep:
    """Make the index, and with it the step that an engine is asked about.

    Args:
        sources: as `resolve` gave them.
        tags: what the index shall be called.
        attest, orphans, annotations, prefer_index: as `audit.image.index.merge` takes them.

    Raises:
        MergeRefused: these sources make no right index.
        UsageError: a tag is none.
    """
    require_tags(tags)
    merged = merge(
        sources, attest=attest, orphans=orphans, annotations=annotations, prefer_index=prefer_index
    )  # fmt: skip
    return MergeStep(
        tags=tuple(dict.fromkeys(tags)),
        sources=tuple(described(source) for source in sources),
        merged=merged,
        attest=attest,
        annotations=tuple(annotations),
        prefer_index=prefer_index,
    )


# ------------------------------------------------------------------- inside


def _each(reading: _Reading, many: Sequence[T], work: Callable[[T], R], place: Callable[[T], Reference]) -> list[R]:
    """As a loop, some at once; but the first call to a registry goes alone, so that it asks once who we are."""
    first: dict[int, R] = {}
    for number, one in enumerate(many):
        registry = place(one).registry
        if registry not in reading.met and registry not in reading.client.challenges:
            first[number] = work(one)
        reading.met.add(registry)
    rest = [number for number in range(len(many)) if number not in first]
    if len(rest) > 1:
        with ThreadPoolExecutor(min(reading.connections, len(rest)), thread_name_prefix="sources") as pool:
            done = dict(zip(rest, pool.map(lambda number: work(many[number]), rest), strict=True))
    else:
        done = {number: work(many[number]) for number in rest}
    return [first[number] if number in first else done[number] for number in range(len(many))]


def _top(reading: _Reading, name: Reference) -> Manifest:
    """What stands under a name."""
    if name.digest is None:
        last = reading.kept.last(name.name + f":{name.wanted}")
        if last is not None and reading.kept.get(last) is not None:
            try:
                now = reading.client.head(name)  # no pull, where a registry counts these
            except (Invalid, NotAllowed):  # it does not like HEAD; a GET has a body that says what is wrong
                now = None
            if now is not None and (found := _held(reading, now.digest)) is not None:
                return found
    found = _manifest(reading, name)
    if name.digest is None:
        reading.kept.remember(name.name + f":{name.wanted}", found.digest)
    return found


def _manifest(reading: _Reading, name: Reference) -> Manifest:
    if name.digest is not None and (held := _held(reading, name.digest)) is not None:
        if name.digest not in reading.known:  # a build has just seen at the registry what it hands over
            reading.kept_only.add((name.name, name.digest))
        return held
    found = reading.client.manifest(name)
    if isinstance(found.body.get("mediaType"), str):  # else what is kept would not say what it is
        reading.kept.put(found.digest, found.raw)
    return found


def _held(reading: _Reading, digest: str) -> Manifest | None:
    """A manifest that need not be asked for."""
    raw = reading.known.get(digest)
    raw = raw if raw is not None else reading.kept.get(digest)
    if raw is None:
        return None
    try:
        media_type = json.loads(raw).get("mediaType")
    except (ValueError, AttributeError, RecursionError):
        return None
    return Manifest(media_type=media_type, digest=digest, raw=raw) if media_type in EVERY else None


def _source(reading: _Reading, asked: Asked, top: Manifest) -> Source:
    reference = asked.reference.at(top.digest)
    platform = asked.platform
    if top.media_type not in INDEXES and platform is None:
        platform = platform_of(reading.client, reading.kept, reference, top.raw, str(asked))
    kept = {top.digest} if (reference.name, top.digest) in reading.kept_only else set()
    return Source(
        reference=reference, given=str(asked), media_type=top.media_type, raw=top.raw, platform=platform,
        wanted=asked.wanted, kept=frozenset(kept),
    )  # fmt: skip


def platform_of(client: Client, kept: Kept, reference: Reference, raw: bytes, shown: str) -> Platform:
    """What an image's config says that it is for.

    Args:
        client, kept: where the config is had.
        reference: where the image stands.
        raw: its manifest.
        shown: what messages call it.

    Raises:
        MergeRefused: it says nothing of the kind.
        RegistryError: it cannot be read.
    """
    config = config_of(raw, shown)
    held = kept.get(config.digest)
    if held is None:
        held = client.blob_bytes(reference, config.digest, config.size, limit=MOST_CONFIG)
        kept.put(config.digest, held)
    try:
        said = json.loads(held)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MergeRefused(f"{shown}: its config is not JSON, so its platform cannot be told; build it anew")
    return Platform.of(said)


def config_of(raw: bytes, shown: str) -> Descriptor:
    """The config that an image's manifest names.

    Raises:
        MergeRefused: it names none.
    """
    try:
        return Descriptor.read(json.loads(raw).get("config"))
    except (ValueError, AttributeError, RecursionError) as error:
        why = str(error) if isinstance(error, BadDescriptor) else "its manifest is not JSON"
        raise MergeRefused(f"{shown}: its config cannot be read: {why}; build it anew") from None


def _with_children(reading: _Reading, sources: Sequence[Source], *, attestations: bool) -> list[Source]:
    wanted: dict[str, Reference] = {}
    shown: dict[str, Source] = {}
    for source in sources:
        for digest in () if source.flat else _children(source.raw, attestations=attestations):
            wanted.setdefault(digest, source.reference.at(digest))
            shown.setdefault(digest, source)

    def read(name: Reference) -> bytes:
        digest = name.digest or ""
        try:
            return _manifest(reading, name).raw
        except NotFound:
            raise MergeRefused(
                f"{shown[digest]}: its index names {digest}, which is not in {name.name}; push that image again"
            ) from None

    names = list(wanted.values())
    found = dict(zip(wanted, _each(reading, names, read, lambda name: name), strict=True))
    return [source.model_copy(update=_own(reading, source, found)) for source in sources]


def _own(reading: _Reading, source: Source, found: Mapping[str, bytes]) -> dict[str, Any]:
    """A source's own children, and which of them are from an earlier run."""
    own = () if source.flat else _children(source.raw, attestations=True)
    children = {digest: found[digest] for digest in own if digest in found}
    kept = {digest for digest in children if (source.reference.name, digest) in reading.kept_only}
    return {"children": children, "kept": source.kept | kept}


def _children(raw: bytes, *, attestations: bool) -> Iterable[str]:
    """The digests of an index's manifests; entries that are none are left to the algebra, which refuses them."""
    try:
        rows = json.loads(raw).get("manifests")
    except (ValueError, AttributeError, RecursionError):
        return
    for row in rows if isinstance(rows, list) else ():
        try:
            one = Descriptor.read(row)
        except BadDescriptor:
            continue
        if one.media_type in EVERY and one.media_type not in INDEXES and (attestations or one.attests is None):
            yield one.digest


def described(source: Source) -> MergeSource:
    """A source as engines are told of it."""
    rows = [] if source.flat else [Descriptor.read(row) for row in json.loads(source.raw)["manifests"]]
    images = [row for row in rows if row.attests is None]
    platforms = [source.platform] if source.flat else [row.platform for row in images]
    return MergeSource(
        reference=source.reference,
        given=source.given,
        media_type=source.media_type,
        size=len(source.raw),
        flat=source.flat,
        platforms=tuple(platform for platform in platforms if platform is not None),
        wanted=source.wanted,
        attested=len(images) < len(rows),
        types=tuple(dict.fromkeys(row.media_type for row in rows)) or (source.media_type,),
        children=tuple(rows),
    )
