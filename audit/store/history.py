"""The history of checks: what each found, since when it is so, and the states that somebody called good.

    history = History(database)
    run = history.record(snapshot.model_dump(mode="json"), saved.model_dump_json(), exit_code=1)
    history.snapshot("latest")      the same again
    history.standing(run.id)        what fails, and since when

It knows snapshots and saved runs as JSON only. Which check is the latest is a matter of their order, not of the clock.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, func, select

from audit.store import baselines, finding, keeping, reading, recording, turns
from audit.store.check_tables import check_run, check_turn, host
from audit.store.checks import Baseline, CheckRun, Exported, Life, RunCounts, Standing, Turn
from audit.store.database import Database
from audit.store.failures import AGAIN, StoreError

_MOST = 1 << 31


class History:
    """The history of checks; threads share one.

    Whatever cannot be read or written raises `StoreError` (exit code 2), also a check or baseline that is not there.

    Args:
        database: open; whoever opened it closes it.
        now: UNIX time.
    """

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        """Nothing is read or written yet."""
        self._database, self._now = database, now

    # ------------------------------------------------------------------- checks

    def record(self, snapshot: Mapping[str, Any], saved: str | None, *, exit_code: int) -> CheckRun:
        """Keep a check, in one transaction: a crash in its midst loses this check only.

        Args:
            snapshot: `audit.snapshot.Snapshot` as JSON.
            saved: `audit.run.SavedRun` as JSON text, redacted; None: without evidence.
            exit_code: of the command.
        """
        evidence = json.loads(saved) if saved is not None else None
        with self._writing() as connection:
            last = connection.execute(select(func.max(check_run.c.number))).scalar_one_or_none()
            number = max(_milliseconds(snapshot["at"]), (last or 0) + 1)
            name = self._fresh_id(connection, float(snapshot["at"]))
            check = recording.Check(number, name, snapshot, evidence, exit_code)
            recording.write(connection, self._database.engine_name, check)
            turns.note(connection, number)
            return reading.as_run(self._row(connection, name))

    def runs(self, limit: int = 20) -> list[CheckRun]:
        """The latest checks, newest first."""
        with self._reading() as connection:
            return [reading.as_run(row) for row in connection.execute(reading.newest, {"most": min(limit, _MOST)})]

    def find(self, text: str) -> CheckRun:
        """The check that a person means.

        Args:
            text: an id or the beginning of one; ``latest``, ``previous``; a time (``2026-11-26T02:00``, ``8h``,
                ``2d``): the last check that is not after it; or the name of a baseline: the check that it was last set
                from.

        Raises:
            StoreError: there is none such; it names the last ones.
        """
        with self._reading() as connection:
            return reading.as_run(self._row(connection, text))

    def snapshot(self, run: str) -> dict[str, Any]:
        """`audit.snapshot.Snapshot` as JSON, with the id in its ``run``; `run` is as `find` takes it."""
        with self._reading() as connection:
            return reading.snapshot_of(connection, reading.rows_of(connection, self._row(connection, run)))

    def listed(self, run: str) -> dict[str, Any]:
        """As `snapshot`, without facts and verdicts: which hosts there were, and whether they were reached."""
        with self._reading() as connection:
            rows = reading.rows_of(connection, self._row(connection, run))
            return reading.assembled(rows, [reading.host_of(row, {}) for row in rows.hosts], [])

    def pair(self, before: str, after: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two snapshots to be compared; verdicts that both have on a host, word for word, are left out of both.

        Args:
            before, after: the name of a baseline, else as `find` takes it.
        """
        with self._reading() as connection:
            old, new = (
                baselines.rows_of(connection, text) or reading.rows_of(connection, self._row(connection, text))
                for text in (before, after)
            )
            return reading.snapshot_of(connection, old, new), reading.snapshot_of(connection, new, old)

    def before(self, run: str, most: int) -> list[str]:
        """The ids of so many checks before one, newest first; `run` is as `find` takes it."""
        with self._reading() as connection:
            number = self._row(connection, run).number
            found = select(check_run.c.id).where(check_run.c.number < number).order_by(check_run.c.number.desc())
            return list(connection.execute(found.limit(most)).scalars())

    def saved(self, run: str) -> str:
        """`audit.run.SavedRun` as JSON text; `run` is as `find` takes it. StoreError too where no evidence was kept."""
        with self._reading() as connection:
            row = self._row(connection, run)
            saved = reading.saved_of(connection, row)
            if saved is None:
                what = f"the check {row.id} was recorded without its evidence"
                raise StoreError(self._database.place, what, "name another one")
            return json.dumps(saved)

    def standing(self, run: str) -> list[Standing]:
        """What fails in a check, and since when; `run` is as `find` takes it."""
        with self._reading() as connection:
            rows = reading.rows_of(connection, self._row(connection, run))
            return turns.standing(connection, rows.run, reading.snapshot_of(connection, rows)["verdicts"])

    def host_life(self, name: str) -> list[Life]:
        """The checks in which a host, or a rule there, turned, oldest first."""
        with self._reading() as connection:
            found = turns.host_life(connection, name)
            if not found:
                known = connection.execute(select(host.c.name).order_by(host.c.name).limit(8)).scalars().all()
                raise self._none(f"no check had a host {_shown(name)}", known, "its hosts are")
            return found

    def rule_life(self, rule: str) -> list[Turn]:
        """Every time that a rule began or ended to fail, or to be waived, oldest first; empty: it never did."""
        with self._reading() as connection:
            return turns.rule_life(connection, rule)

    def turned(self, run: str) -> list[Turn]:
        """The verdicts that turned in a check; `run` is as `find` takes it."""
        with self._reading() as connection:
            row = self._row(connection, run)
            life = connection.execute(
                select(check_turn)
                .where(check_turn.c.run == row.number)
                .order_by(check_turn.c.subject, check_turn.c.rule)
            )
            return [Turn(run=row.id, at=one.at, subject=one.subject, rule=one.rule, before=one.before, after=one.after,
                         severity=one.severity, message=one.message) for one in life]  # fmt: skip

    def counts(self, limit: int = 200) -> list[RunCounts]:
        """What a chart shows of the latest checks, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(reading.newest, {"most": min(limit, _MOST)}).all()
            return [reading.as_counts(row) for row in reversed(rows)]

    # ------------------------------------------------------------------- baselines

    def set_baseline(self, name: str, run: str, hosts: Collection[str] | None = None) -> Baseline:
        """Call a check good, or some of its hosts.

        Args:
            name: a letter, then letters, digits, ``.``, ``_`` and ``-``, 64 at most.
            run: as `find` takes it.
            hosts: only these; the baseline's other hosts stay as they were. None: all, and no others.
        """
        if not baselines.name_is_good(name):
            raise StoreError(
                self._database.place, f"a baseline cannot be called {_shown(name)}",
                "begin with a letter, and use letters, digits, '.', '_' and '-' only, but not a word such as latest",
            )  # fmt: skip
        with self._writing() as connection:
            row = self._row(connection, run)
            engine, now = self._database.engine_name, self._now()
            missing = baselines.put(connection, engine, name, row, hosts, now)
            if missing:
                what = f"the check {row.id} has no host {_shown(min(missing))}"
                raise StoreError(self._database.place, what, f"see `history show {row.id}`")
            return next(one for one in baselines.every(connection) if one.name == name)

    def baselines(self) -> list[Baseline]:
        """All of them, by name."""
        with self._reading() as connection:
            return baselines.every(connection)

    def baseline(self, name: str) -> dict[str, Any]:
        """`audit.snapshot.Snapshot` as JSON; its ``run`` is empty where its hosts come from several checks."""
        with self._reading() as connection:
            rows = baselines.rows_of(connection, name)
            if rows is None:
                raise self._no_baseline(connection, name)
            return reading.snapshot_of(connection, rows)

    def drop_baseline(self, name: str) -> None:
        """Forget it; its checks stay, and may be pruned from now on."""
        with self._writing() as connection:
            if not baselines.drop(connection, name):
                raise self._no_baseline(connection, name)

    # ------------------------------------------------------------------- the whole

    def prune(self, *, keep_days: float | None = None, keep_runs: int | None = None) -> list[str]:
        """Remove old checks; those of a baseline, and the newest one, stay. What failed since before is still known.

        Args:
            keep_days: those that are younger stay.
            keep_runs: so many of the newest stay; one of both is to be given.

        Returns:
            The ids of those removed, oldest first.
        """
        if (keep_days is None) == (keep_runs is None):
            raise ValueError("either keep_days or keep_runs")
        before = self._now() - keep_days * 86400.0 if keep_days is not None else None
        with self._writing() as connection:
            return keeping.prune(connection, before=before, most=max(1, keep_runs) if keep_runs is not None else None)

    def export(self, runs: Sequence[str] = ()) -> Iterator[str]:
        """Checks as lines of JSON (`audit.store.checks.Exported`), each with its newline, oldest first.

        Args:
            runs: as `find` takes them; none: all.
        """
        with self._reading() as connection:
            rows = [self._row(connection, text) for text in runs]
            if not runs:
                rows = list(connection.execute(select(check_run).order_by(check_run.c.number)))
            for row in sorted({row.number: row for row in rows}.values(), key=lambda row: int(row.number)):
                yield keeping.exported(connection, row) + "\n"

    def import_(
        self, lines: Iterable[str], *, check: Callable[[Exported], None] | None = None, named: str = "the import"
    ) -> list[str]:
        """Put checks of another history in, at their place in time; all of them or none.

        Args:
            lines: as `export` gives them; those that are there already are passed over.
            check: looks at each, and raises ValueError where it is not as it should be.
            named: what a message calls the lines.

        Returns:
            The ids of those put in.

        Raises:
            StoreError: a line is no check; nothing was put in.
        """
        try:
            with self._writing() as connection:
                return keeping.put(connection, self._database.engine_name, _checked(keeping.lines(lines), check))
        except keeping.NoExport as error:
            raise StoreError(named, str(error), "nothing was put in; export it again") from error

    # ------------------------------------------------------------------- inside

    def _row(self, connection: Connection, text: str) -> Row[Any]:
        found = finding.run_named(connection, text, self._now())
        if found is not None:
            return found
        last = connection.execute(select(check_run.c.id).order_by(check_run.c.number.desc()).limit(5)).scalars().all()
        what = {"latest": "no check was recorded yet", "previous": "there is no check before the latest"}.get(
            text, f"no check, or more than one, is meant by {_shown(text)}"
        )
        raise self._none(what, last, "the last ones are")

    def _none(self, what: str, known: Iterable[str], are: str) -> StoreError:
        names = ", ".join(map(_shown, known))
        remedy = f"{are} {names}" if names else "a `check` records the first one"
        return StoreError(self._database.place, what, remedy, "missing")

    def _no_baseline(self, connection: Connection, name: str) -> StoreError:
        names = [one.name for one in baselines.every(connection)]
        what = f"there is no baseline {_shown(name)}"
        remedy = f"there are {', '.join(names[:8])}" if names else "`baseline set NAME` makes one"
        return StoreError(self._database.place, what, remedy, "missing")

    @staticmethod
    def _fresh_id(connection: Connection, at: float) -> str:
        while True:
            name = f"{finding.stamped(at)}-{secrets.token_hex(2)}"
            if connection.execute(select(check_run.c.id).where(check_run.c.id == name)).first() is None:
                return name

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.reading() as connection, self._ours(), connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._database.writing() as connection, self._ours():
            self._database.alone(connection)
            yield connection

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """A row that does not read as ours is damage."""
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            what = f"a row of it is not as fleet-audit writes them ({type(error).__name__})"
            raise StoreError(self._database.place, what, AGAIN, "damaged") from error


def _checked(
    lines: Iterator[tuple[int, Exported]], check: Callable[[Exported], None] | None
) -> Iterator[tuple[int, Exported]]:
    for number, line in lines:
        try:
            if check is not None:
                check(line)
        except ValueError as error:
            why = str(error).split("\n")[0][:200]  # a validation's next lines quote the input
            raise keeping.NoExport(f"line {number} has no snapshot of a check ({why})") from error
        yield number, line


def _milliseconds(at: object) -> int:
    try:
        return max(0, min(int(float(str(at)) * 1000), 1 << 52))
    except (ValueError, OverflowError):
        return 0


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:60] or "''"
