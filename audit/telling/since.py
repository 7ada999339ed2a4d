"""What stood before: the newest word on each host, whichever check it is from.

A check of three hosts says nothing of the others, and the check before it may have been of other ones; so each host is
compared with the newest earlier check that had it, and no host counts as gone because it was not asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from audit.snapshot import Snapshot, VerdictRow

_ALIKE = 0.5
"""Pools and the fleet compare with a check that shares so much of the hosts, where none has exactly the same."""


def standing(now: Snapshot, earlier: Iterable[Snapshot]) -> Snapshot | None:
    """The verdicts before, of the hosts that were asked now.

    Args:
        now: the newer check.
        earlier: the ones before it, newest first; read only as far as they are needed.

    Returns:
        A snapshot that holds only verdicts, and the moment of the newest check that any of them is from; None where
        no host was in an earlier check.
    """
    asked = {host.name for host in now.hosts}
    missing = set(asked)
    rows: list[VerdictRow] = []
    together: list[VerdictRow] | None = None  # of pools and the fleet
    exact = False
    newest: Snapshot | None = None
    for snapshot in earlier:
        names = {host.name for host in snapshot.hosts}
        taken = missing & names
        if taken and newest is None:
            newest = snapshot
        rows += [row for row in snapshot.verdicts if row.subject in taken]
        missing -= taken
        if not exact and (names == asked or (together is None and _alike(names, asked))):
            together = [row for row in snapshot.verdicts if row.subject not in names]
            exact = names == asked
        if not missing and exact:
            break
    if newest is None:
        return None
    return Snapshot(run=newest.run, at=newest.at, verdicts=(*rows, *(together or ())))


def _alike(one: set[str], other: set[str]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
