"""A check, read: what `recording` wrote, as it was."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, select

from audit.store import contents
from audit.store.check_tables import check_host, check_run, host
from audit.store.checks import CheckRun, RunCounts

_hosts_of = (
    select(check_host, host.c.name)
    .join(host, host.c.id == check_host.c.host)
    .where(check_host.c.run == bindparam("number"))
    .order_by(check_host.c.position)
)
newest = select(check_run).order_by(check_run.c.number.desc()).limit(bindparam("most"))


def as_run(row: Row[Any]) -> CheckRun:
    """ValueError: a stranger wrote it."""
    return CheckRun(
        id=row.id, number=row.number, at=row.at, tool_version=row.tool_version,
        inventory=tuple(json.loads(row.inventory)), hosts=row.hosts, reached=row.reached, complete=row.complete,
        findings=_findings(row), exit_code=row.exit_code, saved=row.head is not None,
    )  # fmt: skip


def as_counts(row: Row[Any]) -> RunCounts:
    """ValueError: a stranger wrote it."""
    mix = json.loads(row.mix)
    return RunCounts(
        run=row.id, at=row.at, hosts=row.hosts, reached=row.reached, findings=_findings(row), engines=mix["engines"],
        stores=mix["stores"], outcomes=mix["outcomes"],
    )  # fmt: skip


def _findings(row: Row[Any]) -> dict[str, int]:
    return {"error": row.errors, "warning": row.warnings, "note": row.notes}


class Rows(NamedTuple):
    """A snapshot as its rows, not put together yet.

    Attributes:
        run: the check, or the one that a baseline was last set from: its verdicts on pools and the fleet count.
        id: of the check; empty: the hosts come from several.
        complete: every host was reached, and no signal ended it.
        hosts: rows of `check_host` with the host's name, in order.
    """

    run: Row[Any]
    id: str
    complete: bool
    hosts: list[Row[Any]]


def rows_of(connection: Connection, run: Row[Any]) -> Rows:
    """A check's."""
    return Rows(run, run.id, run.complete, list(connection.execute(_hosts_of, {"number": run.number})))


def snapshot_of(connection: Connection, rows: Rows, unlike: Rows | None = None) -> dict[str, Any]:
    """`audit.snapshot.Snapshot` as JSON.

    Args:
        connection: of one state.
        rows: to put together.
        unlike: leave out the verdicts of a host of which this one says word for word the same, which are most.

    Raises:
        ValueError: something of it is missing or damaged.
    """
    same = {row.name: row.verdicts for row in unlike.hosts} if unlike is not None else {}
    speaking = [row for row in rows.hosts if same.get(row.name) != row.verdicts]
    found = contents.get(connection, {row.facts for row in rows.hosts} | {row.verdicts for row in speaking})
    hosts = [host_of(row, found[row.facts]) for row in rows.hosts]
    verdicts = [with_subject(verdict, row.name) for row in speaking for verdict in found[row.verdicts]]
    return assembled(rows, hosts, [*verdicts, *verdicts_of(connection, rows.run.others)])


def host_of(row: Row[Any], facts: dict[str, Any]) -> dict[str, Any]:
    """A host of a snapshot, with these facts."""
    return {
        "name": row.name, "address": row.address, "groups": json.loads(row.groups), "pool": row.pool,
        "outcome": row.outcome, "detail": row.detail, "facts": facts, "pushes": row.pushes,
    }  # fmt: skip


def assembled(rows: Rows, hosts: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    """A snapshot of these hosts and verdicts."""
    run = rows.run
    return {
        "kind": "fleet-audit snapshot", "schema_version": 1, "run": rows.id, "at": run.at,
        "tool_version": run.tool_version, "inventory": json.loads(run.inventory), "complete": rows.complete,
        "hosts": hosts, "verdicts": verdicts,
    }  # fmt: skip


def with_subject(verdict: dict[str, Any], subject: str) -> dict[str, Any]:
    """A host's verdict as the snapshot had it, its fields in their order."""
    return {"rule": verdict.get("rule"), "subject": subject} | verdict


def verdicts_of(connection: Connection, number: int | None) -> list[dict[str, Any]]:
    """A content that is a list of verdicts; ValueError: it is missing or damaged."""
    return list(contents.get(connection, [number])[number]) if number is not None else []


def saved_of(connection: Connection, run: Row[Any]) -> dict[str, Any] | None:
    """`audit.run.SavedRun` as JSON; None: no evidence was kept. ValueError: something is missing or damaged."""
    if run.head is None or run.fleet is None:
        return None
    rows = [row for row in connection.execute(_hosts_of, {"number": run.number}) if row.evidence is not None]
    found = contents.get(connection, {row.evidence for row in rows} | {run.fleet})
    saved = dict(json.loads(run.head))
    evidence = {**saved["evidence"], "hosts": {row.name: found[row.evidence] for row in rows}}
    return saved | {"fleet": found[run.fleet], "evidence": evidence}
