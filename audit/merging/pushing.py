"""What one merge pushes: a blob, a child, a tag; each brought again where the registry turns out not to have it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from audit.engines.merge import Confirm, MergeStep, Mount, PutManifest
from audit.engines.merge.registry import blobs
from audit.image.reference import Reference
from audit.merging.hosts import Place
from audit.merging.told import Wanted
from audit.registry import Client, Denied, Invalid, MissingParts, NotAllowed, NotFound, RegistryError

T = TypeVar("T", Mount, PutManifest, Confirm)


@dataclass
class Doing:
    """One merge under way: what it is given, and what it has done.

    Attributes:
        begun: a program has run that changes something.
        mounted, streamed: blobs.
        pushed: children.
    """

    client: Client
    step: MergeStep
    engine: str
    place: Place
    connections: int
    tell: Callable[[str], None]
    wanted: Wanted
    begun: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    mounted: int = 0
    streamed: int = 0
    pushed: int = 0

    def count(self, *, mounted: int = 0, streamed: int = 0, pushed: int = 0) -> None:
        """Add to what was done; from any thread."""
        with self.lock:
            self.mounted += mounted
            self.streamed += streamed
            self.pushed += pushed


def counted(number: int, thing: str) -> str:
    """For people: ``1 blob``, ``8 blobs``."""
    return f"{number} {thing}{'s' if number != 1 else ''}"


def at_once(doing: Doing, many: Sequence[T], work: Callable[[T], None]) -> None:
    """Do all of them, the first one alone where a registry has not yet asked who we are; the first failure ends it."""
    rest, met = list[T](), set(doing.client.challenges)
    for one in many:
        if one.target.registry in met:
            rest.append(one)
        else:
            met.add(one.target.registry)
            work(one)
    if not rest:
        return
    with ThreadPoolExecutor(min(doing.connections, len(rest)), thread_name_prefix="merge") as pool:
        waiting = [pool.submit(work, one) for one in rest]
        try:
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def mount_one(doing: Doing, mount: Mount, *, again: bool = False) -> None:
    """Have one blob there: mounted, or else streamed."""
    client, digest = doing.client, mount.source.digest or ""
    session = None
    if not mount.streamed and not again:
        try:
            session = client.mount(mount.target, digest, mount.source)
        except (Denied, Invalid, NotAllowed, NotFound):
            pass  # the account may not do both at once, or the registry does not mount; a copy then says what is wrong
        else:
            if session is None:
                doing.count(mounted=1)
                return
    client.copy(mount.source, mount.target, digest, mount.size, session=session)
    doing.count(streamed=1)


def push_child(doing: Doing, put: PutManifest) -> None:
    """One image or attestation, by its digest."""
    for last in (False, True):
        try:
            doing.client.put(put.target, put.media_type, put.raw)
        except MissingParts as error:
            if last or not _bring_again(doing, put, error.digests):
                raise
        else:
            doing.count(pushed=1)
            return


def _bring_again(doing: Doing, put: PutManifest, digests: Iterable[str]) -> bool:
    """Stream the blobs that the registry said to have, and has not; False where there are none."""
    source = _source_of(doing, put.digest)
    missing = set(digests)
    found = [blob for blob in blobs(put.raw) if not missing or blob.digest in missing]
    if source is None or not found:
        return False
    doing.tell(f"bringing {counted(len(found), 'blob')} of {put.target.familiar} again")

    wanted = [Mount(target=put.target.at(blob.digest), source=source.at(blob.digest), size=blob.size) for blob in found]
    at_once(doing, wanted, lambda mount: mount_one(doing, mount, again=True))
    return True


def _source_of(doing: Doing, digest: str) -> Reference | None:
    merged = doing.step.merged
    if merged.digest == digest:
        return merged.source
    return next((child.source for child in merged.children if child.digest == digest), None)


def push_tag(doing: Doing, put: PutManifest) -> None:
    """The last step: what a registry may refuse although the tag stands right is looked at once more."""
    try:
        _put_tag(doing, put)
    except (NotAllowed, Denied, Invalid) as error:
        try:
            same = doing.client.head(put.target).digest == put.digest
        except RegistryError:
            same = False
        if not same:
            raise
        doing.tell(f"{put.target.familiar} stands already, and may not be written again ({error.slug})")


def _put_tag(doing: Doing, put: PutManifest) -> None:
    for last in (False, True):
        try:
            doing.client.put(put.target, put.media_type, put.raw)
        except MissingParts as error:
            if last:
                raise
            if doing.step.merged.flat:
                if not _bring_again(doing, put, error.digests):
                    raise
            else:
                _children_again(doing, put.target, error.digests)
        else:
            return


def _children_again(doing: Doing, tag: Reference, digests: Iterable[str]) -> None:
    """Push the children that the registry said to have, and has not."""
    missing = set(digests)
    for child in doing.step.merged.children:
        if child.raw is not None and (not missing or child.digest in missing):
            put = PutManifest(
                target=tag.at(child.digest), media_type=child.descriptor.media_type, digest=child.digest, raw=child.raw
            )
            push_child(doing, put)
