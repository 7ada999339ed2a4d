"""The history of checks on either engine: written, found again, and what turned when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from audit.snapshot import Snapshot
from audit.store import Database, History, StoreError
from tests.bench.drift.workers import Workers
from tests.store.checks import DAY, START, check
from tests.store.conftest import BOTH, Clock

pytestmark = BOTH


def bare(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without the id that the history gave it."""
    return {**snapshot, "run": ""}


def rows(database: Database, table: str) -> int:
    """How many rows a table has."""
    with database.reading() as connection:
        return int(connection.execute(sql(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_check_comes_back_as_it_was_with_its_evidence(history: History) -> None:
    """Snapshot and saved run are equal to what was recorded, to the last field and in their order."""
    fleet = Workers(24, seed=5, changes=1 / 4)
    for _ in range(4):
        snapshot, saved = fleet.check()
        run = history.record(snapshot, saved, exit_code=1)
        found = history.snapshot(run.id)
        assert json.dumps(bare(found)) == json.dumps(bare(snapshot))
        assert json.loads(history.saved(run.id)) == json.loads(saved)
        Snapshot.model_validate(found, strict=False)
        assert (run.hosts, run.complete, run.exit_code, run.saved) == (24, snapshot["complete"], 1, True)


def test_what_stays_the_same_is_kept_once(history: History, database: Database) -> None:
    """The same check ten times over: rows of contents as after the first one."""
    snapshot, saved = Workers(8).check()
    history.record(snapshot, saved, exit_code=0)
    once = rows(database, "content")
    for day in range(1, 10):
        history.record({**snapshot, "at": snapshot["at"] + day * DAY}, saved, exit_code=0)
    assert rows(database, "content") == once
    assert rows(database, "check_host") == 80


def test_a_check_is_named_in_every_way(history: History, clock: Clock) -> None:
    """Whole id, a beginning that is one check's, words, times, how long ago; else the last ones are told."""
    runs = [history.record(check(day, {"w1": {"FA101": "pass"}}), None, exit_code=0) for day in range(3)]
    clock.time = START + 2 * DAY + 60
    assert history.find("latest") == runs[2]
    assert history.find("previous") == runs[1]
    assert history.find(runs[0].id) == runs[0]
    assert history.find(runs[0].id[:13]) == runs[0]
    assert history.find("1d") == runs[1]
    assert history.find("5m") == runs[1], "the last one that is not younger than five minutes"
    for wrong in ("", "9999-01-01T", runs[0].id[:4], "nonsense", "' OR 1=1 --", "\x1b[31m"):
        with pytest.raises(StoreError) as caught:
            history.find(wrong)
        assert runs[2].id in str(caught.value)
        assert caught.value.kind == "missing"
        assert str(caught.value).isprintable()


def test_since_when_something_fails(history: History) -> None:
    """First seen, since when, last fine: through a day on which it could not be told, and a host that was dark."""
    days: list[str | dict[str, str]] = [
        {"FA404": "pass"}, {"FA404": "fail"}, {"FA404": "unknown"}, "timeout", {"FA404": "fail"}, {"FA404": "pass"},
        {"FA404": "fail"},
    ]  # fmt: skip
    runs = [history.record(check(day, {"w1": said}), None, exit_code=0) for day, said in enumerate(days)]
    (at_four,) = history.standing(runs[4].id)
    assert (at_four.first_seen, at_four.last_ok) == (START + DAY, START)
    (now,) = history.standing("latest")
    assert (now.first_seen, now.since, now.last_ok) == (START + 6 * DAY, START + 6 * DAY, START + 5 * DAY)
    assert history.standing(runs[5].id) == []
    life = [(turn.run, turn.before, turn.after) for turn in history.rule_life("FA404")]
    assert (runs[1].id, "pass", "fail") in life
    assert (runs[5].id, "fail", "pass") in life
    assert life[-1] == (runs[6].id, "pass", "fail")
    outcomes = [one.outcome for one in history.host_life("w1")]
    assert "timeout" in outcomes
    with pytest.raises(StoreError, match="no check had a host w9"):
        history.host_life("w9")
    assert history.rule_life("FA999") == []


def test_a_pool_and_the_fleet_turn_too(history: History) -> None:
    """Verdicts that are no host's have a life, and stand in `turned`."""
    history.record(check(0, {"w1": {"FA101": "pass"}, "pool:linux": {"FA502": "pass"}, "fleet": {"FA506": "pass"}}),
                   None, exit_code=0)  # fmt: skip
    run = history.record(check(1, {"w1": {"FA101": "pass"}, "pool:linux": {"FA502": "fail"},
                                   "fleet": {"FA506": "fail"}}), None, exit_code=1)  # fmt: skip
    assert {(one.subject, one.rule) for one in history.turned(run.id)} == {("pool:linux", "FA502"), ("fleet", "FA506")}
    assert {one.subject for one in history.standing(run.id)} == {"pool:linux", "fleet"}


def test_clocks_that_jump_back_do_not_change_the_order(history: History) -> None:
    """The check that was recorded last is the latest, whatever its clock said; its own time is told as it was."""
    first = history.record(check(10, {"w1": {"FA101": "pass"}}), None, exit_code=0)
    second = history.record(check(3, {"w1": {"FA101": "fail"}}), None, exit_code=1)
    third = history.record(check(4, {"w1": {"FA101": "fail"}}), None, exit_code=1)
    assert [run.id for run in history.runs()] == [third.id, second.id, first.id]
    assert first.number < second.number < third.number
    assert history.find("latest") == third
    assert third.at == START + 4 * DAY
    (standing,) = history.standing("latest")
    assert standing.since == second.at


@pytest.mark.parametrize("at", [-1e18, -1.0, 0.0, 1e18, 253402300800.0])
def test_a_clock_that_no_calendar_has(history: History, at: float) -> None:
    """It is recorded, and found again."""
    run = history.record(check(0, {"w1": {"FA101": "pass"}}, at=at), None, exit_code=0)
    assert history.find(run.id).at == at
    assert history.snapshot("latest")["at"] == at


def test_a_renamed_host_is_another_one(history: History) -> None:
    """Its life begins anew; the old name keeps its own, and fails as of its last check."""
    history.record(check(0, {"w1": {"FA101": "fail"}}), None, exit_code=1)
    history.record(check(1, {"w2": {"FA101": "fail"}}), None, exit_code=1)
    assert [one.changed for one in history.host_life("w2")] == [("first",)]
    assert [one.subject for one in history.standing("latest")] == ["w2"]
    assert len(history.host_life("w1")) == 1


def test_baselines(history: History) -> None:
    """Whole, of some hosts only, replaced, listed, dropped; a name that means something else is refused."""
    first = history.record(check(0, {"w1": {"FA101": "pass"}, "w2": {"FA101": "pass"}}), None, exit_code=0)
    second = history.record(check(1, {"w1": {"FA101": "fail"}, "w2": {"FA101": "pass"}}), None, exit_code=1)
    assert history.set_baseline("default", first.id).hosts == 2
    assert history.baseline("default")["run"] == first.id
    assert history.set_baseline("default", "latest", ["w1"]).runs == (first.id, second.id)
    mixed = history.baseline("default")
    assert mixed["run"] == ""
    assert {row["subject"]: row["status"] for row in mixed["verdicts"]} == {"w1": "fail", "w2": "pass"}
    with pytest.raises(StoreError, match="has no host w9"):
        history.set_baseline("default", "latest", ["w9"])
    for name in ("latest", "previous", "8h", "2026-01-01", "", "a b", "../x", "é", "x" * 65):
        with pytest.raises(StoreError, match="cannot be called"):
            history.set_baseline(name, "latest")
    assert [one.name for one in history.baselines()] == ["default"]
    history.drop_baseline("default")
    for use in (history.baseline, history.drop_baseline):
        with pytest.raises(StoreError, match="there is no baseline default; `baseline set NAME` makes one"):
            use("default")


@pytest.mark.parametrize("by", ["number", "age"])
def test_pruning(history: History, database: Database, clock: Clock, by: str) -> None:
    """The newest and a baseline's stay, and since when something fails; what nobody names is gone for good."""
    fleet = Workers(6, seed=2, changes=1 / 3)
    runs = [history.record(*fleet.check(), exit_code=0) for _ in range(12)]
    standing = history.standing("latest")
    before = [history.snapshot(run.id) for run in (runs[2], runs[10], runs[11])]
    history.set_baseline("good", runs[2].id)
    contents = rows(database, "content")
    clock.time = runs[11].at + 60
    removed = history.prune(keep_runs=2) if by == "number" else history.prune(keep_days=1.5)
    assert removed == [run.id for place, run in enumerate(runs) if place not in (2, 10, 11)]
    assert [history.snapshot(run.id) for run in (runs[2], runs[10], runs[11])] == before
    assert history.standing("latest") == standing
    assert rows(database, "content") < contents
    assert history.prune(keep_runs=2) == []
    with pytest.raises(StoreError):
        history.find(runs[0].id)
    history.drop_baseline("good")
    assert history.prune(keep_runs=1) == [runs[2].id, runs[10].id]
    assert history.prune(keep_days=0.0) == [], "the newest one stays, however old it is"


def test_two_checks_in_the_same_moment(history: History) -> None:
    """Their ids and numbers differ."""
    one, other = (history.record(check(0, {"w1": {"FA101": "pass"}}), None, exit_code=0) for _ in range(2))
    assert one.id != other.id
    assert other.number == one.number + 1


def test_what_is_no_snapshot_is_refused_whole(history: History, database: Database) -> None:
    """Nothing of it is left, and the history goes on."""
    good = check(0, {"w1": {"FA101": "pass"}})
    for wrong in ({**good, "hosts": good["hosts"] * 2}, {**good, "verdicts": [{}]}, {**good, "hosts": [{"name": "w"}]}):
        with pytest.raises(StoreError):
            history.record(wrong, None, exit_code=0)
    assert rows(database, "check_run") == rows(database, "host") == rows(database, "content") == 0
    assert history.record(good, None, exit_code=0).hosts == 1


HOSTILE = [
    "\x1b]0;x\x07",
    "\x00",
    "'; DROP TABLE host; --",
    "\ud800",
    "a\nb",
    "\u202e",
    "x" * 100_000,
    "%s{}",
    "é\u0301",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_in_every_field(history: History, text: str) -> None:
    """Whatever a worker or an inventory says comes back as it was, on either engine."""
    made = check(0, {"w1": {"FA101": "fail"}})
    (host,), (verdict,) = made["hosts"], made["verdicts"]
    host |= {"name": text, "address": text, "pool": text, "detail": text, "pushes": text, "groups": [text]}
    host["facts"] = {text: {text: text}, "engine": {"version": text}}
    verdict |= {"subject": text, "message": text, "remedy": text, "evidence": [text]}
    made |= {"tool_version": text, "inventory": [text]}
    run = history.record(made, None, exit_code=1)
    found = history.snapshot(run.id)
    assert bare(found) == bare(made)
    assert history.standing(run.id)[0].message == text
    assert history.host_life(text)[0].address == text


def test_a_folder_of_checks_moves_to_another_database(history: History, tmp_path: Path) -> None:
    """Exported and imported into a new file: the same runs, snapshots, evidence and turns; twice changes nothing."""
    fleet = Workers(10, seed=4, changes=1 / 3)
    runs = [history.record(*fleet.check(), exit_code=1) for _ in range(5)]
    lines = list(history.export())
    with Database.open(tmp_path / "other.db") as other:
        copy = History(other)
        assert copy.import_(lines) == [run.id for run in runs]
        assert copy.import_(lines) == []
        assert list(copy.export()) == lines
        assert copy.standing("latest") == history.standing("latest")
        assert [copy.turned(run.id) for run in runs] == [history.turned(run.id) for run in runs]
        assert [copy.saved(run.id) for run in runs] == [history.saved(run.id) for run in runs]
        again = list(copy.export([runs[0].id]))
    assert again == lines[:1]


def test_an_import_in_any_order_gives_the_same_turns(history: History, tmp_path: Path) -> None:
    """The newest half first, then the older one: as if they had been recorded in their order."""
    said = ["pass", "fail", "fail", "pass", "fail"]
    runs = [history.record(check(day, {"w1": {"FA101": one}}), None, exit_code=0) for day, one in enumerate(said)]
    lines = list(history.export())
    with Database.open(tmp_path / "other.db") as other:
        copy = History(other)
        copy.import_(lines[3:])
        copy.import_(lines[:3])
        assert [run.id for run in copy.runs()] == [run.id for run in reversed(runs)]
        assert copy.rule_life("FA101") == history.rule_life("FA101")


@pytest.mark.parametrize(
    ("harm", "line"),
    [("cut", 2), ("foreign", 2), ("array", 2), ("newer", 2), ("deep", 2), ("hosts", 2)],
)
def test_an_import_that_is_wrong_is_refused_whole(history: History, tmp_path: Path, harm: str, line: int) -> None:
    """One sentence with the line's number, and nothing of the lines before it is put in."""
    for day in range(2):
        history.record(check(day, {"w1": {"FA101": "pass"}}), None, exit_code=0)
    lines = list(history.export())
    body = json.loads(lines[1])
    lines[1] = {
        "cut": lines[1][:200],
        "foreign": '{"kind": "something else"}\n',
        "array": "[1, 2]\n",
        "newer": json.dumps(body | {"schema_version": 2}),
        "deep": "[" * 100_000,
        "hosts": json.dumps(body | {"snapshot": body["snapshot"] | {"hosts": 3}}),
    }[harm]
    with Database.open(tmp_path / "other.db") as other:
        copy = History(other)
        with pytest.raises(StoreError) as caught:
            copy.import_(lines)
        assert f"line {line} " in str(caught.value)
        assert "nothing was put in" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert copy.runs() == []
