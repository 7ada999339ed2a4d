"""Hosts that came, went, were renamed, or did not answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from audit.drift.model import HostNote, Presence
from audit.snapshot import HostRow, Snapshot

STALE = 3
"""Checks in a row without an answer after which a host is stale."""


def machine_id(row: HostRow) -> str | None:
    """Which machine it is, where it says so."""
    found = (row.facts.get("machine") or {}).get("machine_id")
    return found if isinstance(found, str) and found else None


def renamed(before: Iterable[HostRow], after: Iterable[HostRow]) -> dict[str, HostRow]:
    """Hosts that stand under another name now: newer name -> older row.

    Only where the machine-id is one host's alone on both sides: copies of one disk image share theirs.
    """
    then, now = {row.name: row for row in before}, {row.name: row for row in after}
    old, new = _by_id(then.values()), _by_id(now.values())
    return {
        row.name: old[found]
        for found, row in new.items()
        if row.name not in then and found in old and old[found].name not in now
    }


def _by_id(rows: Iterable[HostRow]) -> dict[str, HostRow]:
    listed = list(rows)
    counts = Counter(map(machine_id, listed))
    return {found: row for row in listed if (found := machine_id(row)) is not None and counts[found] == 1}


def notes(
    before: Snapshot,
    after: Snapshot,
    moved: Mapping[str, HostRow],
    recent: Sequence[Snapshot],
    listed: Collection[str] | None = None,
    stale: int = STALE,
) -> tuple[HostNote, ...]:
    """Everything of this kind, in the newer check's order, then those that are gone.

    Args:
        moved: as `renamed` gives.
        recent: checks before the newer one, oldest first; may hold the older one.
        listed: the hosts of the inventory; None: not known.
        stale: checks in a row without an answer.
    """
    then = {row.name: row for row in before.hosts}
    now = {row.name for row in after.hosts}
    rows = [_rows(one) for one in recent]
    found = []
    for row in after.hosts:
        was = moved.get(row.name) or then.get(row.name)
        if row.name in moved:
            found.append(_note(row, "renamed", f"was {moved[row.name].name}: the machine-id is the same"))
        elif was is None:
            found.append(_note(row, "new", _about(row)))
        if not row.reached:
            runs = 1 + _missed(row.name, rows)
            what: Presence = "stale" if runs >= stale else "unreachable"
            found.append(HostNote(
                host=row.name, what=what, pool=row.pool, detail=_outcome(row), runs=runs if what == "stale" else 0
            ))  # fmt: skip
        elif was is not None and not was.reached:
            found.append(_note(row, "reachable", f"it could not be compared: then {_outcome(was)}"))
    gone = {row.name for row in moved.values()}
    for name, row in then.items():
        if name not in now | gone:
            if listed is None or name in listed:
                where = "" if listed is None else "; it is in the inventory"
                found.append(_note(row, "vanished", f"not in the newer check{where}"))
            else:
                found.append(_note(row, "unlisted", "the older check knew it"))
    known: dict[str, HostRow] = {}
    for one in rows:
        known |= one
    found += [
        _note(row, "unlisted", "an earlier check knew it, and it is in neither of the two")
        for name, row in known.items()
        if name not in now and name not in then
    ]
    return tuple(found)


def _rows(snapshot: Snapshot) -> dict[str, HostRow]:
    return {row.name: row for row in snapshot.hosts}


def _missed(name: str, rows: Sequence[Mapping[str, HostRow]]) -> int:
    """How many of the latest checks in a row did not reach it."""
    count = 0
    for one in reversed(rows):
        row = one.get(name)
        if row is None or row.reached:
            break
        count += 1
    return count


def _note(row: HostRow, what: Presence, detail: str) -> HostNote:
    return HostNote(host=row.name, what=what, pool=row.pool, detail=detail)


def _outcome(row: HostRow) -> str:
    return f"{row.outcome}: {row.detail}" if row.detail else row.outcome


def _about(row: HostRow) -> str:
    pool = f"pool {row.pool}" if row.pool else "no pool"
    return f"{pool}, pushes {row.pushes}" if row.pushes and row.reached else pool
