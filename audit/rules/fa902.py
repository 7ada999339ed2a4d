"""No waiver ends soon."""

from __future__ import annotations

from audit.model import Severity
from audit.rule import Finding, FleetView, Rule, fail, not_applicable, ok
from audit.rules._waivers import covered, lines, subject

rule = Rule(
    id="FA902",
    title="No waiver ends soon",
    severity=Severity.NOTE,
    why="Its findings come back on the day after; whoever answers for it should know before.",
    symptom="A check that was clean yesterday fails tomorrow, though no worker has changed.",
    remedy="Ask the owner: mend what it covers, or set a new `until`.",
    refs=("README.md, Policy",),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Within `waiver_notice_days` of the policy for all; what has ended already is FA901's."""
    policy = view.fleet.policy
    days = policy.for_groups(("all",)).waiver_notice_days
    left = {waiver: (waiver.until - view.now.today).days for waiver in policy.waivers}
    running = {waiver: number for waiver, number in left.items() if number >= 0}
    if not running:
        return [Finding("fleet", not_applicable("no waiver is running"))]
    soon = {waiver: number for waiver, number in running.items() if number <= days}
    if not soon:
        first = min(running, key=lambda waiver: waiver.until)
        return [Finding("fleet", ok(f"no waiver ends within {days} days", *lines(first)))]
    return [
        Finding(
            subject(waiver),
            fail(
                f"the waiver for {waiver.rule} on {waiver.host} ends {_in(number)}",
                *lines(waiver),
                remedy=f"Ask {waiver.owner}: mend {waiver.rule} there, or set a new `until` in {waiver.source}.",
            ),
            covered(view, waiver),
        )
        for waiver, number in soon.items()
    ]


def _in(days: int) -> str:
    return "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
