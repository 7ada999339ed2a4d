"""buildx is not of the versions that copy too much when they merge."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.model import Host, Severity
from audit.rule import Result, Rule, fail, ok
from audit.rules._buildx import out_of_use, seen, unreadable

rule = Rule(
    id="FA306",
    title="buildx is not 0.29 to 0.31, which copy too much when merging",
    severity=Severity.WARNING,
    why="`imagetools create` of these versions copies the whole source index once for each of its children: a merge "
    "across repositories makes many times the requests that it needs.",
    symptom="toomanyrequests, or merges that take several times as long as before an upgrade of buildx.",
    remedy="Upgrade buildx to 0.32 where merges run, or merge on a host whose buildx is not among these.",
    refs=("docker/buildx commit 510369170",),
)


def check(buildx: Buildx, host: Host) -> Result:
    """It bites whoever merges; elsewhere it is worth knowing before somebody does."""
    if (out := out_of_use(buildx)) is not None:
        return out
    bad = versions.within(buildx.version, ">=0.29.0rc1,<0.32.0")
    if bad is None:
        return unreadable(buildx)
    if not bad:
        return ok("buildx is not 0.29 to 0.31", *seen(buildx))
    message = f"buildx {versions.release(buildx.version)} copies too much in `imagetools create`"
    if host.merge_host:
        return fail(f"{message}, and merges may run here", *seen(buildx))
    return fail(message, *seen(buildx), severity=Severity.NOTE)
