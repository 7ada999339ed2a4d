"""Every waiver covers something."""

from __future__ import annotations

from audit.model import Severity, Status, Waiver
from audit.rule import Finding, FleetView, Rule, fail, not_applicable, ok
from audit.rules._waivers import covered, lines, subject

rule = Rule(
    id="FA903",
    title="Every waiver covers something",
    severity=Severity.NOTE,
    why="A waiver that outlives its cause hides the next finding of the same rule, which nobody has accepted.",
    symptom="A fault that was mended comes back, and the check stays green.",
    remedy="Remove the waiver.",
    refs=("README.md, Policy",),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Only for host rules that ran, on hosts of this run; an expired one is FA901's."""
    running = [waiver for waiver in view.fleet.policy.waivers if not waiver.expired(view.now.today)]
    judged = {waiver: _judged(view, waiver) for waiver in running}
    told = {waiver: statuses for waiver, statuses in judged.items() if statuses}
    if not told:
        return [Finding("fleet", not_applicable("no waiver speaks of a host rule and a host of this run"))]
    idle = [waiver for waiver, statuses in told.items() if not set(statuses.values()) & NEEDED]
    if not idle:
        return [Finding("fleet", ok("every waiver covers something", *(lines(waiver)[0] for waiver in told)))]
    return [
        Finding(
            subject(waiver),
            fail(
                f"the waiver for {waiver.rule} on {waiver.host} covers nothing in this run",
                *lines(waiver),
                *(f"{name}: {status}" for name, status in told[waiver].items()),
                remedy=f"Remove it from {waiver.source}.",
            ),
            covered(view, waiver),
        )
        for waiver in idle
    ]


NEEDED = {Status.FAIL, Status.UNKNOWN, Status.WAIVED}
"""Verdicts that a waiver can be there for."""


def _judged(view: FleetView, waiver: Waiver) -> dict[str, Status]:
    """What its rule says of each host that it speaks of."""
    return {
        name: verdict.status
        for name in covered(view, waiver)
        for verdict in view.verdicts.get(name, ())
        if verdict.rule == waiver.rule
    }
