"""A run: everything of one check, from the fleet to the verdicts; what every report is rendered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from audit import __version__
from audit.errors import SavedRunError
from audit.fact import Facts, read_facts
from audit.judge import CRASHED, judge
from audit.model import (
    SCHEMA_VERSION,
    Evidence,
    Fleet,
    Host,
    Model,
    Reason,
    Severity,
    Status,
    Unknown,
    Verdict,
)
from audit.rule import FleetView, Member, Rule, all_rules


class SavedRun(Model):
    """What ``--save`` writes and ``--from`` reads: the fleet as declared, and the redacted evidence."""

    kind: Literal["fleet-audit run"] = "fleet-audit run"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    fleet: Fleet
    evidence: Evidence

    @classmethod
    def parse(cls, text: str, file: str) -> SavedRun:
        """Read a saved run.

        Raises:
            SavedRunError: it is not one, or of a schema that this version does not know.
        """
        from pydantic import ValidationError

        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or None
            what = f"not a saved run of schema {SCHEMA_VERSION}, which this fleet-audit reads"
            message = f"{what}: {first['msg']}; save one with `check --save`"
            raise SavedRunError(message, file=file, key=key) from None


@dataclass(frozen=True)
class Run:
    """One check, judged.

    Attributes:
        fleet: hosts (those that were selected) and policy.
        evidence: what came back.
        facts: by host name.
        view: what the fleet rules saw: host, facts, policy and predicted push of each member.
        verdicts: all of them, host by host, then the fleet's.
        tool_version: the version that collected.
    """

    fleet: Fleet
    evidence: Evidence
    facts: Mapping[str, Facts]
    view: FleetView
    verdicts: tuple[Verdict, ...]
    tool_version: str = __version__

    @classmethod
    def of(cls, fleet: Fleet, evidence: Evidence, tool_version: str = __version__) -> Run:
        """Read the facts of this evidence and judge them at the evidence's own moment."""
        facts = {host.name: read_facts(evidence.hosts[host.name], host) for host in fleet.hosts}
        view, verdicts = judge(fleet, facts, evidence.finished)
        return cls(fleet, evidence, facts, view, verdicts, tool_version)

    def part(self, hosts: Sequence[Host]) -> Run:
        """The same check with only these hosts, judged again: a majority, say, is theirs alone then."""
        fleet = Fleet(hosts=tuple(hosts), policy=self.fleet.policy)
        kept = {host.name: self.evidence.hosts[host.name] for host in hosts}
        return Run.of(fleet, self.evidence.model_copy(update={"hosts": kept}), self.tool_version)

    @property
    def when(self) -> datetime:
        """The run's moment: when its collection ended (UTC)."""
        return self.evidence.finished

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """Every rule by id, also those that the policy turned off."""
        return {name: check.rule for name, check in all_rules().items()}

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """By host name."""
        return {member.host.name: member for member in self.view.members}

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """By name."""
        return {host.name: host for host in self.fleet.hosts}

    @cached_property
    def by_subject(self) -> Mapping[str, tuple[Verdict, ...]]:
        """Verdicts by subject (host name, ``pool:NAME``, ``fleet``), in order."""
        found: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts:
            found.setdefault(verdict.subject, []).append(verdict)
        return {subject: tuple(verdicts) for subject, verdicts in found.items()}

    # -- what the exit code rests on

    @cached_property
    def reached(self) -> int:
        """Hosts that answered anything."""
        return sum(evidence.reached for evidence in self.evidence.hosts.values())

    @cached_property
    def covered(self) -> int:
        """Hosts on which every rule could tell."""
        unknown = {verdict.subject for verdict in self.verdicts if verdict.status is Status.UNKNOWN}
        return sum(host.name not in unknown for host in self.fleet.hosts)

    @property
    def coverage(self) -> float:
        """Percent of the hosts that were covered; 100 for an empty fleet."""
        return 100.0 * self.covered / len(self.fleet) if len(self.fleet) else 100.0

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """Our own bugs: rules that raised, facts whose reader raised."""
        rules = [
            f"{verdict.rule} on {verdict.subject}: {verdict.message}"
            for verdict in self.verdicts
            if verdict.status is Status.UNKNOWN and verdict.message.startswith(CRASHED)
        ]
        facts = [
            f"fact {name} of {host}: {fact.detail}"
            for host, known in self.facts.items()
            for name, fact in known.items()
            if isinstance(fact, Unknown) and fact.reason is Reason.CRASHED
        ]
        return tuple(rules + facts)

    def exit_code(self, fail_on: Severity | None = Severity.ERROR, min_coverage: float = 100.0) -> int:
        """The command's exit code.

        Args:
            fail_on: the least severity that counts as a finding; None: none does.
            min_coverage: percent of the hosts that must be covered.

        Returns:
            4 our own fault; 1 findings; 3 nothing found, but coverage incomplete; 0 clean and complete.
        """
        if self.faults:
            return 4
        failed = [verdict for verdict in self.verdicts if verdict.status is Status.FAIL]
        if fail_on is not None and any(verdict.severity >= fail_on for verdict in failed):
            return 1
        fleet_unknown = any(v.status is Status.UNKNOWN and v.subject not in self.hosts for v in self.verdicts)
        if self.coverage < min_coverage or (fleet_unknown and min_coverage >= 100.0):
            return 3
        return 0
