"""What differs between two checks, as values: differences, the tree that they make, hosts, verdicts, the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from audit.drift.transitions import Transition
from audit.value import Model

Kind = Literal["identity", "stable", "volatile", "lost", "found"]
"""identity: which machine it is; stable: what it is; volatile: always moves, never counts; lost: it could be told
before and cannot be now; found: it can be told now, and could not before, so that nobody knows whether it is the
same."""

Presence = Literal["new", "vanished", "renamed", "unreachable", "reachable", "stale", "unlisted"]
"""new: not in the older check; vanished: not in the newer one; renamed: the same machine under another name;
unreachable: not reached now; reachable: reached now, and not then, so that nothing can be compared; stale: not reached
in several checks; unlisted: in some earlier check, in neither of these two."""


class Difference(Model):
    """One field of one fact that is not what it was."""

    fact: str = Field(description="E.g. image_store")
    field: str = Field(description="E.g. kind, or data_root.mount; empty: the whole fact (lost, found, or absent)")
    kind: Kind
    before: Any = Field(description="As the older check has it; null: nothing")
    after: Any = Field(description="As the newer one has it")

    @property
    def path(self) -> str:
        """``image_store.kind``: what ignore rules speak of."""
        return f"{self.fact}.{self.field}" if self.field else self.fact


class Node(Model):
    """A change, and below it what follows from it; each difference stands in exactly one node."""

    id: str = Field(description="E.g. reinstalled, store, pushes, manifest-list; the same for the same kind, always")
    text: str = Field(description="One sentence")
    role: Literal["change", "effect", "verdict"] = Field(
        default="change", description="change: seen on the host; effect: what it does to builds and merges; verdict"
    )
    differences: tuple[Difference, ...] = Field(default=(), description="The fields that it tells of")
    symptom: str = Field(default="", description="What a user will read or see")
    fix: str = Field(default="", description="What to do")
    then: tuple[Node, ...] = Field(default=(), description="What follows")

    def walk(self) -> Iterator[Node]:
        """This one, then all below it."""
        yield self
        for node in self.then:
            yield from node.walk()


class HostDrift(Model):
    """One host that is not what it was."""

    host: str
    pool: str | None = None
    before: str | None = Field(default=None, description="Its name then, where it is another")
    causes: tuple[Node, ...] = ()
    lost: tuple[Difference, ...] = Field(default=(), description="Facts that cannot be told now, or could not then")
    volatile: tuple[Difference, ...] = Field(default=(), description="What always moves; told with -v only")

    @property
    def counted(self) -> tuple[Difference, ...]:
        """All differences of the tree, in its order."""
        return tuple(one for cause in self.causes for node in cause.walk() for one in node.differences)

    @property
    def fixes(self) -> tuple[str, ...]:
        """What to do, each once, in the tree's order."""
        found = (node.fix for cause in self.causes for node in cause.walk())
        return tuple(dict.fromkeys(fix for fix in found if fix))


class HostNote(Model):
    """A host that is there or not, rather than different."""

    host: str
    what: Presence
    pool: str | None = None
    detail: str = ""
    runs: int = Field(default=0, description="Checks in a row that did not reach it, this one included; stale only")


class WaiverEnd(Model):
    """A waiver that held then and does no longer."""

    rule: str
    subject: str
    until: str | None = Field(default=None, description="ISO date of its last day, where it was said")
    now: str | None = Field(default=None, description="The verdict's status now; null: it is gone")
    message: str = ""


class Held(Model):
    """A difference that does not count (yet)."""

    host: str
    path: str = Field(description="FACT.FIELD, a rule's id, or the word of a host note")
    why: str
    owner: str = ""
    until: str | None = Field(default=None, description="ISO date of the ignore rule's last day")
    seen: int = Field(default=0, description="Checks in a row that saw it; of damping only")
    kind: Literal["ignored", "damped"]


class Expired(Model):
    """An ignore rule that is over."""

    what: str
    host: str
    until: str
    owner: str
    reason: str
    hits: int = Field(default=0, description="Differences that count again because it is over")


class Side(Model):
    """One of the two checks."""

    run: str = Field(default="", description="Its id in the history, else the file's name")
    at: float = Field(description="UNIX time")
    hosts: int = 0
    reached: int = 0
    complete: bool = True


class DriftReport(Model):
    """Everything that differs."""

    before: Side
    after: Side
    peers: bool = Field(default=False, description="Compared with the majority of each pool, not with an older check")
    hosts: tuple[HostDrift, ...] = Field(default=(), description="In the newer check's order")
    notes: tuple[HostNote, ...] = ()
    fleet: tuple[Transition, ...] = Field(default=(), description="Verdicts on pools and the fleet that turned")
    turned: tuple[Transition, ...] = Field(default=(), description="Verdicts on hosts that turned")
    waivers: tuple[WaiverEnd, ...] = ()
    held: tuple[Held, ...] = Field(default=(), description="Ignored by the policy, or not seen often enough")
    expired: tuple[Expired, ...] = ()
    remarks: tuple[str, ...] = Field(default=(), description="What could not be compared, and why")

    @property
    def drifted(self) -> bool:
        """Something that counts differs."""
        gone = any(note.what in ("new", "vanished", "renamed", "unlisted") for note in self.notes)
        turned = any(one.worse or one.better for one in (*self.turned, *self.fleet))
        return gone or turned or bool(self.waivers) or any(host.causes for host in self.hosts)

    @property
    def incomplete(self) -> bool:
        """Something could not be compared: a host was not reached, or a fact could not be told."""
        dark = any(note.what in ("unreachable", "stale", "reachable") for note in self.notes)
        return dark or any(host.lost for host in self.hosts)

    @property
    def exit_code(self) -> int:
        """0 the same; 1 drift; 3 no drift seen, and not everything could be compared."""
        return 1 if self.drifted else 3 if self.incomplete else 0

    @property
    def changed(self) -> int:
        """Hosts with differences that count."""
        return sum(bool(host.causes) for host in self.hosts)

    @property
    def held_counts(self) -> Counter[str]:
        """How many differences are held, by kind."""
        return Counter(one.kind for one in self.held)
