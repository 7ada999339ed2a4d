"""Checks taken out of a history, put into another, and removed when they are old."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, select, union

from audit.store import reading, recording, turns
from audit.store.check_tables import baseline, baseline_host, check_host, check_run, check_turn, content, host
from audit.store.checks import Exported

MOST_LINE = 1 << 29
"""Characters of one line of an import."""


class NoExport(Exception):  # noqa: N818 - it becomes a StoreError, with the place in front
    """A line of an import is none of ours."""


def exported(connection: Connection, run: Row[Any]) -> str:
    """One check as a line of JSON, without its newline."""
    line = Exported(
        number=run.number, id=run.id, exit_code=run.exit_code,
        snapshot=reading.snapshot_of(connection, reading.rows_of(connection, run)),
        saved=reading.saved_of(connection, run),
    )  # fmt: skip
    return json.dumps(line.model_dump(), separators=(",", ":"))


def _no_number(word: str) -> float:
    """NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{word} is no number")


def lines(texts: Iterable[str]) -> Iterator[tuple[int, Exported]]:
    """Read an export, with the number of each line; NoExport: a line is none of ours."""
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        if len(text) > MOST_LINE:
            raise NoExport(f"line {number} is longer than {MOST_LINE >> 20} MiB")
        try:
            value = json.loads(text, parse_constant=_no_number)
            yield number, Exported.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"])) or "it"
            raise NoExport(f"line {number} is no check of an export: {key}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise NoExport(f"line {number} is no JSON, or cut short ({type(error).__name__})") from error


def put(connection: Connection, engine: str, checks: Iterable[tuple[int, Exported]]) -> list[str]:
    """Put checks where their number says, in the caller's transaction; those that are there already stay.

    Returns:
        The ids of those that were put.

    Raises:
        NoExport: one is no check; nothing shall be committed then.
    """
    put_in: list[str] = []
    first: int | None = None
    for line, check in checks:
        if connection.execute(select(check_run.c.id).where(check_run.c.id == check.id)).first() is not None:
            continue
        number = check.number
        while connection.execute(select(check_run.c.id).where(check_run.c.number == number)).first() is not None:
            number += 1
        row = recording.Check(number, check.id, check.snapshot | {"run": check.id}, check.saved, check.exit_code)
        try:
            recording.write(connection, engine, row)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise NoExport(f"line {line} has no snapshot of a check ({what[:100]})") from error
        first = number if first is None else min(first, number)
        put_in.append(check.id)
    try:
        if first is not None:
            turns.again(connection, first)
    except (KeyError, TypeError, AttributeError) as error:
        raise NoExport(f"a verdict of it lacks what it should have ({type(error).__name__})") from error
    return put_in


def prune(connection: Connection, *, before: float | None, most: int | None) -> list[str]:
    """Remove old checks, in the caller's transaction; those that a baseline needs, and the newest one, stay.

    Args:
        connection: of a writer.
        before: UNIX time; checks from before it go.
        most: so many of the newest stay.

    Returns:
        The ids of those removed, oldest first.
    """
    rows = connection.execute(select(check_run.c.number, check_run.c.id, check_run.c.at).order_by(check_run.c.number))
    listed = rows.all()
    needed = set(connection.execute(union(select(baseline.c.run), select(baseline_host.c.run))).scalars())
    kept = listed[-most:] if most else listed[-1:]
    needed |= {row.number for row in kept}
    old = [
        row for row in listed
        if row.number not in needed and (most is not None or (before is not None and row.at < before))
    ]  # fmt: skip
    for row in old:
        connection.execute(delete(check_run).where(check_run.c.number == row.number))
    if old:
        gone = {row.number for row in old}
        _sweep(connection, min(row.number for row in listed if row.number not in gone))
    return [row.id for row in old]


def _sweep(connection: Connection, oldest: int) -> None:
    """Remove turns that a later one had overtaken when the oldest check was made, and contents that nobody names."""
    later = check_turn.alias("later")
    overtaken = (
        select(later.c.run)
        .where(later.c.subject == check_turn.c.subject, later.c.rule == check_turn.c.rule,
               later.c.run > check_turn.c.run, later.c.run <= oldest)
        .exists()
    )  # fmt: skip
    connection.execute(delete(check_turn).where(check_turn.c.run < oldest, overtaken))
    connection.execute(delete(host).where(~select(check_host.c.host).where(check_host.c.host == host.c.id).exists()))
    named = union(*(
        select(column).where(column.is_not(None))
        for column in (
            check_host.c.facts, check_host.c.verdicts, check_host.c.evidence, check_run.c.others, check_run.c.fleet
        )
    )).subquery("named")  # fmt: skip
    ids = select(named.c[0])
    based = select(content.c.base).where(content.c.base.is_not(None), content.c.id.in_(ids))
    connection.execute(delete(content).where(content.c.id.not_in(union(ids, based).subquery().select())))
