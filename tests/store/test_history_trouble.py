"""The history of checks when something is wrong: locked, killed, full, two at once, a hundred thousand verdicts."""

from __future__ import annotations

import json
import random
import resource
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from audit.cli.app import run as command
from audit.store import Database, History, StoreError
from audit.store.tables import VERSION_TABLE
from tests.bench.drift.workers import Workers
from tests.store import children
from tests.store.checks import DAY, check
from tests.store.test_disk import disk, needs_root
from tests.store.test_killed import sound


@pytest.fixture
def filled(place: Path) -> Path:
    """A history of three checks, closed; the last one fails."""
    with Database.open(place) as database:
        history = History(database)
        for day, status in enumerate(("pass", "pass", "fail")):
            history.record(check(day, {"w1": {"FA101": status}}), None, exit_code=0)
    return place


def test_a_history_that_another_process_keeps_locked(filled: Path) -> None:
    """Reading goes on; recording is refused with one sentence after the time to wait, and nothing of it is left."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Database.open(filled, busy=0.1) as database:
            history = History(database)
            assert len(history.runs()) == 3
            with pytest.raises(StoreError) as caught:
                history.record(check(3, {"w1": {"FA101": "pass"}}), None, exit_code=0)
        assert caught.value.kind == "locked"
        other.execute("ROLLBACK")
    with Database.open(filled) as database:
        assert len(History(database).runs()) == 3


def test_kill_9_while_a_check_is_recorded_loses_that_check_at_most(place: Path) -> None:
    """At ten moments: what was said to be recorded is there, whole; the file is sound; the next check is recorded."""
    moments, said = random.Random(3), list[str]()
    Database.open(place).close()
    for kill in range(10):
        with children.child(children.recording, place, kill) as (process, pipe):
            for _ in range(moments.randrange(1, 4)):
                assert pipe.poll(60)
                said.append(pipe.recv())
            if moments.random() < 0.7:
                pipe.poll(moments.uniform(0, 0.02))
            process.kill()
            process.join()
            while pipe.poll(0):  # what it still said before it died
                try:
                    said.append(pipe.recv())
                except EOFError:
                    break
        assert sound(place)
        with Database.open(place) as database:
            history = History(database)
            there = [one.id for one in history.runs(1000)]
            assert set(said) <= set(there)
            assert len(there) <= len(said) + kill + 1
            assert len(history.snapshot("latest")["hosts"]) == 12


def test_two_processes_record_at_once(place: Path) -> None:
    """All of both are there, in one order, with the turns that this order makes."""
    Database.open(place).close()
    with (
        children.child(children.recording, place, 1, 8) as (_, one),
        children.child(children.recording, place, 2, 8) as (_, other),
    ):
        said = [pipe.recv() for pipe in (one, other) for _ in range(8) if pipe.poll(60)]
    with Database.open(place) as database:
        history = History(database)
        assert sorted(said) == sorted(run.id for run in history.runs(100))
        turns = {run.id: history.turned(run.id) for run in history.runs(100)}
        with Database.open(place.parent / "again.db") as fresh:
            anew = History(fresh)
            anew.import_(history.export())
            assert {run.id: anew.turned(run.id) for run in anew.runs(100)} == turns


def fill(file: Path) -> None:
    """Take all that its disk has left."""
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(4096))


def record_some(history: History, fleet: Workers, many: int) -> None:
    """Record so many checks."""
    for _ in range(many):
        history.record(*fleet.check(), exit_code=0)


@needs_root
def test_a_full_disk_refuses_the_check_and_keeps_the_others(tmp_path: Path) -> None:
    """One sentence; after space was made the next one is recorded."""
    with disk(tmp_path / "small", "3m") as folder:
        place = folder / "history.db"
        fleet = Workers(12, changes=1 / 2)
        with Database.open(place) as database:
            history = History(database)
            history.record(*fleet.check(), exit_code=0)
            ballast = folder / "ballast"
            fill(ballast)
            with pytest.raises(StoreError) as caught:
                record_some(history, fleet, 50)  # what SQLite has room for already comes first
            assert caught.value.kind == "full"
            there = history.runs(100)
            assert all(history.snapshot(run.id)["hosts"] for run in there)
            ballast.unlink()
            history.record(*fleet.check(), exit_code=0)
            assert len(history.runs(100)) == len(there) + 1
        assert sound(place)


@pytest.mark.parametrize("harm", ["garbage", "cut", "page", "newer", "foreign", "folder"])
def test_a_history_that_cannot_be_used_is_told_and_the_check_is_not_lost(
    filled: Path, harm: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`history` says one sentence with the path; a `check` still reports, and says that it was not recorded."""
    raw = filled.read_bytes()
    if harm == "garbage":
        filled.write_bytes(b"not a database\n" * 200)
    elif harm == "cut":
        filled.write_bytes(raw[: len(raw) // 3])
    elif harm == "page":
        filled.write_bytes(raw[:4096] + bytes(len(raw) - 4096))
    elif harm in ("newer", "foreign"):
        with closing(sqlite3.connect(filled)) as connection, connection:
            words = {"newer": f"UPDATE {VERSION_TABLE} SET version_num = '9999'", "foreign": "PRAGMA application_id=7"}
            connection.execute(words[harm])
    elif harm == "folder":
        filled.unlink()
        filled.mkdir()
    monkeypatch.setenv("FLEET_AUDIT_DB", str(filled))
    assert command(["history"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(filled) in said
    code = command(["check", "--local", "-q"])
    told = capsys.readouterr()
    assert code in (0, 1, 3), "what the check found, and no other"
    assert "localhost" in told.out or "host" in told.out
    assert told.err == "", "-q"
    command(["check", "--local"])
    told = capsys.readouterr()
    assert told.err.count("this check was not recorded") == 1


@needs_root
def test_a_history_that_may_only_be_read(filled: Path) -> None:
    """Whoever may read it reads it; a baseline is refused with one sentence, and a check says that it was not kept."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "history.db"
        shutil.copy(filled, place)
        place.chmod(0o644)
        Path(folder).chmod(0o755)
        words = [["history"], ["baseline", "set", "good"], ["check", "--local"]]
        with children.child(children.as_nobody, place, words) as (_, pipe):
            assert pipe.poll(120)
            (listed, out, listing), (refused, _, told), (code, report, said) = pipe.recv()
    assert listed == 0, listing
    assert len(out.splitlines()) == 4
    assert refused == 2
    assert told.count("\n") == 1
    assert str(place) in told
    assert code in (0, 1, 3)
    assert report
    assert said.count("this check was not recorded") == 1


def test_a_hundred_thousand_verdicts(place: Path) -> None:
    """Recorded, shown and pruned; the second time costs no more than the first, and memory stays bounded."""
    hosts = {f"w{number:04}": {f"FA{rule:03}": "fail" for rule in range(100, 200)} for number in range(1000)}
    made = check(0, hosts)
    assert len(made["verdicts"]) == 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Database.open(place) as database:
        history = History(database)
        first = history.record(made, None, exit_code=1)
        assert first.findings == {"error": 100_000, "warning": 0, "note": 0}
        again = history.record({**made, "at": made["at"] + DAY}, None, exit_code=1)
        assert history.turned(again.id) == []
        assert len(history.standing("latest")) == 100_000
        assert history.prune(keep_runs=1) == [first.id]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 * 1024, "KiB"
    assert place.stat().st_size < 60 << 20


def test_no_output_of_the_verbs_lets_a_hostile_text_act(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists, lives and baselines, as text and as JSON: no escape, no line of its own."""
    evil = "\x1b[31mw\u202e\x07\nFAKE LINE"
    made: dict[str, Any] = check(0, {"w1": {"FA101": "fail"}})
    (host,), (verdict,) = made["hosts"], made["verdicts"]
    host |= {"name": evil, "pool": evil, "pushes": evil, "detail": evil}
    verdict |= {"subject": evil, "message": evil, "rule": evil}
    with Database.open(place) as database:
        history = History(database)
        run = history.record(made | {"inventory": [evil], "tool_version": evil}, None, exit_code=1)
        history.set_baseline("good", run.id)
    monkeypatch.setenv("FLEET_AUDIT_DB", str(place))
    for words in (["history"], ["history", "show", run.id], ["history", "--host", evil], ["history", "--rule", evil],
                  ["history", "--host", "\x1b[31mno such"], ["history", "show", evil], ["baseline", "show", "good"],
                  ["baseline", "list"], ["baseline", "show", evil], ["baseline", "drop", evil]):  # fmt: skip
        for format_ in ((), ("--format", "json")):
            if format_ and words[:2] == ["baseline", "drop"]:
                continue
            command([*words, *format_])
            told = capsys.readouterr()
            for text in (told.out, told.err):
                assert "\x1b" not in text
                assert "\u202e" not in text or format_
                assert "\x07" not in text
                assert not any(line.startswith("FAKE") for line in text.splitlines())
            if format_ and told.out:
                json.loads(told.out)


def test_the_views_are_there_for_whoever_has_sqlite_alone(filled: Path) -> None:
    """Every documented view answers to plain sqlite3, with readable times."""
    names = ("check_readable", "finding_now", "turn_readable", "host_life", "baseline_readable")
    with closing(sqlite3.connect(f"file:{filled}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in names}
    assert len(found["check_readable"]) == 3
    (finding,) = found["finding_now"]
    assert (finding["subject"], finding["rule"], finding["severity"]) == ("w1", "FA101", "error")
    assert str(finding["first_seen"]).startswith("2026-")
    assert [row["after"] for row in found["turn_readable"]] == ["fail"]
    assert len(found["host_life"]) == 3
    page = (Path(__file__).parent.parent.parent / "docs" / "database.md").read_text(encoding="utf-8")
    for name in names:
        assert name in page


@pytest.mark.parametrize("keep", ["2", "36h"])
def test_each_check_prunes_what_the_setting_no_longer_keeps(
    place: Path, keep: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two stay of five by number, and of checks that are years old only the new one by age."""
    with Database.open(place) as database:
        history = History(database)
        for day in range(4):
            history.record(check(day - 1000, {"w1": {"FA101": "pass"}}), None, exit_code=0)
    monkeypatch.setenv("FLEET_AUDIT_DB", str(place))
    monkeypatch.setenv("FLEET_AUDIT_KEEP", keep)
    command(["check", "--local", "-q"])
    assert capsys.readouterr().err == ""
    with Database.open(place) as database:
        assert len(History(database).runs(10)) == (2 if keep == "2" else 1)
    monkeypatch.setenv("FLEET_AUDIT_KEEP", "soon")
    assert command(["check", "--local", "-q"]) == 2
    assert "FLEET_AUDIT_KEEP: 'soon': write a time such as 90d" in capsys.readouterr().err
    assert command(["history", "prune", "--keep", "x"]) == 2
    assert "--keep: 'x': write a time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ('{"kind": 1}', "line 2 is no check of an export"),
        ("NaN", "line 2 is no JSON"),
        ("", "1 checks imported"),
        ("snapshot", "line 2 has no snapshot of a check"),
    ],
)
def test_an_import_by_the_command(
    filled: Path, tmp_path: Path, harm: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the file and the line of it; nothing is put in."""
    file, other = tmp_path / "export.jsonl", tmp_path / "other.db"
    assert command(["history", "export", "latest", "-o", str(file), "--db", str(filled)]) == 0
    line = file.read_text(encoding="utf-8")
    if harm == "snapshot":
        document = json.loads(line)
        document["id"] = document["id"][:-4] + "0000"
        document["snapshot"]["hosts"][0]["outcome"] = 5
        harm = json.dumps(document)
    file.write_text(line + harm + "\n", encoding="utf-8")
    capsys.readouterr()
    code = command(["history", "import", str(file), "--db", str(other)])
    told = capsys.readouterr()
    assert words in told.out + told.err
    assert (told.out + told.err).count("\n") == 1
    if code:
        assert str(file) in told.err
        with Database.open(other) as database:
            assert History(database).runs() == []


def test_a_check_that_is_recorded_and_cannot_prune(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and never that the check was not recorded."""

    def fails(*_: object, **__: object) -> list[str]:
        raise StoreError(str(place), "its disk (or quota) is full", "free space", "full")

    monkeypatch.setenv("FLEET_AUDIT_DB", str(place))
    monkeypatch.setenv("FLEET_AUDIT_KEEP", "1")
    monkeypatch.setattr(History, "prune", fails)
    command(["check", "--local"])
    err = capsys.readouterr().err
    assert "this check was recorded, and old ones could not be pruned" in err
    assert "not recorded" not in err
    with Database.open(place) as database:
        assert len(History(database).runs()) == 1
