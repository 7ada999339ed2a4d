"""The members of a pool push the same shape."""

from __future__ import annotations

from collections.abc import Sequence

from audit.model import Severity
from audit.rule import Finding, FleetView, Member, Result, Rule
from audit.rules._peers import alike, common, each_pool, spread

rule = Rule(
    id="FA502",
    title="The members of a pool push the same shape",
    severity=Severity.ERROR,
    why="Which member takes the job decides whether its tag is a flat manifest or an index, so the merge after it "
    "works on one day and not on the next.",
    symptom="docker.io/… is a manifest list, for one platform and only sometimes.",
    remedy="Align store, buildx and BUILDX_NO_DEFAULT_ATTESTATIONS of the deviating members with their peers', or "
    "merge with an index-aware tool (`docker buildx imagetools create`).",
    refs=("tunbury.org 2026-06-16 docker-29-manifest-lists", "docker/buildx#1509"),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """By prediction, from each member's own facts."""
    return each_pool(view, _judge)


def _judge(members: Sequence[Member]) -> Finding | Result:
    return alike(spread(members, _kind), "the pool's pushes", wanted=common(members, _wanted))


def _kind(member: Member) -> str | None:
    return None if member.push.kind == "unknown" else member.push.kind


def _wanted(member: Member) -> str | None:
    return member.policy.wanted.push
