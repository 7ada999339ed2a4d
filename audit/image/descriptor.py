"""Descriptors: how an index names its children, and a manifest its blobs (image-spec descriptor.md)."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import Field

from audit.image.media import ATTESTATION, REFERENCE_DIGEST, REFERENCE_TYPE
from audit.image.platform import Platform
from audit.image.reference import digest_fault
from audit.value import Model

LARGEST = 1 << 50
"""Bytes of a blob; a size beyond it is a lie."""


class BadDescriptor(ValueError):  # noqa: N818 - named after what was read
    """What was read is no descriptor; its text says why."""


class Descriptor(Model):
    """One descriptor, with everything that it was read with.

    Attributes:
        media_type: of what it names.
        digest: of the bytes that it names.
        size: of these, in bytes.
        platform: what it runs on, in its one spelling; None where none was said.
        artifact_type: empty where none was said.
        annotations: those whose value is text.
        raw: the JSON object as it was read, members in their order: what is not known here is kept.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: dict[str, str] = Field(default_factory=dict)
    raw: dict[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, row: object) -> Descriptor:
        """From an entry of ``manifests``, ``layers``, or ``config``.

        Raises:
            BadDescriptor: it is none.
        """
        if not isinstance(row, dict):
            raise BadDescriptor("it is no object")
        media_type, digest, size = row.get("mediaType"), row.get("digest"), row.get("size")
        if not isinstance(media_type, str) or not media_type:
            raise BadDescriptor("it has no media type")
        if not isinstance(digest, str) or (fault := digest_fault(digest)):
            raise BadDescriptor(fault if isinstance(digest, str) else "it has no digest")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST:
            raise BadDescriptor("its size is no number of bytes")
        platform, annotations, artifact = row.get("platform"), row.get("annotations"), row.get("artifactType")
        said = annotations.items() if isinstance(annotations, dict) else ()
        return cls(
            media_type=media_type,
            digest=digest,
            size=size,
            platform=Platform.of(platform) if isinstance(platform, dict) else None,
            artifact_type=artifact if isinstance(artifact, str) else "",
            annotations={key: value for key, value in said if isinstance(value, str)},
            raw=row,
        )

    @property
    def attests(self) -> str | None:
        """The digest of the image that BuildKit's attestation is of; empty where it does not say; None: it is none."""
        marked = self.annotations.get(REFERENCE_TYPE) == ATTESTATION
        if not marked and (self.platform is None or (self.platform.os, self.platform.architecture) != _NOWHERE):
            return None
        return self.annotations.get(REFERENCE_DIGEST, "")

    def members(self) -> dict[str, Any]:
        """As it was read, or, where it was made here, with what it has."""
        if self.raw:
            return copy.deepcopy(self.raw)
        made: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            made["artifactType"] = self.artifact_type
        if self.annotations:
            made["annotations"] = dict(self.annotations)
        if self.platform:
            made["platform"] = self.platform.members()
        return made


_NOWHERE = ("unknown", "unknown")
