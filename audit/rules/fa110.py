"""The host runs cgroup v2."""

from __future__ import annotations

from audit.facts.engine import Engine
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA110",
    title="The host runs cgroup v2",
    severity=Severity.WARNING,
    why="Engine 29 declares cgroup v1 deprecated and keeps it to May 2029 at the least; systemd has dropped it.",
    symptom="WARNING: Support for cgroup v1 is deprecated (in `docker info`); a newer systemd does not boot with v1.",
    remedy="Remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, or upgrade the distribution.",
    refs=("docker/cli docs/deprecated.md", "moby/moby#51111"),
)


def check(engine: Engine) -> Result:
    """As the engine tells it."""
    evidence = f"cgroup {engine.cgroup_version or '?'}, driver {engine.cgroup_driver or '?'}"
    if engine.os not in (None, "linux"):
        return not_applicable(f"an engine for {engine.os} has no cgroups")
    if engine.cgroup_version == "2":
        return ok("cgroup v2", evidence)
    if engine.cgroup_version == "1":
        return fail("cgroup v1", evidence)
    return cannot_tell("the engine does not say which cgroup version it runs on", evidence)
