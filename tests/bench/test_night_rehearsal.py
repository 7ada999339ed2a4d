"""A tenth of the night through the real command: tokens, a limit, all injuries, kills; `make night` does all of it."""

from __future__ import annotations

import pytest

from tests.bench.night.rehearse import rehearse
from tests.bench.night.wanted import table
from tests.lab.registry import fetch
from tests.lab.shell import LabError


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tenth_of_the_night() -> None:
    """Every tag is right at the first command, again costs a HEAD a tag, and kills lose nothing."""
    try:
        fetch()
    except (LabError, OSError) as error:
        pytest.skip(f"docker-registry cannot be had here: {str(error).splitlines()[-1]}")
    figures = rehearse(0.1, kills=3, kill_scale=0.05, speed=60.0, readers=False)
    rows = table(figures)
    assert len(rows) > 15, "all phases were judged"
    assert [row for row in rows if row.short] == []
    assert sum(figures["cold"]["injuries"].values()) > 15, "it was not a calm night"
    assert figures["kills"]["kills"] > 0
