"""Each host against what most of its pool are: the older check is made of the majorities."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from audit.drift.drifting import drift
from audit.drift.fields import UNASKED, canonical, class_of, parts_of
from audit.drift.model import DriftReport
from audit.model import Ignore
from audit.snapshot import HostRow, Snapshot

_OWN = frozenset({
    ("docker_client", "path"), ("access", "user"), ("access", "uid"), ("credentials", "found"), ("reach", "outcome"),
})  # fmt: skip
"""Stable fields in which members of a pool may differ: logins and paths are each host's own."""


def pool_of(row: HostRow) -> str | None:
    """The pool, else the platform that it says it is; None: it has no peers."""
    found = row.pool or (row.facts.get("machine") or {}).get("platform")
    return found if isinstance(found, str) else None


def majorities(snapshot: Snapshot) -> tuple[Snapshot, tuple[str, ...]]:
    """The same check with every host as most of its pool are.

    Returns:
        The check to compare with, as the older one; and what has no majority, a sentence each. More than half of those
        that could tell are a majority, of at least three: of two that differ neither is the odd one.
    """
    pools: dict[str, list[HostRow]] = {}
    for row in snapshot.hosts:
        pool = pool_of(row)
        if pool is not None and row.reached:
            pools.setdefault(pool, []).append(row)
    usual = {pool: _usual(rows) for pool, rows in pools.items()}
    split = [
        f"pool {pool}: {path} has no majority: {said}"
        for pool, (_, open_) in usual.items()
        for path, said in open_.items()
    ]
    hosts = tuple(_as_most(row, usual[pool][0]) if (pool := pool_of(row)) in usual else row for row in snapshot.hosts)
    return snapshot.model_copy(update={"hosts": hosts, "run": "", "verdicts": snapshot.verdicts}), tuple(split)


def against_peers(snapshot: Snapshot, *, ignore: Sequence[Ignore] = ()) -> DriftReport:
    """Each host against the majority of its pool, in stable fields; the causes are what it has and the others have not.

    Args:
        snapshot: the check.
        ignore: rules of the policy.
    """
    usual, split = majorities(snapshot)
    report = drift(usual, snapshot, ignore=ignore, mode="peers")
    return report.model_copy(update={"remarks": (*report.remarks, *split)})


Usual = dict[tuple[str, str], Any]


def _usual(rows: Sequence[HostRow]) -> tuple[Usual, dict[str, str]]:
    """The majority's value of each stable field, by fact and field; and the fields that have none, in words."""
    seen: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for row in rows:
        for fact, values in row.facts.items():
            if UNASKED in values:
                continue
            for field, value in parts_of(fact, values).items():
                if class_of(fact, field) == "stable" and (fact, field) not in _OWN:
                    text = json.dumps(canonical(fact, field, value), sort_keys=True, default=str)
                    seen.setdefault((fact, field), {}).setdefault(text, []).append(value)
    found: Usual = {}
    open_: dict[str, str] = {}
    for (fact, field), values in seen.items():
        if len(values) == 1:
            continue
        counts = Counter({text: len(shown) for text, shown in values.items()})
        (text, most), total = counts.most_common(1)[0], sum(counts.values())
        if most * 2 > total:
            found[fact, field] = values[text][0]
        else:
            said = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            more = f" and {len(said) - 4} more" if len(said) > 4 else ""
            open_[f"{fact}.{field}"] = ", ".join(f"{text[:60]} ({count})" for text, count in said[:4]) + more
    return found, open_


def _as_most(row: HostRow, usual: Usual) -> HostRow:
    facts: dict[str, Any] = {}
    for fact, values in row.facts.items():
        changed = {field: value for (of, field), value in usual.items() if of == fact}
        if not changed or UNASKED in values:
            continue
        new = dict(values)
        for field, value in changed.items():
            whole, _, part = field.partition(".")
            if part:
                new[whole] = {**(new.get(whole) or {}), part: value}
            elif field in new:
                new[field] = value
        facts[fact] = new
    return row.model_copy(update={"facts": {**row.facts, **facts}}) if facts else row
