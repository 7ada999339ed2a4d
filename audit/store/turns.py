"""Verdicts that turned: found when a check is written, so that what stays as it was costs no row.

``pass`` and ``n/a`` are fine. A verdict that could not be told (``unknown``) neither ends nor begins a finding: what
failed before and fails after has failed since before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select

from audit.store import contents, reading, recording
from audit.store.check_tables import check_host, check_run, check_turn, host
from audit.store.checks import Life, Standing, Turn
from audit.store.known import CHUNK

FINE = ("pass", "n/a")
TOLD = ("fail", "waived")
_FAR_BACK = 30
"""How many different states of a host are looked at for when a rule was last fine there."""

_subjects = (
    select(host.c.name, check_host.c.host, check_host.c.verdicts)
    .join(host, host.c.id == check_host.c.host)
    .where(check_host.c.run == bindparam("number"))
    .order_by(check_host.c.position)
)
_others_before = (
    select(check_run.c.others, check_run.c.at)
    .where(check_run.c.number < bindparam("number"), check_run.c.others.is_not(None))
    .order_by(check_run.c.number.desc())
    .limit(1)
)
_turns_of = (
    select(check_turn)
    .where(check_turn.c.subject.in_(bindparam("subjects", expanding=True)), check_turn.c.run < bindparam("number"))
    .order_by(check_turn.c.run)
)
_states_of_host = (
    select(check_host.c.verdicts, func.max(check_run.c.at).label("at"), func.max(check_host.c.run).label("run"))
    .join(check_run, check_run.c.number == check_host.c.run)
    .where(check_host.c.host == bindparam("host"), check_host.c.run < bindparam("number"))
    .group_by(check_host.c.verdicts)
    .order_by(func.max(check_host.c.run).desc())
    .limit(_FAR_BACK)
)


class _Then:
    """One subject before and now."""

    def __init__(
        self, subject: str, host: int | None, before: list[dict[str, Any]], after: list[dict[str, Any]],
        before_at: float | None,
    ) -> None:  # fmt: skip
        self.subject, self.host, self.before_at = subject, host, before_at
        self.before = {row["rule"]: row["status"] for row in before}
        self.after = {row["rule"]: row for row in after}


def note(connection: Connection, number: int) -> None:
    """Write the turns of a check that has just been written, and is the newest up to now.

    Args:
        connection: in the same transaction.
        number: of the check.
    """
    at = connection.execute(select(check_run.c.at).where(check_run.c.number == number)).scalar_one()
    changed = _changed(connection, number)
    states = _states(connection, [then.subject for then in changed], number)
    rows = []
    for then in changed:
        for rule, row in then.after.items():
            state = states.get((then.subject, rule))
            turned = _turned(connection, then, row, state, at, number)
            if turned is not None:
                rows.append(turned)
        gone = [rule for (subject, rule), state in states.items()
                if subject == then.subject and rule not in then.after and state.after in TOLD]  # fmt: skip
        for rule in gone:
            state = states[then.subject, rule]
            rows.append({
                "subject": then.subject, "rule": rule, "run": number, "at": at, "before": state.after, "after": None,
                "severity": state.severity, "message": state.message, "first_seen": None, "last_ok": state.last_ok,
            })  # fmt: skip
    if rows:
        connection.execute(insert(check_turn), rows)


def again(connection: Connection, first: int) -> None:
    """Find all turns anew from a check on, since one was put in between."""
    connection.execute(delete(check_turn).where(check_turn.c.run >= first))
    numbers = select(check_run.c.number).where(check_run.c.number >= first).order_by(check_run.c.number)
    for number in connection.execute(numbers).scalars().all():
        note(connection, number)


def _changed(connection: Connection, number: int) -> list[_Then]:
    """The subjects whose verdicts are other ones than in the last check that had them."""
    last = recording.last_rows(connection, number)
    runs = {row.run for row in last.values()}
    times: dict[int, float] = {}
    for part in _parts(sorted(runs)):
        query = select(check_run.c.number, check_run.c.at).where(check_run.c.number.in_(part))
        times.update((row.number, row.at) for row in connection.execute(query))
    rows = [
        (row, last.get(row.host))
        for row in connection.execute(_subjects, {"number": number})
        if row.host not in last or last[row.host].verdicts != row.verdicts
    ]
    wanted = {row.verdicts for row, _ in rows} | {old.verdicts for _, old in rows if old is not None}
    found = contents.get(connection, wanted)
    changed = [
        _Then(row.name, row.host, found[old.verdicts] if old else [], found[row.verdicts],
              times.get(old.run) if old else None)
        for row, old in rows
    ]  # fmt: skip
    now = connection.execute(select(check_run.c.others).where(check_run.c.number == number)).scalar_one()
    before = connection.execute(_others_before, {"number": number}).first()
    if before is None or before.others != now:
        old = _grouped(reading.verdicts_of(connection, before.others if before else None))
        for subject, verdicts in _grouped(reading.verdicts_of(connection, now)).items():
            changed.append(_Then(subject, None, old.get(subject, []), verdicts, before.at if before else None))
    return changed


def _turned(
    connection: Connection, then: _Then, row: Mapping[str, Any], state: Row[Any] | None, at: float, number: int
) -> dict[str, Any] | None:
    rule, after = row["rule"], row["status"]
    before = then.before.get(rule, state.after if state else None)
    again_fine = after in FINE and state is not None and state.first_seen is not None
    if before == after or not (before in TOLD or after in TOLD or again_fine):
        return None
    first_seen, last_ok = None, state.last_ok if state else None
    if after in ("fail", "unknown"):
        first_seen = state.first_seen if state is not None and before not in (*FINE, "waived") else None
        if first_seen is None and after == "fail":
            first_seen = at
    if after in FINE:
        last_ok = at
    elif before in FINE:
        last_ok = then.before_at
    elif before == "unknown" and (state is None or state.first_seen is None) and then.host is not None:
        last_ok = _last_fine(connection, then.host, rule, number) or last_ok
    return {
        "subject": then.subject, "rule": rule, "run": number, "at": at, "before": before, "after": after,
        "severity": row["severity"], "message": row["message"], "first_seen": first_seen, "last_ok": last_ok,
    }  # fmt: skip


def _last_fine(connection: Connection, number: int, rule: str, before: int) -> float | None:
    """When a rule was last fine on a host that could not be looked at since."""
    rows = connection.execute(_states_of_host, {"host": number, "number": before}).all()
    found = contents.get(connection, {row.verdicts for row in rows})
    for row in rows:
        if any(one["rule"] == rule and one["status"] in FINE for one in found[row.verdicts]):
            return float(row.at)
    return None


def _states(connection: Connection, subjects: list[str], before: int) -> dict[tuple[str, str], Row[Any]]:
    """The newest turn of each subject and rule."""
    found: dict[tuple[str, str], Row[Any]] = {}
    for part in _parts(subjects):
        for row in connection.execute(_turns_of, {"subjects": part, "number": before}):
            found[row.subject, row.rule] = row
    return found


def _grouped(verdicts: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in verdicts:
        found.setdefault(row["subject"], []).append(row)
    return found


def _parts(values: list[Any]) -> Iterable[list[Any]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


# ------------------------------------------------------------------- read


def standing(connection: Connection, run: Row[Any], verdicts: Iterable[Mapping[str, Any]]) -> list[Standing]:
    """What fails in a check, in its order, and since when."""
    failing = [row for row in verdicts if row["status"] == "fail"]
    states = _states(connection, list(dict.fromkeys(row["subject"] for row in failing)), run.number + 1)
    found = []
    for row in failing:
        state = states.get((row["subject"], row["rule"]))
        since = state.at if state is not None and state.after == "fail" else run.at
        first = state.first_seen if state is not None and state.first_seen is not None else since
        found.append(Standing(
            subject=row["subject"], rule=row["rule"], severity=row["severity"], message=row["message"],
            first_seen=first, since=since, last_ok=state.last_ok if state is not None else None,
        ))  # fmt: skip
    return found


def _readable() -> Select[Any]:
    return select(check_turn, check_run.c.id).outerjoin(check_run, check_run.c.number == check_turn.c.run)


def _as_turn(row: Row[Any]) -> Turn:
    return Turn(
        run=row.id or "", at=row.at, subject=row.subject, rule=row.rule, before=row.before, after=row.after,
        severity=row.severity, message=row.message,
    )  # fmt: skip


def rule_life(connection: Connection, rule: str) -> list[Turn]:
    """Every turn of a rule, oldest first."""
    query = _readable().where(check_turn.c.rule == rule).order_by(check_turn.c.run, check_turn.c.subject)
    return [_as_turn(row) for row in connection.execute(query)]


def host_life(connection: Connection, name: str) -> list[Life]:
    """The checks in which a host, or a rule there, turned, oldest first."""
    query = _readable().where(check_turn.c.subject == name).order_by(check_turn.c.run, check_turn.c.rule)
    turned: dict[int, list[Turn]] = {}
    for row in connection.execute(query):
        turned.setdefault(row.run, []).append(_as_turn(row))
    query = (
        select(check_host, check_run.c.id, check_run.c.at)
        .join(host, host.c.id == check_host.c.host)
        .join(check_run, check_run.c.number == check_host.c.run)
        .where(host.c.name == name)
        .order_by(check_host.c.run)
    )
    found: list[Life] = []
    last: tuple[Any, ...] | None = None
    columns = ("outcome", "pool", "pushes", "address")
    for row in connection.execute(query):
        now = tuple(getattr(row, column) for column in columns)
        pairs = zip(columns, now, last, strict=True) if last is not None else ()
        changed = tuple(column for column, new, old in pairs if new != old) if last is not None else ("first",)
        turns = tuple(turned.get(row.run, ()))
        if changed or turns:
            found.append(Life(
                run=row.id, at=row.at, outcome=row.outcome, detail=row.detail, pool=row.pool, pushes=row.pushes,
                address=row.address, changed=changed, turns=turns,
            ))  # fmt: skip
        last = now
    return found
