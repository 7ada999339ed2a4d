"""The fleet that this tool is for: five architectures, four upgraded in place, one reinstalled; and a stock worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from audit.judge import judge
from audit.model import Fleet, Host, Severity, Status, Verdict
from tests.rules.test_cases import facts_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLUGIN = "/usr/libexec/docker/cli-plugins/docker-buildx"


def worker(arch: str, *, engine: str = "28.5.2+dfsg4", buildx: str | None = "0.29.1+ds1", store: str = "graphdriver",
           unit: dict[str, str] | None = None) -> dict[str, Any]:  # fmt: skip
    """All facts that FA3xx to FA9xx look at, of one of Debian's docker.io."""
    copy = {"path": PLUGIN, "version": buildx, "in_use": True}
    settings = [{"name": name, "value": value, "where": "unit"} for name, value in (unit or {}).items()]
    node = {"name": "default", "endpoint": "default", "status": "running"}
    return {
        "machine": {"arch": arch, "platform": f"linux/{arch}", "system": "Linux", "kernel": "6.12", "hostname": arch},
        "docker_client": {"kind": "docker", "version": engine, "origin": "docker.io", "context": "default"},
        "engine": {"version": engine, "os": "linux", "arch": arch},
        "image_store": {
            "kind": store,
            "driver": "overlay2" if store == "graphdriver" else "overlayfs",
            "why": "default",
            "why_text": "as its engine chooses",
        },
        "buildx": {"state": "present", "version": buildx, "path": PLUGIN, "copies": [copy]}
        if buildx
        else {"state": "missing"},
        "builders": {"builders": [{"name": "default", "driver": "docker", "nodes": [node]}], "selected": "default"}
        if buildx
        else {"unknown": "absent"},
        "build_env": {"service": settings, "shell": settings},
        "build_unit": {
            "name": "image-builder.service",
            "load_state": "loaded",
            "active_state": "active",
            "user": "root",
            "main_pid": 712,
            "stale_environment": False,
        },
        "credentials": {"found": []},
    }


STORY = {
    "amd64": worker("amd64"),
    "arm64": worker("arm64", unit={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}),
    "s390x": worker("s390x", engine="26.1.5+dfsg1", buildx="0.13.1+ds1"),
    "ppc64le": worker("ppc64le", engine="26.1.5+dfsg1", buildx=None),
    "riscv64": worker("riscv64", store="containerd"),
}


def judged(workers: dict[str, dict[str, Any]], **declared: Any) -> list[Verdict]:
    """What the rules of this half say."""
    hosts = tuple(
        Host(name=name, address=name, build_unit="image-builder.service", **{"pool": f"linux-{name}", **declared})
        for name in workers
    )
    facts = {name: facts_of(told) for name, told in workers.items()}
    return [verdict for verdict in judge(Fleet(hosts=hosts), facts, NOON)[1] if verdict.rule > "FA3"]


def worst(verdicts: list[Verdict]) -> set[tuple[str, str, str]]:
    """Rule, subject and severity of all that does not hold."""
    return {(v.rule, v.subject, v.severity.value) for v in verdicts if v.status is Status.FAIL}


def test_the_story() -> None:
    """The reinstalled worker is found, and the one without buildx; nobody else is accused."""
    verdicts = judged(STORY)
    assert worst(verdicts) == {
        ("FA404", "riscv64", "warning"),
        ("FA506", "fleet", "error"),
        ("FA301", "ppc64le", "warning"),
        ("FA507", "fleet", "note"),
        *(("FA306", name, "note") for name in ("amd64", "arm64", "riscv64")),
    }
    [story] = [verdict for verdict in verdicts if verdict.rule == "FA506"]
    assert story.hosts == ("riscv64",)
    assert "index: linux-riscv64" in story.evidence
    assert not [verdict for verdict in verdicts if verdict.status is Status.UNKNOWN]


def test_a_pool_of_stock_workers_has_one_note() -> None:
    """Debian's stock worker is a healthy worker: all that is said is that its buildx copies too much in a merge."""
    verdicts = judged({f"w{number}": worker("amd64") for number in range(9)}, pool="linux-amd64")
    assert {(v.rule, v.severity) for v in verdicts if v.status >= Status.WAIVED} == {("FA306", Severity.NOTE)}
    assert {v.status for v in verdicts if v.subject == "pool:linux-amd64"} == {Status.PASS}
