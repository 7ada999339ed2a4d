"""Every probe answers whole and in time."""

from __future__ import annotations

from audit.facts.reach import Reach
from audit.model import Outcome, Reason, Severity
from audit.rule import Result, Rule, cannot_tell, ok

rule = Rule(
    id="FA004",
    title="Every probe answers whole and in time",
    severity=Severity.WARNING,
    why="A host that answers half of the questions is half audited; the other half must not read as healthy.",
    symptom="Some rules say unknown on a host that was reached.",
    remedy="Run the fragment by hand (`fleet-audit check HOST --show-script`); give a slow machine more `timeout`.",
)

SAID = (Reason.ABSENT, Reason.DENIED, Reason.NOT_ASKED)
"""Reasons that are an answer of their own kind; other rules speak of them."""


def check(reach: Reach) -> Result:
    """Names the probes that were cut, late or garbled."""
    if reach.outcome not in (Outcome.OK, Outcome.PARTIAL):
        return cannot_tell("no probe answered", reach.detail or f"ended in phase {reach.phase}")
    short = tuple(line for line in reach.incomplete if _reason(line) not in SAID)
    if short:
        names = ", ".join(line.partition(":")[0] for line in short)
        return cannot_tell(f"no whole answer from: {names}", *short)
    if reach.outcome is Outcome.PARTIAL and not reach.incomplete:
        return cannot_tell("some probes did not answer", reach.detail or "the host's outcome is partial")
    return ok("every probe answered whole and in time", f"outcome {reach.outcome}", *reach.incomplete)


def _reason(line: str) -> str:
    """The reason in ``name: reason: detail``."""
    return line.partition(": ")[2].partition(":")[0].strip()
