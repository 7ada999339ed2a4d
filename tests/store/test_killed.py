"""`kill -9`, at many moments: what was waited for is there, and the file is sound."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from audit.store import Database, Journal, StoreError
from tests.store import children
from tests.store.conftest import digest

KILLS = 30


def sound(place: Path) -> bool:
    """Whether SQLite finds nothing wrong, down to every row's foreign key."""
    connection = sqlite3.connect(place)
    found = connection.execute("PRAGMA integrity_check").fetchall(), connection.execute("PRAGMA foreign_key_check")
    result = found[0] == [("ok",)] and found[1].fetchall() == []
    connection.close()
    return result


def test_in_the_midst_of_thousands_of_writes(place: Path) -> None:
    """One night, killed thirty times and taken up each time; after each, nothing that was waited for is missing."""
    moments = random.Random(11)
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
    number = 0
    for kill in range(KILLS):
        with children.child(children.merging, place, run, number) as (process, pipe):
            until, last = number + moments.randrange(3, 250), -1
            while last < until:
                assert pipe.poll(60)
                last = pipe.recv()
            process.kill()
            process.join()
            while pipe.poll():  # what it still said before it died
                try:
                    last = pipe.recv()
                except EOFError:
                    break
        # The log is still there, as the killed process left it, so opening recovers it.
        assert Path(f"{place}-wal").stat().st_size > 0
        with Database.open(place) as database, Journal(database) as journal:
            found = journal.unfinished("hash", youngest=0)
            assert found is not None
            assert (found.id, found.resumed) == (run, kill)
            journal.take_up(run, pid=1, boot="b")
            rows = journal.tags(run)
            # The writer commits in order, so all that was queued before a tag that was waited for is there with it.
            wanted = {f"{kind}:{one}" for one in range(last + 1) for kind in ("queued", "waited")}
            assert wanted <= set(rows)
            numbers = [digest(one) for one in range(last + 1)]
            assert journal.known(children.HUB, "app", "blob", numbers, youngest=0) == set(numbers)
            assert set(journal.stood(f"waited:{one}" for one in range(last + 1))) == {
                f"waited:{one}" for one in range(last + 1)
            }
            number = last + 1
        assert sound(place)


def test_while_it_is_made(tmp_path: Path) -> None:
    """A file whose maker was killed is made by the next one, or is whole already."""
    kinds = []
    # From nothing done to all done, in steps of a third of a millisecond; a busy machine takes its time.
    moments = [*(number / 3000 for number in range(27)), 0.1, 1.0, 30.0]
    for number, moment in enumerate(moments):
        place = tmp_path / f"{number}" / "history.db"
        with children.child(children.opening, place) as (process, pipe):
            assert pipe.recv() == "began"
            pipe.poll(moment)
            process.kill()
            process.join()
        try:
            Database.open(place, read_only=True).close()
        except StoreError as error:
            kinds.append(error.kind)
        Database.open(place).close()
        assert sound(place)
    assert set(kinds) == {"missing"}, "a reader says that nothing is there yet, never that it is damaged"
    assert len(kinds) < 30, "no moment was late enough to mean something"


def test_a_log_that_was_cut_short(place: Path, tmp_path: Path) -> None:
    """What a power loss leaves: wherever the log ends, the tags are there up to some number, and none after it."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        for number in range(60):
            journal.note(run, f"tag:{number:03}", unit="u", state="planned", wait=True)
        copies = tmp_path / "copies"
        copies.mkdir()
        shutil.copy(place, copies / "whole.db")
        log = Path(f"{place}-wal").read_bytes()
    seen = set()
    for cut in sorted({0, 31, 32, len(log)} | set(random.Random(3).sample(range(len(log)), 40))):
        copy = copies / f"{cut}.db"
        shutil.copy(copies / "whole.db", copy)
        Path(f"{copy}-wal").write_bytes(log[:cut])
        with Database.open(copy) as database, Journal(database) as journal:
            found = journal.latest()
            count = len(journal.tags(found.id)) if found else 0
            assert list(journal.tags(run)) == [f"tag:{number:03}" for number in range(count)]
            seen.add(count)
        assert sound(copy)
    assert max(seen) == 60
    assert len(seen) > 10


def test_a_file_cut_short_beside_its_log(place: Path, tmp_path: Path) -> None:
    """The log cannot make up for pages that the file has lost: damage, found before anything is written."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        for number in range(3000):
            journal.note(run, f"tag:{number:05}", unit="u" * 64, state="planned")
    with Database.open(place) as database, Journal(database) as journal:
        journal.note(run, "tag:00001", unit="u", state="done", wait=True)
        whole, log = place.read_bytes(), Path(f"{place}-wal").read_bytes()
    assert log
    for cut in (len(whole) // 2, len(whole) - 4096 * 3, len(whole) // 3 + 100):
        copy = tmp_path / f"{cut}.db"
        copy.write_bytes(whole[:cut])
        Path(f"{copy}-wal").write_bytes(log)
        with pytest.raises(StoreError) as caught:
            Database.open(copy)
        assert caught.value.kind == "damaged"


def test_two_processes_write_at_once(place: Path) -> None:
    """And make the file at once, too: each waits for the other, and nothing of either is missing."""
    names = ["one", "two", "three"]
    with (
        children.child(children.writing, place, names[0], 600) as (_, first),
        children.child(children.writing, place, names[1], 600) as (_, second),
        children.child(children.writing, place, names[2], 600) as (_, third),
    ):
        pipes = [first, second, third]
        assert [pipe.recv() for pipe in pipes] == ["ready"] * 3
        for pipe in pipes:
            pipe.send("go")
        runs = [pipe.recv() if pipe.poll(100) else "" for pipe in pipes]
    with Database.open(place) as database, Journal(database) as journal:
        for name, run in zip(names, runs, strict=True):
            assert set(journal.tags(run)) == {f"{name}:{number}" for number in range(600)}
            ended = journal.run(run)
            assert ended is not None
            assert (ended.plan, ended.state) == (name, "done")
        numbers = [digest(number) for number in range(600)]
        assert len(journal.known(children.HUB, "shared", "blob", numbers, youngest=0)) == 600
        assert journal.stood(["shared:1"])["shared:1"].digest == digest(599)
    assert sound(place)


def test_status_is_read_while_another_writes(place: Path) -> None:
    """`merge --status` neither waits nor disturbs, and sees the last beat."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        journal.beat(run, {"done": 7})
        journal.flush()
        with children.child(children.merging, place, run, 0) as (_, pipe):
            assert pipe.recv() == 0
            for _ in range(20):
                began = time.monotonic()
                with Database.open(place, read_only=True) as other, Journal(other) as reader:
                    found = reader.latest()
                assert found is not None
                assert found.progress == {"done": 7}
                assert time.monotonic() - began < 10
