"""Whether what a registry serves under a tag is what a merge should have left: every check over what was read.

A check that could not be made is a finding too: `unknown`, never silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from audit.image.blobs import blobs
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import INDEXES, MANIFESTS
from audit.image.platform import Platform
from audit.image.seen import Brought, Missing, Seen, created, entries, images, said_by, unread
from audit.value import Model

Level = Literal["wrong", "unknown", "warning"]
Check = Literal[
    "index", "platforms", "children", "sources", "attestations", "architecture", "age", "blobs"
]  # fmt: skip
CHECKS: tuple[Check, ...] = (
    "index", "platforms", "children", "sources", "attestations", "architecture", "age", "blobs",
)  # fmt: skip


class Flaw(Model):
    """One thing that is not right, or could not be told.

    Attributes:
        check: which check found it.
        level: ``wrong``, ``unknown``, or ``warning``: right, but somebody should look.
        about: the platform or digest that it is about.
        message: one sentence.
    """

    check: Check
    level: Level
    about: str = ""
    message: str


def verify(
    seen: Seen, expected: Sequence[Platform] | None, *, apart: timedelta = timedelta(days=1)
) -> tuple[Flaw, ...]:
    """Every check, in the order of `CHECKS`.

    Args:
        seen: what was read.
        expected: the platforms that must be there, and no others; None: whichever there are.
        apart: an image older than the newest one by more than this is told.
    """
    return tuple(
        flaw
        for check in (
            _index(seen),
            _platforms(seen, expected),
            _children(seen),
            _sources(seen),
            _attestations(seen),
            _architecture(seen),
            _age(seen, apart),
            _blobs(seen),
        )
        for flaw in check
    )


# ------------------------------------------------------------------- the checks


def _index(seen: Seen) -> Iterator[Flaw]:
    if seen.media_type in INDEXES:
        try:
            rows = json.loads(seen.raw)["manifests"]
            if not rows:
                yield Flaw(check="index", level="wrong", message=f"{seen.reference.familiar} is an index of nothing")
            for row in rows:
                Descriptor.read(row)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            why = str(error) if isinstance(error, BadDescriptor) else "it has no list of manifests"
            yield Flaw(check="index", level="wrong", message=f"the index cannot be read: {why}; merge again")
    for entry in entries(seen):
        if entry.media_type in INDEXES:
            yield Flaw(
                check="index",
                level="wrong",
                about=entry.digest,
                message=f"{entry.digest} is an index inside the index, into which Docker does not look; merge again",
            )
        elif entry.media_type not in MANIFESTS:
            message = f"{entry.digest} is no image, but {entry.media_type[:100]!r}; merge again without it"
            yield Flaw(check="index", level="wrong", about=entry.digest, message=message)


def _platforms(seen: Seen, expected: Sequence[Platform] | None) -> Iterator[Flaw]:
    found: dict[Platform, list[str]] = {}
    for digest, entry in images(seen):
        platform = entry.platform if entry is not None else said_by(seen, digest)
        if platform is None or not platform.known:
            level: Level = "unknown" if entry is None and unread(seen.configs.get(digest)) else "wrong"
            message = f"{digest} does not say which platform it is for"
            yield Flaw(check="platforms", level=level, about=digest, message=message)
            continue
        found.setdefault(platform, []).append(digest)
    for platform, digests in found.items():
        if len(set(digests)) > 1:
            message = f"{platform} is there {len(set(digests))} times: {' and '.join(dict.fromkeys(digests))}"
            yield Flaw(check="platforms", level="wrong", about=str(platform), message=message)
    if expected is None:
        return
    left = list(found)
    for platform in expected:
        matching = [one for one in left if one.matches(platform)]
        left = [one for one in left if one not in matching]
        if not matching:
            there = ", ".join(map(str, found)) or "nothing"
            message = f"{platform} is missing; there is {there}"
            yield Flaw(check="platforms", level="wrong", about=str(platform), message=message)
        elif len(matching) > 1 and not platform.os_version:
            there = ", ".join(map(str, matching))
            message = f"{platform} is there {len(matching)} times: {there}; expect each of them by its version"
            yield Flaw(check="platforms", level="wrong", about=str(platform), message=message)
    for platform in left:
        message = f"{platform} is there, but was not expected; an older merge may have left it"
        yield Flaw(check="platforms", level="wrong", about=str(platform), message=message)


def _children(seen: Seen) -> Iterator[Flaw]:
    for entry in entries(seen):
        read = seen.manifests.get(entry.digest)
        if isinstance(read, Missing):
            level: Level = "wrong" if read.gone else "unknown"
            said = "the index names it, but it is not there" if read.gone else f"it could not be read: {read.why}"
            message = f"{entry.digest}: {said}"
            yield Flaw(check="children", level=level, about=entry.digest, message=message)
        elif read is None:
            if entry.media_type not in (*MANIFESTS, *INDEXES):
                continue  # told already
            message = f"{entry.digest} was not read, since the index names too many"
            yield Flaw(check="children", level="unknown", about=entry.digest, message=message)
        elif len(read) != entry.size:
            message = f"{entry.digest} has {len(read)} bytes, where the index says {entry.size}; merge again"
            yield Flaw(check="children", level="wrong", about=entry.digest, message=message)


def _sources(seen: Seen) -> Iterator[Flaw]:
    """Every image is one of the staging images, and every staging image is there: equal digests are equal bytes."""
    if not seen.sources:
        return
    brought = [one for one in seen.sources.values() if isinstance(one, Brought)]
    known = {digest for one in brought for digest in (*one.images, *one.attestations)}
    here = {entry.digest for entry in entries(seen)} | {seen.digest}
    whole = len(brought) == len(seen.sources)
    for name, one in seen.sources.items():
        if isinstance(one, Missing):
            message = f"{name} could not be compared: {one.why}"
            yield Flaw(check="sources", level="unknown", about=name, message=message)
            continue
        for digest in one.images:
            if digest not in here:
                message = f"{name} has {digest} now, which is not in the index; it was built again, or never merged"
                yield Flaw(check="sources", level="wrong", about=name, message=message)
        lost = [digest for digest in one.attestations if digest not in here]
        if lost and here.issuperset(one.images):
            message = (
                f"{name} brings the attestation {lost[0]}, which is not in the index; see whether it was to be kept"
            )
            yield Flaw(check="sources", level="warning", about=name, message=message)
    for entry in entries(seen):
        if entry.digest not in known and whole:
            what = entry.platform if entry.attests is None and entry.platform else "an attestation"
            message = f"{entry.digest} ({what}) is in the index, but in none of the sources"
            yield Flaw(check="sources", level="wrong", about=entry.digest, message=message)


def _attestations(seen: Seen) -> Iterator[Flaw]:
    there = {entry.digest for entry in entries(seen) if entry.attests is None}
    for entry in entries(seen):
        if entry.attests is not None and entry.attests not in there:
            of = entry.attests or "an image that it does not name"
            message = f"{entry.digest} attests {of}, which is not in the index; merge again with its image"
            yield Flaw(check="attestations", level="wrong", about=entry.digest, message=message)


def _architecture(seen: Seen) -> Iterator[Flaw]:
    for digest, entry in images(seen):
        read = seen.configs.get(digest)
        if isinstance(read, Missing) or read is None:
            if entry is not None and not isinstance(seen.manifests.get(digest), bytes):
                continue  # told already
            why = read.why if isinstance(read, Missing) else "it was not read"
            level: Level = "wrong" if isinstance(read, Missing) and read.gone else "unknown"
            yield Flaw(check="architecture", level=level, about=digest, message=f"the config of {digest}: {why}")
            continue
        built, said = said_by(seen, digest), entry.platform if entry is not None else None
        if built is None:
            message = f"the config of {digest} cannot be read; build it anew"
            yield Flaw(check="architecture", level="wrong", about=digest, message=message)
        elif said is not None and (built.os, built.architecture) != (said.os, said.architecture):
            message = f"{digest} stands under {said}, but was built for {built}; see which worker built it"
            yield Flaw(check="architecture", level="wrong", about=str(said), message=message)
        elif said is not None and (
            (built.variant and built.variant != said.variant)
            or (built.os_version and built.os_version != said.os_version)
        ):
            message = f"{digest} stands under {said}, but was built for {built}; who pulls it may be given another one"
            yield Flaw(check="architecture", level="warning", about=str(said), message=message)


def _age(seen: Seen, apart: timedelta) -> Iterator[Flaw]:
    """Images of one merge are built together: one that is much older was not built this time."""
    made: dict[str, datetime] = {}
    for digest, entry in images(seen):
        when = created(seen.configs.get(digest))
        if when is not None and when.year > 1980:  # a reproducible build has no date, or the same one everywhere
            made[str(entry.platform) if entry is not None and entry.platform else digest] = when
    newest = max(made.values(), default=None)
    for platform, when in made.items():
        if newest is not None and newest - when > apart:
            days = (newest - when).total_seconds() / 86400
            message = f"{platform} was built {days:.1f} days before the newest image of the tag; see why it is so old"
            yield Flaw(check="age", level="warning", about=platform, message=message)


def _blobs(seen: Seen) -> Iterator[Flaw]:
    if seen.blobs is None:
        return
    manifests = {digest: raw for digest, raw in seen.manifests.items() if isinstance(raw, bytes)}
    if seen.media_type in MANIFESTS:
        manifests[seen.digest] = seen.raw
    told: set[str] = set()
    for digest, raw in manifests.items():
        try:
            named = blobs(raw)
        except BadDescriptor as error:
            message = f"{digest} cannot be read: {error}"
            yield Flaw(check="blobs", level="wrong", about=digest, message=message)
            continue
        for blob in named:
            found = seen.blobs.get(blob.digest, Missing(gone=False, why="it was not asked for"))
            if blob.digest in told or found == blob.size:
                continue
            told.add(blob.digest)
            if isinstance(found, Missing):
                level: Level = "wrong" if found.gone else "unknown"
                message = f"blob {blob.digest} of {digest}: {found.why}"
            else:
                level, message = "wrong", f"blob {blob.digest} of {digest} has {found} bytes, not {blob.size}"
            yield Flaw(check="blobs", level=level, about=blob.digest, message=message)
