"""Manifests: their heads, their bytes, and what one name stands for, children included.

distribution-spec, sections Pulling manifests, Pushing Manifests and Content Management (deleting).
"""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from urllib.parse import quote

from pydantic import Field

from audit.image.arrived import Arrived, BadManifest
from audit.image.media import EVERY, INDEXES
from audit.image.reference import Reference, digest_fault
from audit.registry._said import one_line
from audit.registry.answers import from_answer
from audit.registry.calls import Ask, Calls, about, api
from audit.registry.failures import (
    Call,
    DigestMismatch,
    Garbled,
    Headers,
    Invalid,
    ManifestUnknown,
    NotARegistry,
    TooLong,
)
from audit.registry.scopes import scope
from audit.value import Model

MOST_BYTES = 4 * 1024 * 1024
"""Of a manifest: what registries take at most (distribution-spec, Pushing Manifests)."""
MOST_FETCHED = 64
"""Children of an index that are read to tell what arrived."""
_ACCEPT = ", ".join(EVERY)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")


class Head(Model):
    """What a registry says of a manifest without sending it.

    Attributes:
        media_type: as served.
        digest: as the registry says; not proved.
        size: bytes.
    """

    media_type: str
    digest: str
    size: int


class Manifest(Model):
    """A manifest or an index as served, its digest proved over its bytes.

    Attributes:
        media_type: one of the four.
        digest: the one asked for, else SHA-256 over the bytes.
        raw: exactly what was served: children are pushed again byte for byte.
    """

    media_type: str
    digest: str
    raw: bytes = Field(repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.raw)

    @property
    def body(self) -> dict[str, Any]:
        """The manifest, read."""
        body: dict[str, Any] = json.loads(self.raw)
        return body

    @property
    def is_index(self) -> bool:
        """Whether it is an index or a Docker manifest list."""
        return self.media_type in INDEXES


