"""Merges across repositories mount layers instead of moving them."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.model import Host, Severity
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.rules._buildx import out_of_use, seen, unreadable

rule = Rule(
    id="FA307",
    title="buildx on a merge host mounts layers across repositories",
    severity=Severity.WARNING,
    why="From 0.33 on `imagetools create` no longer mounts a layer from another repository of the same registry: it "
    "downloads and uploads every layer through the merge host.",
    symptom="A merge of tags that took seconds moves gigabytes through the merge host.",
    remedy="Merge within one repository, keep 0.32 on the merge host, or merge with a tool that mounts (crane).",
    refs=("docker/buildx util/imagetools/create.go (0.33)",),
)


def check(buildx: Buildx, host: Host) -> Result:
    """Only where merges run; a merge inside one repository moves no layers with any version."""
    if not host.merge_host:
        return not_applicable("merges do not run here")
    if (out := out_of_use(buildx)) is not None:
        return out
    moves = versions.at_least(buildx.version, "0.33.0rc1")
    if moves is None:
        return unreadable(buildx)
    if moves:
        said = f"buildx {versions.release(buildx.version)}"
        return fail(f"{said} moves every layer when it merges across repositories", *seen(buildx))
    return ok("buildx mounts layers when it merges across repositories", *seen(buildx))
