"""Blobs: asked for and read, their digests checked on the way.

distribution-spec, section Pulling blobs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from audit.image.reference import Reference, digest_fault
from audit.registry.calls import Ask, Calls, about, api
from audit.registry.failures import (
    BlobUnknown,
    Call,
    DigestMismatch,
    Garbled,
    Invalid,
    TooLong,
    Unreachable,
)
from audit.registry.retry import ONCE, Retry
from audit.registry.scopes import scope
from audit.registry.transport import Open

_CHUNK = 64 * 1024


class Blobs(Calls):
    """Calls about blobs. A `name`'s tag and digest do not count here, only its repository."""

    def blob_size(self, name: Reference, digest: str) -> int | None:
        """Bytes of a blob in a repository, or None where it is not there: one HEAD.

        Raises:
            RegistryError: see `audit.registry.failures`.
        """
        ask = self._blob(name, digest, "HEAD")
        try:
            answer = self._ask(ask, 200)
        except BlobUnknown:
            return None
        said = answer.headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,15}", said):
            raise Garbled(ask.call, "the registry says no size", "check what answers there")
        return int(said)

    def blob(self, name: Reference, digest: str, size: int) -> Iterator[bytes]:
        """A blob's bytes, as they come: one GET, and one more where that redirects.

        The last bytes come only after size and digest of all were found right.

        Args:
            name: its repository.
            digest: of the whole.
            size: bytes of the whole, as its descriptor says.

        Raises:
            BlobUnknown: it is not there.
            DigestMismatch: other bytes came.
            TooLong: more bytes came; at most one more was read.
            Unreachable: it broke off, or came too slowly.
            RegistryError: see `audit.registry.failures`.
        """
        yield from self._stream(name, digest, size, self.options.retry)

    def blob_bytes(self, name: Reference, digest: str, size: int, *, limit: int = 16 * 1024 * 1024) -> bytes:
        """A small blob, whole: a config.

        Raises:
            TooLong: it has more than `limit` bytes; nothing was asked.
            RegistryError: as `blob`.
        """
        call = about("GET blob", name, digest)
        if size > limit:
            raise TooLong(call, f"it has {size} bytes; {limit} are read at most", "check what it is")
        return self.options.retry.call(lambda: b"".join(self._stream(name, digest, size, ONCE)))

    # ------------------------------------------------------------------- inside

    def _stream(self, name: Reference, digest: str, size: int, retry: Retry) -> Iterator[bytes]:
        ask = self._blob(name, digest, "GET", seconds=self._patience(size))
        with retry.call(lambda: self._begun(ask)) as answer:
            yield from checked(ask.call, digest, size, self._counted(answer, size))

    def _blob(self, name: Reference, digest: str, method: str, seconds: float | None = None) -> Ask:
        call = about(f"{method} blob", name, digest)
        sound(call, digest)
        return Ask(
            call, method, name.registry, api(name, "blobs", digest), (scope(name.repository, "pull"),), seconds=seconds
        )

    def _begun(self, ask: Ask) -> Open:
        answer = self._open(ask)
        if answer.status != 200:
            with answer:
                self._fail(ask, answer)
        return answer

    def _counted(self, answer: Open, size: int) -> Iterator[bytes]:
        left = size + 1
        while left > 0 and (data := answer.read(min(left, _CHUNK))):
            left -= len(data)
            self._books.moved(read=len(data))
            yield data

    def _patience(self, size: int) -> float:
        return self.options.answer + size / self.options.slowest


def checked(call: Call, digest: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same chunks; the last one only after all of them were found to have this size and digest.

    Raises:
        DigestMismatch, TooLong, Unreachable: they have not.
    """
    hashed = hashlib.new(digest.partition(":")[0])
    kept, count = b"", 0
    for data in chunks:
        count += len(data)
        if count > size:
            raise TooLong(call, f"more than its {size} bytes come", "its descriptor or the blob is wrong")
        hashed.update(data)
        if kept:
            yield kept
        kept = data
    if count < size:
        raise Unreachable(call, f"only {count} of its {size} bytes came", "try again")
    if hashed.hexdigest() != digest.partition(":")[2]:
        raise DigestMismatch(call, f"the bytes have the digest {hashed.name}:{hashed.hexdigest()}", "do not use them")
    if kept:
        yield kept


def sound(call: Call, digest: str) -> None:
    """Check a digest that we were given.

    Raises:
        Invalid: it is none.
    """
    if fault := digest_fault(digest):
        raise Invalid(call, fault, "give the blob's digest")
