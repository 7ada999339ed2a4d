"""The clock agrees with ours."""

from __future__ import annotations

from audit.facts.clock import Clock
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, ok

rule = Rule(
    id="FA006",
    title="The clock agrees with ours",
    severity=Severity.WARNING,
    why="Certificates and registry tokens carry times; provenance and image dates of this worker are wrong as well.",
    symptom="x509: certificate has expired or is not yet valid; or a login that works elsewhere ends in unauthorized.",
    remedy="Turn time synchronisation on: `timedatectl set-ntp true` (or install chrony), then look at `timedatectl`.",
    refs=("distribution registry/auth/token (leeway of 60 s)",),
)

TOKENS_BREAK = 60.0
"""Seconds that registries commonly forgive in a token's times."""


def check(clock: Clock, policy: HostPolicy) -> Result:
    """The offset is only known to within the answer's round trip; what lies inside that is not judged."""
    limit = policy.clock_skew_seconds
    off, error = abs(clock.offset_seconds), abs(clock.error_seconds)
    evidence = f"offset {clock.offset_seconds:+.1f} s, exact to {error:.1f} s"
    way = "ahead" if clock.offset_seconds > 0 else "behind"
    if off - error > max(limit, TOKENS_BREAK):
        message = f"the clock is {way} by more than {max(limit, TOKENS_BREAK):g} s"
        return fail(message, evidence, severity=Severity.ERROR)
    if off - error > limit:
        return fail(f"the clock is {way} by more than {limit:g} s", evidence)
    if off + error <= limit:
        return ok(f"the clock is within {limit:g} s of ours", evidence)
    return cannot_tell(
        f"the answer is not exact enough to tell whether the clock is within {limit:g} s",
        evidence,
        remedy="Run the check again when the host is less busy, or raise thresholds.clock_skew_seconds for it.",
    )
