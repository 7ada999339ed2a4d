"""What is noted is found again: runs, tags, what stood under them, what repositories have."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.store import Database, Journal, JournalFailed, MergeRun, Stood, TagRow
from tests.store.conftest import BOTH, Clock, digest

pytestmark = BOTH

HUB = "registry-1.example"
APP = f"{HUB}/app:1"


def begun(journal: Journal, plan_hash: str = "hash") -> MergeRun:
    """A run."""
    return journal.begin("night.yml", plan_hash, tool="1.2", pid=42, boot="boot")


# ---------------------------------------------------------------------- runs


def test_a_run_from_its_begin_to_its_end(journal: Journal, clock: Clock) -> None:
    """Each step is there for the next process."""
    run = begun(journal)
    assert re.fullmatch(r"2026-11-25T23-40-05-[0-9a-f]{4}", run.id)
    assert run == MergeRun(
        id=run.id, plan="night.yml", plan_hash="hash", began=clock.time, state="running", pid=42, boot="boot",
        tool="1.2", beat=clock.time,
    )  # fmt: skip
    assert journal.run(run.id) == run == journal.latest()
    clock.time += 10
    journal.beat(run.id, {"done": 1})
    journal.beat(run.id, {"done": 2, "waits": ["429"]})
    beaten = run.model_copy(update={"beat": clock.time, "progress": {"done": 2, "waits": ["429"]}})
    assert journal.run(run.id) == beaten
    clock.time += 10
    taken = journal.take_up(run.id, pid=43, boot="other")
    assert taken == beaten.model_copy(update={"beat": clock.time, "pid": 43, "boot": "other", "resumed": 1})
    assert journal.take_up(run.id, pid=44, boot="other", tool="1.3").tool == "1.3"
    journal.end(run.id, "left", {"requests": 7})
    ended = journal.run(run.id)
    assert ended is not None
    assert (ended.state, ended.ended, ended.resumed, ended.totals) == ("left", clock.time, 2, {"requests": 7})
    again = journal.take_up(run.id, pid=45, boot="b")
    assert (again.state, again.ended) == ("running", None), "a run that left something may be gone on with"


def test_which_run_is_taken_up(journal: Journal, clock: Clock) -> None:
    """The latest of the plan, if it has no end and lived lately; an older one without an end is past."""
    assert journal.unfinished("hash", youngest=0) is None
    first = begun(journal)
    begun(journal, "another")
    assert journal.unfinished("hash", youngest=clock.time) == first
    assert journal.unfinished("hash", youngest=clock.time + 1) is None
    clock.time += 50
    journal.beat(first.id, {})
    found = journal.unfinished("hash", youngest=clock.time)
    assert found is not None, "a sign of life counts, not its begin"
    assert found.id == first.id
    second = begun(journal)
    assert journal.unfinished("hash", youngest=0) == second
    journal.end(second.id, "done", {})
    assert journal.unfinished("hash", youngest=0) is None
    assert [run.id for run in journal.runs(2)] == [second.id, journal.runs(3)[1].id]
    assert len(journal.runs(10)) == 3


def test_the_order_of_runs_is_not_the_clocks(journal: Journal, clock: Clock) -> None:
    """A clock that was set back a year: the later run is still the latest."""
    first = begun(journal)
    clock.time -= 365 * 86400
    second = begun(journal)
    assert journal.latest() == second
    assert journal.unfinished("hash", youngest=clock.time - 10) == second
    assert [run.id for run in journal.runs(5)] == [second.id, first.id]


def test_ids_that_collide(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of one second draw again."""
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("audit.store.runs.secrets.token_hex", lambda _: next(drawn))
    assert [begun(journal).id[-4:] for _ in range(2)] == ["aaaa", "bbbb"]


def test_what_is_no_run(journal: Journal) -> None:
    """None, empty, or a failure where something depends on it."""
    assert journal.run("x") is None
    assert journal.latest() is None
    assert journal.tags("x") == {}
    with pytest.raises(JournalFailed, match="there is no run 'x'"):
        journal.take_up("x", pid=1, boot="b")
    for state in ("running", "odd"):
        with pytest.raises(ValueError, match="is no end of a run"):
            journal.end("x", state, {})
    with pytest.raises(ValueError, match="is no state of a tag"):
        journal.note("x", APP, unit="u", state="odd")
    with pytest.raises(ValueError, match="is neither blob nor manifest"):
        journal.learn(HUB, "app", "tag", [digest(1)])
    with pytest.raises(TypeError, match="not JSON serializable"):
        journal.beat("x", {"a": object()})


def test_a_tag_of_no_run_is_told(database: Database) -> None:
    """A fault of ours ends the journal; it is not lost silently."""
    journal = Journal(database)
    journal.note("nobody", APP, unit="u", state="planned")
    with pytest.raises(JournalFailed, match=r"(?i)foreign key constraint"):
        journal.flush()
    with pytest.raises(JournalFailed, match=r"(?i)foreign key constraint"):
        journal.note("nobody", APP, unit="u", state="planned")
    with pytest.raises(JournalFailed, match=r"(?i)foreign key"):
        journal.close()


# ---------------------------------------------------------------------- tags


