"""Hosts that are there or not: new, vanished, renamed, not reached, stale, known before; and clocks that jump."""

from __future__ import annotations

from audit.drift import Damping, DriftReport, drift
from audit.snapshot import Snapshot
from tests.drift.fleet import changed, host, recorded, without
from tests.drift.test_cases import said

AWAY = changed(recorded(), "amd64", {}, outcome="timeout", detail="no answer in 45 s")


def words(report: DriftReport) -> list[tuple[str, str]]:
    """Host and word of each note."""
    return [(note.host, note.what) for note in report.notes]


def test_a_new_host_is_told_with_what_it_pushes() -> None:
    """It has no past, so nothing of it is compared."""
    report = drift(without(recorded(), "riscv64"), recorded())
    assert words(report) == [("riscv64", "new")]
    assert report.exit_code == 1
    assert "new riscv64: pool linux-riscv64, pushes index" in said(report)


def test_a_host_that_is_gone_is_told_by_what_the_inventory_says() -> None:
    """Left out of the check, or taken out of the inventory."""
    after = without(recorded(), "podman")
    assert words(drift(recorded(), after)) == [("podman", "vanished")]
    listed = [row.name for row in recorded().hosts]
    assert "it is in the inventory" in said(drift(recorded(), after, listed=listed))
    report = drift(recorded(), after, listed=[row.name for row in after.hosts])
    assert words(report) == [("podman", "unlisted")]
    assert report.exit_code == 1
    assert "known before, not in the inventory podman" in said(report)


def test_a_host_that_came_and_went_in_between_is_known() -> None:
    """Neither check has it, one in between had."""
    short = without(recorded(), "podman")
    report = drift(short, short, damping=Damping(1, (recorded(),)))
    assert words(report) == [("podman", "unlisted")]


def test_a_host_is_stale_after_three_checks() -> None:
    """Dark once or twice it was not reached; from the third check in a row on it is stale, and how many is told."""
    for before, what in [((), "unreachable"), ((AWAY,), "unreachable"), ((AWAY, AWAY), "stale")]:
        report = drift(recorded(), AWAY, damping=Damping(1, before))
        assert words(report) == [("amd64", what)]
        assert report.exit_code == 3
    assert "stale amd64: timeout: no answer in 45 s, 3 checks in a row" in said(report)
    report = drift(recorded(), AWAY, damping=Damping(1, (AWAY, recorded(), AWAY)))
    assert words(report) == [("amd64", "unreachable")]


def test_a_host_that_is_back_was_not_compared() -> None:
    """It never reads as the same: nobody knows what it was."""
    report = drift(AWAY, recorded())
    assert words(report) == [("amd64", "reachable")]
    assert (report.exit_code, report.hosts) == (3, ())


def test_copies_of_one_disk_image_are_no_renames() -> None:
    """A machine-id that two hosts share says nothing of which is which."""
    twin = host(recorded(), "amd64").model_copy(update={"name": "twin"})
    before = recorded().model_copy(update={"hosts": (*recorded().hosts, twin)})
    after = changed(before, "amd64", {}, name="other")
    assert words(drift(before, after)) == [("other", "new"), ("amd64", "vanished")]


def test_two_machines_that_swap_names_are_reinstalled() -> None:
    """Both names are still there, so neither was renamed; each is another machine now."""
    rows = {row.name: row for row in recorded().hosts}
    swapped = [
        rows["arm64"].model_copy(update={"name": "amd64"}), rows["amd64"].model_copy(update={"name": "arm64"})
    ]  # fmt: skip
    before = recorded().model_copy(update={"hosts": (rows["amd64"], rows["arm64"])})
    report = drift(before, before.model_copy(update={"hosts": tuple(swapped)}))
    assert report.notes == ()
    assert {found.causes[0].id for found in report.hosts} == {"reinstalled"}


def test_a_clock_that_jumped_back_is_remarked() -> None:
    """The checks are compared all the same."""
    report = drift(recorded(), recorded().model_copy(update={"at": 0.0}))
    assert report.exit_code == 0
    assert report.remarks == ("the newer check is older by its clock than the one that it is compared with",)


def test_a_time_that_no_calendar_has_stops_nothing() -> None:
    """A wild clock of ours is shown as the number that it is."""
    wild = recorded().model_copy(update={"at": 1e300})
    assert "@1e+300" in said(drift(recorded(), wild))


def test_an_empty_check_is_a_check() -> None:
    """A fleet of nothing against a fleet of nothing is the same."""
    empty = Snapshot(at=0.0)
    assert drift(empty, empty).exit_code == 0
    assert len(drift(recorded(), empty).notes) == len(recorded().hosts)
