"""Walks the recorded cells of the lab: every one is what the predictor says, without a lab.

`python -m tests.lab.matrix record` wrote them from real builds and pushes; docs/proofs.md says how.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from audit.shape import predict
from audit.shape.how import How
from tests.lab.matrix.case import written
from tests.lab.matrix.compare import arrived_of, disagreements
from tests.lab.matrix.record import ELSEWHERE
from tests.lab.matrix.stations import STATIONS
from tests.rules.test_cases import facts_of

FILES = sorted((Path(__file__).parent / "cells").glob("*.json"))
LEAST = 150
"""Cells that the proof must have at least."""


def read(file: Path) -> dict[str, Any]:
    """One station as recorded."""
    station: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return station


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_every_recorded_cell_is_as_predicted(file: Path) -> None:
    """One sure shape for each, and nothing in it is other than what the lab's engines left."""
    station = read(file)
    facts = facts_of(station["facts"])
    parted = {case["how"]: why for case in station["cells"] if (why := disagreements(facts, case))}
    assert parted == {}


def test_there_are_enough_of_them() -> None:
    """Of every station and line, and enough in all; each file says what proved it, and when."""
    stations = {file.stem: station for file in FILES if ELSEWHERE not in (station := read(file))["proved"]}
    assert set(stations) == {station.name for station in STATIONS}
    assert sum(len(station["cells"]) for station in stations.values()) >= LEAST
    for wanted in STATIONS:
        station = stations[wanted.name]
        assert set(station) <= {"about", "proved", "adjusted", "facts", "cells"}
        assert re.fullmatch(r"engine \S+, (buildx \S+|no buildx), \d{4}-\d\d-\d\d", station["proved"])
        assert [case["how"] for case in station["cells"]] == [written(line) for line in wanted.lines]
        assert len(set(wanted.lines)) == len(wanted.lines), "a line twice"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_nothing_of_one_machine_is_recorded(file: Path) -> None:
    """No address, digest or tag of a run: who records anew changes only what really changed."""
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]{32}|\d\d:\d\d:\d\d|/root/cell", text)


def test_a_wrong_prediction_is_seen() -> None:
    """The comparison can fail: what one way of building left is not what another is predicted to leave."""
    file = next(file for file in FILES if file.stem == "engine28-containerd")
    station = read(file)
    facts = facts_of(station["facts"])
    plain = next(case for case in station["cells"] if case["how"] == "docker build && docker push")
    arrived = arrived_of(plain["expect"])
    assert arrived is not None
    assert arrived.kind == predict(facts, How()).kind == "index"
    assert disagreements(facts, {**plain, "how": "docker build --provenance=false && docker push"})
    assert disagreements(facts, {**plain, "how": "docker build --output type=local,dest=out"})
    failed = {"kind": "fails", "stage": "build", "error": "no space left on device"}
    assert disagreements(facts, {**plain, "expect": failed})
    lying = {**plain["expect"], "digests": {**plain["expect"]["digests"], "push_line": "other"}}
    assert disagreements(facts, {**plain, "expect": lying})
