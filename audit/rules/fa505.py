"""Each declared platform has a healthy worker."""

from __future__ import annotations

from collections.abc import Sequence

from audit.facts.engine import Engine
from audit.model import Severity, Status, Unknown
from audit.rule import Finding, FleetView, Member, Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._peers import some

rule = Rule(
    id="FA505",
    title="Each declared platform has a healthy worker",
    severity=Severity.ERROR,
    why="A release needs every platform: where the last worker of one is broken, nothing can be merged.",
    symptom="no matching manifest for linux/… in the manifest list entries, or a release that waits for one platform.",
    remedy="Mend the errors of one of these workers first, or take the platform out of the release.",
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Healthy: reached, with an engine that answers, and without a finding of severity error."""
    platforms: dict[str, list[Member]] = {}
    for member in view.members:
        if member.host.platform is not None:
            platforms.setdefault(member.host.platform, []).append(member)
    if not platforms:
        return [Finding("fleet", not_applicable("no platform is declared"))]
    return [
        Finding(f"platform:{name}", _judge(view, members), tuple(member.host.name for member in members))
        for name, members in platforms.items()
    ]


def _judge(view: FleetView, members: Sequence[Member]) -> Result:
    broken = {member.host.name: rules for member in members if (rules := _errors(view, member))}
    dark = [member.host.name for member in members if _dark(view, member) and member.host.name not in broken]
    healthy = [member.host.name for member in members if member.host.name not in (*broken, *dark)]
    lines = [f"{name} fails {', '.join(rules)}" for name, rules in broken.items()]
    lines += [f"{name} could not be told" for name in dark]
    if healthy:
        return ok(f"{len(healthy)} of {len(members)} workers healthy", f"healthy: {some(healthy)}", *lines)
    if dark:
        return cannot_tell(f"no worker is known to be healthy; {len(dark)} of {len(members)} could not tell", *lines)
    return fail(f"no healthy worker: {_all(len(members))} an error", *lines)


def _all(number: int) -> str:
    return "the only one has" if number == 1 else f"each of {number} has"


def _errors(view: FleetView, member: Member) -> tuple[str, ...]:
    verdicts = view.verdicts.get(member.host.name, ())
    return tuple(v.rule for v in verdicts if v.status is Status.FAIL and v.severity is Severity.ERROR)


def _dark(view: FleetView, member: Member) -> bool:
    return not view.healthy(member) or isinstance(member.facts[Engine], Unknown)
