"""The algebra of indexes: images and indexes in, one index out, the same bytes for the same sources for ever.

The bytes are those that ``docker buildx imagetools create`` makes of the same sources (docker/buildx
util/imagetools/create.go), so that both give one digest. They differ where that tool is wrong for its users:

- ``os.version`` and ``os.features`` of a flat image are written; it leaves Windows releases indistinguishable.
- Two images for one platform are refused; it writes both, and readers take either.
- One image that is said to be for two platforms is refused; it keeps the last one silently.
- An attestation that stands before its image is put right after it; it keeps the order.
- An attestation without its image is refused or dropped; it keeps it.
- An index inside an index is refused; it keeps it, and Docker cannot see into it.
- An image without an operating system or architecture is refused; it writes the machine's own system, or nothing.
- A referrer that the registry knows of an image is not made part of the index; it does so since 0.30.
- The only source is copied untouched likewise, but not if an attestation must be dropped from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.image.annotation import Annotation
from audit.image.arrived import MOST_CHILDREN
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import DOCKER_LIST, INDEXES, MANIFESTS, OCI_INDEX
from audit.image.merged import Attest, Child, Merged, MergeRefused, Orphans, Source
from audit.image.platform import Platform
from audit.image.written import NotWritable, members, unknown, written

__all__ = ["Child", "MergeRefused", "Merged", "Source", "merge"]

_DOCKER = "application/vnd.docker."


@dataclass
class _Row:
    """One entry on its way."""

    members: dict[str, Any]
    descriptor: Descriptor
    source: Source
    raw: bytes | None
    also: list[Source] = field(default_factory=list)

    @property
    def subject(self) -> str | None:
        """The digest of the image that it attests, empty where it does not say; None: it is an image."""
        return self.descriptor.attests

    @property
    def platform(self) -> Platform | None:
        return self.descriptor.platform

    def put(self, changed: dict[str, Any]) -> None:
        """Other members."""
        self.members = members(changed)
        self.descriptor = Descriptor.read(self.members)


def merge(
    sources: Sequence[Source],
    *,
    attest: Attest = "keep",
    orphans: Orphans = "refuse",
    annotations: Sequence[Annotation] = (),
    prefer_index: bool = True,
) -> Merged:
    """Put sources together into one index.

    Args:
        sources: in the order in which their images shall stand.
        attest: what becomes of attestations; ``require`` refuses an image that has none.
        orphans: what becomes of an attestation whose image is not there.
        annotations: for the index, or its entries; they cannot stand in a Docker manifest list.
        prefer_index: a single flat source becomes an index of one; else its manifest is copied as it is.

    Returns:
        The index, with the reference of every child, and what is to be said about it.

    Raises:
        MergeRefused: these sources make no right index.
    """
    if not sources:
        raise MergeRefused("there is nothing to merge: name at least one source")
    notes: list[str] = []
    lost: list[str] = []
    rows = _joined(row for source in sources for row in _rows(source, lost))
    _one_image_a_platform(rows)
    kept = _attested(rows, attest, orphans, notes)
    only = sources[0] if len(sources) == 1 and not annotations else None
    if only is not None and only.flat and not prefer_index:
        return Merged(media_type=only.media_type, digest=_digest(only.raw), raw=only.raw, copied=True,
                      source=only.reference, notes=tuple(notes))  # fmt: skip
    if only is not None and not only.flat and len(kept) == len(rows):
        return Merged(media_type=only.media_type, digest=_digest(only.raw), raw=only.raw, copied=True,
                      source=only.reference, children=_children(rows), notes=tuple(notes))  # fmt: skip
    notes += lost
    ordered = _ordered(kept)
    docker = all(row.descriptor.media_type.startswith(_DOCKER) for row in ordered)
    media_type = DOCKER_LIST if docker else OCI_INDEX
    if docker and annotations:
        notes.append("every image is of Docker's media type, so they make a Docker list, which holds no annotations; "
                     "they were left out")  # fmt: skip
        annotations = ()
    for row in ordered:
        _annotate(row, annotations)
    own = {one.key: one.value for one in annotations if one.where == "index"}
    raw = written(media_type, [row.members for row in ordered], own)
    return Merged(media_type=media_type, digest=_digest(raw), raw=raw, children=_children(ordered), notes=tuple(notes))


# ------------------------------------------------------------------- reading the sources


def _rows(source: Source, lost: list[str]) -> list[_Row]:
    """What a source brings; every check that needs no other source. `lost` takes what a new index would not have."""
    if (found := _digest(source.raw, source.reference.digest)) != source.reference.digest:
        raise MergeRefused(f"{source}: its bytes have the digest {found}, not {source.reference.digest}")
    rows = [_flat(source)] if source.flat else _unwrapped(source, lost)
    images = [row for row in rows if row.subject is None]
    if not images:
        raise MergeRefused(f"{source}: there is no image in it, so there is nothing to merge; leave it out")
    for row in images:
        built, wanted = row.platform, source.wanted
        if not source.flat and (built is None or not built.known):
            raise MergeRefused(
                f"{source}: {row.descriptor.digest} in it says no platform, so nobody could pull it; name that image "
                "as a source of its own, whose config is then asked, or build it anew"
            )
        if wanted is not None and (built is None or not built.matches(wanted)):
            raise MergeRefused(
                f"{source}: it is for {built or 'no platform that it says'}, where {wanted} was wanted; "
                "see which worker built it, and with which --platform"
            )
    return rows


def _flat(source: Source) -> _Row:
    if source.media_type not in MANIFESTS:
        raise MergeRefused(f"{source}: {source.media_type[:100]} is no type of an image; build it anew")
    platform = source.platform
    if platform is None or not platform.known:
        raise MergeRefused(
            f"{source}: its config says neither an operating system nor an architecture, so nobody could pull it; "
            "build it anew, or say which it is for"
            if platform is None or not str(platform)
            else f"{source}: its config says {platform}, which is no whole platform; build it anew"
        )
    row: dict[str, Any] = {"mediaType": source.media_type, "digest": source.reference.digest, "size": len(source.raw)}
    row["platform"] = platform.members()
    return _row(row, source, source.raw)


def _unwrapped(source: Source, lost: list[str]) -> list[_Row]:
    try:
        body = json.loads(source.raw)
    except (ValueError, RecursionError):
        raise MergeRefused(f"{source}: it is not JSON; push it again") from None
    listed = body.get("manifests") if isinstance(body, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_CHILDREN:
        raise MergeRefused(
            f"{source}: it is an index without a list of manifests, or with too long a one; push it again"
        )
    if isinstance(body.get("annotations"), dict) and body["annotations"]:
        lost.append(f"{source}: the annotations of the index itself are not carried over; give them as --annotation")
    rows = []
    for number, one in enumerate(listed, 1):
        row = _row(one, source, None, f"entry {number} of it")
        if left := unknown(one):
            lost.append(f"{source}: entry {number} has {', '.join(left)[:200]}, which is left out of the index")
        media_type = row.descriptor.media_type
        if media_type in INDEXES:
            raise MergeRefused(
                f"{source}: entry {number} of it is an index itself, into which Docker does not look; "
                f"name {source.reference.at(row.descriptor.digest).familiar} as a source instead"
            )
        if media_type not in MANIFESTS:
            raise MergeRefused(
                f"{source}: entry {number} of it is no image, but {media_type[:100]!r}; build it anew, or name the "
                "images in it one by one"
            )
        row.raw = source.children.get(row.descriptor.digest)
        _right(row)
        rows.append(row)
    return rows


def _row(one: object, source: Source, raw: bytes | None, what: str = "it") -> _Row:
    try:
        descriptor = Descriptor.read(one)
        said = members(descriptor.raw)
        return _Row(said, Descriptor.read(said), source, raw)
    except (BadDescriptor, NotWritable) as error:
        raise MergeRefused(f"{source}: {what} is no descriptor: {error}; push it again") from None


def _right(row: _Row) -> None:
    """A child's bytes are those that its descriptor says."""
    if row.raw is None:
        return
    found, said = _digest(row.raw, row.descriptor.digest), row.descriptor
    if found != said.digest or len(row.raw) != said.size:
        raise MergeRefused(
            f"{row.source}: the index says that {said.digest} has {said.size} bytes, but {len(row.raw)} bytes with the "
            f"digest {found} stand there; push it again"
        )


