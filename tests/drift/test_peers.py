"""A host against most of its pool, and two hosts against each other."""

from __future__ import annotations

import pytest

from audit.drift.pair import diff
from audit.drift.peers import against_peers, majorities
from audit.drift.text import diff_text
from audit.errors import UsageError
from audit.reports import Style
from audit.snapshot import Snapshot
from tests.drift.fleet import changed, host, recorded
from tests.drift.test_cases import said, shape


def pool(size: int) -> Snapshot:
    """So many machines like amd64 in one pool, each with an identity of its own."""
    row = host(recorded(), "amd64")
    fleet = recorded().model_copy(
        update={"hosts": tuple(row.model_copy(update={"name": f"w{number}"}) for number in range(size))}
    )
    for number in range(size):
        fleet = changed(fleet, f"w{number}", {"machine.machine_id": f"{number:012x}", "machine.hostname": f"w{number}"})
    return fleet


def test_a_pool_of_equals_is_clean() -> None:
    """Identity is each machine's own, and volatile fields do not count."""
    fleet = changed(pool(3), "w1", {"disks.data_root.free": 1, "clock.offset_seconds": 2.0})
    assert against_peers(fleet).exit_code == 0


def test_the_odd_one_is_told_with_what_follows() -> None:
    """Its store is another than most of its pool's, so its pushes are; the others are not mentioned."""
    fleet = pool(4)
    fleet = fleet.model_copy(update={"hosts": (*fleet.hosts, host(recorded(), "riscv64"))})
    fleet = changed(fleet, "w2", {"image_store": "like riscv64"}, pushes="index")
    report = against_peers(fleet)
    assert report.exit_code == 1
    assert [found.host for found in report.hosts if found.causes] == ["w2"]
    (found,) = (found for found in report.hosts if found.causes)
    assert shape(found.causes) == {"store": {"pushes": {"manifest-list": {}}}}
    assert "against the majority of each pool" in said(report)
    assert "images" not in said(report)


def test_without_a_majority_nobody_is_odd() -> None:
    """Of two that differ neither is wrong; that they differ is remarked."""
    report = against_peers(changed(pool(2), "w1", {"buildx.version": "0.30.0"}))
    assert report.exit_code == 0
    assert report.remarks == ('pool linux-amd64: buildx.version has no majority: "0.29.1+ds1" (1), "0.30.0" (1)',)


def test_formatting_makes_no_majority() -> None:
    """Peers that spell one thing in two ways are alike."""
    fleet = changed(pool(3), "w1", {"access.groups": ["root", "docker"]})
    fleet = changed(fleet, "w2", {"access.groups": ["docker", "root"]})
    usual, split = majorities(changed(fleet, "w0", {"access.groups": ["root"]}))
    assert split == ()
    assert host(usual, "w0").facts["access"]["groups"] in (["root", "docker"], ["docker", "root"])


def test_a_dark_peer_has_no_vote_and_is_told() -> None:
    """It is incomplete, not odd."""
    report = against_peers(changed(pool(3), "w1", {"buildx.version": "0.1.0"}, outcome="timeout"))
    assert report.exit_code == 3
    assert [(note.host, note.what) for note in report.notes] == [("w1", "unreachable")]


def test_two_hosts_differ_by_their_cause_first() -> None:
    """The setting, then the store, then the push, then what refuses it; identity and volatile fields are no rows."""
    found = diff(recorded(), "amd64", "riscv64")
    assert found.exit_code == 1
    config = shape(found.causes)["config"]
    assert set(config) == {"store"}
    assert "manifest-list" in config["store"]["pushes"]
    told = "".join(diff_text(found, Style(width=10_000)))
    assert "on riscv64: the push is an index" in told
    assert "vanish" not in told
    assert "machine_id" not in told
    assert "volatile" not in told
    assert "volatile" in "".join(diff_text(found, Style(width=10_000, verbosity=1)))


def test_two_hosts_are_compared_both_ways() -> None:
    """What breaks on the one that was named first is told too."""
    one, other = diff(recorded(), "amd64", "riscv64"), diff(recorded(), "riscv64", "amd64")
    assert "on riscv64: the push is an index" in "".join(diff_text(one, Style(width=10_000)))
    assert "on riscv64: the push is an index" in "".join(diff_text(other, Style(width=10_000)))


def test_twins_have_no_difference() -> None:
    """Two machines of one kind are alike, though they are two machines."""
    found = diff(pool(2), "w0", "w1")
    assert found.exit_code == 0
    assert "".join(diff_text(found, Style())) == "w0 → w1: no difference\n"


def test_a_dark_host_is_not_compared() -> None:
    """Nothing is said of it but that."""
    found = diff(changed(pool(2), "w1", {}, outcome="timeout", detail="45 s"), "w0", "w1")
    assert (found.exit_code, found.causes, found.dark) == (3, (), ("w1: timeout: 45 s",))


def test_names_that_mean_nothing_are_refused() -> None:
    """One that is not there, and the same one twice."""
    with pytest.raises(UsageError, match="w9: not in this check; it has w0, w1"):
        diff(pool(2), "w0", "w9")
    with pytest.raises(UsageError, match="two different hosts"):
        diff(pool(2), "w0", "w0")
