"""What a merge takes and gives: sources with their bytes, and an index with its children."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from audit.errors import StepError
from audit.image.descriptor import Descriptor
from audit.image.media import INDEXES
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.value import Model

Attest = Literal["keep", "drop", "require"]
Orphans = Literal["refuse", "drop"]


class MergeRefused(StepError):  # noqa: N818 - named after what happened
    """These sources make no right index; the sentence names those at fault, and nothing was written."""


class Source(Model):
    """One image or index that is to be merged.

    Attributes:
        reference: where it stands, by digest.
        given: as the user named it, for messages; empty: as the reference is written.
        media_type: as served.
        raw: its bytes, exactly.
        children: bytes of an index's children by digest, as far as they were read; checked where they are there.
        platform: of a flat image: from its config, or as told; an index says it itself.
        wanted: what it should have been built for; None checks nothing.
        kept: digests whose bytes are from an earlier run: no registry has said in this one that they are there still.
    """

    reference: Reference
    given: str = ""
    media_type: str
    raw: bytes = Field(repr=False, exclude=True)
    children: Mapping[str, bytes] = Field(default_factory=dict, repr=False, exclude=True)
    platform: Platform | None = None
    wanted: Platform | None = None
    kept: frozenset[str] = frozenset()

    @property
    def flat(self) -> bool:
        """One image, no index."""
        return self.media_type not in INDEXES

    def __str__(self) -> str:
        """As messages name it."""
        return self.given or self.reference.familiar


class Child(Model):
    """One entry of a merged index.

    Attributes:
        descriptor: as it stands in the index.
        role: an attestation has its image's digest in its annotations.
        platform: in its one spelling; None where nobody said.
        source: the repository that has it, by its own digest.
        also: other ones, where several sources brought it.
        raw: its bytes; None where they were not read.
        kept: these are from an earlier run, so it is not sure that the source still has it.
    """

    descriptor: Descriptor
    role: Literal["image", "attestation"]
    platform: Platform | None = None
    source: Reference
    also: tuple[Reference, ...] = ()
    raw: bytes | None = Field(default=None, repr=False, exclude=True)
    kept: bool = False

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return self.descriptor.digest

    def place_in(self, repository: str) -> Reference | None:
        """Where that repository (``registry/repository``) has it; None: no source said so."""
        return next((one for one in (self.source, *self.also) if one.name == repository), None)


class Merged(Model):
    """What shall stand under the tags, to the byte.

    Attributes:
        media_type: of the index, or of the only image where that is copied.
        digest: SHA-256 of its bytes.
        raw: its bytes.
        children: what must stand in the same repository before it, in the index's order; none where `flat`.
        copied: the bytes are those of the only source, untouched.
        source: the only source, where `copied`.
        notes: what a person should know, one sentence each.
    """

    media_type: str
    digest: str
    raw: bytes = Field(repr=False, exclude=True)
    children: tuple[Child, ...] = ()
    copied: bool = False
    source: Reference | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.raw)

    @property
    def flat(self) -> bool:
        """One image, no index."""
        return self.media_type not in INDEXES

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Of the images in it, in their order."""
        return tuple(child.platform for child in self.children if child.platform and child.role == "image")
