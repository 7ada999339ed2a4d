"""One thread that writes: what is queued while it commits goes into its next transaction, so nobody waits for a timer.

What is queued is lost by a `kill -9` only while the transaction before it is being committed: about a millisecond.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audit.store.failures import journal_failed

MOST_QUEUED = 20_000
"""Rows; whoever comes with more waits, so that a slow disk does not become a large process."""


class Item(NamedTuple):
    """A digest in a repository."""

    registry: str
    repository: str
    kind: str
    digest: str


@dataclass(slots=True)
class Batch:
    """What goes into one transaction.

    Attributes:
        notes, stands: rows, in order; a later one of the same tag counts.
        known: UNIX seconds when it was seen, None: to be forgotten; the last word on each.
        beats: by run; only the last of each.
    """

    notes: list[dict[str, Any]] = field(default_factory=list)
    stands: list[dict[str, Any]] = field(default_factory=list)
    known: dict[Item, int | None] = field(default_factory=dict)
    beats: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows in it."""
        return len(self.notes) + len(self.stands) + len(self.known) + len(self.beats)


class Writer:
    """The thread, and what waits for it; it starts with the first thing to write.

    Args:
        write: commits a batch.
        place: of the database, for messages.
    """

    def __init__(self, write: Callable[[Batch], None], place: str) -> None:
        """Nothing is running yet."""
        self._write, self._place = write, place
        self._change = threading.Condition()
        self._pending, self._writing = Batch(), Batch()
        self._number, self._committed = 1, 0  # of the pending batch; of the last that was committed
        self._cause: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, put: Callable[[Batch], None], *, wait: bool = False) -> None:
        """Queue something.

        Args:
            put: adds it to a batch; short, since all wait for it.
            wait: return when it is committed.

        Raises:
            JournalFailed: it was not queued, or not committed, since writing failed now or before.
        """
        with self._change:
            while len(self._pending) >= MOST_QUEUED and self._cause is None:
                self._change.wait()
            self.check()
            if self._closed:
                raise RuntimeError("the journal is closed")
            put(self._pending)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()
            self._change.notify_all()
            if wait:
                self._wait(self._number)

    def flush(self) -> None:
        """Return when all that was queued until now is committed; JournalFailed: it will never be."""
        with self._change:
            self._wait(self._number if len(self._pending) else self._number - 1)

    def check(self) -> None:
        """Raise JournalFailed where writing has failed."""
        if self._cause is not None:
            raise journal_failed(self._cause, self._place) from self._cause

    def queued(self, items: list[Item]) -> dict[Item, int | None]:
        """What is queued, and not committed yet, of these."""
        with self._change:
            found: dict[Item, int | None] = {}
            for known in (self._writing.known, self._pending.known):
                if known:
                    found.update((item, known[item]) for item in items if item in known)
            return found

    def close(self) -> None:
        """Commit what is queued and end the thread; twice does no harm.

        Raises:
            JournalFailed: something that was queued is not in the database.
        """
        with self._change:
            first, self._closed = not self._closed, True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
        if first:
            self.check()

    def _wait(self, number: int) -> None:
        while self._committed < number:
            self.check()
            self._change.wait()
        # What was asked for is there, even where something later failed; the next call tells that.

    def _run(self) -> None:
        while True:
            with self._change:
                while not len(self._pending):
                    if self._closed:
                        return
                    self._change.wait()
                self._writing, self._pending = self._pending, Batch()
                number, self._number = self._number, self._number + 1
                self._change.notify_all()
            try:
                self._write(self._writing)
            except Exception as error:
                with self._change:
                    self._cause = error
                    self._change.notify_all()
                return
            with self._change:
                self._writing, self._committed = Batch(), number
                self._change.notify_all()