def test_a_tag_on_its_way(journal: Journal, clock: Clock) -> None:
    """What a later note does not give stays, but for why."""
    run = begun(journal).id
    journal.note(run, APP, unit="u", state="planned", before=digest(1), before_known=True)
    journal.note(run, APP, unit="u", state="parked", digest=digest(2), why="429", detail={"attempts": 1})
    expected = TagRow(
        tag=APP, unit="u", state="parked", digest=digest(2), before=digest(1), before_known=True, why="429",
        detail={"attempts": 1}, updated=clock.time,
    )  # fmt: skip
    assert journal.tags(run) == {APP: expected}
    clock.time += 1
    journal.note(run, APP, unit="u", state="tagging", wait=True)
    journal.note(run, APP, unit="u", state="done", detail={"attempts": 2})
    assert journal.tags(run)[APP] == expected.model_copy(
        update={"state": "done", "why": "", "detail": {"attempts": 2}, "touched": True, "updated": clock.time}
    )
    other = begun(journal).id
    assert journal.tags(other) == {}


@pytest.mark.parametrize("first", [digest(1), None])
def test_before_is_what_stood_there_before_we_wrote(journal: Journal, first: str | None) -> None:
    """Until the run announces that it writes, the last look counts; from then on nothing moves it."""
    run = begun(journal).id
    for state, looked, known, wanted in (
        ("planned", digest(9), True, digest(9)),
        ("planned", None, False, digest(9)),
        ("parked", first, True, first),
        ("tagging", None, False, first),
        ("tagging", digest(7), True, first),  # a run that was taken up finds its own index there
        ("done", digest(7), True, first),
        ("unchanged", digest(7), True, first),
    ):
        journal.note(run, APP, unit="u", state=state, before=looked, before_known=known)
        row = journal.tags(run)[APP]
        assert (row.before, row.before_known, row.touched) == (wanted, True, state not in ("planned", "parked"))


def test_before_that_nobody_knew_may_be_told_late(journal: Journal) -> None:
    """Not known is not nothing; and one that is given is known."""
    run = begun(journal).id
    journal.note(run, APP, unit="u", state="tagging")
    assert (journal.tags(run)[APP].before, journal.tags(run)[APP].before_known) == (None, False)
    journal.note(run, APP, unit="u", state="tagging", before=digest(1))
    assert (journal.tags(run)[APP].before, journal.tags(run)[APP].before_known) == (digest(1), True)


def test_what_stood_last(journal: Journal, clock: Clock) -> None:
    """The last word on each tag, across runs; more tags than one statement takes."""
    tags = [f"{APP}-{number}" for number in range(1234)]
    for number, tag in enumerate(tags):
        journal.stands(tag, digest(number), unit="u", run="one")
    journal.stands(tags[3], digest(99), unit="v", run="two")
    found = journal.stood([*tags, "nobody"])
    assert list(found) == sorted(tags, key=list(found).index)
    assert set(found) == set(tags)
    assert found[tags[3]] == Stood(tag=tags[3], digest=digest(99), unit="v", run="two", updated=clock.time)
    assert found[tags[1233]].digest == digest(1233)
    assert journal.stood([]) == {}


def test_100_000_tags(journal: Journal) -> None:
    """Are noted and found."""
    run = begun(journal).id
    for number in range(100_000):
        journal.note(run, f"{APP}-{number}", unit="u", state="planned")
    rows = journal.tags(run)
    assert len(rows) == 100_000
    assert {row.state for row in rows.values()} == {"planned"}


# ---------------------------------------------------------------------- texts


TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(texts=st.lists(TEXT, min_size=8, max_size=8), detail=st.dictionaries(TEXT, TEXT | st.integers() | st.none()))
def test_hostile_texts_come_back_as_they_were(journal: Journal, texts: list[str], detail: dict[str, Any]) -> None:
    """NUL, lone surrogates, quotes and our own mark, in every column of text and as a key."""
    plan, plan_hash, boot, tag, unit, one, why, tool = texts
    run = journal.begin(plan, plan_hash, tool=tool, pid=1, boot=boot)
    assert journal.run(run.id) == run
    assert journal.unfinished(plan_hash, youngest=0) == run
    journal.beat(run.id, detail)
    journal.note(
        run.id, tag, unit=unit, state="parked", digest=one, before=boot, before_known=True, why=why, detail=detail
    )
    row = journal.tags(run.id)[tag]
    assert (row.tag, row.unit, row.digest, row.before, row.why, row.detail) == (tag, unit, one, boot, why, detail)
    journal.stands(tag, one, unit=unit, run=plan)
    stood = journal.stood([tag])[tag]
    assert (stood.tag, stood.digest, stood.unit, stood.run) == (tag, one, unit, plan)
    journal.learn(plan, tag, "blob", [digest(1)])
    journal.flush()
    assert journal.known(plan, tag, "blob", [digest(1)], youngest=0) == {digest(1)}
    journal.end(run.id, "done", detail)
    ended = journal.run(run.id)
    assert ended is not None
    assert (ended.progress, ended.totals) == (detail, detail)


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "\udcff",
        "\ufdd0",
        "\ufdd00000",
        "\ufdd0dcff",
        "a\ufdd0\0b",
        "'; DROP TABLE known; --",
        "\U0001f600\r\n\x1b[2J",
    ],
)
def test_texts_that_no_database_takes(journal: Journal, text: str) -> None:
    """One by one, since a random search may miss them."""
    run = journal.begin(text, text, tool=text, pid=1, boot=text)
    journal.note(run.id, text, unit=text, state="failed", digest=text, why=text, detail={text: text})
    assert journal.run(run.id) == run
    assert journal.tags(run.id)[text].detail == {text: text}
    assert journal.tags(run.id)[text].why == text
