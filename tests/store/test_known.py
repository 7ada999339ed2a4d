"""What is believed to be in repositories, and how old a thing may become."""

from __future__ import annotations

import pytest

from audit.store import Database, Journal, MergeRun
from tests.store.conftest import BOTH, Clock, digest

pytestmark = BOTH

HUB = "registry-1.example"
APP = f"{HUB}/app:1"


def begun(journal: Journal, plan_hash: str = "hash") -> MergeRun:
    """A run."""
    return journal.begin("night.yml", plan_hash, tool="1.2", pid=42, boot="boot")


def test_known_from_the_moment_it_is_learnt(journal: Journal, clock: Clock) -> None:
    """Of its repository, its kind and its age only; forgotten at once, as both kinds."""
    one, two, three = digest(1), digest(2), "sha512:" + "ab" * 64

    def known(kind: str = "blob", repository: str = "app", youngest: float = clock.time) -> set[str]:
        return journal.known(HUB, repository, kind, [one, two, three], youngest=youngest)

    for flush in (False, True):  # queued or committed, it is the same
        journal.learn(HUB, "app", "blob", [one, three])
        journal.learn(HUB, "app", "manifest", [one])
        if flush:
            journal.flush()
        assert known() == {one, three}
        assert known("manifest") == {one}
        assert known(repository="other") == set()
        assert known(youngest=clock.time + 1) == set()
        journal.forget(HUB, "app", [one, two])
        journal.forget(HUB, "nobody", [one])
        if flush:
            journal.flush()
        assert known() == {three}
        assert known("manifest") == set()


def test_known_to_another_process(journal: Journal, database: Database) -> None:
    """What is committed; and what it forgets is not known here either."""
    journal.learn(HUB, "app", "blob", [digest(1)])
    journal.flush()
    with Database.open(database.place) as second, Journal(second) as other:
        assert other.known(HUB, "app", "blob", [digest(1)], youngest=0) == {digest(1)}
        other.forget(HUB, "app", [digest(1)])
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=0) == set()


@pytest.mark.parametrize("wrong", ["", "sha256:", "sha256:AB", "md5:" + "ab" * 16, "sha256:" + "A" * 64, "x\0\udcff"])
def test_what_is_no_digest_is_never_known(journal: Journal, wrong: str) -> None:
    """It is not refused either: a registry said it."""
    journal.learn(HUB, "app", "blob", [wrong, digest(1)])
    journal.forget(HUB, "app", [wrong])
    assert journal.known(HUB, "app", "blob", [wrong, digest(1)], youngest=0) == {digest(1)}
    journal.flush()


def test_more_digests_than_one_statement_takes(journal: Journal) -> None:
    """Asked for in parts."""
    digests = [digest(number) for number in range(2345)]
    journal.learn(HUB, "app", "blob", digests[::2])
    journal.flush()
    assert journal.known(HUB, "app", "blob", digests, youngest=0) == set(digests[::2])


# ---------------------------------------------------------------------- age


def test_what_is_too_old_goes(journal: Journal, clock: Clock, database: Database) -> None:
    """Runs with their tags, what stood, what was known; the number of rows is told, without the runs' tags."""
    old = begun(journal).id
    journal.note(old, APP, unit="u", state="planned")
    journal.stands(APP, digest(1), unit="u", run=old)
    journal.learn(HUB, "app", "blob", [digest(1), digest(2)])
    clock.time += 100
    new = begun(journal).id
    journal.note(new, APP, unit="u", state="planned")
    journal.learn(HUB, "app", "blob", [digest(2)])
    assert journal.expire(known_before=0, runs_before=0) == 0
    assert journal.expire(known_before=clock.time - 1, runs_before=clock.time - 1) == 3
    assert [run.id for run in journal.runs(5)] == [new]
    assert journal.tags(old) == {}
    assert journal.stood([APP]) == {}
    assert journal.known(HUB, "app", "blob", [digest(1), digest(2)], youngest=0) == {digest(2)}
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM merge_tag").scalar() == 1


def test_a_run_that_lives_is_not_old(journal: Journal, clock: Clock) -> None:
    """However long ago it began."""
    run = begun(journal).id
    clock.time += 1000
    journal.beat(run, {})
    journal.expire(known_before=0, runs_before=clock.time - 1)
    assert journal.run(run) is not None


def test_from_the_future_is_fresh_but_not_for_ever(journal: Journal, clock: Clock) -> None:
    """The clock was a year ahead: believed until the next `expire`, and then as old as that."""
    right, year = clock.time, 365 * 86400
    clock.time += year
    run = begun(journal).id
    journal.stands(APP, digest(1), unit="u", run=run)
    journal.learn(HUB, "app", "blob", [digest(1), digest(2)])
    clock.time = right
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=right - 60) == {digest(1)}
    assert journal.unfinished("hash", youngest=right - 60) is not None
    journal.learn(HUB, "app", "blob", [digest(2)])  # seen again, so its time is right at once
    assert journal.known(HUB, "app", "blob", [digest(1), digest(2)], youngest=right + 60) == {digest(1)}
    assert journal.expire(known_before=right - 60, runs_before=right - 60) == 0
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=right - 60) == {digest(1)}
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=right + 1) == set()
    clock.time = right + 120
    assert journal.expire(known_before=right + 60, runs_before=right + 60) == 4
    assert journal.latest() is None


def test_ages_without_end(journal: Journal) -> None:
    """Infinities are the ends of time."""
    journal.learn(HUB, "app", "blob", [digest(1)])
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=float("-inf")) == {digest(1)}
    assert journal.known(HUB, "app", "blob", [digest(1)], youngest=float("inf")) == set()
