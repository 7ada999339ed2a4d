"""One set of sources on its way to its tags: what is missing is brought, then the children, then each tag."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from audit.batching.placing import Kind, Place, Placing
from audit.batching.shared import Shared
from audit.engines.merge import Confirm, MergeHost, MergeStep, Mount, PutManifest, all_engines
from audit.engines.merge.registry import blobs
from audit.errors import StepError
from audit.image.reference import Reference
from audit.merging.hosts import Place as Host
from audit.merging.pushing import Doing, mount_one
from audit.merging.told import Wanted
from audit.registry import Invalid, MissingParts, NotFound

LAG = (1.0, 3.0, 9.0)
"""Seconds between rounds where a registry says that it lacks what it has just taken; then it is a failure."""
_ROUNDS = 8
"""So often is a manifest put at most; a registry may name what it lacks little by little."""
_RACES = ("quay.io",)
"""Registries that take one manifest under two names at once for a wrong one (jib#2470, buildah#2594)."""


@dataclass
class Bringing:
    """One unit's step, with what it needs by place.

    Attributes:
        helpers: threads that bring its blobs.
        belief: of a repository, the share of blobs nobody told us about that turned out to stand there.
    """

    shared: Shared
    placing: Placing
    step: MergeStep
    helpers: int = 1
    belief: dict[str, float] = field(default_factory=dict)
    mounts: dict[Place, Mount] = field(default_factory=dict)
    children: list[PutManifest] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sort the engine's actions."""
        self._doing = Doing(
            self.shared.client, self.step, "registry", Host(), 1, self.shared.tell,
            Wanted(self.step.merged.digest, self.step.merged.raw),
        )  # fmt: skip
        self._confirms: list[Confirm] = []
        self._tags: dict[Reference, PutManifest] = {}
        for action in all_engines()["registry"].actions(self.step, MergeHost()):
            if isinstance(action, Mount):
                self.mounts[Place.of(action.target, "blob")] = action
            elif isinstance(action, PutManifest) and action.target.digest is not None:
                self.children.append(action)
            elif isinstance(action, PutManifest):
                self._tags[action.target] = action
            elif isinstance(action, Confirm) and action.target.digest is not None:
                self._confirms.append(action)

    def bring(self) -> None:
        """Everything but the tags.

        Raises:
            StepError: something cannot be brought.
        """
        for confirm in self._confirms:
            self._still_there(confirm)
        for target in self.step.targets:
            into = next(tag for tag in self.step.tags if tag.name == target)
            children = [put for put in self.children if put.target.name == target]
            self.placing.look([Place.of(put.target, "manifest") for put in children])
            self.placing.look([place for place in self.mounts if _in(place, into)])
            for put in children:  # images come before attestations, as the engine has them
                self._child(put)
        if self.step.merged.flat:
            for tag in self.step.tags:
                self._blobs(self._of(self.step.merged.raw, tag))

    def tag(self, tag: Reference) -> None:
        """Write one tag; children and blobs that the registry turns out to lack are brought again.

        Raises:
            StepError: the registry does not take it.
        """
        put = self._tags[tag]

        def again(digests: tuple[str, ...]) -> None:
            if self.step.merged.flat:
                self._again(put.raw, tag, digests)
                return
            some = [
                child for child in self.children
                if child.target.name == tag.name and (not digests or child.digest in digests)
            ]  # fmt: skip
            self.placing.gone([Place.of(child.target, "manifest") for child in some])
            for child in some:
                self._child(child)

        kind: Kind = "blob" if self.step.merged.flat else "manifest"
        self._rounds(lambda: self._put(put), again, lambda missing: self.placing.ours(missing, tag, kind))

    # ------------------------------------------------------------------- inside

    def _still_there(self, confirm: Confirm) -> None:
        try:
            self.shared.client.head(confirm.target)
        except NotFound:
            raise StepError(
                f"{confirm.target.familiar} was there in an earlier run, but is there no longer, so nothing was "
                "tagged; push that image again"
            ) from None

    def _child(self, put: PutManifest) -> None:
        place = Place.of(put.target, "manifest")
        while (taken := self.placing.take([place])) is not None:
            if isinstance(taken, threading.Event):
                self._wait(taken)
                continue
            try:
                self._push(put)
            except BaseException:
                self.placing.lost(place)
                raise
            self.placing.here(place)
            return

    def _push(self, put: PutManifest) -> None:
        """A child's blobs, and the child: the other way round where its blobs are believed to stand there."""
        wanted = self._of(put.raw, put.target)
        unknown = self.placing.missing(wanted)
        target = put.target.name
        if len(unknown) * self.belief.get(target, 0.0) > 1.0:
            try:
                self._put(put)
            except MissingParts as error:
                lacking = {place for place in unknown if place.digest in error.digests}
                if len(lacking) < 2:  # some registries name only the first that they lack
                    lacking = set(unknown)
                self.belief[target] = 1.0 - len(lacking) / len(unknown)
                self.placing.gone([place for place in wanted if place.digest in error.digests])
                for place in unknown:
                    if place not in lacking:
                        self.placing.here(place)
            else:
                for place in unknown:
                    self.placing.here(place)
                return
        self._blobs(wanted)
        self._rounds(
            lambda: self._put(put),
            lambda digests: self._again(put.raw, put.target, digests),
            lambda missing: self.placing.ours(missing, put.target, "blob"),
        )

    def _rounds(
        self,
        do: Callable[[], None],
        again: Callable[[tuple[str, ...]], None],
        ours: Callable[[tuple[str, ...]], bool],
    ) -> None:
        """Until the registry has all that a manifest names.

        Where it lacks what it has just taken, it is waited for, the first time without bringing that again.
        """
        pauses = list(LAG)
        for number in range(_ROUNDS):
            try:
                do()
            except MissingParts as error:
                slow = ours(error.digests) if error.digests else number > 0
                if number == _ROUNDS - 1 or (slow and not pauses):
                    raise
                if slow:
                    self.shared.pause(pauses.pop(0), "lag")
                if not slow or len(pauses) < len(LAG) - 1:
                    again(error.digests)
            else:
                return

    def _again(self, raw: bytes, target: Reference, digests: tuple[str, ...]) -> None:
        """Bring the blobs that the registry was believed to have, and has not; only those that it names."""
        wanted = self._of(raw, target)
        missing = [place for place in wanted if place.digest in digests] or wanted
        self.placing.gone(missing)
        self._blobs(missing)

    def _of(self, raw: bytes, target: Reference) -> list[Place]:
        """The places of a manifest's blobs that have to be brought; none where they stand there by themselves."""
        places = [Place.of(target, "blob", blob.digest) for blob in blobs(raw)]
        return [place for place in dict.fromkeys(places) if place in self.mounts]

    def _blobs(self, places: Sequence[Place]) -> None:
        if self.helpers > 1 and len(self.placing.missing(places)) > 1:
            with ThreadPoolExecutor(self.helpers, thread_name_prefix="blobs") as pool:
                for future in [pool.submit(copy_context().run, self._work, places) for _ in range(self.helpers)]:
                    future.result()
        else:
            self._work(places)

    def _work(self, places: Iterable[Place]) -> None:
        """Bring what nobody has brought or is bringing, one by one; then wait for what others bring."""
        many = list(places)
        while (taken := self.placing.take(many)) is not None:
            if isinstance(taken, threading.Event):
                self._wait(taken)
                continue
            try:
                self.shared.check()
                mount_one(self._doing, self.mounts[taken])
            except BaseException:
                self.placing.lost(taken)
                raise
            self.placing.here(taken)

    def _wait(self, event: threading.Event) -> None:
        while not event.wait(0.2):
            self.shared.check()

    def _put(self, put: PutManifest) -> None:
        client = self.shared.client
        self.shared.check()
        try:
            client.put(put.target, put.media_type, put.raw)
        except Invalid:
            if put.target.registry not in _RACES:
                raise
            with self.shared.lock:
                client.put(put.target, put.media_type, put.raw)


def _in(place: Place, into: Reference) -> bool:
    return (place.registry, place.repository) == (into.registry, into.repository)
