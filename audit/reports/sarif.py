"""SARIF 2.1.0 for code scanning: a result a finding and host, at the inventory's line that declares the host.

What could not be told is no result but a notification of the invocation; a waived finding is a result with an
accepted suppression. Above `MOST` results, which code scanning would not show, those of one rule that say the same are
one result that names the hosts as logical locations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from audit import inert, summary
from audit.model import Severity, Status, Verdict
from audit.reports import _json
from audit.reports._place import host_of, relative, uri
from audit.reports._style import Style
from audit.reports._text import subjects_text
from audit.rule import Rule
from audit.run import Run

name = "sarif"
about = "SARIF 2.1.0 for code scanning, pointing at the inventory's lines"

MOST = 5000
"""Results that GitHub shows of one run (it takes 25,000)."""

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/fleet-audit/fleet-audit"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_SHOWN = (Status.FAIL, Status.WAIVED)


def render(run: Run, style: Style) -> str:
    """The report."""
    indices = {name: index for index, name in enumerate(run.rules)}
    shown = [verdict for verdict in run.verdicts if verdict.status in _SHOWN]
    if len(shown) > MOST:
        results = [_grouped(group, run, indices) for group in summary.findings(run, _SHOWN)]
    else:
        results = [_result(verdict, (verdict.subject,), run, indices) for verdict in shown]
    driver = {
        "name": "fleet-audit",
        "semanticVersion": run.tool_version,
        "informationUri": HOME,
        "rules": [_rule(rule) for rule in run.rules.values()],
    }
    scan = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "fleet-audit/"},
        "invocations": [_invocation(run, style)],
        "results": results,
    }
    return _json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [scan]})


def _rule(rule: Rule) -> dict[str, Any]:
    text = "\n".join(inert.sarif(line) for line in (rule.why, f"Seen as: {rule.symptom}", f"Fix: {rule.remedy}"))
    refs = "".join(f"\n- {inert.markdown(ref)}" for ref in rule.refs)
    markdown = (
        f"{inert.markdown(rule.why)}\n\n**Seen as:** {inert.markdown(rule.symptom)}\n\n"
        f"**Fix:** {inert.markdown(rule.remedy)}" + (f"\n\n**See:**\n{refs}" if refs else "")
    )
    links = [ref for ref in rule.refs if ref.startswith("https://") and " " not in ref]
    return {
        "id": rule.id,
        "shortDescription": {"text": inert.sarif(rule.title)},
        "fullDescription": {"text": inert.sarif(rule.why)},
        "help": {"text": text, "markdown": markdown},
        **({"helpUri": links[0]} if links else {}),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["docker", "fleet"]},
    }


def _result(verdict: Verdict, subjects: Sequence[str], run: Run, indices: dict[str, int]) -> dict[str, Any]:
    lines = [verdict.message, *(f"why: {line}" for line in verdict.evidence)]
    lines += [f"fix: {verdict.remedy}"] if verdict.remedy else []
    who = subjects_text(subjects)
    text = "\n".join([f"{who}: {inert.sarif(lines[0])}", *(inert.sarif(line) for line in lines[1:])])
    key = f"{verdict.rule}|{verdict.subject if len(subjects) == 1 else verdict.message}"
    waiver = verdict.waiver
    justification = f"{waiver.reason} ({waiver.owner}, until {waiver.until.isoformat()})" if waiver else ""
    return {
        "ruleId": verdict.rule,
        **({"ruleIndex": indices[verdict.rule]} if verdict.rule in indices else {}),
        "level": _LEVELS[verdict.severity],
        "message": {"text": text},
        "locations": [_location(verdict, subjects, run)],
        "partialFingerprints": {"fleetAudit/v1": hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()},
        **(
            {"suppressions": [{"kind": "external", "status": "accepted", "justification": inert.sarif(justification)}]}
            if waiver
            else {}
        ),
    }


def _grouped(group: summary.Group, run: Run, indices: dict[str, int]) -> dict[str, Any]:
    verdict = replace(group.verdict, evidence=group.evidence[0][0])
    return _result(verdict, group.subjects, run, indices)


def _location(verdict: Verdict, subjects: Sequence[str], run: Run) -> dict[str, Any]:
    """The inventory's line where there is one, and the hosts by name."""
    names = [*subjects, *verdict.hosts]
    logical = []
    for one in names:
        host = run.hosts.get(one)
        full = f"{host.pool_name}/{one}" if host else one
        logical.append({"name": inert.terminal(one), "fullyQualifiedName": inert.terminal(full), "kind": "host"})
        if host is None:
            logical[-1]["kind"] = "pool" if one.startswith("pool:") else "fleet"
    location: dict[str, Any] = {"logicalLocations": logical}
    found = host_of(replace(verdict, subject=subjects[0]), run)
    if found is None or found.source.file.startswith("<"):
        return location
    inside = relative(found.source)
    if inside is not None:
        artifact = {"uri": uri(inside), "uriBaseId": "%SRCROOT%"}
    elif found.source.file.startswith("/"):
        artifact = {"uri": f"file://{uri(found.source.file)}"}
    else:
        artifact = {"uri": uri(found.source.file)}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if found.source.line:
        physical["region"] = {"startLine": found.source.line}
    return {"physicalLocation": physical, **location}


def _invocation(run: Run, style: Style) -> dict[str, Any]:
    """When it ran, whether it ended well, and what could not be told."""
    notifications = []
    for group in summary.findings(run, (Status.UNKNOWN,)):
        verdict = group.verdict
        text = f"{subjects_text(group.subjects)}: {inert.sarif(verdict.message)} - result unknown, not clean"
        notifications.append(
            {
                "level": _LEVELS[verdict.severity],
                "message": {"text": text},
                "associatedRule": {"id": verdict.rule},
                "locations": [_location(verdict, group.subjects, run)],
            }
        )
    return {
        "executionSuccessful": not run.faults and run.evidence.interrupted is None,
        "exitCode": run.exit_code(style.fail_on),
        "startTimeUtc": _moment(run.evidence.started),
        "endTimeUtc": _moment(run.evidence.finished),
        "toolExecutionNotifications": notifications,
    }


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
