"""What does not count: differences that the policy ignores, and those that were not seen often enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from audit.drift.fields import UNASKED, canonical, parts_of, told
from audit.drift.model import Difference, Expired, Held, HostNote
from audit.drift.transitions import Transition
from audit.model import Ignore
from audit.snapshot import HostRow, Snapshot


@dataclass
class Damping:
    """A difference counts when it was seen in so many checks in a row.

    Attributes:
        runs: how many, the newer check included; 1: at once.
        recent: checks before the newer one, oldest first. One that could not look neither counts nor breaks the row,
            so there may be more of them than `runs`.
    """

    runs: int = 1
    recent: Sequence[Snapshot] = ()

    @cached_property
    def _rows(self) -> list[Mapping[str, HostRow]]:
        return [{row.name: row for row in one.hosts} for one in reversed(self.recent)]

    @cached_property
    def _verdicts(self) -> list[Mapping[tuple[str, str], str]]:
        return [{(row.subject, row.rule): row.status for row in one.verdicts} for one in reversed(self.recent)]

    def field(self, host: str, one: Difference) -> int:
        """Checks in a row that saw this field differ from what it was; at most `runs`."""
        was = canonical(one.fact, one.field, one.before)
        return self._count([_differs(rows.get(host), one, was) for rows in self._rows])

    def verdict(self, one: Transition) -> int:
        """Checks in a row in which this verdict failed as now, or did not as now."""
        seen: list[bool | None] = []
        for verdicts in self._verdicts:
            status = verdicts.get((one.subject, one.rule))
            seen.append(None if status in (None, "unknown") else (status == "fail") == (one.after == "fail"))
        return self._count(seen)

    def presence(self, one: HostNote) -> int:
        """Checks in a row in which the host was there, gone or dark as now."""
        wanted = one.what in ("new", "renamed", "reachable")
        if one.what in ("unreachable", "stale"):
            seen = [row is not None and not row.reached for row in (rows.get(one.host) for rows in self._rows)]
        else:
            seen = [(one.host in rows) == wanted for rows in self._rows]
        return self._count(list(seen))

    def _count(self, seen: Sequence[bool | None]) -> int:
        count = 1
        for one in seen:
            if one is False or count >= self.runs:
                break
            count += one is True
        return count


def _differs(row: HostRow | None, one: Difference, was: Any) -> bool | None:
    """None: that check could not tell."""
    values = row.facts.get(one.fact) if row is not None and row.reached else None
    if values is None:
        return None
    if not one.field:
        if one.kind in ("lost", "found"):
            return told(values) is (one.kind == "found")
        return (UNASKED in values) is (one.after != "known") if told(values) else None
    if UNASKED in values:
        return None
    parts = parts_of(one.fact, values)
    return canonical(one.fact, one.field, parts[one.field]) != was if one.field in parts else None


@dataclass
class Counting:
    """Sorts what counts from what does not, and keeps account of it.

    Attributes:
        ignore: the policy's rules.
        today: the day of the newer check, UTC: a report reads the same for ever.
        damping: how often a thing must be seen.
        held: what does not count.
    """

    ignore: Sequence[Ignore]
    today: date
    damping: Damping
    held: list[Held] = field(default_factory=list)
    _hits: dict[int, int] = field(default_factory=dict)

    def counts(self, what: str, subject: str, groups: Sequence[str], seen: int) -> bool:
        """Whether it counts; where not, it is noted with the reason.

        Args:
            what: ``FACT.FIELD``, a rule's id, or ``host.WORD``.
            subject: host, ``pool:NAME`` or ``fleet``.
            groups: of the host.
            seen: in how many checks in a row.
        """
        over = []
        for place, rule in enumerate(self.ignore):
            if not rule.covers(what, subject, groups):
                continue
            if rule.expired(self.today):
                over.append(place)
                continue
            self.held.append(Held(
                host=subject, path=what, why=rule.reason, owner=rule.owner, until=rule.until.isoformat(), kind="ignored"
            ))  # fmt: skip
            return False
        for place in over:
            self._hits[place] = self._hits.get(place, 0) + 1
        if seen < self.damping.runs:
            why = f"seen in {seen} of {self.damping.runs} checks in a row"
            self.held.append(Held(host=subject, path=what, why=why, seen=seen, kind="damped"))
            return False
        return True

    @property
    def expired(self) -> tuple[Expired, ...]:
        """Every rule that is over, with what counts again for it."""
        return tuple(
            Expired(
                what=rule.what, host=rule.host, until=rule.until.isoformat(), owner=rule.owner, reason=rule.reason,
                hits=self._hits.get(place, 0),
            )
            for place, rule in enumerate(self.ignore)
            if rule.expired(self.today)
        )  # fmt: skip


def day_of(at: float) -> date:
    """The day of a UNIX time, UTC; what no calendar has is the first day of all."""
    try:
        return datetime.fromtimestamp(at, UTC).date()
    except (ValueError, OverflowError, OSError):
        return date.min
