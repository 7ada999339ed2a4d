"""Walks every folder of cases beside this file: one folder a rule, one JSON file a case."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audit.fact import Fact, Facts, all_facts
from audit.judge import CRASHED, judge
from audit.model import Fleet, Host, Policy, Status, Unknown, Verdict
from audit.probe.result import Proof
from audit.rule import Check, all_rules

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("FA*/*.json"))
RULES = all_rules()

PREFIXES = {"pass": Status.PASS, "fail": Status.FAIL, "na": Status.NOT_APPLICABLE, "unknown": Status.UNKNOWN}
NEVER_FAILS = {"FA001", "FA003", "FA004"}
"""Rules that can only be told or not: their worst is UNKNOWN, and that is what their fail cases expect."""

THRESHOLDS = {"disk_free_percent", "inodes_free_percent", "clock_skew_seconds", "waiver_notice_days"}
REACHED = {"outcome": "ok", "phase": "done"}


def host_of(declared: Mapping[str, Any]) -> Host:
    """A host from a case; the name is enough."""
    name = declared.get("name", "w1")
    return Host.model_validate_json(json.dumps({"address": name, **declared, "name": name}))


def facts_of(told: Mapping[str, Any]) -> Facts:
    """The facts of a case; a reached host where nothing else is said, nothing asked of the rest."""
    known = all_facts()
    assert set(told) <= set(known), f"no such fact: {set(told) - set(known)}"
    values: dict[str, Fact | Unknown] = {}
    for name, value in {"reach": REACHED, **told}.items():
        if "unknown" in value:
            values[name] = Unknown.model_validate_json(
                json.dumps({"reason": value["unknown"], "detail": value.get("detail", "")})
            )
        else:
            values[name] = known[name].model_validate_json(json.dumps(value))
    return Facts(values)


def policy_of(told: Mapping[str, Any]) -> Policy:
    """A policy from a case: whole with ``layers``, or the fields of a HostPolicy, which then hold for all."""
    if "layers" in told:
        return Policy.model_validate_json(json.dumps(told))
    layer = {name: value for name, value in told.items() if name not in THRESHOLDS}
    layer["thresholds"] = {name: value for name, value in told.items() if name in THRESHOLDS}
    return Policy.model_validate_json(json.dumps({"layers": [{"scope": "group:all", **layer}]}))


def judged(case: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """All verdicts of a case, by the real judge."""
    one = {"host": case.get("host", {}), "facts": case.get("facts", {})}
    members = [(host_of(told.get("host", {})), facts_of(told.get("facts", {}))) for told in case.get("hosts", [one])]
    fleet = Fleet(hosts=tuple(host for host, _ in members), policy=policy_of(case.get("policy", {})))
    assert len(set(fleet.names)) == len(fleet), "two hosts of one name"
    now = datetime.fromisoformat(case.get("now", "2026-11-24T12:00:00Z"))
    seen = Proof.model_validate_json(json.dumps(case.get("proof", {})))
    return judge(fleet, {host.name: facts for host, facts in members}, now, {host.name: seen for host, _ in members})[1]


def compare(verdict: Verdict, expect: Mapping[str, Any]) -> None:
    """A verdict against what the case expects of it."""
    allowed = {"subject", "status", "severity", "message", "evidence", "remedy", "hosts"}
    assert set(expect) <= allowed, f"the case expects what nobody compares: {set(expect) - allowed}"
    assert not verdict.message.startswith(CRASHED), verdict.message
    assert verdict.status == expect["status"], verdict
    assert verdict.severity == expect.get("severity", verdict.severity), verdict
    assert expect.get("message", "") in verdict.message
    assert expect.get("remedy", "") in verdict.remedy
    for part in expect.get("evidence", ()):
        assert any(part in line for line in verdict.evidence), f"{part!r} is in none of {verdict.evidence}"
    if "hosts" in expect:
        assert list(verdict.hosts) == expect["hosts"]


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_case(file: Path) -> None:
    """The rule says of the case what the case expects, and says it properly."""
    case = json.loads(file.read_text(encoding="utf-8"))
    check = RULES[file.parent.name]
    own = {"hosts"} if check.fleet else {"host", "facts", "proof"}
    assert set(case) <= {"about", "policy", "now", "expect"} | own
    assert case["about"].endswith("."), "`about` is a sentence"
    found = [verdict for verdict in judged(case) if verdict.rule == check.rule.id]
    if check.fleet:
        expected = case["expect"]
        assert sorted(verdict.subject for verdict in found) == sorted(one["subject"] for one in expected)
        by_subject = {verdict.subject: verdict for verdict in found}
        for one in expected:
            compare(by_subject[one["subject"]], one)
    else:
        [verdict] = found
        compare(verdict, case["expect"])
        prefix = next(name for name in PREFIXES if file.stem.startswith(name))
        status = Status.UNKNOWN if prefix == "fail" and check.rule.id in NEVER_FAILS else PREFIXES[prefix]
        assert verdict.status is status, f"a case called {file.stem} should end in {status}"
    for verdict in found:
        properly_said(verdict)


def properly_said(verdict: Verdict) -> None:
    """What holds of every verdict: one line, proved where it passes, with a way out where it does not."""
    assert verdict.message
    assert "\n" not in verdict.message
    assert not verdict.message.endswith("."), "a message has no full stop: the report may go on behind it"
    assert all(line and "\n" not in line for line in verdict.evidence)
    if verdict.status is Status.PASS:
        assert verdict.evidence, "no pass without evidence"
        assert not verdict.remedy
    if verdict.status in (Status.FAIL, Status.UNKNOWN):
        assert verdict.remedy


def test_every_folder_has_its_rule() -> None:
    """A folder of cases whose rule does not exist is a rule that is no longer tested."""
    assert {folder.name for folder in HERE.glob("FA*")} <= set(RULES)


def test_there_are_enough_rules() -> None:
    """The issue wants at least 35, host rules and fleet rules."""
    assert len(RULES) >= 35
    assert any(check.fleet for check in RULES.values())


@pytest.mark.parametrize("check", RULES.values(), ids=RULES)
def test_rule_has_both_sides(check: Check) -> None:
    """Each rule ships a case that passes and one that fails."""
    names = [file.stem for file in CASES if file.parent.name == check.rule.id]
    assert any(name.startswith("pass") for name in names), "no passing case"
    assert any(name.startswith("fail") for name in names), "no failing case"


@pytest.mark.parametrize("check", RULES.values(), ids=RULES)
def test_rule_is_a_manual_page(check: Check) -> None:
    """Docstrings in place, every text filled, the title short enough for a table."""
    rule = check.rule
    module = importlib.import_module(f"audit.rules.{rule.id.lower()}")
    assert len((module.__doc__ or "").strip().splitlines()) == 1, "the module's docstring is one line"
    assert inspect.getdoc(check.run), "the check has no docstring"
    assert 0 < len(rule.title) <= 80
    assert not rule.title.endswith(".")
    for text in (rule.why, rule.symptom, rule.remedy):
        assert text.strip() == text != ""
        assert "\n" not in text
