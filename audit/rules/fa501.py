"""A pool has one image store."""

from __future__ import annotations

from collections.abc import Sequence

from audit.facts.image_store import ImageStore
from audit.model import Severity, Unknown
from audit.rule import Finding, FleetView, Member, Result, Rule
from audit.rules._peers import alike, common, each_pool, spread

rule = Rule(
    id="FA501",
    title="The members of a pool have one image store",
    severity=Severity.ERROR,
    why="A job takes whichever member is free: with two stores in one pool the same job pushes two kinds of image, has "
    "other image ids, and fails on one member where it passes on the next.",
    symptom="A build that fails every other time; now and then `docker manifest create` says … is a manifest list.",
    remedy="Bring the deviating members to the pool's store: features.containerd-snapshotter in daemon.json on a "
    "drained worker, then restart the engine.",
    refs=("moby daemon/image_store_choice.go", "tunbury.org 2026-06-16 docker-29-manifest-lists"),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """By the kind of store, not by its driver: two graphdrivers push alike."""
    return each_pool(view, _judge)


def _judge(members: Sequence[Member]) -> Finding | Result:
    return alike(spread(members, _kind), "the pool's image stores", wanted=common(members, _wanted))


def _kind(member: Member) -> str | None:
    store = member.facts[ImageStore]
    return None if isinstance(store, Unknown) else store.kind.value


def _wanted(member: Member) -> str | None:
    return member.policy.wanted.store
