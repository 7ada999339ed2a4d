"""Our own engine: the fewest requests that the distribution protocol allows, and no blob through us where it mounts.

Every distinct blob is mounted once and every child is pushed once, without asking first whether it is there: a mount is
both the question and the deed. Children stand before the index, and the tag comes last, so that no half-made tag can
be seen. In the repository that the sources stand in there is nothing to mount, and one PUT is the whole merge.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.engines.able import Able
from audit.engines.merge._step import Action, Confirm, MergeHost, MergeStep, Mount, PutManifest
from audit.image.blobs import blobs as named
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.merged import MergeRefused
from audit.image.reference import Reference

name = "registry"
about = "our own client, with the fewest requests; no Docker is needed"


def able(step: MergeStep, host: MergeHost) -> Able:
    """It speaks the protocol itself: whatever can be merged at all."""
    del host
    sources = {source.reference.registry for source in step.sources}
    far = sorted({tag.registry for tag in step.tags if {tag.registry} != sources})
    if far:
        why = f"it speaks with the registries itself; blobs from other ones than {', '.join(far)} stream through here"
    elif all(source.reference.name == target for source in step.sources for target in step.targets):
        why = "it speaks with the registry itself, and in one repository there is nothing to move"
    else:
        why = "it speaks with the registry itself, which mounts the blobs"
    return Able(ok=True, why=why)


def actions(step: MergeStep, host: MergeHost) -> tuple[Action, ...]:
    """Mounts, then children, then the index under its tags, then a look whether the tags stand.

    Before all of these, what is not to be moved and is known from an earlier run only is asked for: a registry may take
    an index whose images it has not.
    """
    del host
    made: list[Action] = []
    for target in step.targets:
        made += [
            Confirm(target=place, digest=child.digest)
            for child in step.merged.children
            if child.kept and (place := child.place_in(target))
        ]
    for target in step.targets:
        made += _mounts(step, target)
    for target in step.targets:
        made += _children(step, target)
    merged = step.merged
    made += [
        PutManifest(target=tag, media_type=merged.media_type, digest=merged.digest, raw=merged.raw) for tag in step.tags
    ]
    made += [Confirm(target=tag, digest=merged.digest) for tag in step.tags]
    return tuple(made)


def blobs(raw: bytes) -> tuple[Descriptor, ...]:
    """As `audit.image.blobs.blobs`, but a manifest that is none refuses the merge.

    Raises:
        MergeRefused: it is no image's manifest.
    """
    try:
        return named(raw)
    except BadDescriptor as error:
        raise MergeRefused(f"a manifest that was to be merged cannot be read: {error}; push it again") from None


def _mounts(step: MergeStep, target: str) -> Iterator[Mount]:
    """Each distinct blob once, from where it is nearest."""
    into = next(tag for tag in step.tags if tag.name == target)
    found: dict[str, Mount] = {}
    for source, raw in _manifests(step):
        if source.name == target:
            continue
        for blob in blobs(raw):
            mount = Mount(target=into.at(blob.digest), source=source.at(blob.digest), size=blob.size)
            old = found.get(blob.digest)
            if old is None or (old.streamed and not mount.streamed):
                found[blob.digest] = mount
    # What had to be streamed into this registry once is mounted from there.
    before = step.targets[: step.targets.index(target)]
    near = next((tag for tag in step.tags if tag.name in before and tag.registry == into.registry), None)
    if near is not None:
        found = {
            digest: mount.model_copy(update={"source": near.at(digest)}) if mount.streamed else mount
            for digest, mount in found.items()
        }
    here = {blob.digest for source, raw in _manifests(step) if source.name == target for blob in blobs(raw)}
    return (mount for digest, mount in found.items() if digest not in here)


def _children(step: MergeStep, target: str) -> Iterator[PutManifest]:
    """Images before attestations; a child that stands in the target's repository already is left alone."""
    into = next(tag for tag in step.tags if tag.name == target)
    for role in ("image", "attestation"):
        for child in step.merged.children:
            if child.role != role or child.place_in(target):
                continue
            if child.raw is None:
                raise MergeRefused(f"{child.source.familiar} was not read, so it cannot be pushed; report this")
            yield PutManifest(
                target=into.at(child.digest), media_type=child.descriptor.media_type, digest=child.digest, raw=child.raw
            )


def _manifests(step: MergeStep) -> Iterator[tuple[Reference, bytes]]:
    """Every image's manifest with every place where it stands."""
    merged = step.merged
    if merged.flat and merged.source is not None:
        yield merged.source, merged.raw
    for child in merged.children:
        if child.raw is not None:
            yield from ((place, child.raw) for place in (child.source, *child.also))
