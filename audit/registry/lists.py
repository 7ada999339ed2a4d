"""Lists: the tags of a repository, and the manifests that refer to another one.

distribution-spec, sections Listing Tags, Listing Referrers and Referrers Tag Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import INDEXES, OCI_INDEX
from audit.image.reference import Reference, digest_fault
from audit.registry.calls import Ask, about, api
from audit.registry.failures import Call, Garbled, Headers, Invalid, ManifestUnknown, NotFound
from audit.registry.manifests import Manifests
from audit.registry.scopes import scope
from audit.registry.transport import Answer
from audit.registry.urls import follow, same_origin
from audit.value import Model

_MOST_PAGES, _MOST_TAGS, _PAGE = 200, 100_000, 1000
_LINK = re.compile(r"<([^<>]{1,4000})>\s{0,5};[^,]{0,100}\brel\s{0,3}=\s{0,3}\"?next\b", re.I)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_ROUNDS = 3


class Referrers(Model):
    """What refers to a manifest.

    Attributes:
        found: a descriptor each, in the registry's order; those that cannot be read are left out.
        by_api: the registry has the referrers API; else they stand in an index under the fallback tag.
    """

    found: tuple[Descriptor, ...]
    by_api: bool


class Lists(Manifests):
    """Calls about lists."""

    def tags(self, name: Reference) -> tuple[str, ...]:
        """Every tag of a repository, in the registry's order; names that can be no tags are left out.

        Raises:
            NameUnknown: there is no such repository.
            Garbled: the list has no end, or is none.
            RegistryError: see `audit.registry.failures`.
        """
        call = about("GET tags", name)
        first = Ask(call, "GET", name.registry, f"{api(name, 'tags', 'list')}?n={_PAGE}",
                    (scope(name.repository, "pull"),))  # fmt: skip
        found: dict[str, None] = {}
        for answer in self._pages(first, 200):
            rows = _object(call, answer.body).get("tags")
            found |= {row: None for row in (rows or ()) if isinstance(row, str) and _TAG.fullmatch(row)}
            if len(found) > _MOST_TAGS:
                raise Garbled(call, f"it has more than {_MOST_TAGS} tags", "delete some")
        return tuple(found)

    def referrers(self, name: Reference, *, artifact_type: str = "") -> Referrers:
        """What refers to a manifest, by the referrers API or, where the registry has none, by the fallback tag.

        Args:
            name: with the digest that is referred to.
            artifact_type: only those of this type; empty for all.

        Raises:
            Garbled: the answer is no index.
            RegistryError: see `audit.registry.failures`.
        """
        call, digest = _subject("GET referrers", name)
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        first = Ask(call, "GET", name.registry, f"{api(name, 'referrers', digest)}{query}",
                    (scope(name.repository, "pull"),), {"Accept": OCI_INDEX})  # fmt: skip
        rows: list[Any] = []
        by_api = True
        for answer in self._pages(first, 200, 404):
            if answer.status == 404:
                by_api = False
                rows = self._fallback(name, digest)[0]
            else:
                rows += _rows(call, answer.body)
        found = [one for one in map(_descriptor, rows) if one and artifact_type in ("", one.artifact_type)]
        return Referrers(found=tuple(found), by_api=by_api)

    def _pages(self, first: Ask, *wanted: int) -> Iterator[Answer]:
        """One answer a page; a registry says with a Link where the next one is."""
        ask: Ask = first
        seen = {ask.path}
        for _ in range(_MOST_PAGES):
            answer = self._ask(ask, *wanted)
            yield answer
            link = _LINK.search(answer.headers.get("link", "")[:10_000])
            if link is None:
                return
            here = ask.path if "://" in ask.path else self.options.base(ask.registry) + ask.path
            there = follow(here, link[1], ask.call)
            if there in seen or not same_origin(there, here):
                why = "back to where they began" if there in seen else "to another server"
                raise Garbled(ask.call, f"the pages of the list lead {why}", "check what answers there")
            seen.add(there)
            ask = Ask(ask.call, "GET", ask.registry, there, ask.scopes, ask.headers)
        raise Garbled(first.call, f"the list has more than {_MOST_PAGES} pages", "check what answers there")

    def _fallback(self, name: Reference, digest: str) -> tuple[list[Any], str]:
        """The entries of the index under the fallback tag, and its digest; empty where there is none."""
        try:
            there = self.manifest(name.tagged(fallback_tag(digest)))
        except (ManifestUnknown, NotFound):
            return [], ""
        call = about("GET referrers", name, digest)
        if there.media_type not in INDEXES:
            raise Garbled(call, "what stands under the fallback tag is no index", "see who pushed it there")
        return _rows(call, there.raw), there.digest

    def _pushed(self, name: Reference, media_type: str, raw: bytes, digest: str, headers: Headers) -> None:
        """A pushed manifest with a subject is entered under the fallback tag where the registry does not do it."""
        body = json.loads(raw)
        subject = body.get("subject") if isinstance(body, dict) else None
        if not isinstance(subject, dict) or "oci-subject" in headers:
            return
        of = subject.get("digest")
        if not isinstance(of, str) or digest_fault(of):
            raise Invalid(about("PUT manifest", name, digest), "its subject has no digest", "make it anew")
        row = {"mediaType": media_type, "digest": digest, "size": len(raw), **_pulled_up(body)}
        target = name.tagged(fallback_tag(of))
        for _ in range(_ROUNDS):  # somebody else may write it at the same time: then ours is gone again
            rows, _before = self._fallback(name, of)
            if any(isinstance(one, dict) and one.get("digest") == digest for one in rows):
                return
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*rows, row]}
            self.put(target, OCI_INDEX, json.dumps(index, separators=(",", ":")).encode())
        rows, _before = self._fallback(name, of)
        if not any(isinstance(one, dict) and one.get("digest") == digest for one in rows):
            raise Garbled(about("PUT manifest", target, target.wanted), "others keep writing the list of referrers",
                          "push it again when they have ended")  # fmt: skip


def fallback_tag(digest: str) -> str:
    """The tag under which a registry without the referrers API keeps the list: ``sha256-<hex>``."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def _pulled_up(body: dict[str, Any]) -> dict[str, Any]:
    """What a referrer's descriptor repeats of its manifest: the artifact's type and the annotations."""
    config = body.get("config")
    kind = body.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
    annotations = body.get("annotations")
    return {
        **({"artifactType": kind} if isinstance(kind, str) else {}),
        **({"annotations": annotations} if isinstance(annotations, dict) else {}),
    }


def _subject(kind: str, name: Reference) -> tuple[Call, str]:
    call = about(kind, name, name.wanted)
    if name.digest is None:
        raise Invalid(call, "referrers are asked for by digest", "resolve the tag first")
    return call, name.digest


def _object(call: Call, raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Garbled(call, "the answer is no JSON object", "check what answers there")
    return body


def _rows(call: Call, raw: bytes) -> list[Any]:
    rows = _object(call, raw).get("manifests")
    if not isinstance(rows, list):
        raise Garbled(call, "the answer is no index", "check what answers there")
    return rows


def _descriptor(row: object) -> Descriptor | None:
    try:
        return Descriptor.read(row)
    except BadDescriptor:
        return None
