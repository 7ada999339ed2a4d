"""Disks: full, at the beginning and in the middle; not to be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.store import Database, Journal, JournalFailed, StoreError, sqlite
from tests.store.conftest import digest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system of a given size")


def mount(*arguments: str) -> None:
    """Mount, or skip where even root may not, as in a container without the capability."""
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def note_until_it_fails(journal: Journal, run: str) -> tuple[int, JournalFailed]:
    """How many tags were waited for, and what came then."""
    for done in range(100_000):
        try:
            journal.note(run, f"tag:{done}", unit="u" * 64, state="tagging", detail={"x": "y" * 500}, wait=True)
        except JournalFailed as error:
            return done, error
    raise AssertionError("it never failed")


def check_goes_on(place: Path, run: str, done: int) -> None:
    """After space was made: all that was waited for is there, and the journal takes more."""
    with Database.open(place) as database, Journal(database) as journal:
        assert {f"tag:{number}" for number in range(done)} <= set(journal.tags(run))
        journal.take_up(run, pid=2, boot="b")
        journal.note(run, "tag:last", unit="u", state="done", wait=True)
        journal.end(run, "done", {})
    connection = sqlite3.connect(place)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@needs_root
def test_a_disk_that_fills_up_in_the_middle(tmp_path: Path) -> None:
    """A real one: a sentence, exit code 5; after space was made the same command goes on, and nothing is lost."""
    with disk(tmp_path / "small", "2m") as folder:
        place = folder / "history.db"
        with Database.open(place) as database:
            journal = Journal(database)
            run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
            done, failed = note_until_it_fails(journal, run)
            assert done > 50
            assert failed.exit_code == 5
            assert "disk (or quota) is full; free space, and run the same command: it goes on where it stopped" in str(
                failed
            )
            with pytest.raises(JournalFailed, match="is full"):
                journal.learn("r", "app", "blob", [digest(1)])
            with pytest.raises(JournalFailed, match="is full"):
                journal.end(run, "left", {})
            with pytest.raises(JournalFailed, match="is full"):
                journal.close()
        with Database.open(place, read_only=True) as database, Journal(database) as reader:
            assert len(reader.tags(run)) >= done, "reading needs no space"
        mount("-o", "remount,size=16m", str(folder))
        check_goes_on(place, run, done)


@needs_root
@pytest.mark.parametrize("room", [0, 4096, 20_000, 40_000, 60_000])
def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path, room: int) -> None:
    """Or has so little left that making the file stops half-way: a sentence, and afterwards it is made."""
    with disk(tmp_path / "small", "1m") as folder:
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                size = file.tell()
        os.truncate(ballast, size - room)
        with pytest.raises((StoreError, JournalFailed)) as caught:
            write_something(folder / "state" / "history.db")
        assert "is full" in str(caught.value)
        ballast.unlink()
        write_something(folder / "state" / "history.db")


def write_something(place: Path) -> None:
    """A run, from its begin to its end."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        journal.note(run, "tag", unit="u" * 30_000, state="planned", wait=True)
        journal.end(run, "done", {})


def test_a_database_that_may_not_grow(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without being root: SQLite's own limit has a full disk's error."""
    connector = sqlite.connector

    def limited(path: Path, *, busy: float, read_only: bool) -> Callable[[], sqlite3.Connection]:
        connect = connector(path, busy=busy, read_only=read_only)

        def limit() -> sqlite3.Connection:
            connection = connect()
            connection.execute("PRAGMA max_page_count=60")
            return connection

        return limit

    with monkeypatch.context() as patch:
        patch.setattr("audit.store.sqlite.connector", limited)
        with Database.open(place) as database:
            journal = Journal(database)
            run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
            done, failed = note_until_it_fails(journal, run)
            assert "free space, and run the same command" in str(failed)
            with pytest.raises(JournalFailed, match="is full"):
                journal.flush()
            with pytest.raises(JournalFailed, match="is full"):
                journal.close()
    check_goes_on(place, run, done)


@contextmanager
def not_to_be_written(folder: Path) -> Iterator[None]:
    """By a read-only mount, which binds root as well, or by permissions where we are not root."""
    if os.geteuid() == 0:
        mount("--bind", str(folder), str(folder))
        try:
            mount("-o", "remount,bind,ro", str(folder))
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        modes = {place: place.stat().st_mode for place in (folder, *folder.iterdir())}
        for place, mode in modes.items():
            place.chmod(mode & ~0o222)
        try:
            yield
        finally:
            for place, mode in modes.items():
                place.chmod(mode)


def test_a_folder_that_cannot_be_written(place: Path) -> None:
    """A writer is told at once; a reader reads, as it changes nothing; a new file cannot be made."""
    write_something(place)
    with not_to_be_written(place.parent):
        with pytest.raises(StoreError, match=r"cannot be written; make it writable, or give another place") as caught:
            Database.open(place)
        assert caught.value.kind == "read-only"
        with Database.open(place, read_only=True) as database, Journal(database) as journal:
            assert journal.latest() is not None
        for missing in (place.parent / "other.db", place.parent / "folder" / "other.db"):
            with pytest.raises(StoreError, match="the database cannot be made there"):
                Database.open(missing)
    write_something(place)


def test_a_log_in_a_folder_that_cannot_be_written(place: Path, tmp_path: Path) -> None:
    """What is only in the log is not passed over: it is read, or a sentence says that it cannot be."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        journal.note(run, "tag", unit="u", state="planned", wait=True)
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in place.parent.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    (copy / "history.db-shm").unlink()
    with not_to_be_written(copy):
        try:
            with Database.open(copy / "history.db", read_only=True) as database, Journal(database) as reader:
                found = set(reader.tags(run))
        except StoreError as error:
            found = {error.kind}
    assert found in ({"tag"}, {"read-only"})


@needs_root
def test_a_file_that_nobody_may_change(place: Path) -> None:
    """`chattr +i`, which binds root: told before anything else."""
    write_something(place)
    if subprocess.run(["chattr", "+i", str(place)], check=False, capture_output=True).returncode != 0:
        pytest.skip("its file system knows no such attribute")
    try:
        with pytest.raises(StoreError, match=r"cannot be (written|opened)") as caught:
            write_something(place)
        assert caught.value.kind == "read-only"
    finally:
        subprocess.run(["chattr", "-i", str(place)], check=True)
    write_something(place)
