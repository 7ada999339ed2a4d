"""Fleets for plans: the recorded one, or workers like those of it with facts of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from audit.fact import Fact, Facts, all_facts
from audit.judge import judge
from audit.model import Evidence, Fleet, Host, Policy, Unknown
from audit.run import Run, SavedRun

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@cache
def recorded() -> Run:
    """The lab's fleet as it was recorded, judged."""
    saved = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), RECORDED.name)
    return Run.of(saved.fleet, saved.evidence)


def run_of(told: Mapping[str, Any]) -> Run:
    """A judged run.

    Args:
        told: ``recorded``: names of the lab's hosts, or ``all``; or ``hosts``: each with its declaration, ``like`` (a
            host of the lab) and ``facts`` (name -> members that differ, or ``unknown``). ``policy``: one layer for all.
    """
    policy = _policy(told.get("policy"))
    if "recorded" in told:
        lab = recorded()
        hosts = [host for host in lab.fleet.hosts if told["recorded"] == "all" or host.name in told["recorded"]]
        return judged(hosts, {host.name: lab.facts[host.name] for host in hosts}, policy)
    hosts, facts = [], {}
    for number, one in enumerate(told["hosts"]):
        declared = {key: value for key, value in one.items() if key not in ("like", "facts")}
        hosts.append(Host.model_validate_json(json.dumps({"address": f"192.0.2.{number + 1}", **declared})))
        facts[one["name"]] = facts_like(one.get("like", "amd64"), one["name"], one.get("facts", {}))
    return judged(hosts, facts, policy)


def judged(hosts: Sequence[Host], facts: Mapping[str, Facts], policy: Policy) -> Run:
    """These hosts with these facts, by the real rules."""
    fleet = Fleet(hosts=tuple(hosts), policy=policy)
    view, verdicts = judge(fleet, facts, NOW)
    return Run(fleet, Evidence(script="", started=NOW, finished=NOW), facts, view, verdicts)


def facts_like(name: str, host: str, changed: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The facts of a host of the lab, some of them changed; the engine's id is the new host's own."""
    values = dict(recorded().facts[name].items())
    own = {} if isinstance(values["engine"], Unknown) else {"engine_id": f"id-{host}"}
    for fact, members in {"engine": {}, **changed}.items():
        more = own if fact == "engine" and "unknown" not in members else {}
        if members or more:
            values[fact] = _changed(fact, values[fact], {**more, **members})
    return Facts(values)


def _changed(name: str, old: Fact | Unknown, members: Mapping[str, Any]) -> Fact | Unknown:
    if "unknown" in members:
        told = {"reason": members["unknown"], "detail": members.get("detail", "")}
        return Unknown.model_validate_json(json.dumps(told))
    known = {} if isinstance(old, Unknown) else old.model_dump(mode="json")
    return all_facts()[name].model_validate_json(json.dumps({**known, **members}))


def _policy(layer: Mapping[str, Any] | None) -> Policy:
    if layer is None:
        return Policy()
    return Policy.model_validate_json(json.dumps({"layers": [{"scope": "group:all", **layer}]}))
