"""A batch under way, in one line and as the answer to ``merge --status``."""

from __future__ import annotations

import pytest

from audit.batch.progress import Progress, Waiting, line, span, status

HUB = Waiting(registry="docker.io", reason="limit", seconds=42)
HALF = Progress(
    done=100, unchanged=20, parked=3, left=309, total=432, requests=2310, rate=291.6, limit=300, seconds=480, eta=840,
    waited={"limit": 61.0, "retry": 0.2}, phase="merging",
)  # fmt: skip


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(total=432), "0 of 432 tags; 0 requests, 0/min"),
        (HALF, "120 of 432 tags, 3 parked; 2,310 requests, 292/min of 300; 14 min to go"),
        (
            HALF.model_copy(update={"waiting": (HUB,)}),
            "120 of 432 tags, 3 parked; 2,310 requests, 292/min of 300; 14 min to go; "
            "waiting 42 s: Docker Hub asked for it",
        ),
        (
            Progress(
                done=1, moved=1, failed=2, total=9,
                waiting=(Waiting(registry="r.example", reason="host-down", seconds=600), HUB),
            ),
            "1 of 9 tags, 1 moved, 2 failed; 0 requests, 0/min; waiting 10 min: r.example does not answer (and 1 more)",
        ),
        (
            Progress(total=1, waiting=(Waiting(registry="r.example\x1b[2J", reason="moon", seconds=-3),)),
            "0 of 1 tags; 0 requests, 0/min; waiting 0 s: moon at r.example\\x1b[2J",
        ),
    ],
)  # fmt: skip
def test_line(progress: Progress, said: str) -> None:
    """What is ready of all, what is behind, the rate against the limit, the time to go, who is waited for."""
    assert line(progress) == said


def test_every_reason_reads_as_a_sentence() -> None:
    """Each reason of the limiter names the registry or needs none."""
    for reason in ("rate", "limit", "abuse-limit", "pull-quota", "host-down", "login-locked", "retry"):
        said = str(Waiting(registry="docker.io", reason=reason, seconds=5))
        assert said.startswith("5 s: ")
        assert "{}" not in said
        assert reason == "rate" or "Docker Hub" in said


def test_status_of_a_run_that_lives() -> None:
    """The run, its phase and how long; the line; what is left; all that is waited for."""
    progress = HALF.model_copy(update={"waiting": (HUB, Waiting(registry="ghcr.io", reason="rate", seconds=3))})
    assert status(progress, run="r1", plan="night.yml", alive=True, age=2).splitlines() == [
        "run r1 of night.yml: merging for 8 min",
        "  120 of 432 tags, 3 parked; 2,310 requests, 292/min of 300; 14 min to go; "
        "waiting 42 s: Docker Hub asked for it (and 1 more)",
        "  309 tags are left",
        "  waited: limit 61 s",
        "  waiting 3 s: the rate that was set",
    ]
    assert "last heard of 5 min ago" in status(progress, run="r1", plan="x", alive=True, age=300)


def test_status_of_a_run_that_ended() -> None:
    """A process that is gone waits for nobody and has no time to go; what is finished says so."""
    text = status(HALF.model_copy(update={"waiting": (HUB,)}), run="r1", plan="a\nb", alive=False, age=7200)
    assert text.splitlines()[0] == "run r1 of a\\nb: ended 2 h 00 min ago; the same command goes on with it"
    assert "to go" not in text
    assert "waiting" not in text
    whole = Progress(done=4, unchanged=1, total=5, requests=9)
    assert status(whole, run="r1", plan="x", alive=False, age=5) == (
        "run r1 of x: finished 5 s ago\n  5 of 5 tags; 9 requests, 0/min\n"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (840, "14 min"),
        (5999, "1 h 40 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    """A time for people, in the unit that they would use."""
    assert span(seconds) == text