def _digest(raw: bytes, like: str | None = None) -> str:
    """With the algorithm of the other digest; SHA-256 without one."""
    algorithm = (like or "sha256").partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


# ------------------------------------------------------------------- putting them together


def _joined(rows: Iterable[_Row]) -> list[_Row]:
    """Each digest once, where it first stood, with what any source says of it."""
    found: dict[str, _Row] = {}
    for row in rows:
        old = found.setdefault(row.descriptor.digest, row)
        if old is row:
            continue
        changed = dict(old.members)
        if row.descriptor.media_type != old.descriptor.media_type or row.descriptor.size != old.descriptor.size:
            raise MergeRefused(
                f"{old.source} and {row.source} say that {row.descriptor.digest} has different types or sizes; "
                "one of them is wrong: push it again"
            )
        if row.platform is not None:
            changed["platform"] = _either(old, row)
        if "annotations" in row.members:
            changed["annotations"] = old.members.get("annotations", {}) | row.members["annotations"]
        old.put(changed)
        old.also.append(row.source)
        old.raw = old.raw if old.raw is not None else row.raw
    return list(found.values())


def _either(old: _Row, new: _Row) -> dict[str, Any]:
    """The platform of an image that two sources bring: the one that says more, of equal ones the later."""
    one, other = old.platform, new.platform
    if one is None or other is None or other.matches(one):
        return dict(new.members["platform"])
    if not one.matches(other):
        raise MergeRefused(
            f"{old.descriptor.digest} is said to be for {one} by {old.source}, and for {other} by {new.source}; "
            "one image cannot be both: build it for each"
        )
    return dict(old.members["platform"])


