"""Each pool for itself: who says which shape, and who is not as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.align import align
from audit.cli.app import run as command
from audit.errors import UsageError
from audit.model import Fleet
from audit.run import SavedRun
from tests.align.fleets import drawn, pooled
from tests.onboard.test_assess import run


def test_each_pool_for_itself() -> None:
    """Two pools get a majority each, and what they then push is held together; a worker alone is as it is."""
    found = align(pooled({"amd64": "a", "arm64": "a", "riscv64": "a", "trixie-containerd": "b"}), "majority")
    assert {pool.pool: (pool.to, pool.because) for pool in found.pools} == {
        "a": ("flat", "2 of 3 do already"), "b": ("index", "it is alone in its pool"),
    }  # fmt: skip
    assert [one.host for one in found.hosts if one.state == "change"] == ["riscv64"]
    text = drawn(found, width=200)
    assert text.startswith("align to majority (2 pools, each for itself): 3 aligned, 1 to change\n")
    assert "pool b" not in text, "nothing is to be done there"
    assert "different shapes even then (flat: a; index: b)" in text
    assert len(found.hosts) == len({one.host for one in found.hosts}), "nobody is told twice"


def test_nothing_to_do_is_one_line() -> None:
    """For one pool and for several."""
    assert drawn(align(pooled({"amd64": "a", "arm64": "a"}), "majority")) == (
        "pool a: flat (all do already): 2 aligned\n"
    )
    assert drawn(align(pooled({"amd64": "a", "arm64": "b"}), "flat")).count("\n") == 1


def test_a_host_in_no_pool_has_no_peers() -> None:
    """Neither pool nor platform: nobody says what it should push, unless somebody does."""
    judged = pooled({"amd64": None, "riscv64": None})
    found = align(judged, "majority")
    assert {one.state for one in found.hosts} == {"unknown"}
    assert found.exit_code == 3
    assert drawn(found, width=200).count("is in no pool, so it has no peers") == 2
    assert [one.state for one in align(judged, "flat").hosts] == ["aligned", "change"]
    assert align(pooled({"amd64": None}), "majority").exit_code == 3


def test_the_majority_and_the_policy() -> None:
    """Most push flat; a policy that all share goes before; of two that differ nobody is the majority."""
    three: dict[str, str | None] = {"amd64": "a", "arm64": "a", "riscv64": "a"}
    (pool,) = align(pooled(three, dict.fromkeys(three, "index")), "majority").pools
    assert (pool.to, pool.because) == ("index", "the policy wants it")
    (pool,) = align(pooled(three, dict.fromkeys(three, "index")), "flat").pools
    assert pool.because == "asked for, though the policy wants index"
    tie = align(pooled({"amd64": "a", "riscv64": "a"}), "majority")
    assert tie.pools[0].because == "1 flat, 1 index: no majority; say --to flat or --to index"
    assert {one.state for one in tie.hosts} == {"undecided"}
    assert tie.exit_code == 1, "they differ, whatever they should be"
    assert "riscv64 pushes OCI index" in drawn(tie)
    with pytest.raises(UsageError, match="no host is selected"):
        align(run().part([]), "flat")


def test_policies_that_differ_in_one_pool() -> None:
    """They are named, and what most push decides; where only some of a pool have one, it counts for all."""
    three: dict[str, str | None] = {"amd64": "a", "arm64": "a", "riscv64": "a"}
    (pool,) = align(pooled(three, {"amd64": "flat", "arm64": "index"}), "majority").pools
    assert (pool.to, pool.because) == (
        "flat", "the policy wants flat of amd64 and index of arm64, so it does not decide; 2 of 3 do already",
    )  # fmt: skip
    (pool,) = align(pooled(three, {"arm64": "index"}), "majority").pools
    assert (pool.to, pool.because) == ("index", "the policy wants it of arm64")
    (pool,) = align(pooled(three, {"amd64": "flat", "arm64": "index"}), "flat").pools
    assert pool.because == "asked for, though the policy wants index of arm64"


def test_only_the_pool_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --pool nobody else gets a connection."""
    (tmp_path / "hosts.yml").write_text(
        "all:\n  hosts:\n    amd64: {pool: a}\n    arm64: {pool: a}\n    riscv64: {pool: b}\n"
    )
    asked: list[tuple[str, ...]] = []

    def gather(fleet: Fleet, *_: object, **__: object) -> SavedRun:
        asked.append(fleet.names)
        return SavedRun(fleet=fleet, evidence=run(*fleet.names).evidence)

    monkeypatch.setattr("audit.flow.gather", gather)
    assert command(["align", "-i", str(tmp_path), "--pool", "a", "-q"]) == 0
    assert command(["align", "-i", str(tmp_path), "--pool", "z"]) == 2
    assert [tuple(names) for names in asked] == [("amd64", "arm64")]


def test_what_is_not_known_is_never_aligned() -> None:
    """No docker, a shim, a login without rights: not known, exit code 3 alone, 1 beside what is to change."""
    found = align(run("bastion", "podman", "bookworm-nosocket"), "flat")
    assert {one.state for one in found.hosts} == {"unknown"}
    assert found.exit_code == 3
    assert align(run("bastion", "riscv64"), "flat").exit_code == 1
    assert align(run("amd64"), "flat").exit_code == 0
