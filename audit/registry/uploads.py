"""Blobs on their way into a registry: mounted from another repository, or pushed, whole or in chunks.

distribution-spec, sections Pushing blobs and Mounting a blob from another repository.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from audit.image.reference import Reference, digest_fault
from audit.registry.blobs import Blobs, checked, sound
from audit.registry.calls import Ask, Body, about, api
from audit.registry.failures import Call, DigestMismatch, Garbled, Headers, Invalid, UploadLost
from audit.registry.retry import ONCE
from audit.registry.scopes import scope
from audit.registry.urls import follow

_STREAM = {"Content-Type": "application/octet-stream"}
_EMPTY = {"Content-Length": "0"}
_SAME_CHUNK = 3
"""So often is one chunk sent before the whole upload is begun again."""


@dataclass(frozen=True, slots=True)
class Session:
    """A begun upload.

    Attributes:
        url: where the bytes go; may hold a signature, so it does not show.
        least: bytes that a chunk must have at least, where the registry said so (OCI-Chunk-Min-Length).
    """

    url: str = field(repr=False)
    least: int = 0


class Uploads(Blobs):
    """Calls that put blobs into a registry. A `name`'s tag and digest do not count here, only its repository."""

    def mount(self, name: Reference, digest: str, source: Reference) -> Session | None:
        """Have a blob of another repository in this one, without moving its bytes: one POST, no HEAD before.

        Args:
            name: where it is to be.
            digest: which.
            source: where it is, in the same registry.

        Returns:
            None where it is there now (201); else the upload that the registry has begun instead (202), for `upload`.

        Raises:
            Denied: one of the two repositories may not be used so.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("POST mount", name, digest)
        if source.registry != name.registry:
            raise Invalid(call, f"{source.registry} is another registry", "copy the blob")
        sound(call, digest)
        query = urlencode({"mount": digest, "from": source.repository}, safe=":/")
        scopes = (scope(name.repository, "pull", "push"), scope(source.repository, "pull"))
        ask = Ask(call, "POST", name.registry, api(name, "blobs", f"uploads/?{query}"), scopes, _EMPTY)
        answer = self._ask(ask, 201, 202)
        return None if answer.status == 201 else self._session(ask, answer.headers, self._url(ask))

    def begin(self, name: Reference) -> Session:
        """Begin an upload: one POST.

        Raises:
            RegistryError: see `audit.registry.failures`.
        """
        call = about("POST upload", name)
        scopes = (scope(name.repository, "pull", "push"),)
        ask = Ask(call, "POST", name.registry, api(name, "blobs", "uploads/"), scopes, _EMPTY)
        return self._session(ask, self._ask(ask, 202).headers, self._url(ask))

    def upload(
        self,
        name: Reference,
        digest: str,
        size: int,
        body: Body,
        *,
        session: Session | None = None,
        chunk: int | None = None,
    ) -> None:
        """Push a blob: one PUT, or a PATCH a chunk and an empty PUT.

        Args:
            name: its repository.
            digest: of the whole; checked here before the last bytes are sent, and by the registry.
            size: bytes of the whole; likewise.
            body: its bytes, or a function that begins to give them: called again where the push is tried again.
            session: from `mount` or `begin`; None begins one.
            chunk: bytes of a chunk; None sends all in one request.

        Raises:
            DigestMismatch: the bytes given are not those of the digest; nothing is left in the registry.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("PUT upload", name, digest)
        sound(call, digest)
        if isinstance(body, bytes):
            if len(body) != size:
                raise Invalid(call, f"{len(body)} bytes are given, where the descriptor has {size}", "mend it")
            for _ in checked(call, digest, size, [body]):
                pass
        waiting = [session] if session else []

        def once() -> None:
            place = waiting.pop() if waiting else self.begin(name)
            chunks = [body] if isinstance(body, bytes) else body()
            if chunk is None:
                self._whole(name, digest, size, chunks, place)
            else:
                self._in_chunks(name, digest, size, chunks, place, max(chunk, place.least, 1))

        self.options.retry.call(once)

    def copy(
        self, source: Reference, name: Reference, digest: str, size: int, *, session: Session | None = None
    ) -> None:
        """Stream a blob from one repository, of any registry, into another one; it is never whole in memory.

        Raises:
            RegistryError: as `blob` and `upload`.
        """
        self.upload(name, digest, size, lambda: self.blob(source, digest, size), session=session)

    # ------------------------------------------------------------------- inside

    def _url(self, ask: Ask) -> str:
        return ask.path if "://" in ask.path else self.options.base(ask.registry) + ask.path

    @staticmethod
    def _session(ask: Ask, headers: Headers, url: str) -> Session:
        where = headers.get("location")
        if not where:
            raise Garbled(ask.call, "the registry began an upload without saying where", "check what answers there")
        least = headers.get("oci-chunk-min-length", "")
        return Session(follow(url, where, ask.call), int(least) if re.fullmatch("[0-9]{1,10}", least) else 0)

    def _put(self, name: Reference, digest: str, size: int, place: Session, body: Body | None) -> None:
        call = about("PUT upload", name, digest)
        url = f"{place.url}{'&' if '?' in place.url else '?'}{urlencode({'digest': digest}, safe=':')}"
        headers = {**_STREAM, "Content-Length": str(size)} if body is not None else _EMPTY
        ask = Ask(call, "PUT", name.registry, url, (scope(name.repository, "pull", "push"),), headers, body,
                  self._patience(size))  # fmt: skip
        answer = self._ask(ask, 201, 204, retry=ONCE)
        said = answer.headers.get("docker-content-digest", digest)
        if said != digest and not digest_fault(said) and said.partition(":")[0] == digest.partition(":")[0]:
            raise DigestMismatch(call, f"the registry took the bytes for {said}", "push it again")

    def _whole(self, name: Reference, digest: str, size: int, chunks: Iterable[bytes], place: Session) -> None:
        call = about("PUT upload", name, digest)
        given = [checked(call, digest, size, chunks)]

        def begin() -> Iterable[bytes]:
            if not given:  # a login was asked for after the bytes had gone
                raise UploadLost(call, "the registry wants to know anew who sends this", "begin the upload again")
            return self._sending(given.pop())

        self._put(name, digest, size, place, begin)

    def _sending(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for data in chunks:
            yield data
            self._books.moved(sent=len(data))

    def _in_chunks(
        self, name: Reference, digest: str, size: int, chunks: Iterable[bytes], place: Session, most: int
    ) -> None:
        call = about("PATCH upload", name, digest)
        start = 0
        for data in _regrouped(checked(call, digest, size, chunks), most):
            place = self._patch(name, call, place, start, data)
            start += len(data)
            self._books.moved(sent=len(data))
        self._put(name, digest, size, place, None)

    def _patch(self, name: Reference, call: Call, place: Session, start: int, data: bytes) -> Session:
        end = start + len(data) - 1
        scopes = (scope(name.repository, "pull", "push"),)
        headers = {**_STREAM, "Content-Range": f"{start}-{end}"}
        places = [place]

        def once() -> Session:
            if len(places) > 1:  # a second time: how far did the first one get?
                places.pop()
                look = Ask(call._replace(kind="GET upload"), "GET", name.registry, places[0].url, scopes)
                told = self._ask(look, 204, 200, retry=ONCE)
                places[0] = self._session(look, {"location": places[0].url, **told.headers}, places[0].url)
                got = re.fullmatch("(?:bytes=)?0-([0-9]{1,15})", told.headers.get("range", ""))
                there = int(got[1]) + 1 if got else 0
                if there == end + 1:
                    return places[0]
                if there not in (start, 1 if start == 0 else start):  # an empty upload is told as 0-0
                    raise UploadLost(call, f"the upload has {there} bytes where {start} were sent", "begin it again")
            places.append(place)
            ask = Ask(call, "PATCH", name.registry, places[0].url, scopes, headers, data, self._patience(len(data)))
            return self._session(ask, self._ask(ask, 202, retry=ONCE).headers, places[0].url)

        few = min(self.options.retry.tries, _SAME_CHUNK)
        return dataclasses.replace(self.options.retry, tries=few).call(once)


def _regrouped(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly so many, but the last one."""
    waiting = bytearray()
    for data in chunks:
        waiting += data
        while len(waiting) >= most:
            yield bytes(waiting[:most])
            del waiting[:most]
    if waiting:
        yield bytes(waiting)
