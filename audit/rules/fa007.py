"""The clock is kept in time."""

from __future__ import annotations

from audit.facts.clock import Clock
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA007",
    title="The clock is kept in time",
    severity=Severity.WARNING,
    why="A clock that nothing corrects drifts until logins and TLS fail, on one worker and not on its peers.",
    symptom="Nothing today; weeks later: x509: certificate has expired or is not yet valid.",
    remedy="`timedatectl set-ntp true`, or install chrony or systemd-timesyncd; a guest may rely on its hypervisor.",
    refs=("timedatectl(1) NTPSynchronized",),
)


def check(clock: Clock, policy: HostPolicy) -> Result:
    """A guest may be kept in time from outside: a clock that is right today weighs less."""
    right = abs(clock.offset_seconds) + abs(clock.error_seconds) <= policy.clock_skew_seconds
    evidence = f"offset {clock.offset_seconds:+.1f} s, exact to {abs(clock.error_seconds):.1f} s"
    if clock.synchronized:
        return ok("the clock is synchronised", "timedatectl: NTPSynchronized=yes", evidence)
    if clock.synchronized is None:
        if right:
            return not_applicable("the system does not say whether its clock is kept in time; today it is right")
        return cannot_tell("the system does not say whether its clock is kept in time", evidence)
    said = "timedatectl: NTPSynchronized=no"
    if right:
        return fail("the clock is not synchronised, but right today", said, evidence, severity=Severity.NOTE)
    return fail("the clock is not synchronised", said, evidence)
