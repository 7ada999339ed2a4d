"""A rule: what must hold on a host (or across the fleet), why, and what to do where it does not.

A rule is a file of `audit/rules/` named after its id. It has a ``rule = Rule(...)`` and one function:

- ``check(...) -> Result`` for a host. Its parameters are injected by their types: a `Fact` class (an Unknown fact
  makes the verdict UNKNOWN before the function is called), ``Fact | Unknown`` (the function wants to see it itself),
  `Host`, `HostPolicy`, `Prediction` (what a plain build and push would leave), `Proof` (what `probe` saw; empty in
  every other verb) or `Now` (the run's day).
- ``check_fleet(view: FleetView) -> list[Finding]`` for the fleet: one finding a pool or subject.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from types import ModuleType, UnionType
from typing import Any, get_args, get_type_hints

from audit.fact import Fact, Facts
from audit.model import Fleet, Host, HostPolicy, Reason, Severity, Status, Unknown, Verdict, Waiver
from audit.probe.result import Proof
from audit.shape import Prediction, predict


@dataclass(frozen=True)
class Rule:
    """What is fixed about a rule; it is the rule's manual page.

    Attributes:
        id: ``FA`` and three digits, never reused: FA0xx reach, FA1xx engine and client, FA2xx image store and disks,
            FA3xx buildx, FA4xx defaults and what is pushed, FA5xx peers, FA9xx coverage and policy.
        title: what must hold, a short sentence without a full stop.
        severity: before the policy.
        why: why it matters.
        symptom: what a user would see where it does not hold.
        remedy: what to do.
        cause: where it fails, the UNKNOWNs of the same host follow from it and are folded under it.
        refs: where the facts behind it can be read.
    """

    id: str
    title: str
    severity: Severity
    why: str
    symptom: str
    remedy: str
    cause: bool = False
    refs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an id of the wrong form."""
        if not re.fullmatch(r"FA\d{3}", self.id):
            raise ValueError(f"{self.id} is not a rule id")


@dataclass(frozen=True)
class Result:
    """What a check says; made by `ok`, `fail`, `not_applicable` and `cannot_tell`.

    Attributes:
        status: PASS, FAIL, NOT_APPLICABLE or UNKNOWN.
        message: one sentence that names the state seen.
        evidence: lines that prove it.
        remedy: exact for this host; the rule's own where empty.
        severity: other than the rule's, for a rule whose cases differ in weight.
        final: the host is none of ours: what later rules cannot tell there does not arise either.
    """

    status: Status
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    severity: Severity | None = None
    final: bool = False


def ok(message: str, *evidence: str) -> Result:
    """It holds, and this proves it."""
    return Result(Status.PASS, message, evidence)


def fail(message: str, *evidence: str, remedy: str = "", severity: Severity | None = None) -> Result:
    """It does not hold."""
    return Result(Status.FAIL, message, evidence, remedy, severity)


def not_applicable(message: str, *, final: bool = False) -> Result:
    """The question does not arise here; `final`: nor does any later one that cannot be told."""
    return Result(Status.NOT_APPLICABLE, message, final=final)


def cannot_tell(message: str, *evidence: str, remedy: str = "") -> Result:
    """Could not look; never a pass."""
    return Result(Status.UNKNOWN, message, evidence, remedy)


@dataclass(frozen=True)
class Finding:
    """What a fleet rule says of one subject.

    Attributes:
        subject: ``pool:NAME``, ``fleet``, or a host's name.
        result: as for a host.
        hosts: the hosts it speaks of.
    """

    subject: str
    result: Result
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Now:
    """The moment that a run is judged at: the run's own, so that a saved run reads the same for ever."""

    when: datetime

    @property
    def today(self) -> date:
        """The day, UTC."""
        return self.when.astimezone(UTC).date()


@dataclass(frozen=True)
class Member:
    """One host as rules see it."""

    host: Host
    facts: Facts
    policy: HostPolicy
    push: Prediction
    proof: Proof = field(default_factory=Proof)


@dataclass
class FleetView:
    """Every host with its facts, and the verdicts of the host rules."""

    members: tuple[Member, ...]
    fleet: Fleet
    now: Now
    verdicts: Mapping[str, tuple[Verdict, ...]] = field(default_factory=dict)

    def pools(self) -> Mapping[str, tuple[Member, ...]]:
        """Members by pool name, in the inventory's order."""
        found: dict[str, list[Member]] = {}
        for member in self.members:
            found.setdefault(member.host.pool_name, []).append(member)
        return {name: tuple(members) for name, members in found.items()}

    def healthy(self, member: Member) -> bool:
        """Whether the host was reached and no host rule of severity error fails on it."""
        return not any(
            (verdict.status is Status.UNKNOWN and verdict.because is None and verdict.rule.startswith("FA0"))
            or (verdict.status is Status.FAIL and verdict.severity is Severity.ERROR)
            for verdict in self.verdicts.get(member.host.name, ())
        )


@dataclass(frozen=True)
class Check:
    """A rule with its function, and what that wants."""

    rule: Rule
    run: Callable[..., Any]
    fleet: bool
    wants: Mapping[str, tuple[type, bool]]
    """Parameter name -> (type, whether it takes an Unknown)."""


def _load(module: ModuleType, name: str) -> Check:
    rule = getattr(module, "rule", None)
    if not isinstance(rule, Rule):
        raise TypeError(f"audit/rules/{name}.py has no `rule = Rule(...)`")
    if name != rule.id.lower():
        raise TypeError(f"audit/rules/{name}.py holds {rule.id}")
    one, many = getattr(module, "check", None), getattr(module, "check_fleet", None)
    if (one is None) == (many is None):
        raise TypeError(f"audit/rules/{name}.py needs either check or check_fleet")
    if one is None:
        fleet_check: Callable[..., Any] = module.check_fleet
        return Check(rule, fleet_check, fleet=True, wants={})
    hints = get_type_hints(one)
    wants: dict[str, tuple[type, bool]] = {}
    for parameter in inspect.signature(one).parameters:
        hint = hints[parameter]
        kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        wanted = [kind for kind in kinds if kind is not Unknown]
        if len(wanted) != 1 or not (issubclass(wanted[0], Fact) or wanted[0] in _GIVEN):
            names = ", ".join(kind.__name__ for kind in _GIVEN)
            raise TypeError(f"{rule.id}: parameter {parameter} is neither a fact nor {names}")
        wants[parameter] = (wanted[0], Unknown in kinds)
    return Check(rule, one, fleet=False, wants=wants)


_NO_PROOF = Proof()
_GIVEN = (Host, HostPolicy, Prediction, Proof, Now)
"""What a check may ask for besides facts."""


@cache
def all_rules() -> Mapping[str, Check]:
    """Every rule by id, in id order, by listing the folder."""
    import audit.rules

    names = sorted(module.name for module in pkgutil.iter_modules(audit.rules.__path__))
    names = [name for name in names if re.fullmatch(r"fa\d{3}", name)]
    checks = [_load(importlib.import_module(f"audit.rules.{name}"), name) for name in names]
    return {check.rule.id: check for check in checks}


# ---------------------------------------------------------------- judging


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


CRASHED = "rule crashed"
"""How the message of a verdict begins whose rule raised."""


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
