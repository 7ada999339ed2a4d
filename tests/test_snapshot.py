"""A check as plain values: nothing of it is lost on the way to JSON and back."""

from __future__ import annotations

from pathlib import Path

from audit.run import Run, SavedRun
from audit.snapshot import Snapshot

SAVED = Path(__file__).parent / "recorded" / "lab-fleet.json"


def test_a_check_becomes_plain_values_and_back() -> None:
    """The lab's recorded fleet: every host with its facts and what it pushes, every verdict, through JSON."""
    saved = SavedRun.parse(SAVED.read_text(encoding="utf-8"), SAVED.name)
    run = Run.of(saved.fleet, saved.evidence, saved.tool_version)
    snapshot = Snapshot.of(run, inventory=("lab",))
    assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
    assert [host.name for host in snapshot.hosts] == [host.name for host in run.fleet.hosts]
    assert len(snapshot.verdicts) == len(run.verdicts)
    by_name = {host.name: host for host in snapshot.hosts}
    assert "index" in by_name["riscv64"].pushes
    assert by_name["riscv64"].facts["image_store"] != by_name["amd64"].facts["image_store"]
    assert all("unknown" in fact or fact for host in snapshot.hosts for fact in host.facts.values())
    assert snapshot.complete == all(host.reached for host in snapshot.hosts)
