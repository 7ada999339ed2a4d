"""What is shown while a batch runs: counts of the last minute, time to go, a line now and then."""

from __future__ import annotations

import sys

import pytest

from audit.cli import batchview
from audit.cli.batchview import Meter
from tests.batching.conftest import Night, Plan
from tests.batching.test_night import stocked
from tests.farm.registry import Registry


def test_requests_of_the_last_minute_and_time_to_go() -> None:
    """Nothing is said before anything is known; what is older than a minute, or than five, no longer counts."""
    meter = Meter()
    assert meter.seconds_for(10) is None
    meter.take(0, 0)
    assert meter.per_minute(0) == 0
    meter.take(30, 100)
    assert meter.per_minute(30) == 100
    assert meter.seconds_for(50) == 15
    assert meter.seconds_for(None) is None
    meter.take(80, 400)
    assert meter.per_minute(80) == 300
    meter.take(400, 500)
    assert meter.per_minute(400) == 0
    assert meter.seconds_for(10) is None, "one look is no pace"


def test_a_line_now_and_then_where_there_is_no_terminal(
    registry: Registry, night: Night, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress goes to stderr, and not at all with -q; stdout has the report alone."""
    monkeypatch.setattr(batchview, "EVERY", 0.0)
    monkeypatch.setattr(batchview, "EVERY_BEAT", 0.01)
    assert not sys.stderr.isatty()
    file = plan(registry, stocked(registry, *"abcd"))
    told = night(registry, "--plan", file)
    assert told.code == 0
    assert " of 4 tags" in told.err
    assert "requests" in told.err
    assert told.out.startswith("4 tags: 4 done")
    again = night(registry, "--plan", file, "-q")
    assert again.err == ""
