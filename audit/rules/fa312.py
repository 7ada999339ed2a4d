"""A merge host has a buildx that merges correctly."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.model import Host, Severity
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.rules._buildx import seen, unreadable

rule = Rule(
    id="FA312",
    title="A merge host has a buildx that merges correctly",
    severity=Severity.ERROR,
    why="`imagetools create` before 0.11 always writes Docker's list type, even round OCI images and attestations.",
    symptom="A merged tag of type …manifest.list.v2+json with OCI children; a strict registry says manifest invalid.",
    remedy="Install buildx 0.13 or newer (0.32 is the best for merging across repositories), or merge elsewhere.",
    refs=("docker/buildx commit b702188b6",),
)


def check(buildx: Buildx, host: Host) -> Result:
    """Only where merges may run; a host without buildx cannot merge what holds attestations."""
    if not host.merge_host:
        return not_applicable("merges do not run here")
    if buildx.state != "present":
        return fail(f"merges may run here, but buildx is {buildx.state}", *((buildx.error,) if buildx.error else ()))
    right = versions.at_least(buildx.version, "0.11.0")
    if right is None:
        return unreadable(buildx)
    if right:
        return ok("buildx is 0.11 or newer: it merges into the right type", *seen(buildx))
    return fail(f"buildx {versions.release(buildx.version)} merges into the wrong type", *seen(buildx))
