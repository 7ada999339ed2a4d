"""Counting what a batch will ask for: each thing once, in the order of work."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from audit.batch._images import Image, Index, Shelf
from audit.batch.model import BatchSource, Unit
from audit.batch.peers import Work, minutes_at
from audit.image.reference import Reference

ASSUMED_BLOBS = 46
"""Of an image of which nothing is known, where nothing is known of any other either: the mean of a fleet of 609."""
TOKEN_SECONDS = 270
"""That a token is good for: Docker Hub's 300 s, less what is kept back."""
ATTESTED_BLOBS = 2
"""Of an attestation: its config and one layer, as BuildKit makes it."""


class Stood(NamedTuple):
    """What a tag stands for, as far as the journal knows.

    Attributes:
        digest: of it.
        key: of the unit that we put there; empty: somebody else did.
    """

    digest: str
    key: str = ""


class Part(NamedTuple):
    """One repository's share of a unit, as Docker's clients would do it.

    Attributes:
        work: without what is not at hand.
        guessed: images of it that are not at hand.
        registry: of the target.
        nested: a source is an index.
        far: a source stands in another registry.
    """

    work: Work
    guessed: int
    registry: str
    nested: bool
    far: bool

    def whole(self, mean: float, fresh: float) -> Work:
        """With the images that are not at hand, as many blobs each as is usual, and as many of them new."""
        work, more = self.work, self.guessed * mean
        there = work.blobs_there + (more if work.unchanged else self.guessed * (mean - fresh))
        return replace(work, references=work.references + more, blobs=work.blobs + more, blobs_there=there)


@dataclass
class _Tally:
    """What the peers need to know of one share, added up."""

    flat: int = 0
    bare: int = 0
    guessed: int = 0
    references: int = 0
    nested: bool = False
    children: set[str] = field(default_factory=set)
    children_there: int = 0
    blobs: set[str] = field(default_factory=set)
    blobs_there: int = 0


