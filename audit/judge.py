"""Judging: every rule on every host, then on the fleet; what is not known, waived, or explained by another rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from audit.fact import Facts
from audit.model import Fleet, Host, HostPolicy, Reason, Status, Unknown, Verdict, Waiver
from audit.probe.result import Proof
from audit.rule import Check, Finding, FleetView, Member, Now, Result, Rule, all_rules, cannot_tell, not_applicable
from audit.shape import Prediction, predict

CRASHED = "rule crashed"
"""How the message of a verdict begins whose rule raised."""

_NO_PROOF = Proof()


def judge(
    fleet: Fleet, facts: Mapping[str, Facts], now: datetime, proofs: Mapping[str, Proof] | None = None
) -> tuple[FleetView, tuple[Verdict, ...]]:
    """Apply every rule to every host, then the fleet rules.

    Args:
        fleet: the hosts and the policy.
        facts: by host name; a host without an entry counts as not asked.
        now: the run's moment, for waivers and dates.
        proofs: what `probe` saw, by host name.

    Returns:
        The view that the fleet rules saw, and all verdicts: host by host in the inventory's order, rules in id order,
        then the fleet's. A rule that raises is UNKNOWN there with a message that begins with ``rule crashed``.
    """
    moment = Now(now)
    policies = _policies(fleet)
    empty = Facts({})
    members = tuple(
        Member(host, known := facts.get(host.name, empty), policies[host.name], predict(known), _proof(proofs, host))
        for host in fleet.hosts
    )
    by_host = {member.host.name: _judge_host(member, moment) for member in members}
    view = FleetView(members, fleet, moment, by_host)
    fleet_policy = fleet.policy.for_groups(("all",))
    verdicts = [verdict for member in members for verdict in by_host[member.host.name]]
    for check in all_rules().values():
        if check.fleet:
            verdicts.extend(_judge_fleet(check, view, fleet_policy))
    return view, tuple(verdicts)


def _proof(proofs: Mapping[str, Proof] | None, host: Host) -> Proof:
    return (proofs or {}).get(host.name, _NO_PROOF)


def _policies(fleet: Fleet) -> dict[str, HostPolicy]:
    """Each host's merged policy; hosts of the same groups and without layers of their own share one."""
    own = {layer.scope for layer in fleet.policy.layers if layer.scope.startswith("host:")}
    shared: dict[tuple[str, ...], HostPolicy] = {}
    found: dict[str, HostPolicy] = {}
    for host in fleet.hosts:
        if f"host:{host.name}" in own:
            found[host.name] = fleet.policy.for_host(host)
            continue
        if host.groups not in shared:
            shared[host.groups] = fleet.policy.for_groups(host.groups)
        found[host.name] = shared[host.groups]
    return found


def _judge_host(member: Member, now: Now) -> tuple[Verdict, ...]:
    verdicts: list[Verdict] = []
    cause: str | None = None
    final: str | None = None
    for check in all_rules().values():
        if check.fleet or not _enabled(check.rule, member.policy):
            continue
        result = _run(check, _arguments(check, member, now))
        if final is not None and result.status is Status.UNKNOWN and not result.message.startswith(CRASHED):
            result = not_applicable(f"does not arise on such a host, see {final}")
        final = final or (check.rule.id if result.final else None)
        verdict = _verdict(check.rule, member.host.name, result, member.policy, now)
        if verdict.status is Status.UNKNOWN and cause is not None:
            verdict = replace(verdict, because=cause)
        elif check.rule.cause and cause is None and result.status in (Status.FAIL, Status.UNKNOWN):
            cause = check.rule.id
        verdicts.append(verdict)
    return tuple(verdicts)


def _judge_fleet(check: Check, view: FleetView, policy: HostPolicy) -> Iterator[Verdict]:
    if not _enabled(check.rule, policy):
        return
    findings = _run(check, {"view": view})
    if isinstance(findings, Result):
        findings = [Finding("fleet", findings)]
    for finding in findings:
        verdict = _verdict(check.rule, finding.subject, finding.result, policy, view.now)
        dark = verdict.status is Status.UNKNOWN and not verdict.message.startswith(CRASHED)
        because = _cause_in(view, finding.subject) if dark else None
        yield replace(verdict, hosts=finding.hosts, because=because)


def _cause_in(view: FleetView, subject: str) -> str | None:
    """The rule that already told why a member of this pool (or of the fleet) is dark."""
    kind, _, name = subject.partition(":")
    members = view.pools().get(name, ()) if kind == "pool" else view.members
    if kind == "platform":
        members = tuple(member for member in members if member.host.platform == name)
    told = {
        verdict.because
        for member in members
        for verdict in view.verdicts.get(member.host.name, ())
        if verdict.because is not None
    }
    return min(told, default=None)


def _enabled(rule: Rule, policy: HostPolicy) -> bool:
    setting = policy.rules.get(rule.id)
    return setting is None or setting.enabled is not False


def _arguments(check: Check, member: Member, now: Now) -> dict[str, object] | Result:
    arguments: dict[str, object] = {}
    for name, (kind, takes_unknown) in check.wants.items():
        value: object
        if kind is Host:
            value = member.host
        elif kind is HostPolicy:
            value = member.policy
        elif kind is Prediction:
            value = member.push
        elif kind is Proof:
            value = member.proof
        elif kind is Now:
            value = now
        else:
            value = member.facts[kind.fact_name()]  # type: ignore[attr-defined]  # _load let only facts through
            if isinstance(value, Unknown) and not takes_unknown:
                return _from_unknown(value, kind.fact_name())  # type: ignore[attr-defined]  # likewise
        arguments[name] = value
    return arguments


def _from_unknown(unknown: Unknown, fact: str) -> Result:
    what = fact.replace("_", " ")
    if unknown.reason is Reason.NOT_ASKED and not unknown.detail:
        return cannot_tell(f"{what} was not asked for")
    return cannot_tell(f"{what} is not known: {unknown.detail or unknown.reason}")


def _run(check: Check, arguments: dict[str, object] | Result) -> Any:
    if isinstance(arguments, Result):
        return arguments
    try:
        return check.run(**arguments)
    except Exception as error:
        return cannot_tell(f"{CRASHED} ({type(error).__name__}: {error})")


def _verdict(rule: Rule, subject: str, result: Result, policy: HostPolicy, now: Now) -> Verdict:
    setting = policy.rules.get(rule.id)
    severity = (setting.severity if setting else None) or result.severity or rule.severity
    status = result.status
    waiver = None
    if status in (Status.FAIL, Status.UNKNOWN) and not result.message.startswith(CRASHED):
        waiver = _waiver(policy.waivers, rule.id, subject, now)
        status = Status.WAIVED if waiver else status
    remedy = (result.remedy or rule.remedy) if status is not Status.PASS and status is not Status.NOT_APPLICABLE else ""
    return Verdict(
        rule=rule.id,
        subject=subject,
        status=status,
        severity=severity,
        message=result.message,
        evidence=result.evidence,
        remedy=remedy,
        waiver=waiver,
    )


def _waiver(waivers: Iterable[Waiver], rule: str, subject: str, now: Now) -> Waiver | None:
    return next((one for one in waivers if one.covers(rule, subject) and not one.expired(now.today)), None)
