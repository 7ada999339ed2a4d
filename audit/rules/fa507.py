"""The engines of the fleet are of one major version."""

from __future__ import annotations

from audit import versions
from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Finding, FleetView, Member, Rule
from audit.rules._peers import alike, spread

rule = Rule(
    id="FA507",
    title="The engines of the fleet are of one major version",
    severity=Severity.NOTE,
    why="The platforms of one tag are then built by different BuildKits: other media types, other provenance, and a "
    "minimum API version that shuts some clients out.",
    symptom="One platform of a tag differs from the others in type or size; client version 1.43 is too old.",
    remedy="Plan the next roll-out for the engines that lag behind; not every distribution has one for each platform.",
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Across pools; within a pool FA503 is stricter."""
    found = alike(spread(view.members, _major), "the majors of the fleet's engines")
    if isinstance(found, Finding):
        return [Finding("fleet", found.result, found.hosts)]
    return [Finding("fleet", found)]


def _major(member: Member) -> str | None:
    engine = member.facts[Engine]
    version = None if isinstance(engine, Unknown) else versions.parse(engine.version)
    return None if version is None else str(version.major)
