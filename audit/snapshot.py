"""What a check found, as plain JSON values: what the history keeps, what drift compares, what a page is drawn from.

    snapshot = Snapshot.of(run, at=evidence.finished.timestamp())

Facts stand in it by name with the fields that `--save` would derive again; so that two checks of different versions of
fleet-audit, and a check from the database, can be compared without their evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from audit.model import Unknown, Verdict
from audit.value import SCHEMA_VERSION, Model

if TYPE_CHECKING:
    from audit.fact import Fact
    from audit.rule import Member
    from audit.run import Run


class VerdictRow(Model):
    """One rule's word on one subject.

    Attributes:
        rule: its id.
        subject: a host's name, ``pool:NAME`` or ``fleet``.
        status: ``pass``, ``fail``, ``waived``, ``unknown``, ``n/a``.
        severity: ``note``, ``warning``, ``error``.
        because: the rule that explains an ``unknown``.
        waived_until: ISO date; None: no end was said, or it is not waived.
    """

    rule: str
    subject: str
    status: str
    severity: str
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    hosts: tuple[str, ...] = ()
    because: str | None = None
    waived_until: str | None = None


class HostRow(Model):
    """One host as a check found it.

    Attributes:
        name: in the inventory.
        address: that was dialled, for people.
        groups: of the inventory, the pool among them.
        pool: None where it has none.
        outcome: see `audit.model.Outcome`.
        detail: one sentence about anything but ``ok``.
        facts: by name: the fact's fields as JSON, or ``{"unknown": reason, "detail": …}``.
        pushes: what a plain build and push there leaves, in words (``flat (schema2)``, ``OCI index (…)``); empty:
            not predicted.
    """

    name: str
    address: str = ""
    groups: tuple[str, ...] = ()
    pool: str | None = None
    outcome: str
    detail: str = ""
    facts: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    pushes: str = ""

    @property
    def reached(self) -> bool:
        """It answered, at least in part."""
        return self.outcome in ("ok", "partial")


class Snapshot(Model):
    """One check.

    Attributes:
        run: its id in the history; empty: it was never there.
        at: UNIX time when the evidence was complete.
        tool_version: that collected it.
        inventory: where the hosts were declared.
        complete: every selected host was reached and no signal ended it.
        hosts: in the inventory's order.
        verdicts: all of them, host by host, then the fleet's.
    """

    kind: Literal["fleet-audit snapshot"] = "fleet-audit snapshot"
    schema_version: Literal[1] = SCHEMA_VERSION
    run: str = ""
    at: float
    tool_version: str = ""
    inventory: tuple[str, ...] = ()
    complete: bool = True
    hosts: tuple[HostRow, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()

    @classmethod
    def of(cls, run: Run, *, inventory: tuple[str, ...] = ()) -> Snapshot:
        """From a judged run, at the evidence's own moment.

        Args:
            run: the check.
            inventory: where its hosts were declared, as the user named it.
        """
        return cls(
            at=run.when.timestamp(),
            tool_version=run.tool_version,
            inventory=inventory,
            complete=run.evidence.interrupted is None and run.reached == len(run.fleet),
            hosts=tuple(_host(run, member) for member in run.view.members),
            verdicts=tuple(_verdict(verdict) for verdict in run.verdicts),
        )


def _host(run: Run, member: Member) -> HostRow:
    from audit import summary  # knows the rules; what only compares two checks has no need of them

    host, evidence = member.host, run.evidence.hosts[member.host.name]
    return HostRow(
        name=host.name,
        address=host.address or "",
        groups=host.groups,
        pool=host.pool,
        outcome=evidence.outcome.value,
        detail=evidence.detail,
        facts={name: _fact(fact) for name, fact in member.facts.items()},
        pushes=summary.push_text(member) if evidence.reached else "",
    )


def _fact(fact: Fact | Unknown) -> dict[str, Any]:
    if isinstance(fact, Unknown):
        return {"unknown": fact.reason.value, "detail": fact.detail}
    return fact.model_dump(mode="json")


def _verdict(verdict: Verdict) -> VerdictRow:
    until = verdict.waiver.until if verdict.waiver is not None else None
    return VerdictRow(
        rule=verdict.rule,
        subject=verdict.subject,
        status=verdict.status.value,
        severity=verdict.severity.value,
        message=verdict.message,
        evidence=verdict.evidence,
        remedy=verdict.remedy,
        hosts=verdict.hosts,
        because=verdict.because,
        waived_until=until.isoformat() if until is not None else None,
    )
