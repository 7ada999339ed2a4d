"""Opening: private, cheap, and one sentence for whatever is wrong with the place."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.store import Database, Journal, JournalFailed, StoreError
from tests.store.conftest import digest


def filled(place: Path, tags: int = 300) -> None:
    """A history with a run in it, closed."""
    with Database.open(place) as database, Journal(database) as journal:
        run = journal.begin("night", "hash", tool="1", pid=1, boot="b").id
        for number in range(tags):
            journal.note(run, f"registry.example/app:{number}", unit="u" * 64, state="planned", digest=digest(number))
            journal.stands(f"registry.example/app:{number}", digest(number), unit="u" * 64, run=run)
        journal.learn("registry.example", "app", "blob", [digest(number) for number in range(tags)])


def refused(place: Path | str, kind: str, *, create: bool = True, read_only: bool = False) -> str:
    """The sentence with which a place is refused."""
    with pytest.raises(StoreError) as caught:
        Database.open(place, create=create, read_only=read_only, busy=0.1).close()
    assert caught.value.kind == kind, str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_is_its_owners_alone(place: Path) -> None:
    """File, log and index 0600, the folder 0700, whatever the umask."""
    old = os.umask(0)
    try:
        with Database.open(place), Database.open(place):
            files = sorted(place.parent.iterdir())
            assert [file.name for file in files] == ["history.db", "history.db-shm", "history.db-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(old)
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert [file.name for file in place.parent.iterdir()] == ["history.db"], "closed, it is one file"


def test_what_is_set(database: Database) -> None:
    """WAL, synchronous=NORMAL, foreign keys, and a busy time-out."""
    with database.reading() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 250}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


@pytest.mark.parametrize("name", ["a b.db", "q?mode=ro&x=#1.db", "100%25.db", "ünï\udcff.db", "-wal", "a'b\".db"])
def test_any_name_of_a_file(tmp_path: Path, name: str) -> None:
    """What means something in a URL is only a name in a path."""
    Database.open(tmp_path / name).close()
    assert [os.fsencode(file.name) for file in tmp_path.iterdir()] == [os.fsencode(name)]
    Database.open(str(tmp_path / name), create=False, read_only=True).close()


def test_sqlite_by_url(place: Path) -> None:
    """The same file."""
    Database.open(f"sqlite:///{place}").close()
    Database.open(place, create=False).close()


def test_opening_an_existing_one_loads_no_alembic_and_costs_little(place: Path) -> None:
    """A fresh one neither; 60 ms of CPU at most."""
    code = (
        "import sqlalchemy, sys, time; from audit.store import Database; times = []\n"
        "for _ in range(2):\n"
        "    began = time.process_time(); Database.open(sys.argv[1]).close()\n"
        "    times.append(time.process_time() - began)\n"
        "assert 'alembic' not in sys.modules\n"
        "assert 'sqlalchemy.dialects.postgresql' not in sys.modules\n"
        "print(times[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(place)], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 0.06


# ---------------------------------------------------------------------- places


def test_none_is_there(place: Path) -> None:
    """Where none may be made, or only be read, nothing is made."""
    assert "there is no history database" in refused(place, "missing", create=False)
    assert "there is no history database" in refused(place, "missing", read_only=True)
    assert not place.parent.exists()


def test_an_empty_file_is_a_new_one(place: Path) -> None:
    """For a writer; a reader is told so."""
    place.parent.mkdir()
    place.touch()
    assert "still empty" in refused(place, "missing", read_only=True)
    Database.open(place).close()
    Database.open(place, read_only=True).close()


def test_no_file_stands_there(tmp_path: Path) -> None:
    """A folder, a pipe, a socket, a folder that is a file, a name that is too long, or none."""
    assert "a folder stands where" in refused(tmp_path, "foreign")
    os.mkfifo(tmp_path / "pipe")
    assert "no file stands where" in refused(tmp_path / "pipe", "foreign")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert "no file stands where" in refused(tmp_path / "socket", "foreign")
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(tmp_path / "file" / "history.db", "other")
    assert "name too long" in refused(tmp_path / ("x" * 300), "other")
    assert "null byte" in refused(tmp_path / "a\0b", "other")
    assert "its place is empty" in refused("", "other")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user:secret@host/name", "cannot be kept in such a database"),
        ("sqlite://", "cannot be kept in such a database"),
        ("sqlite:///:memory:", "cannot be kept in such a database"),
        ("postgresql+nosuch://user:secret@host/name", "its driver is not installed"),
        ("://", "its URL cannot be read"),
    ],
)
def test_urls_that_lead_nowhere(url: str, sentence: str) -> None:
    """A sentence, without the password."""
    said = refused(url, "other")
    assert sentence in said
    assert "secret" not in said


def test_no_database(place: Path) -> None:
    """Some other file stays as it is."""
    place.parent.mkdir()
    for text in (b"# notes\n" * 400, b"x", b"SQLite format 2\0" + bytes(5000), b"\0" * 4096):
        place.write_bytes(text)
        assert "it is not a SQLite database" in refused(place, "foreign")
        assert place.read_bytes() == text


@pytest.mark.parametrize(
    "script",
    ["CREATE TABLE theirs (x)", "PRAGMA application_id=77", "CREATE TABLE merge_run (x)", "CREATE VIEW v AS SELECT 1"],
)
def test_another_programs_database(place: Path, script: str) -> None:
    """With their mark or their tables; not a byte of it changes."""
    place.parent.mkdir()
    connection = sqlite3.connect(place)
    connection.execute(script)
    connection.close()
    before = place.read_bytes()
    for read_only in (False, True):
        assert "another program's SQLite database" in refused(place, "foreign", read_only=read_only)
    assert place.read_bytes() == before


# ---------------------------------------------------------------------- injuries


def test_cut_short(place: Path) -> None:
    """Wherever a file was cut, opening says so; only one without a byte is a new one."""
    filled(place)
    whole = place.read_bytes()
    cuts = {1, 15, 16, 30, 99, 100, 300, 511, 512, 1024, 4095, 4096, 4097, 8192, len(whole) - 4096, len(whole) - 1}
    cuts |= set(random.Random(5).sample(range(1, len(whole)), 20))
    kinds = set()
    for cut in sorted(cuts):
        place.write_bytes(whole[:cut])
        for read_only in (False, True):
            with pytest.raises(StoreError) as caught:
                Database.open(place, read_only=read_only).close()
            kinds.add(caught.value.kind)
            assert caught.value.kind in ("damaged", "foreign"), (cut, str(caught.value))
    assert "damaged" in kinds
    place.write_bytes(whole)
    Database.open(place).close()


def test_overwritten(place: Path) -> None:
    """Garbage in any page is a sentence when it is met, at the latest in reading; never another error."""
    filled(place)
    whole, noise = place.read_bytes(), random.Random(7)
    met = []
    for page in range(0, len(whole), 4096):
        place.write_bytes(whole[:page] + noise.randbytes(4096) + whole[page + 4096 :])
        try:
            with Database.open(place) as database, Journal(database) as journal:
                for run in journal.runs(10):
                    tags = journal.tags(run.id)
                    journal.stood(tags)
                numbers = [digest(number) for number in range(300)]
                journal.known("registry.example", "app", "blob", numbers, youngest=0)
                journal.learn("registry.example", "app", "blob", numbers)
        except (StoreError, JournalFailed) as error:
            met.append(str(error))
    assert len(met) > len(whole) // 4096 // 2
    for said in met:
        assert str(place) in said
        assert "\n" not in said


def test_a_row_that_a_stranger_wrote(place: Path) -> None:
    """Is damage, not a crash."""
    filled(place)
    connection = sqlite3.connect(place)
    for change in ("state = 'odd'", "progress = '{'", "plan = x'00'", "progress = '[]'"):
        connection.execute("BEGIN")
        connection.execute(f"UPDATE merge_run SET {change}")
        connection.commit()
        with (
            Database.open(place) as database,
            Journal(database) as journal,
            pytest.raises(StoreError, match="not as fleet-audit writes them"),
        ):
            journal.latest()
    connection.close()


def test_ours_without_its_version(place: Path) -> None:
    """Somebody took a table out."""
    Database.open(place).close()
    connection = sqlite3.connect(place)
    connection.execute("DROP TABLE fleet_audit_schema")
    connection.close()
    assert "it has lost its version" in refused(place, "damaged")


# ---------------------------------------------------------------------- locks


@contextmanager
def locked(place: Path, how: str) -> Iterator[None]:
    """Another connection keeps a lock, as another process would."""
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute(f"BEGIN {how}")
    yield
    connection.rollback()
    connection.close()


def test_locked_for_longer_than_we_wait(place: Path) -> None:
    """A new file that somebody holds, and a writer that does not end; afterwards all is well."""
    place.parent.mkdir()
    place.touch()
    with locked(place, "EXCLUSIVE"):
        assert "another process keeps it locked" in refused(place, "locked")
    Database.open(place).close()
    with Database.open(place, busy=0.2) as database:
        with locked(place, "IMMEDIATE"):
            Database.open(place, busy=0.2).close()  # reads only, so nothing is in its way
            began = time.monotonic()
            with Journal(database) as journal, pytest.raises(JournalFailed, match="another process keeps it locked"):
                journal.begin("night", "h", tool="1", pid=1, boot="b")
            assert time.monotonic() - began > 0.19
        with Journal(database) as journal:
            journal.begin("night", "h", tool="1", pid=1, boot="b")


def test_a_reader_cannot_write(place: Path) -> None:
    """Neither through the journal nor past it."""
    filled(place)
    with Database.open(place, read_only=True) as database, Journal(database) as journal:
        assert journal.latest() is not None
        with pytest.raises(JournalFailed, match="open to be read only"):
            journal.begin("night", "h", tool="1", pid=1, boot="b")
        with pytest.raises(StoreError, match="cannot be written"), database.reading() as connection:
            connection.exec_driver_sql("DELETE FROM merge_run")
