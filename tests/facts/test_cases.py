"""Every case file reads as it says, and every fact has the cases that it needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.fact import all_facts
from tests.facts.cases import all_cases, evidence_of, host_of, read

CASES = all_cases()


@pytest.mark.parametrize(("fact", "file"), CASES, ids=[f"{fact}/{file.stem}" for fact, file in CASES])
def test_case(fact: str, file: Path) -> None:
    """A case's answers make the fact, or the Unknown, that the file expects."""
    case = json.loads(file.read_text(encoding="utf-8"))
    found, expect = read(case, fact), case["expect"]
    if "unknown" in expect:
        assert found.get("unknown") == expect["unknown"], found
        assert expect.get("detail", "") in found["detail"]
    else:
        assert found == expect
    assert case["about"]


@pytest.mark.parametrize("fact", sorted(all_facts()))
def test_every_fact_has_a_good_and_a_bad_case(fact: str) -> None:
    """One case that is read, and one that is Unknown (or, for what is never Unknown, that is not ok)."""
    expects = [json.loads(file.read_text(encoding="utf-8"))["expect"] for name, file in CASES if name == fact]
    assert any("unknown" not in expect for expect in expects)
    assert any("unknown" in expect or expect.get("outcome", "ok") != "ok" for expect in expects)


def test_folders_are_facts() -> None:
    """No case lies in a folder that no fact has."""
    assert {fact for fact, _ in CASES} <= set(all_facts())


def test_cases_have_no_strangers() -> None:
    """A case's evidence and host are valid by the models themselves."""
    for _, file in CASES:
        case = json.loads(file.read_text(encoding="utf-8"))
        assert evidence_of(case).answers is not None
        assert host_of(case).name
