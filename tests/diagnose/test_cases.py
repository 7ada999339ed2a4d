"""Walks the folder of cases beside this file: NAME.log is a log, NAME.json what must be said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.diagnose import Diagnosis, diagnose
from audit.reports import Style
from audit.reports._diagnosis import FORMATS
from audit.symptoms import all_symptoms
from audit.wire.redact import redact

CASES = sorted((Path(__file__).parent / "cases").glob("*.log"))
KEYS = {
    "about", "first", "line", "nature", "says", "count", "evidence", "exact", "follows", "others", "alone", "never",
    "exit",
}  # fmt: skip


def expected(log: Path) -> dict[str, Any]:
    """What the case expects."""
    case: dict[str, Any] = json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(case) <= KEYS, f"nobody compares {set(case) - KEYS}"
    assert case["about"].endswith(".")
    return case


def found_in(data: bytes, size: int = 1 << 16) -> Diagnosis:
    """The diagnosis of a log that comes in pieces of a size."""
    return diagnose((data[at : at + size] for at in range(0, len(data), size)), redact=redact)


@pytest.mark.parametrize("log", CASES, ids=lambda log: log.stem)
def test_case(log: Path) -> None:
    """The best match is the one that the case expects, at its line, with its nature, evidence and consequences."""
    case = expected(log)
    found = found_in(log.read_bytes())
    names = [match.id for match in found.matches]
    assert next(iter(names), None) == case["first"], names
    assert found.exit_code == case.get("exit", 1)
    if found.matches:
        first = found.matches[0]
        assert first.line == case["line"]
        assert first.nature == case["nature"]
        assert first.count == case.get("count", 1)
        assert case.get("says", "") in first.says
        assert case.get("evidence", "") in first.evidence
        if case.get("exact"):
            assert first.evidence == case["evidence"]
        consequences = [one.id for one in first.consequences]
        assert set(case.get("follows", [])) <= set(consequences)
        assert set(case.get("others", [])) <= set(names[1:]) | set(consequences)
        if case.get("alone"):
            assert len(found.matches) == 1
    for render in FORMATS.values():
        text = render(found, Style(verbosity=1))
        assert not any(secret in text for secret in case.get("never", [])), text
        assert "\x1b" not in text


@pytest.mark.parametrize("log", CASES, ids=lambda log: log.stem)
def test_where_a_log_is_cut_changes_nothing(log: Path) -> None:
    """The same log byte by byte, or in pieces of seven, says the same."""
    data = log.read_bytes()
    whole = found_in(data)
    assert found_in(data, 7) == whole
    assert found_in(data, 1) == whole


def test_every_symptom_has_a_log_that_finds_it_first() -> None:
    """A symptom without a log would be a claim that nobody tested."""
    first = {expected(log)["first"] for log in CASES}
    assert set(all_symptoms()) <= first


@pytest.mark.parametrize("log", [log for log in CASES if "s23" in log.stem], ids=lambda log: log.stem)
def test_a_token_time_out_is_never_a_mount_failure(log: Path) -> None:
    """The headline of such a log speaks of the token, says transient, and does not say that a mount failed."""
    headline = FORMATS["text"](found_in(log.read_bytes()), Style()).splitlines()[0]
    assert headline.startswith("S23 token time-out at the registry (transient): retry")


def test_the_first_line_says_that_nothing_is_known() -> None:
    """Honestly, and with exit code 3."""
    found = found_in(b"all is lost\n" * 3)
    assert FORMATS["text"](found, Style()).startswith("nothing that we know stands in this log (3 lines, 36 bytes)")
    assert found.exit_code == 3


def test_a_line_without_an_end_counts() -> None:
    """As every editor counts: a last line without its end is a line, nothing is none."""
    assert [found_in(data).lines for data in (b"", b"a", b"a\n", b"a\nb")] == [0, 1, 1, 2]
