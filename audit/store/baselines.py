"""Baselines: states of the fleet that somebody called good; each host may come from a check of its own."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from audit.store.check_tables import baseline, baseline_host, check_host, check_run, host
from audit.store.checks import Baseline
from audit.store.dialect import upsert
from audit.store.finding import AGO, WORDS
from audit.store.reading import Rows

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
"""Nothing that could be a check's id, a time, a word or a path."""
_runs_of = (
    select(check_run.c.id)
    .where(check_run.c.number.in_(select(baseline_host.c.run).where(baseline_host.c.baseline == bindparam("name"))))
    .order_by(check_run.c.number)
)
_rows_of = (
    select(check_host, host.c.name)
    .join(baseline_host, (baseline_host.c.host == check_host.c.host) & (baseline_host.c.run == check_host.c.run))
    .join(host, host.c.id == check_host.c.host)
    .where(baseline_host.c.baseline == bindparam("name"))
    .order_by(check_host.c.position, host.c.name)
)


def name_is_good(name: str) -> bool:
    """Whether a baseline may be called so."""
    return NAME.fullmatch(name) is not None and name not in WORDS and AGO.fullmatch(name) is None


def put(
    connection: Connection, engine: str, name: str, run: Row[Any], hosts: Collection[str] | None, now: float
) -> set[str]:
    """Set it: whole, or only these hosts of it, the others staying as they were.

    Returns:
        Those of the hosts that the check does not have; where there are any, nothing was written.
    """
    rows = connection.execute(
        select(host.c.id, host.c.name).join(check_host, check_host.c.host == host.c.id)
        .where(check_host.c.run == run.number)
    ).all()  # fmt: skip
    missing = set(hosts or ()) - {row.name for row in rows}
    if missing:
        return missing
    changed = upsert(engine, baseline, lambda new: {"run": new["run"], "set_at": new["set_at"]})
    connection.execute(changed, {"name": name, "run": run.number, "set_at": now})
    if hosts is None:
        connection.execute(delete(baseline_host).where(baseline_host.c.baseline == name))
    wanted = [row for row in rows if hosts is None or row.name in hosts]
    if wanted:
        statement = upsert(engine, baseline_host, lambda new: {"run": new["run"]})
        connection.execute(statement, [{"baseline": name, "host": row.id, "run": run.number} for row in wanted])
    return set()


def every(connection: Connection) -> list[Baseline]:
    """All of them, by name."""
    query = (
        select(baseline.c.name, baseline.c.set_at, check_run.c.id, func.count(baseline_host.c.host).label("hosts"))
        .join(check_run, check_run.c.number == baseline.c.run)
        .outerjoin(baseline_host, baseline_host.c.baseline == baseline.c.name)
        .group_by(baseline.c.name, baseline.c.set_at, check_run.c.id)
        .order_by(baseline.c.name)
    )
    return [
        Baseline(
            name=row.name, run=row.id, set_at=row.set_at, hosts=row.hosts,
            runs=tuple(connection.execute(_runs_of, {"name": row.name}).scalars().all()),
        )
        for row in connection.execute(query).all()
    ]  # fmt: skip


def rows_of(connection: Connection, name: str) -> Rows | None:
    """A baseline's rows; None: there is no such baseline."""
    run = connection.execute(
        select(check_run).join(baseline, baseline.c.run == check_run.c.number).where(baseline.c.name == name)
    ).first()
    if run is None:
        return None
    rows = list(connection.execute(_rows_of, {"name": name}))
    mixed = bool({row.run for row in rows} - {run.number})
    return Rows(run, "" if mixed else run.id, all(row.outcome in ("ok", "partial") for row in rows), rows)


def drop(connection: Connection, name: str) -> bool:
    """Remove it; False: there was none."""
    return connection.execute(delete(baseline).where(baseline.c.name == name)).rowcount == 1
