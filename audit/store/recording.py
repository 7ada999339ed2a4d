"""A check, written: its row, its hosts, and what these said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from audit.store.check_tables import check_host, check_run, host
from audit.store.contents import Text, put, raw_of
from audit.store.dialect import upsert
from audit.store.known import CHUNK

_COLUMNS = {"name", "address", "groups", "pool", "outcome", "detail", "pushes", "facts"}
_hosts_by_name = select(host.c.id, host.c.name).where(host.c.name.in_(bindparam("names", expanding=True)))
_earlier = check_host.alias("earlier")
_last_run = (
    select(func.max(_earlier.c.run))
    .where(_earlier.c.host == host.c.id, _earlier.c.run < bindparam("number"))
    .correlate(host)
    .scalar_subquery()
)
_last_runs = select(host.c.id, _last_run.label("run"))
_rows_of_run = select(check_host).where(check_host.c.run == bindparam("number"))


class Check(NamedTuple):
    """What is to be written.

    Attributes:
        number, id: of the check.
        snapshot: `audit.snapshot.Snapshot` as JSON.
        saved: `audit.run.SavedRun` as JSON; None: without evidence.
        exit_code: of the command.
    """

    number: int
    id: str
    snapshot: Mapping[str, Any]
    saved: Mapping[str, Any] | None
    exit_code: int


def write(connection: Connection, engine: str, check: Check) -> None:
    """Write a check, in the caller's transaction, which keeps other writers out.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is no snapshot, or no saved run.
    """
    snapshot, saved = check.snapshot, check.saved
    rows = [dict(row) for row in snapshot["hosts"]]
    names = [row["name"] for row in rows]
    if len(set(names)) != len(names):
        raise ValueError("two hosts of one name")
    if any(set(row) != _COLUMNS for row in rows):
        raise ValueError("a host with other fields than a snapshot's")
    numbers = _hosts(connection, engine, names)
    last = last_rows(connection, check.number)
    said, others = by_subject(snapshot["verdicts"], set(names))
    answers = saved["evidence"]["hosts"] if saved is not None else {}
    texts: list[list[Text | None]] = []
    for row in rows:
        old = last.get(numbers[row["name"]])
        evidence = answers.get(row["name"])
        texts.append([
            Text(raw_of(row["facts"]), old.facts if old else None),
            Text(raw_of(said.get(row["name"], [])), old.verdicts if old else None),
            Text(raw_of(evidence), old.evidence if old else None) if evidence is not None else None,
        ])  # fmt: skip
    fleet = Text(raw_of(saved["fleet"])) if saved is not None else None
    rest = Text(raw_of(others))
    flat = [text for three in texts for text in three if text is not None]
    ids = put(connection, engine, [*flat, rest, *([fleet] if fleet else [])])
    connection.execute(insert(check_run), [_run(check, ids[rest.raw], ids[fleet.raw] if fleet else None)])
    written = [
        _host(check.number, numbers[row["name"]], position, row, [ids[text.raw] if text else None for text in three])
        for position, (row, three) in enumerate(zip(rows, texts, strict=True))
    ]
    if written:
        connection.execute(insert(check_host), written)


def last_rows(connection: Connection, number: int) -> dict[int, Row[Any]]:
    """Each host's row in the last check before `number` that had it, by the host's number.

    First in which check each was last, which the index tells, then these checks, which are few: one statement that
    joins both reads every row of the history.
    """
    last: dict[int, set[int]] = {}
    for row in connection.execute(_last_runs, {"number": number}):
        if row.run is not None:
            last.setdefault(row.run, set()).add(row.id)
    return {
        row.host: row
        for run, hosts in last.items()
        for row in connection.execute(_rows_of_run, {"number": run})
        if row.host in hosts
    }


def by_subject(
    verdicts: Iterable[Mapping[str, Any]], hosts: set[str]
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Each host's verdicts without their subject, so that equal hosts have equal texts; and those of no host, whole."""
    said: dict[str, list[dict[str, Any]]] = {}
    others = []
    for row in verdicts:
        subject = row["subject"]
        if subject in hosts:
            said.setdefault(subject, []).append({key: value for key, value in row.items() if key != "subject"})
        else:
            others.append(dict(row))
    return said, others


def _hosts(connection: Connection, engine: str, names: list[str]) -> dict[str, int]:
    """Their short numbers, by name."""
    found: dict[str, int] = {}
    for missing in (True, False):
        for start in range(0, len(names), CHUNK):
            part = names[start : start + CHUNK]
            found.update((row.name, row.id) for row in connection.execute(_hosts_by_name, {"names": part}))
        fresh = [{"name": name} for name in names if name not in found]
        if not fresh or not missing:
            break
        connection.execute(upsert(engine, host), fresh)
    return found


def _run(check: Check, others: int, fleet: int | None) -> dict[str, Any]:
    snapshot, saved = check.snapshot, check.saved
    failed = Counter(row["severity"] for row in snapshot["verdicts"] if row["status"] == "fail")
    outcomes = Counter(row["outcome"] for row in snapshot["hosts"])
    head = None
    if saved is not None:
        evidence = {key: value for key, value in saved["evidence"].items() if key != "hosts"}
        head = {key: value for key, value in saved.items() if key != "fleet"} | {"evidence": evidence}
    mix = {
        "engines": _told(snapshot["hosts"], "engine", "version"),
        "stores": _told(snapshot["hosts"], "image_store", "kind"),
        "outcomes": outcomes,
    }
    return {
        "number": check.number, "id": check.id, "at": float(snapshot["at"]),
        "tool_version": str(snapshot["tool_version"]), "inventory": json.dumps(list(snapshot["inventory"])),
        "complete": bool(snapshot["complete"]), "hosts": len(snapshot["hosts"]),
        "reached": outcomes["ok"] + outcomes["partial"], "errors": failed["error"], "warnings": failed["warning"],
        "notes": failed["note"], "exit_code": check.exit_code, "mix": json.dumps(mix), "others": others,
        "fleet": fleet, "head": json.dumps(head) if head is not None else None,
    }  # fmt: skip


def _told(hosts: Iterable[Mapping[str, Any]], fact: str, field: str) -> Counter[str]:
    """How many hosts say what in a field of a fact."""
    said = (row["facts"].get(fact, {}).get(field) for row in hosts)
    return Counter(value if isinstance(value, str) and value else "unknown" for value in said)


def _host(run: int, number: int, position: int, row: Mapping[str, Any], ids: list[int | None]) -> dict[str, Any]:
    facts, verdicts, evidence = ids
    return {
        "run": run, "host": number, "position": position, "outcome": row["outcome"], "detail": row["detail"],
        "address": row["address"], "pool": row["pool"], "groups": json.dumps(list(row["groups"])),
        "pushes": row["pushes"], "facts": facts, "verdicts": verdicts, "evidence": evidence,
    }  # fmt: skip
