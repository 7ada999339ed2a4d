"""What stands in the target repositories, and who is bringing the rest: each blob and child by one thread for all."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from audit.image.reference import Reference
from audit.store import Journal

Kind = Literal["blob", "manifest"]


class Place(NamedTuple):
    """A blob or a manifest in a repository.

    Attributes:
        registry, repository: where.
    """

    registry: str
    repository: str
    kind: Kind
    digest: str

    @classmethod
    def of(cls, target: Reference, kind: Kind, digest: str | None = None) -> Place:
        """In the repository of this reference, by its digest or the one given."""
        return cls(target.registry, target.repository, kind, digest or target.digest or "")


class Placing:
    """Who has what; may be used by many threads at once.

    What an earlier run saw there is believed (the journal knows for how long); a registry that has it no longer says so
    when it is given a manifest that names it, and it is forgotten (`gone`).
    """

    def __init__(self, journal: Journal, *, youngest: float) -> None:
        """Nothing is looked up yet; `youngest`: UNIX time before which nothing that was seen counts."""
        self._journal, self._youngest = journal, youngest
        self._here: set[Place] = set()
        self._ours: set[Place] = set()
        self._asked: set[Place] = set()
        self._coming: dict[Place, threading.Event] = {}
        self._lock = threading.Lock()

    def look(self, places: Sequence[Place]) -> None:
        """Ask the journal about those that it was not asked about before; all of one repository and kind."""
        with self._lock:
            fresh = [place for place in places if place not in self._asked]
            self._asked.update(fresh)
        if not fresh:
            return
        first = fresh[0]
        known = self._journal.known(
            first.registry, first.repository, first.kind, {place.digest for place in fresh}, youngest=self._youngest
        )
        with self._lock:
            self._here.update(place for place in fresh if place.digest in known)

    def missing(self, places: Iterable[Place]) -> list[Place]:
        """Those that do not stand there, as far as we know."""
        with self._lock:
            return [place for place in places if place not in self._here]

    def ours(self, digests: Iterable[str], target: Reference, kind: Kind) -> bool:
        """Whether we have brought all of these in this run: a registry that lacks them is only slow."""
        with self._lock:
            return all(Place.of(target, kind, digest) in self._ours for digest in digests)

    def take(self, places: Iterable[Place]) -> Place | threading.Event | None:
        """The first one that nobody has brought or is bringing: it is the caller's now, who says `here` or `lost`.

        Else what to wait for until some other thread has brought one of them, or could not; None: all are there.
        """
        coming = None
        with self._lock:
            for place in places:
                if place in self._here:
                    continue
                if place not in self._coming:
                    self._coming[place] = threading.Event()
                    return place
                coming = coming or self._coming[place]
        return coming

    def here(self, place: Place) -> None:
        """It stands there now; the journal is told."""
        self._journal.learn(place.registry, place.repository, place.kind, [place.digest])
        with self._lock:
            self._here.add(place)
            self._ours.add(place)
            self._done(place)

    def lost(self, place: Place) -> None:
        """It could not be brought: whoever waits for it may try."""
        with self._lock:
            self._done(place)

    def gone(self, places: Iterable[Place]) -> None:
        """The registry has said that it lacks these."""
        gone = list(places)
        with self._lock:
            self._here.difference_update(gone)
            self._ours.difference_update(gone)
        for place in gone:
            self._journal.forget(place.registry, place.repository, [place.digest])

    def _done(self, place: Place) -> None:
        event = self._coming.pop(place, None)
        if event is not None:
            event.set()
