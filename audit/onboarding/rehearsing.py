"""A merge tried in the scratch repository: made, verified, and removed again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from audit.engines.merge import ORDER, MergeStep
from audit.errors import StepError
from audit.image.media import INDEXES
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.image.seen import Seen, entries
from audit.image.verified import verify
from audit.merging import Asked, Place, carry_out, choose, expect, prepare, resolve
from audit.merging.verifying import look
from audit.onboard import Rehearsal
from audit.registry import Client, NotFound, RegistryError


def rehearse(
    client: Client, name: str, mine: Asked, others: Sequence[Reference], platform: Platform | None
) -> Rehearsal:
    """Merge the machine's push with the images of the other platforms, and see that the tag is right.

    Args:
        client: of the registries.
        name: the scratch repository, ``host[:port]/repository``.
        mine: what the machine pushed.
        others: images, and indexes; of an index of several platforms every image but the machine's own is taken, each
            without its attestation.
        platform: the machine's; None: not known.

    Returns:
        What came of it; what the registry or the sources refuse is a flaw, not an error.
    """
    tag = Reference.parse(f"{name}:rehearsal-{secrets.token_hex(8)}")
    try:
        expect(client, [mine.reference, *others], [tag])
        asked = [mine, *(one for other in others for one in _apart(client, other, platform))]
        if len(asked) == 1:
            return Rehearsal(flaws=("no image of another platform is among those that it should be merged with",))
        return _done(client, tag, prepare(resolve(client, asked), [tag]))
    except StepError as error:
        return Rehearsal(tag=f"{tag.name}:{tag.tag}", flaws=(str(error),))


def _apart(client: Client, name: Reference, platform: Platform | None) -> Iterator[Asked]:
    """A source as it is; of an index of several platforms its images."""
    top = client.manifest(name)
    seen = Seen(reference=name, digest=top.digest, media_type=top.media_type, raw=top.raw)
    images = [entry for entry in entries(seen) if entry.attests is None]
    if top.media_type not in INDEXES or len(images) < 2:
        yield Asked(name.at(top.digest), given=name.familiar)
        return
    for entry in images:
        if entry.platform is not None and not (platform is not None and entry.platform.matches(platform)):
            yield Asked(name.at(entry.digest), platform=entry.platform, given=f"{name.familiar} ({entry.platform})")


def _done(client: Client, tag: Reference, step: MergeStep) -> Rehearsal:
    choice = choose(step, "auto", ORDER, Place().ask)
    done = carry_out(client, choice, step)
    seen = look(client, tag, [source.reference for source in step.sources])
    flaws = tuple(f"{flaw.check}: {flaw.message}" for flaw in verify(seen, step.merged.platforms)
                  if flaw.level != "warning")  # fmt: skip
    lists = [source for source in step.sources if not source.flat]
    legacy = ""
    if lists:
        names = ", ".join(", ".join(map(str, source.platforms)) for source in lists)
        legacy = f"`docker manifest create` would refuse it: {lists[0].given} is a manifest list ({names})"
    return Rehearsal(
        tag=f"{tag.name}:{tag.tag}",
        digest=done.digest,
        platforms=tuple(map(str, step.merged.platforms)),
        sources=tuple(
            f"{', '.join(map(str, source.platforms))}: {source.given}, {'flat' if source.flat else 'an index'}"
            for source in step.sources
        ),
        engine=f"by {choice.engine}: {choice.able.why}",
        flaws=flaws,
        legacy=legacy,
        notes=_removed(client, tag, done.digest),
    )


def _removed(client: Client, tag: Reference, digest: str) -> tuple[str, ...]:
    try:
        client.delete(tag.at(digest))
    except NotFound:
        return ()
    except RegistryError as error:
        return (f"{tag.name}:{tag.tag} could not be removed: {error}",)
    return ()
