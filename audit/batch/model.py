"""The nouns of a batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import Field

from audit.image.annotation import Annotation
from audit.image.merged import Attest, Orphans
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.value import SCHEMA_VERSION, Model

TagState = Literal["done", "unchanged", "parked", "moved", "failed", "left"]
"""What became of a tag.

``done``: it stands for the index that was wanted, and we put it there; ``unchanged``: it stood there already;
``parked``: it could not go on and patience ended, so the same command goes on with it; ``moved``: somebody else has
written it since we last did, so it was not touched; ``failed``: these sources make no right index, or the registry will
never take it; ``left``: the run was stopped before its turn.
"""
UNDONE: tuple[TagState, ...] = ("parked", "moved", "failed", "left")
"""States that make the exit code 5."""


class BatchSource(Model):
    """One source of an entry.

    Attributes:
        reference: by tag or by digest.
        platform: what the plan says that it is for: believed of a flat image (its config is not read), checked of an
            index.
        given: as it was written, for messages.
    """

    reference: Reference
    platform: Platform | None = None
    given: str = ""

    def __str__(self) -> str:
        """As messages name it."""
        return self.given or self.reference.familiar


class Entry(Model):
    """One merge as a plan has it.

    Attributes:
        tags: what the result shall be called; at least one, all without a digest.
        sources: in their order.
        where: for messages: ``night.yml, line 12``.
    """

    tags: tuple[Reference, ...] = Field(min_length=1)
    sources: tuple[BatchSource, ...] = Field(min_length=1)
    attest: Attest = "keep"
    orphans: Orphans = "refuse"
    annotations: tuple[Annotation, ...] = ()
    prefer_index: bool = True
    where: str = ""

    @property
    def key(self) -> str:
        """Same sources in the same order and same options, same key: 64 hex digits."""
        parts = [
            [[str(one.reference), str(one.platform or "")] for one in self.sources],
            self.attest, self.orphans, [str(one) for one in self.annotations], self.prefer_index,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class BatchPlan(Model):
    """Everything that a night shall merge.

    Attributes:
        name: of the file, for people.
        entries: in the file's order; no tag stands in two of them.
    """

    name: str
    entries: tuple[Entry, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """SHA-256 over what is wanted, whatever the file's order or format: 64 hex digits."""
        rows = sorted([str(tag), key] for entry in self.entries for key in (entry.key,) for tag in entry.tags)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class Unit(Model):
    """Entries with the same sources and options, merged once.

    Attributes:
        key: of its entries.
        entry: the first of them, with the tags of all.
    """

    key: str
    entry: Entry

    @property
    def tags(self) -> tuple[Reference, ...]:
        """All of them, in the plan's order."""
        return self.entry.tags


def units(entries: Iterable[Entry], wanted: Callable[[Reference], bool] = lambda _tag: True) -> tuple[Unit, ...]:
    """What is to be merged, each set of sources once, in the order in which the sets come first.

    Args:
        entries: of a plan.
        wanted: whether a tag shall be merged now.
    """
    first: dict[str, Entry] = {}
    found: dict[str, list[Reference]] = {}
    for entry in entries:
        tags = [tag for tag in entry.tags if wanted(tag)]
        if tags:
            key = entry.key
            first.setdefault(key, entry)
            found.setdefault(key, []).extend(tags)
    return tuple(
        Unit(key=key, entry=entry.model_copy(update={"tags": tuple(found[key])})) for key, entry in first.items()
    )


class ErrorSeen(Model):
    """One kind of failure on the way to a tag; whether it was fatal, the tag's state says.

    Attributes:
        kind: the class's slug, e.g. ``pull-quota``, ``network``.
        count: how often.
        last: the last one's sentence.
    """

    kind: str
    count: int = Field(ge=1)
    last: str


class TagReport(Model):
    """What became of one tag.

    Attributes:
        tag: ``registry/repository:tag`` in its familiar spelling.
        digest: that it stands for now, as far as we know; of the index that was wanted, where it is ours.
        before: that it stood for before; None: it did not stand there, or nobody asked (`before_known`).
        requests: by kind, those that were spent on this tag; what several tags share counts for the first of them.
        pulls: manifests read with 200, which Docker Hub counts.
        waited: seconds by reason (``rate``, ``limit``, ``pull-quota``, ``retry``, …).
        attempts: times that it was taken up; 1 where all went well.
        errors: in the order in which they were first met.
        why: one sentence where the state is not done or unchanged.
    """

    tag: str
    state: TagState
    digest: str | None = None
    before: str | None = None
    before_known: bool = False
    platforms: tuple[str, ...] = ()
    requests: dict[str, int] = Field(default_factory=dict)
    pulls: int = 0
    waited: dict[str, float] = Field(default_factory=dict)
    attempts: int = 0
    errors: tuple[ErrorSeen, ...] = ()
    why: str = ""


class BatchReport(Model):
    """One run of a batch, whole.

    Attributes:
        run: its id, as ``merge --rollback`` takes it.
        plan: the plan's name.
        plan_digest: 64 hex digits.
        began, ended: UNIX time.
        resumed: how often it had been taken up again.
        tags: one a tag, in the plan's order.
        requests: by kind, tokens too, of this process.
        pulls: counted by Docker Hub as such.
        waited: seconds by reason, added up over all that waited at once.
        bytes_moved: of blobs that went through this machine.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = ""
    run: str
    plan: str
    plan_digest: str
    began: float
    ended: float
    resumed: int = 0
    stopped: str = ""
    tags: tuple[TagReport, ...]
    requests: dict[str, int] = Field(default_factory=dict)
    pulls: int = 0
    waited: dict[str, float] = Field(default_factory=dict)
    bytes_moved: int = 0

    def count(self, *states: TagState) -> int:
        """Tags in one of these states."""
        return sum(tag.state in states for tag in self.tags)

    @property
    def undone(self) -> tuple[TagReport, ...]:
        """What is left for a person, or for the same command later."""
        return tuple(tag for tag in self.tags if tag.state in UNDONE)
