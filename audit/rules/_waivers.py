"""What the rules about the policy's waivers have in common."""

from __future__ import annotations

from audit.model import Waiver
from audit.rule import FleetView


def subject(waiver: Waiver) -> str:
    """What a finding about a waiver is about."""
    return f"waiver:{waiver.rule}@{waiver.host}"


def lines(waiver: Waiver) -> tuple[str, ...]:
    """Evidence: what it covers, why, who answers for it, and where it is declared."""
    return (
        f"{waiver.rule} on {waiver.host}, until {waiver.until.isoformat()}",
        f"reason: {waiver.reason}",
        f"owner: {waiver.owner}",
        f"declared in {waiver.source}",
    )


def covered(view: FleetView, waiver: Waiver) -> tuple[str, ...]:
    """The hosts of this run that it speaks of."""
    return tuple(
        member.host.name
        for member in view.members
        if waiver in member.policy.waivers and waiver.covers(waiver.rule, member.host.name)
    )