class Manifests(Calls):
    """Calls about manifests."""

    def head(self, name: Reference) -> Head:
        """What stands under a name: one HEAD, which Docker Hub does not count as a pull.

        An older registry may leave the digest out; then the manifest itself is read.

        Raises:
            ManifestUnknown: nothing stands there.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("HEAD manifest", name, name.wanted)
        answer = self._ask(_read(call, "HEAD", name), 200)
        digest = answer.headers.get("docker-content-digest", "")
        size = answer.headers.get("content-length", "")
        kind = _kind(answer.headers)
        if digest_fault(digest) or not re.fullmatch("[0-9]{1,12}", size) or kind not in EVERY:
            whole = self.manifest(name)
            return Head(media_type=whole.media_type, digest=whole.digest, size=whole.size)
        if name.digest is not None and name.digest.partition(":")[0] == digest.partition(":")[0]:
            _same(call, name.digest, digest)
        return Head(media_type=kind, digest=digest, size=int(size))

    def manifest(self, name: Reference) -> Manifest:
        """A manifest's bytes: one GET, which Docker Hub counts as a pull.

        Raises:
            ManifestUnknown: nothing stands there.
            DigestMismatch: the bytes are not those asked for, or not those that the registry says they are.
            Garbled: it is no manifest, or says another type than it was served as.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("GET manifest", name, name.wanted)
        answer = self._ask(_read(call, "GET", name), 200, limit=MOST_BYTES)
        said = answer.headers.get("docker-content-digest", "")
        for digest in (name.digest, said):
            if digest and not digest_fault(digest):
                _same(call, digest, _digest(digest.partition(":")[0], answer.body))
        kind = _kind(answer.headers)
        if "html" in kind:
            raise NotARegistry(call, "a web page came instead of a manifest", "check the registry's address")
        inner = _said(call, answer.body)
        if kind not in EVERY and isinstance(inner, str) and inner in EVERY and kind in _VAGUE:
            kind = inner  # served as plain JSON, but it says itself what it is
        if kind not in EVERY:
            raise Garbled(call, f"what stands there has the type {one_line(kind, limit=100) or 'of nothing'}",
                          "only Docker's and OCI's manifests and indexes can be used; build it anew")  # fmt: skip
        if inner not in (None, kind):
            raise Garbled(call, f"it was served as {kind}, but says that it is {one_line(str(inner), limit=100)}",
                          "push it again")  # fmt: skip
        return Manifest(media_type=kind, digest=name.digest or _digest("sha256", answer.body), raw=answer.body)

    def arrived(self, name: Reference) -> Arrived:
        """What a push left under a name: the manifest, and for an index its children's manifests, at most 64 of them.

        A child that is not there is told as not read (`Entry.artifact` is None).

        Raises:
            ManifestUnknown: nothing stands there.
            Garbled: it is no manifest that a push could have left.
            RegistryError: see `audit.registry.failures`.
        """
        top = self.manifest(name)
        call = about("GET manifest", name, name.wanted)
        try:
            first = Arrived.of(top.media_type, top.raw)
            wanted = [entry.digest for entry in first.entries if entry.media_type in EVERY]
            if not wanted:
                return first
            return Arrived.of(top.media_type, top.raw, self._children(name, list(dict.fromkeys(wanted))[:MOST_FETCHED]))
        except BadManifest as error:
            raise Garbled(call, one_line(str(error)), "push it again") from None

    def _children(self, name: Reference, digests: list[str]) -> dict[str, bytes]:
        def read(digest: str) -> tuple[str, bytes | None]:
            if digest_fault(digest):
                return digest, None
            try:
                return digest, self.manifest(name.at(digest)).raw
            except ManifestUnknown:
                return digest, None

        with ThreadPoolExecutor(min(4, len(digests)), thread_name_prefix="children") as pool:
            contexts = [copy_context() for _ in digests]  # so that it is charged to whoever is charged with this
            done = pool.map(lambda context, digest: context.run(read, digest), contexts, digests)
            return {digest: raw for digest, raw in done if raw is not None}

    def put(self, name: Reference, media_type: str, raw: bytes, *, digest: str | None = None) -> str:
        """Push a manifest under its tag or digest, byte for byte, and return its digest.

        Args:
            name: its repository; its digest, where it has one, must be that of the bytes, and goes before its tag.
            media_type: one of the four.
            raw: its bytes.
            digest: what it is to be, if `name` has a tag only; checked.

        Raises:
            DigestMismatch: the bytes are not those of the digest, or the registry took them for others.
            MissingParts: the registry lacks what it names (`digests`).
            NotAllowed: the tag cannot be changed.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("PUT manifest", name, name.wanted)
        if media_type not in EVERY:
            raise Invalid(call, f"{one_line(media_type, limit=100)} is no type of a manifest", "use one of the four")
        if len(raw) > MOST_BYTES:
            raise TooLong(call, f"the manifest has more than {MOST_BYTES} bytes", "registries take none so long")
        for wanted in (name.digest, digest):
            if wanted is not None:
                _same(call, wanted, _digest(wanted.partition(":")[0], raw), ours=True)
        ask = Ask(
            call, "PUT", name.registry, api(name, "manifests", quote(name.wanted, safe=":")),
            (scope(name.repository, "pull", "push"),), {"Content-Type": media_type}, raw,
        )  # fmt: skip
        answer = self._ask(ask, 201, 200, 202)
        ours = name.digest or _digest("sha256", raw)
        said = answer.headers.get("docker-content-digest", "")
        if said and not digest_fault(said):
            _same(call, _digest(said.partition(":")[0], raw), said)
        self._pushed(name, media_type, raw, ours, answer.headers)
        return ours

    def _pushed(self, name: Reference, media_type: str, raw: bytes, digest: str, headers: Headers) -> None:
        """A manifest was pushed; what else has to be done is done by who knows of referrers."""

    def delete(self, name: Reference) -> None:
        """Delete a manifest by its digest, and with it every tag that names it; gone already is well.

        Raises:
            NotAllowed: the registry is set not to delete (405).
            Denied: the account may not.
            RegistryError: see `audit.registry.failures`.
        """
        if name.digest is None:
            raise Invalid(about("DELETE manifest", name, name.wanted), "a tag alone is not deleted",
                          "give the digest: whatever has come under the tag meanwhile would go too")  # fmt: skip
        call = about("DELETE manifest", name, name.digest)
        ask = Ask(call, "DELETE", name.registry, api(name, "manifests", name.digest),
                  (scope(name.repository, "delete", "pull"),))  # fmt: skip
        answer = self._ask(ask, 202, 200, 204, 404)
        if answer.status == 404:
            error = from_answer(call, 404, answer.headers, answer.body, now=self._now())
            if not isinstance(error, ManifestUnknown):
                raise error


_VAGUE = ("", "application/json", "text/plain", "application/octet-stream")
"""Types that say nothing against a manifest's own word."""


def _read(call: Call, method: str, name: Reference) -> Ask:
    return Ask(
        call, method, name.registry, api(name, "manifests", quote(name.wanted, safe=":")),
        (scope(name.repository, "pull"),), {"Accept": _ACCEPT},
    )  # fmt: skip


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _said(call: Call, raw: bytes) -> object:
    """The manifest's own media type."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Garbled(call, "what stands there is not JSON", "push it again") from None
    if not isinstance(body, dict):
        raise Garbled(call, "what stands there is JSON, but no object", "push it again")
    return body.get("mediaType")


def _digest(algorithm: str, raw: bytes) -> str:
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def _same(call: Call, wanted: str, found: str, *, ours: bool = False) -> None:
    if wanted != found:
        whose = "the bytes to be pushed have" if ours else "the registry serves"
        raise DigestMismatch(call, f"{whose} {found} where {wanted} is wanted", "do not use it; push it again")
