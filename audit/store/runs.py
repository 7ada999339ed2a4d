"""Runs of merges: begun, taken up, seen alive, ended; and what the writing and reading of a journal have in common."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, update

from audit.store import statements
from audit.store.database import Database
from audit.store.dialect import upsert
from audit.store.failures import AGAIN, StoreError, journal_failed
from audit.store.known import Repositories
from audit.store.rows import RUN_STATES, MergeRun
from audit.store.tables import merge_run
from audit.store.writer import Batch, Writer

_COUNTED = {"preserve_rowcount": True}
"""SQLAlchemy keeps an INSERT's count only where it is asked to; psycopg's would be lost."""


class Runs:
    """The part of a `Journal` that is about whole runs.

    Args:
        database: open; whoever opened it closes it.
        now: UNIX time.
    """

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        """Nothing is read or written yet."""
        self._database, self._now = database, now
        self._repositories = Repositories(database)
        self._begin = upsert(database.engine_name, merge_run)
        self._note = statements.note(database.engine_name)
        self._stand = statements.stand(database.engine_name)
        self._writer = Writer(self._write, database.place)

    def unfinished(self, plan_hash: str, *, youngest: float) -> MergeRun | None:
        """The run to take up: the latest of that plan, if it has no end and gave a sign of life since `youngest`.

        Raises:
            StoreError: the database fails.
        """
        with self._reading() as connection:
            row = connection.execute(statements.newest_of_plan, {"hash": plan_hash}).first()
            found = statements.as_run(row) if row is not None else None
        return found if found and found.ended is None and found.beat >= youngest else None

    def begin(self, plan: str, plan_hash: str, *, tool: str, pid: int, boot: str) -> MergeRun:
        """A new run, committed.

        Args:
            plan: its name, for people.
            plan_hash: of what it wants.
            tool: version of fleet-audit.
            pid: of this process.
            boot: of this machine, e.g. ``/proc/sys/kernel/random/boot_id``.

        Raises:
            JournalFailed: it cannot be written.
        """
        now = self._now()
        while True:
            stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(now))
            run = MergeRun(
                id=f"{stamp}-{secrets.token_hex(2)}", plan=plan, plan_hash=plan_hash, began=now, beat=now,
                state="running", tool=tool, pid=pid, boot=boot,
            )  # fmt: skip
            row = run.model_dump() | {"progress": "{}", "totals": "{}"}
            with self._failing(), self._database.writing() as connection:
                if connection.execute(self._begin, row, execution_options=_COUNTED).rowcount == 1:
                    return run
            # Two of the same second drew the same four digits.

    def take_up(self, run: str, *, pid: int, boot: str, tool: str | None = None) -> MergeRun:
        """Go on with a run that another process left, committed; it is running again, whatever its end was.

        Args:
            run: its id.
            pid: of this process.
            boot: of this machine.
            tool: version of fleet-audit; None: as it was.

        Raises:
            JournalFailed: it cannot be written, or there is no such run.
        """
        values: dict[str, Any] = {
            "pid": pid, "boot": boot, "beat": self._now(), "resumed": merge_run.c.resumed + 1, "state": "running",
            "ended": None,
        }  # fmt: skip
        if tool is not None:
            values["tool"] = tool
        with self._failing(), self._database.writing() as connection, self._ours():
            connection.execute(update(merge_run).where(merge_run.c.id == run).values(values))
            row = connection.execute(statements.run_by_id, {"run": run}).first()
            if row is None:
                raise StoreError(self._database.place, f"there is no run {run[:60]!r}", "look at its list of runs")
            return statements.as_run(row)

    def beat(self, run: str, progress: Mapping[str, Any]) -> None:
        """A sign of life, and how far it is (as JSON); queued, and of several only the last is written."""
        row = {"of_run": run, "new_progress": statements.written(progress), "new_beat": self._now()}

        def put(batch: Batch) -> None:
            batch.beats[run] = row

        self._writer.add(put)

    def end(self, run: str, state: str, totals: Mapping[str, Any]) -> None:
        """The run's end; returns when all of it is on the disk, so that a power loss costs nothing of it.

        Args:
            run: its id.
            state: ``done``, ``left`` or ``stopped``.
            totals: as JSON.

        Raises:
            JournalFailed: it cannot be written.
        """
        if state not in RUN_STATES or state == "running":
            raise ValueError(f"{state!r} is no end of a run")
        now, text = self._now(), statements.written(totals)
        self._writer.flush()
        with self._failing():
            with self._database.writing() as connection:
                values = {"state": state, "ended": now, "beat": now, "totals": text}
                connection.execute(update(merge_run).where(merge_run.c.id == run).values(values))
            self._database.settle()

    def run(self, run: str) -> MergeRun | None:
        """One run; None: there is none of that id. StoreError: the database fails."""
        with self._reading() as connection:
            row = connection.execute(statements.run_by_id, {"run": run}).first()
            return statements.as_run(row) if row is not None else None

    def runs(self, limit: int) -> list[MergeRun]:
        """The latest runs, newest first. StoreError: the database fails."""
        with self._reading() as connection:
            return [statements.as_run(row) for row in connection.execute(statements.newest_runs, {"most": limit})]

    def latest(self) -> MergeRun | None:
        """The latest run of any plan. StoreError: the database fails."""
        return next(iter(self.runs(1)), None)

    # ------------------------------------------------------------------- inside

    def _write(self, batch: Batch) -> None:
        """Commit a batch; on the writer's thread."""
        with self._database.writing() as connection:
            if batch.notes:
                connection.execute(self._note, batch.notes)
            if batch.stands:
                connection.execute(self._stand, batch.stands)
            if batch.known:
                self._repositories.write(connection, batch.known)
            if batch.beats:
                connection.execute(statements.beat_of_run, list(batch.beats.values()))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A state that has all that was queued."""
        self._writer.flush()
        with self._database.reading() as connection, self._ours():
            yield connection

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """A row that does not read as ours is damage."""
        try:
            yield
        except ValueError as error:
            what = f"a row of it is not as fleet-audit writes them ({type(error).__name__})"
            raise StoreError(self._database.place, what, AGAIN, "damaged") from error

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What fails here ends a merge that is under way."""
        self._writer.check()
        try:
            yield
        except StoreError as error:
            raise journal_failed(error, self._database.place) from error
