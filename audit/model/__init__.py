"""The nouns of fleet-audit, frozen: what travels along the straight line.

    host, fleet   a worker as it is declared; all of them
    policy        what is wanted of them: settings, limits, waivers, severities
    evidence      what is asked, what came back, and why nothing did
    verdict       what a rule says of it

Everything here is data: strict where a person writes it, escaped by the reports where a worker wrote it.
Nothing here knows SSH, a disk, a clock or a rule. Every noun is imported from here.
"""

from audit.model._ordered import OrderedEnum
from audit.model.evidence import BUILD_VARIABLES, Answer, Evidence, HostEvidence, Outcome, Probe, Reason, Unknown
from audit.model.fleet import Fleet
from audit.model.host import Host, Source, StoreKind
from audit.model.policy import (
    HostPolicy,
    Ignore,
    Policy,
    PolicyLayer,
    RuleSetting,
    Severity,
    Thresholds,
    Waiver,
    Wanted,
)
from audit.model.verdict import Status, Verdict
from audit.value import SCHEMA_VERSION, Model

__all__ = [
    "BUILD_VARIABLES", "SCHEMA_VERSION", "Answer", "Evidence", "Fleet", "Host", "HostEvidence", "HostPolicy",
    "Ignore", "Model", "OrderedEnum", "Outcome", "Policy", "PolicyLayer", "Probe", "Reason", "RuleSetting",
    "Severity", "Source", "Status", "StoreKind", "Thresholds", "Unknown", "Verdict", "Waiver", "Wanted",
]  # fmt: skip
