"""The members of a pool run the same engine."""

from __future__ import annotations

from collections.abc import Sequence

from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Finding, FleetView, Member, Result, Rule
from audit.rules._peers import each_pool
from audit.rules._versions import alike_versions

rule = Rule(
    id="FA503",
    title="The members of a pool run the same engine",
    severity=Severity.WARNING,
    why="The engine brings its own BuildKit: with another one the same Dockerfile has other defaults, other media "
    "types and another digest.",
    symptom="A rebuild of the same commit has another digest, depending on the member that took it.",
    remedy="Finish the roll-out: upgrade the members that lag behind, one drained worker at a time.",
    refs=("moby vendor.mod (the BuildKit inside each engine)",),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Major and minor weigh as a warning, a patch as a note; what a distribution appends does not count."""
    return each_pool(view, _judge)


def _judge(members: Sequence[Member]) -> Finding | Result:
    return alike_versions(members, _version, "the pool's engines")


def _version(member: Member) -> str | None:
    engine = member.facts[Engine]
    return None if isinstance(engine, Unknown) else engine.version
