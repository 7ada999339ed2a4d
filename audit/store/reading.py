"""A check, read: what `recording` wrote, as it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

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


def snapshot_of(connection: Connection, run: Row[Any]) -> dict[str, Any]:
    """`audit.snapshot.Snapshot` as JSON; ValueError: something of it is missing or damaged."""
    rows = connection.execute(_hosts_of, {"number": run.number}).all()
    said = verdicts_of(connection, run.others)
    return assembled(connection, run, rows, said)


def assembled(connection: Connection, run: Row[Any], rows: Iterable[Row[Any]], others: Iterable[Any]) -> dict[str, Any]:
    """A snapshot of these rows of hosts, with these verdicts on pools and the fleet; else as the run has it."""
    listed = list(rows)
    found = contents.get(connection, {number for row in listed for number in (row.facts, row.verdicts)})
    hosts = [
        {
            "name": row.name, "address": row.address, "groups": json.loads(row.groups), "pool": row.pool,
            "outcome": row.outcome, "detail": row.detail, "facts": found[row.facts], "pushes": row.pushes,
        }
        for row in listed
    ]  # fmt: skip
    verdicts = [with_subject(verdict, row.name) for row in listed for verdict in found[row.verdicts]]
    return {
        "kind": "fleet-audit snapshot", "schema_version": 1, "run": run.id, "at": run.at,
        "tool_version": run.tool_version, "inventory": json.loads(run.inventory), "complete": run.complete,
        "hosts": hosts, "verdicts": [*verdicts, *others],
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