def _one_image_a_platform(rows: Sequence[_Row]) -> None:
    seen: dict[Platform, _Row] = {}
    for row in rows:
        if row.subject is not None or row.platform is None:
            continue
        other = seen.setdefault(row.platform, row)
        if other is not row:
            raise MergeRefused(
                f"two different images are for {row.platform}: {_named(other)} and {_named(row)}; "
                "whoever pulls it would get either: leave one of them out"
            )


def _named(row: _Row) -> str:
    digest = row.descriptor.digest
    named = str(row.source)
    return named if digest in named else f"{named} ({digest})"


def _attested(rows: Sequence[_Row], attest: Attest, orphans: Orphans, notes: list[str]) -> list[_Row]:
    """The rows that stay."""
    images = {row.descriptor.digest: row for row in rows if row.subject is None}
    if attest == "drop":
        if gone := len(rows) - len(images):
            notes.append(f"{gone} attestation{'s were' if gone > 1 else ' was'} left out, as was asked for")
        return list(images.values())
    kept = []
    for row in rows:
        if row.subject is not None and row.subject not in images:
            of = row.subject[:80] or "an image that it does not name"
            said = f"{_named(row)} attests {of}, which is not among the sources"
            if orphans == "refuse":
                raise MergeRefused(f"{said}; name that image too, or let such attestations be dropped")
            notes.append(f"{said}; it was left out")
            continue
        kept.append(row)
    proved = {row.subject for row in kept if row.subject is not None}
    bare = [row for digest, row in images.items() if digest not in proved]
    if attest == "require" and bare:
        raise MergeRefused(f"{_named(bare[0])} has no attestation, and one is required; build it with --provenance")
    if proved and bare:
        names = ", ".join(str(row.platform) for row in bare)
        notes.append(f"{names} {'have' if len(bare) > 1 else 'has'} no attestation, where other images of it have one")
    return kept


def _ordered(rows: Sequence[_Row]) -> list[_Row]:
    """In their order, but no attestation before its image."""
    waiting: dict[str, list[_Row]] = {}
    ordered: list[_Row] = []
    done: set[str] = set()
    for row in rows:
        if row.subject and row.subject not in done:
            waiting.setdefault(row.subject, []).append(row)
            continue
        ordered.append(row)
        if row.subject is None:
            done.add(row.descriptor.digest)
            ordered += waiting.pop(row.descriptor.digest, [])
    return ordered


def _annotate(row: _Row, annotations: Sequence[Annotation]) -> None:
    here = [one for one in annotations if one.where == "manifest-descriptor"]
    general = {one.key: one.value for one in here if one.platform is None}
    own = {one.key: one.value for one in here if one.platform is not None and one.platform == row.platform}
    if general or own:
        row.put(row.members | {"annotations": row.members.get("annotations", {}) | general | own})


def _children(rows: Sequence[_Row]) -> tuple[Child, ...]:
    return tuple(
        Child(
            descriptor=row.descriptor,
            role="image" if row.subject is None else "attestation",
            platform=row.platform,
            source=row.source.reference.at(row.descriptor.digest),
            also=tuple(dict.fromkeys(source.reference.at(row.descriptor.digest) for source in row.also)),
            raw=row.raw,
            kept=any(row.descriptor.digest in source.kept for source in (row.source, *row.also)),
        )
        for row in rows
    )
