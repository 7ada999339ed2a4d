"""The table itself: whole, safe to search with, and fit for OCurrent."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from audit.diagnose import diagnose
from audit.reports._diagnosis import ocurrent_csv
from audit.rule import all_rules
from audit.symptoms import Nature, Signature, Symptom, all_symptoms
from tests.diagnose.test_cases import CASES, expected

TABLE = all_symptoms()
SIGNATURES = [(one.id, signature) for one in TABLE.values() for signature in one.signatures]
FORBIDDEN = re.compile(r"(?<!\\)[*+]|\(\?(?!:|P<)|\\[1-9]|\{\d+,\}|\)\{|\^|\$")
"""Unbounded repeats, lookaround, backreferences, repeated groups, anchors; a set's own ^ is taken out before."""


def test_the_issues_symptoms_are_there() -> None:
    """All of S1 to S31, and every class of a registry's errors."""
    assert [name for name in TABLE if name.startswith("S")] == [f"S{number}" for number in range(1, 32)]
    assert sum(name.startswith("R-") for name in TABLE) >= 17


@pytest.mark.parametrize("symptom", TABLE.values(), ids=TABLE)
def test_a_symptom_is_a_whole_page(symptom: Symptom) -> None:
    """Every text is filled, on one line; what it points to exists; references are issues, not addresses."""
    assert symptom.nature in get_args(Nature)
    for text in (symptom.title, symptom.where, symptom.cause, symptom.do, *symptom.fixes):
        assert text.strip() == text != ""
        assert "\n" not in text
    assert not symptom.title.endswith(".")
    assert not symptom.do.endswith(".")
    assert symptom.fixes
    assert symptom.signatures
    assert set(symptom.rules) <= set(all_rules())
    assert set(symptom.leads_to) <= set(TABLE) - {symptom.id}
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", ref) for ref in symptom.refs)


@pytest.mark.parametrize(
    ("name", "signature"), SIGNATURES, ids=[f"{name}-{one.parts[0][:30]}" for name, one in SIGNATURES]
)
def test_a_signature_is_bounded(name: str, signature: Signature) -> None:
    """Only bounded repeats of one character or set, a key that the sieve can look for, groups that are used."""
    assert 1 <= signature.score <= 99
    assert len(signature.key) >= 5
    assert signature.key.isascii()
    for part in signature.parts:
        bare = re.sub(r"\[\^?\]?[^\]]*\]", "c", part)
        assert not FORBIDDEN.search(bare), f"{name}: {part}"
        assert sum(int(most) for most in re.findall(r"\{\d+,(\d+)\}", part)) <= 420
    names = [group for part in signature.parts for group in re.findall(r"\(\?P<(\w+)>", part)]
    assert len(names) == len(set(names))
    assert set(re.findall(r"\{([a-z]+)\}", signature.says)) <= set(names)


def _hostile(signature: Signature) -> Iterator[str]:
    """Lines that begin to match again and again, and never do."""
    for part in signature.parts:
        literal = re.sub(r"\(\?P<\w+>|\(\?:|[()]|\{[\d,]*\}|\[[^\]]*\]|\\[wdsbSD]|\\|\?", "", part).split("|")[0]
        yield (literal[:-1] + "x") * (60_000 // max(1, len(literal)))
        yield (literal or "a") * (60_000 // max(1, len(literal)))
    yield "a" * 60_000
    yield "/" * 60_000 + signature.key


@pytest.mark.parametrize("name", TABLE)
def test_no_line_is_slow(name: str) -> None:
    """Twice as long a hostile line takes about twice as long: nothing backtracks further than its bounds."""
    for signature in TABLE[name].signatures:
        for line in _hostile(signature):
            start = time.process_time()
            signature.find(line)
            assert time.process_time() - start < 1.0, signature.parts


@pytest.mark.parametrize(
    ("name", "signature"), SIGNATURES, ids=[f"{name}-{one.parts[0][:30]}" for name, one in SIGNATURES]
)
def test_a_key_stands_in_whatever_matches(name: str, signature: Signature) -> None:
    """No log of the cases matches a signature without its key: the sieve loses nothing."""
    for log in CASES:
        for line in log.read_bytes().decode("utf-8", "replace").splitlines():
            if signature.find(line) is not None:
                assert signature.key in line.lower(), name


def _rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ocurrent_csv(tuple(TABLE.values())))))


def test_ocurrent_gets_patterns_that_it_can_read() -> None:
    """Its header, unique patterns without named groups, lookaround or bounds, whole scores, groups that exist."""
    rows = _rows()
    assert list(rows[0]) == ["pattern", "report", "score"]
    assert len({row["pattern"] for row in rows}) == len(rows) > 100
    for row in rows:
        assert "(?P" not in row["pattern"]
        assert not re.search(r"\(\?[=!<]|\{\d|[*+?]\+|\\\"", row["pattern"]), row["pattern"]
        groups = re.compile(row["pattern"]).groups
        assert all(int(number) <= groups for number in re.findall(r"\\(\d+)", row["report"]))
        assert int(row["score"]) > 0


def _as_ocurrent(log: str) -> str | None:
    """What OCurrent would report: matches do not overlap, the leftmost and of these the longest counts; then the best
    score, the first of equals, with its groups filled in.
    """
    rules = [(re.compile(row["pattern"]), row) for row in _rows()]
    best: tuple[int, str] | None = None
    at = 0
    while found := [(one, row) for rule, row in rules if (one := rule.search(log, at))]:
        match, row = min(found, key=lambda pair: (pair[0].start(), -pair[0].end()))
        if best is None or int(row["score"]) > best[0]:
            best = (int(row["score"]), _filled(row["report"], match))
        at = match.end()
    return best[1] if best else None


def _filled(report: str, match: re.Match[str]) -> str:
    return re.sub(r"\\(\d+)", lambda place: match[int(place[1])] or "", report)


@pytest.mark.parametrize(
    "log", [log for log in CASES if log.stem[0] in "rsd" and log.stem != "secrets"], ids=lambda log: log.stem
)
def test_ocurrents_rules_agree_with_ours(log: Path) -> None:
    """The table in OCurrent's hands names the same cause for every case whose failure is no mere notice."""
    case = expected(log)
    if case["nature"] == "harmless":
        return
    report = _as_ocurrent(log.read_text(encoding="utf-8"))
    assert report is not None
    assert report.startswith(f"{case['first']} ")


def test_ocurrents_own_rule_loses_to_ours() -> None:
    """Its known rule says "failed to mount blob" with a score of 30; the token time-out stands above it."""
    assert TABLE["S23"].score > 30
    assert all(one.score < 30 for one in TABLE["R-placing"].signatures if "failed to mount blob" in one.parts[0])


def test_a_symptom_of_the_wrong_form_is_refused() -> None:
    """Ids and natures are of fixed forms: another one is an error when the table is made."""
    for change in ({"id": "X1"}, {"nature": "odd"}):
        with pytest.raises(ValueError, match="no symptom"):
            replace(TABLE["S1"], **change)  # type: ignore[arg-type]  # just that is refused


def test_a_smaller_table_finds_its_own_only() -> None:
    """The engine knows nothing but the table that it is given."""
    log = [b"docker.io/a is a manifest list\nno space left on device\n"]
    found = diagnose(log, redact=str, table=[TABLE["D-disk"]])
    assert [match.id for match in found.matches] == ["D-disk"]
