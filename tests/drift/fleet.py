"""The lab's recorded fleet as a check, and what a later one may find otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from audit.run import Run, SavedRun
from audit.snapshot import HostRow, Snapshot

SAVED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"
WEEK = 7 * 86400.0


@cache
def recorded() -> Snapshot:
    """The fleet as it was recorded, without verdicts: a case says which turn."""
    return whole().model_copy(update={"verdicts": ()})


@cache
def whole() -> Snapshot:
    """The same with its verdicts."""
    saved = SavedRun.parse(SAVED.read_text(encoding="utf-8"), SAVED.name)
    return Snapshot.of(Run.of(saved.fleet, saved.evidence, saved.tool_version))


def host(snapshot: Snapshot, name: str) -> HostRow:
    """One host of a check."""
    return next(row for row in snapshot.hosts if row.name == name)


def changed(snapshot: Snapshot, name: str, facts: Mapping[str, Any], /, **row: Any) -> Snapshot:
    """The check a week later, with one host otherwise.

    Args:
        snapshot: as it was.
        name: the host.
        facts: ``FACT.FIELD`` or ``FACT.FIELD.PART`` -> value; ``FACT`` -> the whole fact, or ``like HOST``.
        row: other fields of the host's row (``outcome``, ``pushes``, ``name``, …).
    """
    hosts = tuple(
        _changed(snapshot, one, facts).model_copy(update=row) if one.name == name else one for one in snapshot.hosts
    )
    return snapshot.model_copy(update={"hosts": hosts, "at": snapshot.at + WEEK})


def _changed(snapshot: Snapshot, row: HostRow, facts: Mapping[str, Any]) -> HostRow:
    found = json.loads(json.dumps({name: dict(values) for name, values in row.facts.items()}))
    for path, value in facts.items():
        fact, *parts = path.split(".", 2)
        if not parts:
            like = isinstance(value, str) and value.startswith("like ")
            found[fact] = host(snapshot, value.removeprefix("like ")).facts[fact] if like else value
            continue
        place = found[fact]
        for part in parts[:-1]:
            place = place[part]
        place[parts[-1]] = value
    return row.model_copy(update={"facts": found})


def without(snapshot: Snapshot, *names: str) -> Snapshot:
    """The check without some hosts, a week later."""
    hosts = tuple(row for row in snapshot.hosts if row.name not in names)
    return snapshot.model_copy(update={"hosts": hosts, "at": snapshot.at + WEEK})


REINSTALL: Mapping[str, Any] = {
    "machine.machine_id": "0123456789ab",
    "reach.host_key": "SHA256:new",
    "engine.engine_id": "8d7f0a4e-0000-4000-8000-000000000000",
    "engine.version": "29.1.3",
    "docker_client.version": "29.1.3",
    "image_store": "like riscv64",
}
"""What a reinstall with a new engine changes on a worker of the lab."""


def reinstalled() -> Snapshot:
    """The lab after amd64 was reinstalled."""
    return changed(recorded(), "amd64", REINSTALL, pushes="index")
