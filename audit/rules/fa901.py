"""No waiver has expired."""

from __future__ import annotations

from audit.model import Severity
from audit.rule import Finding, FleetView, Rule, fail, not_applicable, ok
from audit.rules._waivers import covered, lines, subject

rule = Rule(
    id="FA901",
    title="No waiver has expired",
    severity=Severity.WARNING,
    why="A waiver is a promise with a date: after it the findings count again, and nobody has decided so.",
    symptom="A check that was clean yesterday fails today, though no worker has changed.",
    remedy="Mend what it covered and remove it, or have its owner set a new `until`.",
    refs=("README.md, Policy",),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Each expired waiver is a finding of its own; its last day still counts."""
    waivers = view.fleet.policy.waivers
    if not waivers:
        return [Finding("fleet", not_applicable("the policy holds no waiver"))]
    expired = [waiver for waiver in waivers if waiver.expired(view.now.today)]
    if not expired:
        first = min(waivers, key=lambda waiver: waiver.until)
        return [Finding("fleet", ok(f"none of {len(waivers)} waivers has expired", *lines(first)))]
    return [
        Finding(
            subject(waiver),
            fail(
                f"the waiver for {waiver.rule} on {waiver.host} ended on {waiver.until.isoformat()}",
                *lines(waiver),
                remedy=f"Mend {waiver.rule} there and remove it from {waiver.source}, or have {waiver.owner} set a new "
                "`until`.",
            ),
            covered(view, waiver),
        )
        for waiver in expired
    ]
