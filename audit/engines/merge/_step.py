"""What a merge engine is given, and what it gives back: values, all of them JSON but the bytes of manifests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from audit.image.annotation import Annotation
from audit.image.descriptor import Descriptor
from audit.image.index import Merged
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.value import Model


class MergeSource(Model):
    """One source of a merge, resolved.

    Attributes:
        reference: by digest, without its tag.
        given: as the user wrote it, or as a build left it: ``registry.example/staging/app:1.0-arm64``.
        media_type: of what stands there.
        size: of its manifest, in bytes.
        flat: one image, no index.
        platforms: of its images, attestations apart; one where it is flat.
        wanted: what it should have been built for; None where nobody said.
        attested: it brings an attestation.
        types: media types of the manifests that it brings, each once.
        children: an index's own entries, as they stand in it.
    """

    reference: Reference
    given: str = ""
    media_type: str
    size: int = 0
    flat: bool
    platforms: tuple[Platform, ...] = ()
    wanted: Platform | None = None
    attested: bool = False
    types: tuple[str, ...] = ()
    children: tuple[Descriptor, ...] = Field(default=(), repr=False, exclude=True)


class MergeStep(Model):
    """One merge, decided: the index is known to the byte before any engine is asked.

    Attributes:
        tags: what it shall be called; at least one, all without a digest.
        sources: in the order of the arguments.
        merged: the index that must stand under the tags afterwards, with its children.
        attest: what was said of attestations; `merged` has it carried out.
        annotations: likewise.
        prefer_index: a single flat source becomes an index of one.
    """

    tags: tuple[Reference, ...] = Field(min_length=1)
    sources: tuple[MergeSource, ...] = Field(min_length=1)
    merged: Merged
    attest: Literal["keep", "drop", "require"] = "keep"
    annotations: tuple[Annotation, ...] = ()
    prefer_index: bool = True

    @property
    def targets(self) -> tuple[str, ...]:
        """The distinct repositories of the tags, as ``registry/repository``, in their order."""
        return tuple(dict.fromkeys(tag.name for tag in self.tags))

    def tags_in(self, target: str) -> tuple[Reference, ...]:
        """The tags of one repository."""
        return tuple(tag for tag in self.tags if tag.name == target)


class MergeHost(Model):
    """What is known of the machine that would run a client of Docker's.

    Attributes:
        name: of the host in the inventory; None for this very machine.
        client: version of the ``docker`` command, e.g. ``28.5.2``; None: there is none.
        buildx: version of its plugin, e.g. ``0.29.1``; None: there is none.
        why: one sentence, where these could not be found out.
    """

    name: str | None = None
    client: str | None = None
    buildx: str | None = None
    why: str = ""

    def __str__(self) -> str:
        """As messages speak of it."""
        return self.name or "this machine"


SCRATCH = "{scratch}"
"""Stands, as a word of its own, for a private folder on the merge host: made for one program and removed after it."""


class Run(Model):
    """A program to be run on the merge host, without a shell of ours.

    Attributes:
        argv: the program and its arguments; ``("sh", "-c", …)`` where a shell is needed, `SCRATCH` for a folder.
        stdin: what it reads.
        environment: variables that are set for it, besides what is there.
        gives: what its stdout is: nothing that counts; ``digest``, on its last line, of what stands there now;
            ``foretold``, the digest of what would be made, while nothing is changed; ``list``, likewise, but the whole
            list in a spelling of its own, and its digest on the last line: what is made afterwards has that one.
        about: what is being done, for progress and messages.
    """

    kind: Literal["run"] = "run"
    host: str | None = None
    argv: tuple[str, ...]
    stdin: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    gives: Literal["nothing", "digest", "foretold", "list"] = "nothing"
    about: str = ""

    @property
    def changes(self) -> bool:
        """It may leave something behind at the registry."""
        return self.gives not in ("foretold", "list")


class Mount(Model):
    """Have a blob in another repository: mounted within one registry, streamed from one registry to another.

    Attributes:
        target: the repository that shall have it, by the blob's digest.
        source: the repository that has it, by the blob's digest.
        size: in bytes.
    """

    kind: Literal["mount"] = "mount"
    target: Reference
    source: Reference
    size: int

    @property
    def streamed(self) -> bool:
        """Its bytes come through us, since it stands in another registry."""
        return self.target.registry != self.source.registry


class PutManifest(Model):
    """Push a manifest, byte for byte.

    Attributes:
        target: by digest for a child, by tag for the index.
        digest: of its bytes.
    """

    kind: Literal["put"] = "put"
    target: Reference
    media_type: str
    digest: str
    raw: bytes = Field(repr=False, exclude=True)


class Confirm(Model):
    """Ask the registry what stands under a tag now; anything but this digest is an error."""

    kind: Literal["confirm"] = "confirm"
    target: Reference
    digest: str


RegistryCall = Mount | PutManifest | Confirm
Action = Annotated[Run | Mount | PutManifest | Confirm, Field(discriminator="kind")]
"""The only things that the shell can be asked to do for a merge; in their order, but mounts that stand side by side may
be done at once (after the one that fills the repository that they mount from), and manifests pushed by digest likewise.
"""
