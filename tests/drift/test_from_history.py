"""Drift of two checks of the history, which gives only what may differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.drift import drift
from audit.snapshot import Snapshot
from audit.store import Database, History
from tests.bench.drift.workers import Workers


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Eight checks of a fleet in which much happens, and a baseline of hosts from two of them."""
    fleet = Workers(40, seed=3, changes=1 / 6)
    place: Path = tmp_path_factory.mktemp("history") / "history.db"
    with Database.open(place) as database:
        found = History(database)
        runs = [found.record(*fleet.check(), exit_code=1).id for _ in range(8)]
        found.set_baseline("mixed", runs[0])
        found.set_baseline("mixed", runs[3], [worker.name for worker in fleet.workers[:5] if not worker.dark])
        yield found


@pytest.mark.parametrize("before", ["previous", "mixed", "first"])
def test_what_both_checks_say_alike_can_be_left_out(history: History, before: str) -> None:
    """The report is the same as that of the two whole checks; and something was left out."""
    if before == "first":
        before = history.before("latest", 100)[-1]
    whole = [
        Snapshot.model_validate(history.baseline(text) if text == "mixed" else history.snapshot(text), strict=False)
        for text in (before, "latest")
    ]
    lean = [Snapshot.model_validate(one, strict=False) for one in history.pair(before, "latest")]
    report = drift(*whole)
    assert drift(*lean) == report
    assert report.drifted
    assert [len(one.hosts) for one in lean] == [len(one.hosts) for one in whole]
    assert sum(len(one.verdicts) for one in lean) < sum(len(one.verdicts) for one in whole)


def test_the_checks_before_one_are_named_newest_first(history: History) -> None:
    """As many as there are, and never the check itself."""
    runs = [run.id for run in history.runs(8)]
    assert history.before("latest", 3) == runs[1:4]
    assert history.before(runs[-1], 3) == []


def test_a_listed_check_has_its_hosts_and_nothing_that_they_said(history: History) -> None:
    """Which hosts there were and whether they were reached is as in the whole one."""
    listed, whole = history.listed("latest"), history.snapshot("latest")
    assert listed["verdicts"] == []
    assert listed["hosts"] == [host | {"facts": {}} for host in whole["hosts"]]
