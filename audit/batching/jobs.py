"""What is known of each set of sources and of each of its tags while the batch runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from audit.batch import ErrorSeen, TagReport, TagState, Unit
from audit.image.reference import Reference
from audit.registry.ledger import Ledger
from audit.store import Stood, TagRow

N = TypeVar("N", int, float)
SETTLED: tuple[TagState, ...] = ("done", "unchanged", "moved", "failed")
"""States that this run no longer changes."""


@dataclass
class Outcome:
    """One tag.

    Attributes:
        state: None while it is on its way.
        earlier: what the journal has of it from before this run was taken up again.
        ledger: what was spent on it.
    """

    tag: Reference
    state: TagState | None = None
    digest: str | None = None
    before: str | None = None
    before_known: bool = False
    platforms: tuple[str, ...] = ()
    why: str = ""
    attempts: int = 0
    earlier: TagRow | None = None
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def name(self) -> str:
        """As the journal calls it."""
        return str(self.tag)

    @property
    def open(self) -> bool:
        """It has not come to its end."""
        return self.state not in SETTLED

    def report(self) -> TagReport:
        """As reports have it; what it has cost before this run was taken up again is added."""
        now = self.ledger.now()
        old = _report(self.earlier.detail) if self.earlier is not None and self.earlier.detail else None
        errors = {one.kind: one for one in old.errors} if old else {}
        for kind, seen in now.errors.items():
            count = seen.number + (errors[kind].count if kind in errors else 0)
            errors[kind] = ErrorSeen(kind=kind, count=count, last=seen.last)
        return TagReport(
            tag=self.tag.familiar, state=self.state or "left", digest=self.digest, before=self.before,
            before_known=self.before_known, platforms=self.platforms or (old.platforms if old else ()),
            requests=_sum(old.requests if old else {}, now.by_kind), pulls=now.pulls + (old.pulls if old else 0),
            waited=_sum(old.waited if old else {}, now.waited),
            attempts=self.attempts + (old.attempts if old else 0), errors=tuple(errors.values()), why=self.why,
        )  # fmt: skip


@dataclass
class Job:
    """One set of sources.

    Attributes:
        stood: what the journal last saw under its tags.
        not_before: on the batch's clock, when it may be taken up again.
    """

    unit: Unit
    outcomes: tuple[Outcome, ...]
    stood: Mapping[str, Stood] = field(default_factory=dict)
    attempts: int = 0
    not_before: float = 0.0

    @property
    def open(self) -> tuple[Outcome, ...]:
        """Its tags that have not come to their end."""
        return tuple(one for one in self.outcomes if one.open)

    @property
    def pinned(self) -> bool:
        """All its sources are named by digest, so they can never be others."""
        return all(source.reference.digest is not None for source in self.unit.entry.sources)

    @property
    def ledger(self) -> Ledger:
        """Where what its tags share is booked: with the first of them."""
        return (self.open or self.outcomes)[0].ledger


def jobs_of(units: Iterable[Unit]) -> list[Job]:
    """One job a unit, nothing known."""
    return [Job(unit, tuple(Outcome(tag) for tag in unit.tags)) for unit in units]


def _report(detail: Mapping[str, Any]) -> TagReport | None:
    try:
        return TagReport.model_validate(detail, strict=False)
    except ValidationError:  # of another version: only its figures are lost
        return None


def _sum(first: Mapping[str, N], second: Mapping[str, N]) -> dict[str, N]:
    both = dict(first)
    for key, value in second.items():
        both[key] = both[key] + value if key in both else value
    return both
