"""The sources' manifests: each asked for once in a batch, and not at all where its bytes are at hand."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.batch import BatchSource, Unit
from audit.batching.shared import Shared
from audit.image.blobs import blobs
from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import EVERY, INDEXES
from audit.image.merged import MergeRefused, Source
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.merging import Asked, platform_of, resolve
from audit.merging.resolving import config_of
from audit.registry import NotFound


@dataclass
class _Flight:
    """One name that is being read, or was: a failure is told to all that waited for it, and then forgotten."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    digest: str | None = None


class Reader:
    """What is known of the sources. May be used by many threads at once."""

    def __init__(self, shared: Shared) -> None:
        """Nothing is read yet."""
        self._shared = shared
        self._fresh: dict[str, bytes] = {}
        self._flights: dict[Reference, _Flight] = {}
        self._platforms: dict[str, Platform] = {}
        self._configs: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def digest_of(self, source: BatchSource, *, attestations: bool) -> str:
        """Have a source's manifest, and its children's where it is an index, at hand; returns its digest.

        Raises:
            MergeRefused: its index names what is not there.
            RegistryError: it cannot be read.
        """
        try:
            digest = self._top(source.reference)
        except NotFound as error:
            raise MergeRefused(
                f"{source} is not there ({error.slug}, HTTP {error.status}); push it, or wait for its build, and give "
                "the same command again"
            ) from None
        raw = self.raw(digest)
        for child in _children(raw, attestations=attestations) if raw is not None else ():
            try:
                self._top(source.reference.at(child))
            except NotFound:
                raise MergeRefused(
                    f"{source}: its index names {child}, which is not in {source.reference.name}; push that image again"
                ) from None
        return digest

    def require(self, sources: Sequence[BatchSource]) -> None:
        """Begin with no source where the registry's pulls do not suffice for all of them: a part of them is of no use.

        Raises:
            PullQuota: they do not.
        """
        need = Counter(
            one.reference.registry for one in sources
            if one.reference.digest is None or self.raw(one.reference.digest) is None
        )  # fmt: skip
        for registry, count in need.items():
            self._shared.client.require_pulls(registry, count)

    def raw(self, digest: str) -> bytes | None:
        """A manifest's bytes, where they are at hand."""
        with self._lock:
            fresh = self._fresh.get(digest)
        return fresh if fresh is not None else self._shared.kept.get(digest)

    def sources(self, unit: Unit) -> tuple[Source, ...]:
        """A unit's sources; what `digest_of` has read is not asked for again.

        Raises:
            MergeRefused, RegistryError: as `audit.merging.resolve`.
        """
        entry = unit.entry
        keep = entry.attest != "drop"
        asked = [self._asked(one, self.digest_of(one, attestations=keep)) for one in entry.sources]
        with self._lock:
            fresh = dict(self._fresh)
        return resolve(self._shared.client, asked, attestations=keep, kept=self._shared.kept, known=fresh,
                       connections=1)  # fmt: skip

    def blobs_of(self, unit: Unit) -> frozenset[str]:
        """Digests of all blobs of a unit's images and attestations, as far as their manifests are at hand."""
        found: set[str] = set()
        for source in unit.entry.sources:
            digest = self._known(source.reference)
            raw = self.raw(digest) if digest else None
            for one in (
                (raw, *(self.raw(child) for child in _children(raw, attestations=unit.entry.attest != "drop")))
                if raw
                else ()
            ):
                if one is not None:
                    found |= _blobs(one)
        return frozenset(found)

    def children_of(self, unit: Unit) -> frozenset[str]:
        """Digests of all its images and attestations, as far as their manifests are at hand."""
        found: set[str] = set()
        for source in unit.entry.sources:
            digest = self._known(source.reference)
            raw = self.raw(digest) if digest else None
            if digest and raw is not None:
                found |= set(_children(raw, attestations=unit.entry.attest != "drop")) or {digest}
        return frozenset(found)

    def forget(self) -> None:
        """Let go of the bytes that were read: another window begins."""
        with self._lock:
            self._fresh.clear()
            self._flights.clear()

    def _asked(self, source: BatchSource, digest: str) -> Asked:
        """By digest, with the platform of a flat image: told by the plan, or by its config, which is read once."""
        reference, platform, raw = source.reference.at(digest), source.platform, self.raw(digest)
        if platform is None and raw is not None and not _is_index(raw):
            config = config_of(raw, str(source)).digest
            with self._lock:
                lock = self._configs.setdefault(config, threading.Lock())
            with lock:
                platform = self._platforms.get(config)
                if platform is None:
                    shared = self._shared
                    platform = platform_of(shared.client, shared.kept, reference, raw, str(source))
                    self._platforms[config] = platform
        return Asked(reference, wanted=source.platform, platform=platform, given=str(source))

    def _known(self, name: Reference) -> str | None:
        if name.digest is not None:
            return name.digest
        with self._lock:
            flight = self._flights.get(name)
        return flight.digest if flight else None

    def _top(self, name: Reference) -> str:
        if name.digest is not None and self.raw(name.digest) is not None:
            return name.digest
        with self._lock:
            flight = self._flights.setdefault(name, _Flight())
        with flight.lock:
            if flight.digest is None or self.raw(flight.digest) is None:
                flight.digest = self._read(name)
        return flight.digest

    def _read(self, name: Reference) -> str:
        shared = self._shared
        shared.check()
        note = f"{name.name}:{name.wanted}"
        if name.digest is None and (last := shared.kept.last(note)) is not None and shared.kept.get(last) is not None:
            now = shared.client.head(name).digest  # no pull, where a registry counts these
            if now == last or shared.kept.get(now) is not None:
                shared.kept.remember(note, now)
                return now
        found = shared.client.manifest(name)
        with self._lock:
            self._fresh[found.digest] = found.raw
        if isinstance(found.body.get("mediaType"), str):  # else what is kept would not say what it is
            shared.kept.put(found.digest, found.raw)
        if name.digest is None:
            shared.kept.remember(note, found.digest)
        return found.digest


def _is_index(raw: bytes) -> bool:
    try:
        body = json.loads(raw)
        return body.get("mediaType") in INDEXES or isinstance(body.get("manifests"), list)
    except (ValueError, AttributeError, RecursionError):
        return False


def _children(raw: bytes | None, *, attestations: bool) -> Sequence[str]:
    """Digests of an index's images, and of their attestations; none of what is no index or cannot be read."""
    try:
        body = json.loads(raw or b"{}")
        rows = body.get("manifests") if body.get("mediaType") in (None, *INDEXES) else None
    except (ValueError, AttributeError, RecursionError):
        return ()
    found = []
    for row in rows if isinstance(rows, list) else ():
        try:
            one = Descriptor.read(row)
        except BadDescriptor:
            continue
        if one.media_type in EVERY and one.media_type not in INDEXES and (attestations or one.attests is None):
            found.append(one.digest)
    return found


def _blobs(raw: bytes) -> set[str]:
    try:
        return {blob.digest for blob in blobs(raw)}
    except BadDescriptor:
        return set()
