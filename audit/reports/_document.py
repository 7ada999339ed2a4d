"""The run as one JSON document: the models that `json` and `jsonl` write and that the published schema describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, SerializeAsAny
from pydantic.json_schema import models_json_schema

from audit import summary
from audit.fact import Fact, all_facts
from audit.model import SCHEMA_VERSION, Host, Model, Outcome, Severity, Source, Status, Unknown, Verdict, Waiver
from audit.reports._style import Style
from audit.run import Run
from audit.shape import Prediction
from audit.shape.result import BuilderKind, Fate, Kind


class RunEntry(Model):
    """The run itself: when, by what, and how complete."""

    schema_version: int = Field(description="Raised when a reader of the old version would misread")
    tool_version: str = Field(description="The fleet-audit that collected")
    when: datetime = Field(description="The moment that the run is judged at: the end of its collection, UTC")
    started: datetime = Field(description="Start of the collection, UTC")
    seconds: float = Field(description="How long the collection took")
    script: str = Field(description="SHA-256 of the script that was sent to the hosts")
    interrupted: str | None = Field(description="The signal that ended it early")


class PoolEntry(Model):
    """One pool at a glance, as the table shows it."""

    pool: str
    reached: int = Field(description="Members that answered")
    total: int = Field(description="Members")
    engine: str = Field(description="Engine versions seen, with counts where several")
    store: str = Field(description="Image stores seen; begins with SPLIT where they differ")
    buildx: str = Field(description="buildx versions seen, missing or broken")
    pushes: str = Field(description="What a plain build and push leaves; begins with SPLIT where it differs")
    failed: dict[Severity, int] = Field(description="Failed verdicts on the members and on the pool itself")
    unknown: int = Field(description="Members with something that could not be told")


class PushEntry(Model):
    """What a plain build and push on one worker will leave, as far as it can be told."""

    kind: Kind = Field(description="flat, index, none (nothing to push), fails, or unknown where it hangs on a fact")
    builder: BuilderKind | None = Field(description="Who builds, where that is sure")
    media_type: str | None = Field(description="Of what the pushed tag will name, where that is sure")
    attestations: Fate | None = Field(description="What becomes of them, where that is sure")
    error: str | None = Field(description="What the user will read, where it is sure to fail")
    possible: tuple[str, ...] = Field(description="Every shape that the facts leave possible, in a few words each")
    reasons: tuple[str, ...] = Field(description="The steps of reasoning, in order, as far as they are sure")
    missing: tuple[str, ...] = Field(description="Why there is more than one possible shape, or none")
    assumed: tuple[str, ...] = Field(description="What is taken for granted, as with a version newer than any known")


def push_entry(push: Prediction) -> dict[str, Any]:
    """The prediction of one host, for a report."""
    shape = push.shape
    return {
        "kind": push.kind,
        "builder": push.builder,
        "media_type": shape.media_type if shape else None,
        "attestations": shape.attestations.fate if shape else None,
        "error": shape.error if shape else None,
        "possible": push.possible,
        "reasons": push.reasons,
        "missing": push.missing,
        "assumed": push.assumed,
    }


class HostEntry(Model):
    """One host: as declared, what became of it, and what it is."""

    name: str
    pool: str
    platform: str | None
    emulated: bool
    address: str
    groups: tuple[str, ...]
    source: Source = Field(description="Where the inventory declares it")
    outcome: Outcome
    detail: str
    phase: str
    seconds: float
    host_key: str | None
    facts: Mapping[str, SerializeAsAny[Fact | Unknown]] = Field(description="By fact name; unknown ones say why")
    push: PushEntry = Field(description="What a plain build and push will leave, with the reasons")


class JudgedHost(HostEntry):
    """A host with its verdicts."""

    verdicts: tuple[Verdict, ...]


class RuleEntry(Model):
    """One rule that was judged."""

    title: str
    severity: Severity = Field(description="Before the policy")


class Counts(Model):
    """Verdicts, counted."""

    statuses: dict[Status, int]
    failed: dict[Severity, int] = Field(description="Failed ones by severity")


class Coverage(Model):
    """How much of the fleet could be told."""

    hosts: int
    reached: int = Field(description="Answered anything")
    covered: int = Field(description="Every rule could tell")
    percent: float


class Result(Model):
    """What the exit code says (before --exit-zero and --min-coverage)."""

    fail_on: Severity | None
    exit_code: int
    reasons: tuple[str, ...] = Field(description="Why it is not 0, worst first")
    faults: tuple[str, ...] = Field(description="Bugs of ours: rules and readers that crashed")


class Document(RunEntry):
    """One `fleet-audit check`, whole."""

    kind: Literal["fleet-audit report"]
    result: Result
    counts: Counts
    coverage: Coverage
    pools: tuple[PoolEntry, ...]
    hosts: tuple[JudgedHost, ...] = Field(description="In the inventory's order, each once")
    fleet: tuple[Verdict, ...] = Field(description="Verdicts on pools and on the fleet")
    waivers: tuple[Waiver, ...] = Field(description="Every waiver of the policy, also those that cover nothing")
    rules: dict[str, RuleEntry] = Field(description="The rules that were judged, by id")


def document(run: Run, style: Style) -> dict[str, Any]:
    """The document as a tree of what `_json.dumps` takes; not validated again, its parts are models already."""
    hosts = [host_entry(run, host) | {"verdicts": run.by_subject.get(host.name, ())} for host in run.fleet.hosts]
    judged = {verdict.rule for verdict in run.verdicts}
    return {
        "kind": "fleet-audit report",
        **run_entry(run),
        **closing(run, style),
        "pools": [_pool(row) for row in summary.pool_rows(run)],
        "hosts": hosts,
        "fleet": list(fleet_verdicts(run)),
        "waivers": run.fleet.policy.waivers,
        "rules": {
            name: {"title": rule.title, "severity": rule.severity} for name, rule in run.rules.items() if name in judged
        },
    }


def run_entry(run: Run) -> dict[str, Any]:
    """What is known before the first host."""
    evidence = run.evidence
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": run.tool_version,
        "when": run.when,
        "started": evidence.started,
        "seconds": round((evidence.finished - evidence.started).total_seconds(), 3),
        "script": evidence.script,
        "interrupted": evidence.interrupted,
    }


def closing(run: Run, style: Style) -> dict[str, Any]:
    """What is known after the last host."""
    total = summary.totals(run)
    return {
        "result": {
            "fail_on": style.fail_on,
            "exit_code": run.exit_code(style.fail_on),
            "reasons": summary.exit_reasons(run, style.fail_on),
            "faults": run.faults,
        },
        "counts": {
            "statuses": {status: total.statuses[status] for status in Status},
            "failed": {severity: total.failed[severity] for severity in Severity},
        },
        "coverage": {
            "hosts": total.hosts,
            "reached": total.reached,
            "covered": run.covered,
            "percent": round(run.coverage, 2),
        },
    }


def host_entry(run: Run, host: Host) -> dict[str, Any]:
    """One host without its verdicts."""
    evidence = run.evidence.hosts.get(host.name)
    member = run.members[host.name]
    return {
        "name": host.name,
        "pool": host.pool_name,
        "platform": host.platform,
        "emulated": host.emulated,
        "address": host.address,
        "groups": host.groups,
        "source": host.source,
        "outcome": evidence.outcome if evidence else Outcome.NOT_ASKED,
        "detail": evidence.detail if evidence else "",
        "phase": evidence.phase if evidence else "",
        "seconds": evidence.seconds if evidence else 0.0,
        "host_key": evidence.host_key if evidence else None,
        "facts": dict(member.facts),
        "push": push_entry(member.push),
    }


def fleet_verdicts(run: Run) -> Iterator[Verdict]:
    """Verdicts whose subject is no host."""
    return (verdict for verdict in run.verdicts if verdict.subject not in run.hosts)


def _pool(row: summary.PoolRow) -> dict[str, Any]:
    return {
        "pool": row.pool,
        "reached": row.reached,
        "total": row.total,
        "engine": row.engine,
        "store": row.store,
        "buildx": row.buildx,
        "pushes": row.pushes,
        "failed": {severity: row.counts[severity] for severity in Severity},
        "unknown": row.unknown,
    }


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document; each fact's fields are described, and a fact may be missing."""
    facts = all_facts()
    models = [(model, "serialization") for model in (Document, Unknown, *facts.values())]
    places, found = models_json_schema(models, ref_template="#/$defs/{model}")  # type: ignore[arg-type]  # its pairs
    definitions = found["$defs"]
    unknown = places[Unknown, "serialization"]
    definitions["JudgedHost"]["properties"]["facts"] = {
        "description": "By fact name; unknown ones say why",
        "type": "object",
        "properties": {name: {"anyOf": [places[fact, "serialization"], unknown]} for name, fact in facts.items()},
        "additionalProperties": False,
    }
    top = definitions.pop("Document")
    used = {name: definitions[name] for name in sorted(definitions) if name not in ("Fact", "HostEntry")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"fleet-audit report, schema version {SCHEMA_VERSION}",
        **{key: value for key, value in top.items() if key != "title"},
        "$defs": used,
    }