@dataclass
class Counting:
    """A forecast under way: what was asked for, and what stands where after it.

    Attributes:
        shelf, present, stood, last: as `audit.batch.forecast.foretell` was given them.
        counts: requests by registry and kind.
        images: distinct ones at hand, of what changes: digest -> its blobs.
        guessed: those that are not at hand.
        bytes: that go through this machine.
        unchanged: tags that stand right.
        works: for the peers.
    """

    shelf: Shelf
    present: Callable[[str, str], bool]
    stood: Mapping[str, Stood]
    last: Callable[[Reference], str | None]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    images: dict[str, int] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    bytes: int = 0
    unchanged: int = 0
    works: list[Part] = field(default_factory=list)
    _asked: set[tuple[str, str]] = field(default_factory=set)
    _placed: set[tuple[str, str]] = field(default_factory=set)
    _guesses: Counter[tuple[str, str]] = field(default_factory=Counter)
    _brought: int = 0
    _fresh: int = 0

    def unit(self, unit: Unit) -> None:
        """One merge, all of its tags."""
        wanted: set[Reference] = set()
        for tag in unit.tags:
            stood = self.stood.get(str(tag))
            if stood is not None:
                self.counts[tag.registry, "HEAD manifest"] += 1
            if stood is not None and stood.key == unit.key:
                self.unchanged += 1
            else:
                wanted.add(tag)
        for target, tags in _by_repository(unit.tags).items():
            self._share(unit, target, tags, sum(tag in wanted for tag in tags))

    @property
    def mean(self) -> float:
        """Blobs of an image: of those at hand, attestations apart."""
        return sum(self.images.values()) / len(self.images) if self.images else ASSUMED_BLOBS

    @property
    def fresh(self) -> float:
        """Of them, those that nobody has brought before."""
        return min(self.mean, self._fresh / self._brought) if self._brought else self.mean

    def assume(self) -> None:
        """Count the blobs of what is not at hand, as if they shared as much as those at hand do."""
        fresh = self.fresh
        for (source, target), count in self._guesses.items():
            self._move(source, target, round(fresh * count))

    def tokens(self, rates: Mapping[str, float]) -> None:
        """A token at the beginning, and as often as one runs out until the last request."""
        totals: Counter[str] = Counter()
        for (registry, _), count in self.counts.items():
            totals[registry] += count
        for registry, count in totals.items():
            minutes = minutes_at(count, rates[registry]) if registry in rates else 0.0
            self.counts[registry, "token"] = max(1, math.ceil(minutes * 60 / TOKEN_SECONDS))

    # --------------------------------------------------------------- inside

    def _once(self, registry: str, kind: str, what: str) -> None:
        """Count what is asked for once in a batch."""
        if (kind, what) not in self._asked:
            self._asked.add((kind, what))
            self.counts[registry, kind] += 1

    def _move(self, source: str, target: str, count: int) -> None:
        """Blobs, from one registry to another or the same."""
        if source == target:
            self.counts[target, "POST mount"] += count
            return
        self.counts[source, "GET blob"] += count
        self.counts[target, "POST upload"] += count
        self.counts[target, "PUT upload"] += count

    def _share(self, unit: Unit, target: str, tags: Sequence[Reference], wanted: int) -> None:
        registry = tags[0].registry
        if wanted:
            self._once(registry, "GET tags", target)
            self.counts[registry, "PUT manifest"] += wanted
        tally = _Tally()
        for source in unit.entry.sources:
            self._source(unit, source, target, registry, tally, ask=wanted > 0)
        work = Work(
            sources=len(unit.entry.sources), flat=tally.flat, children=len(tally.children) + tally.guessed,
            references=tally.references, blobs=len(tally.blobs), bare=tally.bare, tags=len(tags),
            children_there=tally.children_there if wanted else len(tally.children) + tally.guessed,
            blobs_there=tally.blobs_there if wanted else len(tally.blobs), unchanged=not wanted,
        )  # fmt: skip
        far = any(source.reference.registry != registry for source in unit.entry.sources)
        self.works.append(Part(work, tally.guessed, registry, tally.nested, far))

    def _source(
        self, unit: Unit, source: BatchSource, target: str, registry: str, tally: _Tally, *, ask: bool
    ) -> None:  # fmt: skip
        """Its manifest, and all that it brings."""
        name = source.reference
        digest = name.digest or self.last(name)
        held = digest is not None and self.shelf.has(digest)
        if ask and not held:
            self._once(name.registry, "GET manifest", str(name))
        elif ask and name.digest is None:
            self._once(name.registry, "HEAD manifest", str(name))
        found = self.shelf.get(digest) if digest is not None and held else None
        if isinstance(found, Index):
            self._index(unit, source, found, target, registry, tally, ask=ask)
            return
        tally.flat += 1
        tally.bare += 1
        config = found.config if found else ""
        if ask and source.platform is None and not (config and self.shelf.has(config)):
            self._once(name.registry, "GET blob", f"config of {config or name}")
        copied = len(unit.entry.sources) == 1 and not unit.entry.prefer_index
        if found is not None:
            self._image(source, found, target, registry, tally, ask=ask, put=not copied)
        else:
            self._guess(source, str(name), target, registry, tally, ask=ask, put=not copied)

    def _index(
        self, unit: Unit, source: BatchSource, index: Index, target: str, registry: str, tally: _Tally, *, ask: bool
    ) -> None:  # fmt: skip
        tally.nested = True
        attested = set(index.attestations.values())
        tally.bare += sum(one not in attested for one in index.images)
        attestations = () if unit.entry.attest == "drop" else tuple(index.attestations)
        for digest in (*index.images, *attestations):
            if ask and not self.shelf.has(digest):
                self._once(source.reference.registry, "GET manifest", digest)
            image, attests = self.shelf.image(digest), digest in index.attestations
            if image is not None:
                self._image(source, image, target, registry, tally, ask=ask, attests=attests)
            else:
                self._guess(source, digest, target, registry, tally, ask=ask, attests=attests)

    def _image(
        self, source: BatchSource, image: Image, target: str, registry: str, tally: _Tally,
        *, ask: bool, put: bool = True, attests: bool = False,
    ) -> None:  # fmt: skip
        if image.digest in tally.children:
            return
        tally.children.add(image.digest)
        tally.references += image.references
        fresh = 0
        for digest, size in image.blobs.items():
            if digest in tally.blobs:
                continue
            tally.blobs.add(digest)
            if not ask:
                continue
            if self._there(source, target, digest):
                tally.blobs_there += 1
                continue
            fresh += 1
            self._move(source.reference.registry, registry, 1)
            self.bytes += size if source.reference.registry != registry else 0
        if not ask:
            return
        if not attests:
            self.images[image.digest] = image.references
            self._brought += 1
            self._fresh += fresh
        if put and self._there(source, target, image.digest):
            tally.children_there += 1
        elif put:
            self.counts[registry, "PUT manifest"] += 1

    def _guess(
        self, source: BatchSource, what: str, target: str, registry: str, tally: _Tally,
        *, ask: bool, put: bool = True, attests: bool = False,
    ) -> None:  # fmt: skip
        """An image that is not at hand; its blobs are counted when it is known what is usual."""
        if attests:
            tally.children.add(what)
            tally.references += ATTESTED_BLOBS
        else:
            tally.guessed += 1
        if not ask or (target, what) in self._placed:
            return
        self._placed.add((target, what))
        self.guessed.add(what)
        if source.reference.name == target or self.present(target, what):
            return
        self.counts[registry, "PUT manifest"] += put
        if attests:
            self._move(source.reference.registry, registry, ATTESTED_BLOBS)
        else:
            self._guesses[source.reference.registry, registry] += 1

    def _there(self, source: BatchSource, target: str, digest: str) -> bool:
        """Whether that repository has it; after this it has."""
        if (target, digest) in self._placed:
            return True
        self._placed.add((target, digest))
        return source.reference.name == target or self.present(target, digest)


def _by_repository(tags: Iterable[Reference]) -> dict[str, list[Reference]]:
    found: dict[str, list[Reference]] = {}
    for tag in tags:
        found.setdefault(tag.name, []).append(tag)
    return found
