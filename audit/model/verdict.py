"""What a rule says of a host."""

from __future__ import annotations

from dataclasses import dataclass

from audit.model._ordered import OrderedEnum
from audit.model.policy import Severity, Waiver


class Status(OrderedEnum):
    """What a rule says of a host; ordered, the last is the worst."""

    PASS = "pass"  # noqa: S105 - a verdict's name, not a password
    NOT_APPLICABLE = "n/a"
    WAIVED = "waived"
    UNKNOWN = "unknown"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule on one subject. There are rules times hosts of them, so it is a plain slotted value: no model's weight.

    Attributes:
        rule: the rule's id.
        subject: the host's name, or ``pool:NAME`` / ``fleet`` for a fleet rule.
        status: see `Status`.
        severity: after the policy.
        message: one sentence that names the state seen.
        evidence: lines that prove it, already redacted, not yet escaped.
        remedy: what to do, exact for this host.
        hosts: the hosts that a fleet rule speaks of.
        because: the id of the rule, on the same host or on a member of the pool, that explains an UNKNOWN.
        waiver: what waives it.
    """

    rule: str
    subject: str
    status: Status
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    hosts: tuple[str, ...] = ()
    because: str | None = None
    waiver: Waiver | None = None
