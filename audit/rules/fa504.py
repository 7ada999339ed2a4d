"""The members of a pool have the same buildx."""

from __future__ import annotations

from collections.abc import Sequence

from audit.facts.buildx import Buildx
from audit.model import Severity, Unknown
from audit.rule import Finding, FleetView, Member, Result, Rule
from audit.rules._peers import each_pool
from audit.rules._versions import alike_versions

rule = Rule(
    id="FA504",
    title="The members of a pool have the same buildx",
    severity=Severity.WARNING,
    why="The plugin decides what is asked of BuildKit: with another version, or none, a job leaves another image.",
    symptom="One member's log begins with `DEPRECATED: The legacy builder is deprecated`, or its build lacks a flag.",
    remedy="Install the same package of buildx on every member; remove private copies (see FA303).",
    refs=("docker/buildx build/opt.go",),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """A missing or broken plugin is a value like a version."""
    return each_pool(view, _judge)


def _judge(members: Sequence[Member]) -> Finding | Result:
    return alike_versions(members, _version, "the pool's buildx versions", frozenset({"missing", "broken"}))


def _version(member: Member) -> str | None:
    buildx = member.facts[Buildx]
    if isinstance(buildx, Unknown):
        return None
    return buildx.version if buildx.state == "present" else buildx.state
