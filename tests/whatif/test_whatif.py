"""Walks the cases beside this file: facts of a fleet now, changes, and what they make of it and break."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from audit.dockerfile import examine
from audit.fact import Fact, Facts, read_facts
from audit.model import Host, Unknown
from audit.run import SavedRun
from audit.shape import How, parse_how
from audit.whatif.changes import parse_changes
from audit.whatif.compare import Comparison, Whatif, compare
from audit.whatif.then import Then, facts_then
from tests.rules.test_cases import facts_of, policy_of

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*.json"))
RECORDED = FOLDER.parent / "recorded" / "lab-fleet.json"
KEYS = {"about", "base", "facts", "set", "unset", "how", "dockerfile", "expect"}
EXPECTED = {
    "then", "unknown", "refuses", "store", "pushes", "new", "resolved", "breaks", "already", "untold", "exit", "images",
    "says", "assumed",
}  # fmt: skip


@cache
def recorded() -> SavedRun:
    """The lab's fleet as it was recorded."""
    return SavedRun.parse(RECORDED.read_text(encoding="utf-8"), str(RECORDED))


def base_facts(name: str) -> tuple[Host, Facts]:
    """A recorded worker."""
    host = next(host for host in recorded().fleet.hosts if host.name == name)
    return host, read_facts(recorded().evidence.hosts[name], host)


def told(case: dict[str, Any]) -> dict[str, tuple[Host, Facts]]:
    """Hosts and facts of a case: recorded workers, with the fields that the case says otherwise."""
    names = case.get("base", [])
    found = {}
    for place, name in enumerate([names] if isinstance(names, str) else names):
        host, facts = base_facts(name)
        if place == 0:
            facts = changed(facts, case.get("facts", {}))
        found[name] = (host, facts)
    if not found:
        found["w"] = (Host(name="w", address="w"), facts_of(case["facts"]))
    return found


def changed(facts: Facts, fields: dict[str, Any]) -> Facts:
    """Facts with some fields replaced, or whole facts where the case says one is unknown."""
    values: dict[str, Fact | Unknown] = dict(facts.items())
    for name, update in fields.items():
        old = facts[name]
        if "unknown" in update or isinstance(old, Unknown):
            values[name] = facts_of({name: update})[name]
        else:
            values[name] = type(old).model_validate_json(json.dumps(old.model_dump(mode="json") | update))
    return Facts(values)


def answered(case: dict[str, Any]) -> tuple[Whatif, Then, Comparison]:
    """The whole answer, and the first host's facts and comparison."""
    hosts = told(case)
    changes = parse_changes(case.get("set", ()), case.get("unset", ()))
    fleet = recorded().fleet.model_copy(
        update={"hosts": tuple(host for host, _ in hosts.values()), "policy": policy_of({})}
    )
    how = parse_how(case["how"]) if "how" in case else How()
    files = [examine(case["dockerfile"], "Dockerfile")] if "dockerfile" in case else []
    facts = {name: known for name, (_, known) in hosts.items()}
    answer = compare(fleet, facts, changes, recorded().evidence.finished, how=how, dockerfiles=files)
    host, known = next(iter(hosts.values()))
    return answer, facts_then(known, changes, host), answer.hosts[0]


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    """Facts, store, shape, verdicts, breaks and exit code are those that the case expects, each where it names it."""
    case = json.loads(file.read_text(encoding="utf-8"))
    assert set(case) <= KEYS
    assert case["about"].endswith("."), "`about` is a sentence"
    expect = case["expect"]
    assert expect
    assert set(expect) <= EXPECTED
    answer, then, one = answered(case)
    for name, fields in expect.get("then", {}).items():
        fact = then.facts[name]
        assert not isinstance(fact, Unknown), f"{name} is {fact}"
        shown = fact.model_dump(mode="json")
        assert {field: shown[field] for field in fields} == fields
    for name, words in expect.get("unknown", {}).items():
        fact = then.facts[name]
        assert isinstance(fact, Unknown), f"{name} is known: {fact}"
        assert words in str(fact)
    assert expect.get("refuses", "") in (then.refuses or "")
    assert bool(then.refuses) == ("refuses" in expect)
    if "store" in expect:
        assert [one.store_now.split(" (")[0], one.store_then.split(" (")[0]] == expect["store"]
    if "pushes" in expect:
        assert [one.shape_now, one.shape_then] == expect["pushes"]
    if "images" in expect:
        assert [one.images_now, one.images_then] == expect["images"]
    for change in ("new", "resolved"):
        rules = {verdict.rule for verdict in one.verdicts if verdict.change == change}
        assert set(expect.get(change, ())) <= rules, rules
    for label, already in (("breaks", False), ("already", True)):
        found = [broken for broken in one.breaks if broken.already is already]
        if label in expect or "exit" in expect:
            assert [broken.id for broken in found] == list(expect.get(label, {})), found
        for broken in found:
            for words in expect.get(label, {}).get(broken.id, []):
                assert words in f"{broken.what} {broken.symptom} {broken.fix} {broken.only}"
    for words in expect.get("untold", ()):
        assert any(words in said for said in one.untold), one.untold
    for words in expect.get("assumed", ()):
        assert any(words in said for said in one.assumed), one.assumed
    if "exit" in expect:
        assert answer.exit_code == expect["exit"]
        assert bool(one.untold) == ("untold" in expect), one.untold
