"""The engine is of the version that the policy wants."""

from __future__ import annotations

from audit import versions
from audit.facts.engine import Engine
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA108",
    title="The engine is of the version that the policy wants",
    severity=Severity.ERROR,
    why="The policy names the versions that the fleet is tested with; another one may push another format.",
    symptom="One worker of a pool behaves differently from its peers after a roll-out that missed it.",
    remedy="Bring the engine into the wanted range, or change wanted.engine in the policy.",
    refs=("moby vendor.mod (the BuildKit inside each engine)",),
)


def check(engine: Engine, policy: HostPolicy) -> Result:
    """Against `wanted.engine`; nothing is wanted by default."""
    wanted = policy.wanted.engine
    if wanted is None:
        return not_applicable("the policy wants no particular engine")
    evidence = (f"engine {engine.version}", f"wanted {wanted}")
    inside = versions.within(engine.version, wanted)
    if inside is None:
        return cannot_tell("the engine's version cannot be read", *evidence)
    if inside:
        return ok(f"the engine is within {wanted}", *evidence)
    return fail(f"engine {versions.release(engine.version)} is outside the wanted {wanted}", *evidence)
