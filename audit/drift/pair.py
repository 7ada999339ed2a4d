"""Two hosts of one check: what differs, the cause first, what follows from it after."""

from __future__ import annotations

from pydantic import Field

from audit.drift.comparing import differences
from audit.drift.consequences import Oracle
from audit.drift.model import Difference, Node
from audit.drift.transitions import Transition, transitions
from audit.drift.tree import tree
from audit.errors import UsageError
from audit.snapshot import HostRow, Snapshot
from audit.value import Model


class HostDiff(Model):
    """Two hosts held against each other."""

    before: str = Field(description="The host that was named first")
    after: str = Field(description="The other one")
    at: float = Field(description="UNIX time of the check")
    causes: tuple[Node, ...] = ()
    lost: tuple[Difference, ...] = Field(default=(), description="Facts that only one of them could tell")
    volatile: tuple[Difference, ...] = Field(default=(), description="What always differs; told with -v only")
    dark: tuple[str, ...] = Field(default=(), description="Which of the two was not reached, and why")
    turned: tuple[Transition, ...] = Field(default=(), description="Rules that fail on one of them only")

    @property
    def exit_code(self) -> int:
        """0 alike; 1 they differ; 3 no difference seen, and not everything could be compared."""
        return 1 if self.causes or self.turned else 3 if self.dark or self.lost else 0


def diff(snapshot: Snapshot, one: str, other: str) -> HostDiff:
    """What differs between two hosts of one check; which machines they are is no difference.

    Raises:
        UsageError: a host is not in the check, or both names are one.
    """
    if one == other:
        raise UsageError(f"diff {one} {other}: name two different hosts")
    before, after = _row(snapshot, one), _row(snapshot, other)
    dark = tuple(f"{row.name}: {row.outcome}: {row.detail}" for row in (before, after) if not row.reached)
    if dark:
        return HostDiff(before=one, after=other, at=snapshot.at, dark=dark)
    found = [found for found in differences(before, after) if found.kind != "identity"]
    turned = (*_only(snapshot, before, after), *_only(snapshot, after, before))
    counted = [found for found in found if found.kind == "stable"]
    oracle = Oracle(snapshot.hosts, snapshot.hosts)
    return HostDiff(
        before=one,
        after=other,
        at=snapshot.at,
        causes=tree(before, after, counted, turned, oracle, "pair") if counted else (),
        lost=tuple(found for found in found if found.kind in ("lost", "found")),
        volatile=tuple(found for found in found if found.kind == "volatile"),
        turned=turned,
    )


def _row(snapshot: Snapshot, name: str) -> HostRow:
    for row in snapshot.hosts:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in snapshot.hosts[:8])
    raise UsageError(f"{name}: not in this check; it has {known or 'no hosts'}")


def _only(snapshot: Snapshot, passing: HostRow, failing: HostRow) -> tuple[Transition, ...]:
    """Rules that fail on the second host, and were told and do not fail on the first."""
    rows = [row for row in snapshot.verdicts if row.subject in (passing.name, failing.name)]
    then = tuple(
        row.model_copy(update={"subject": failing.name})
        for row in rows
        if row.subject == passing.name and row.status != "unknown"
    )
    now = tuple(row for row in rows if row.subject == failing.name)
    told = {row.rule for row in then}
    found = transitions(
        snapshot.model_copy(update={"verdicts": then}), snapshot.model_copy(update={"verdicts": now})
    )  # fmt: skip
    return tuple(turned for turned in found if turned.worse and turned.rule in told)
