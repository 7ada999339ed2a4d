"""What people read of a build: each failure with its platform, worker, last words, cause and log."""

from __future__ import annotations

import pytest

from audit.buildstep import Attempt, Built, Report
from audit.buildstep.report import short, told

DIGEST = f"sha256:{1:064d}"


def built(platform: str, **more: object) -> Built:
    """One platform."""
    base = {"platform": platform, "tag": "r/s:1-x", "wanted": "flat (OCI)", "inputs": "sha256:i"}
    return Built.model_validate(base | more)


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [("linux/arm64", "arm64"), ("linux/arm/v7", "arm-v7"), ("windows(10.0.1)/amd64", "windows-10.0.1-amd64")],
)
def test_short(platform: str, wanted: str) -> None:
    """As its staging tag ends."""
    assert short(platform) == wanted


def test_every_end_has_its_line() -> None:
    """A failure that another worker made good is told too, below what was made."""
    lost = Attempt(host="w1", failed="connect", why="the worker was lost", left=("rm -rf x",), log="/l/1.log")
    bad = Attempt(
        host="w3", failed="push", why="docker push ended with exit status 1: denied", cause="S1, who: do", log="/l/3"
    )
    report = Report(
        staging="r/s:1",
        platforms=(
            built("linux/amd64", state="built", host="w2", digest=DIGEST, shape="flat (OCI)", seconds=3.21,
                  attempts=(lost, Attempt(host="w2"))),
            built("linux/arm64", state="present", host="w4", digest=DIGEST, shape="flat (OCI)"),
            built("linux/s390x", state="failed", host="w3", why=bad.why, attempts=(bad,)),
            built("linux/riscv64", state="not-begun", why="another platform had failed"),
        ),
    )  # fmt: skip
    assert not report.whole
    assert list(told(report)) == [
        f"amd64    built on w2 in 3.2 s: flat (OCI), {DIGEST}",
        "         FAILED on w1: the worker was lost",
        "           left on w1: rm -rf x",
        "           log: /l/1.log",
        f"arm64    there already (built on w4): flat (OCI), {DIGEST}",
        "s390x    FAILED on w3: docker push ended with exit status 1: denied",
        "           known: S1, who: do",
        "           log: /l/3",
        "riscv64  not begun: another platform had failed",
    ]


@pytest.mark.parametrize(
    ("failed", "for_good", "elsewhere"),
    [
        ("connect", False, True), ("timeout", False, True), ("begin", False, True), ("build", False, True),
        ("push", False, True), ("build", True, False), ("context", False, False), ("conflict", False, False),
        ("shape", False, False), ("confirm", False, False), ("signal", False, False), (None, False, False),
    ],
)  # fmt: skip
def test_another_worker_is_tried_only_where_it_may_help(failed: str | None, for_good: bool, elsewhere: bool) -> None:
    """Not where the input, the registry or the user is the reason."""
    attempt = Attempt.model_validate({"host": "w", "failed": failed, "for_good": for_good})
    assert attempt.elsewhere is elsewhere
