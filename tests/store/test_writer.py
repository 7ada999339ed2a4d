"""The thread that writes: together, at once, bounded, and never silently failing."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from audit.store import Database, Journal, JournalFailed, MergeRun
from tests.store.conftest import digest

HUB = "registry-1.example"
APP = f"{HUB}/app:1"


def begun(journal: Journal, plan_hash: str = "hash") -> MergeRun:
    """A run."""
    return journal.begin("night.yml", plan_hash, tool="1.2", pid=42, boot="boot")


def test_what_is_queued_while_a_commit_lasts_goes_into_one(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group commit: a thousand notes are two transactions, and nobody waits for a timer."""
    run = begun(journal).id
    sizes, held, go = [], threading.Event(), threading.Event()
    write = journal._writer._write

    def slow(batch: Any) -> None:
        sizes.append(len(batch))
        held.set()
        assert go.wait(30)
        write(batch)

    monkeypatch.setattr(journal._writer, "_write", slow)
    journal.note(run, APP, unit="u", state="planned")
    assert held.wait(30)
    for number in range(1000):
        journal.note(run, f"{APP}-{number}", unit="u", state="planned")
    go.set()
    journal.flush()
    assert sizes == [1, 1000]


def test_many_threads(journal: Journal) -> None:
    """Each finds what it waited for; together they lose nothing."""
    run, errors = begun(journal).id, []

    def work(number: int) -> None:
        try:
            for step in range(50):
                tag = f"{APP}-{number}-{step}"
                journal.learn(HUB, f"app{number}", "blob", [digest(step)])
                assert journal.known(HUB, f"app{number}", "blob", [digest(step)], youngest=0)
                journal.note(run, tag, unit="u", state="tagging", wait=step % 7 == 0)
                journal.beat(run, {"at": step})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(journal.tags(run)) == 400


def test_a_full_queue_makes_those_wait_who_fill_it(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk does not become a large process; a failure wakes them."""
    monkeypatch.setattr("audit.store.writer.MOST_QUEUED", 10)
    go, largest = threading.Event(), []

    def slow(batch: Any) -> None:
        assert go.wait(30)
        largest.append(len(batch))
        if len(largest) == 3:
            raise OSError("the disk is gone")

    monkeypatch.setattr(journal._writer, "_write", slow)
    caught: list[BaseException] = []

    def fill() -> None:
        try:
            for number in range(1000):
                journal.stands(f"{number}", digest(1), unit="u", run="r")
        except JournalFailed as error:
            caught.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    go.set()
    thread.join(30)
    assert not thread.is_alive()
    assert max(largest) <= 10
    assert "OSError: the disk is gone; report this" in str(caught[0])
    with pytest.raises(JournalFailed):
        journal.known(HUB, "app", "blob", [digest(1)], youngest=0)
    for call in (
        lambda: journal.beat("r", {}), journal.latest, lambda: journal.end("r", "done", {}),
        lambda: journal.forget(HUB, "app", [digest(1)]), journal.flush, journal.close,
        lambda: journal.expire(known_before=0, runs_before=0), lambda: begun(journal), lambda: journal.stood(["x"]),
    ):  # fmt: skip
        with pytest.raises(JournalFailed, match="the disk is gone"):
            call()
    journal.close()  # it was told once


def test_closed(database: Database) -> None:
    """What was queued is there; nothing more can be queued; another error is not hidden by the journal's."""
    journal = Journal(database)
    run = begun(journal).id
    journal.note(run, APP, unit="u", state="planned")
    journal.close()
    journal.close()
    with pytest.raises(RuntimeError, match="the journal is closed"):
        journal.note(run, APP, unit="u", state="planned")
    assert Journal(database).tags(run)[APP].state == "planned"

    def broken() -> None:
        with Journal(database) as other:
            other.note("nobody", APP, unit="u", state="planned")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()


# ---------------------------------------------------------------------- speed


@pytest.mark.slow
def test_what_it_costs(journal: Journal) -> None:
    """6,000 learns and 1,300 notes: 2 s of CPU at most; 45 digests among 100,000: 1.5 ms at most."""
    run = begun(journal).id
    began = time.process_time()
    for number in range(6000):
        journal.learn(HUB, f"app{number % 60}", "blob", [digest(number)])
    for number in range(1300):
        journal.note(run, f"{APP}-{number % 432}", unit="u" * 64, state="planned", digest=digest(number))
    journal.flush()
    assert time.process_time() - began < 2
    for start in range(0, 100_000, 1000):
        journal.learn(HUB, "large", "blob", [digest(number) for number in range(start, start + 1000)])
    journal.flush()
    asked = [[digest(number * 45 + step) for step in range(45)] for number in range(20)]
    best = 1.0  # of ten, since the machine may be busy with other things
    for _ in range(10):
        began = time.process_time()
        for digests in asked:
            assert len(journal.known(HUB, "large", "blob", digests, youngest=0)) == 45
        best = min(best, (time.process_time() - began) / len(asked))
    assert best < 0.0015
