"""What a night of merges notes, and what the next process finds of it.

`note`, `stands`, `learn`, `forget` and `beat` are queued and committed together by one thread, at once; `wait=True` and
`flush` return when that is done. What was committed outlives a `kill -9`.

Who sees what is still queued: `known` looks into the queue; every other reading waits until it is written. Other
processes see what is committed.

Times are UNIX time, and clocks jump. What seems to come from the future counts as fresh until the next `expire`, which
sets it to now, so that it ages from then on. Which run is the latest is a matter of their order, not of the clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import delete, update

from audit.store import statements
from audit.store.known import CHUNK, KINDS, items, whole
from audit.store.rows import TAG_PHASES, Stood, TagRow
from audit.store.runs import Runs
from audit.store.tables import known, merge_run, tag_stood


class Journal(Runs):
    """The journal of merges; threads share one.

    Writing, and the reading that a merge under way depends on, raises `JournalFailed` (exit code 5), from its first
    failure on: nothing is lost silently.
    """

    # ------------------------------------------------------------------- tags

    def tags(self, run: str) -> dict[str, TagRow]:
        """What a run noted of its tags, by tag, in their order. StoreError: the database fails."""
        with self._reading() as connection:
            rows = connection.execute(statements.tags_of_run, {"run": run}).all()
            return {row.tag: statements.as_tag(row) for row in rows}

    def note(
        self,
        run: str,
        tag: str,
        *,
        unit: str,
        state: str,
        digest: str | None = None,
        before: str | None = None,
        before_known: bool = False,
        why: str = "",
        detail: Mapping[str, Any] | None = None,
        wait: bool = False,
    ) -> None:
        """How far a tag came; queued. What is not given stays as it was noted before, but for `why`.

        `before` stays, too, from the first ``tagging`` or ``done`` of the run on: it is what a rollback goes back to.

        Args:
            run: its id.
            tag: ``registry/repository:tag``.
            unit: key of what is merged for it.
            state: a `TagPhase`.
            digest: wanted, or standing there.
            before: that stood there.
            before_known: somebody looked, so that no `before` means that nothing stood there.
            why: one sentence where it is not done.
            detail: as JSON.
            wait: return when it is committed: right before a tag is written.

        Raises:
            JournalFailed: this, or something before, cannot be written.
        """
        if state not in TAG_PHASES:
            raise ValueError(f"{state!r} is no state of a tag")
        row = {
            "run": run, "tag": tag, "unit": unit, "state": state, "digest": digest, "before": before,
            "before_known": before_known or before is not None, "touched": state in ("tagging", "done"), "why": why,
            "detail": statements.written(detail), "updated": self._now(),
        }  # fmt: skip
        self._writer.add(lambda batch: batch.notes.append(row), wait=wait)

    def stood(self, tags: Iterable[str]) -> dict[str, Stood]:
        """What we last left or saw under these tags, by tag. JournalFailed: the database fails."""
        wanted, found = list(tags), {}
        with self._failing(), self._reading() as connection:
            for start in range(0, len(wanted), CHUNK):
                chunk = {"tags": wanted[start : start + CHUNK]}
                for row in connection.execute(statements.stood_of_tags, chunk):
                    found[row.tag] = statements.as_stood(row)
        return found

    def stands(self, tag: str, digest: str, *, unit: str, run: str) -> None:
        """A tag was left, or seen, like this; queued. JournalFailed: something cannot be written."""
        row = {"tag": tag, "digest": digest, "unit": unit, "run": run, "updated": self._now()}
        self._writer.add(lambda batch: batch.stands.append(row))

    # ------------------------------------------------------------------- what repositories have

    def known(
        self, registry: str, repository: str, kind: str, digests: Collection[str], *, youngest: float
    ) -> set[str]:
        """Which of the digests are believed to be there; what is queued counts.

        Args:
            registry: host.
            repository: in it.
            kind: ``blob`` or ``manifest``.
            digests: any number.
            youngest: UNIX time; what was last seen before is not believed.

        Raises:
            JournalFailed: the database fails.
        """
        asked, least = items(registry, repository, (kind,), digests), whole(youngest)
        if not asked:
            return set()
        self._writer.check()
        queued = self._writer.queued(asked)  # before the database, so that what is committed meanwhile is not missed
        with self._failing(), self._database.reading() as connection:
            wanted = [item.digest for item in asked]
            found = self._repositories.fresh(connection, registry, repository, kind, wanted, least)
        for item, seen in queued.items():
            if seen is not None and seen >= least:
                found.add(item.digest)
            else:
                found.discard(item.digest)
        return found

    def learn(self, registry: str, repository: str, kind: str, digests: Iterable[str]) -> None:
        """These are there now; queued, and known at once. JournalFailed: something cannot be written."""
        self._believe(registry, repository, (kind,), digests, whole(self._now()))

    def forget(self, registry: str, repository: str, digests: Iterable[str]) -> None:
        """These are not there, as blob or manifest; queued, and no longer known at once. JournalFailed likewise."""
        self._believe(registry, repository, KINDS, digests, None)

    def _believe(
        self, registry: str, repository: str, kinds: Collection[str], digests: Iterable[str], seen: int | None
    ) -> None:
        rows = dict.fromkeys(items(registry, repository, kinds, list(digests)), seen)
        if rows:
            self._writer.add(lambda batch: batch.known.update(rows))

    # ------------------------------------------------------------------- the whole

    def expire(self, *, known_before: float, runs_before: float) -> int:
        """Remove what is too old, and bring what seems to come from the future to now; returns the rows removed.

        Args:
            known_before: UNIX time; blobs and manifests last seen before it go.
            runs_before: UNIX time; runs with their tags, and what stood under a tag, last touched before it go.

        Raises:
            JournalFailed: it cannot be written.
        """
        self._writer.flush()
        now, removed = self._now(), 0
        with self._failing(), self._database.writing() as connection:
            for column, before, today in (
                (known.c.seen, whole(known_before), whole(now)),
                (merge_run.c.beat, runs_before, now),
                (tag_stood.c.updated, runs_before, now),
            ):
                connection.execute(update(column.table).where(column > today).values({column.name: today}))
                removed += connection.execute(delete(column.table).where(column < before)).rowcount
        return removed

    def flush(self) -> None:
        """Return when all that was queued is committed; JournalFailed: it will never be."""
        self._writer.flush()

    def close(self) -> None:
        """Commit what is queued; twice does no harm. JournalFailed: something queued is not in the database."""
        self._writer.close()

    def __enter__(self) -> Journal:
        """For `with`."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closed; a failure to write is not told where another error is on its way."""
        try:
            self.close()
        except Exception:
            if kind is None:
                raise
