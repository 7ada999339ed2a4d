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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from types import ModuleType, UnionType
from typing import Any, get_args, get_type_hints

from audit.fact import Fact, Facts
from audit.model import Fleet, Host, HostPolicy, Severity, Status, Unknown, Verdict
from audit.probe.result import Proof
from audit.shape import Prediction


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
