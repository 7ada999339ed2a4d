"""buildx is of the version that the policy wants."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.rules._buildx import out_of_use, seen, unreadable

rule = Rule(
    id="FA308",
    title="buildx is of the version that the policy wants",
    severity=Severity.ERROR,
    why="The policy names the versions that the fleet is tested with; another one has other defaults.",
    symptom="The same command leaves another shape, or another digest, than on the peers.",
    remedy="Bring buildx into the wanted range, or change wanted.buildx in the policy.",
    refs=("docker/buildx releases",),
)


def check(buildx: Buildx, policy: HostPolicy) -> Result:
    """Against `wanted.buildx`; nothing is wanted by default."""
    wanted = policy.wanted.buildx
    if wanted is None:
        return not_applicable("the policy wants no particular buildx")
    if (out := out_of_use(buildx)) is not None:
        return out
    inside = versions.within(buildx.version, wanted)
    if inside is None:
        return unreadable(buildx)
    evidence = (*seen(buildx), f"wanted {wanted}")
    if inside:
        return ok(f"buildx is within {wanted}", *evidence)
    return fail(f"buildx {versions.release(buildx.version)} is outside the wanted {wanted}", *evidence)
