"""A build with --push pushes once."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.rules._buildx import out_of_use, seen, unreadable

rule = Rule(
    id="FA309",
    title="A build with --push pushes once",
    severity=Severity.WARNING,
    why="On the containerd store buildx before 0.22 lets BuildKit push and then the engine again: twice the requests, "
    "and two ways to log in, either of which can fail.",
    symptom="`docker buildx build --push` shows `pushing … with docker` after it has pushed, or fails there with 401.",
    remedy="Upgrade buildx to 0.22 or newer, or build first and then `docker push`.",
    refs=("docker/buildx commit 4f7d145c0",),
)


def check(buildx: Buildx, store: ImageStore) -> Result:
    """Where the driver says that it can push by itself (0.22), buildx leaves it at that."""
    if store.kind is not StoreKind.CONTAINERD:
        return not_applicable("a graphdriver store is pushed by the engine alone")
    if (out := out_of_use(buildx)) is not None:
        return out
    once = versions.at_least(buildx.version, "0.22.0")
    if once is None:
        return unreadable(buildx)
    evidence = (*seen(buildx), f"{store.driver}, driver-type {store.driver_type or '?'}")
    if once:
        return ok("`--push` pushes once", *evidence)
    return fail(
        f"buildx {versions.release(buildx.version)} pushes twice with `--push` on the containerd store", *evidence
    )
