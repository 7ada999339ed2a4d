"""Walks the cases beside this file: a recorded worker, what is otherwise later, and the tree that it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.drift import DriftReport, Node, drift
from audit.drift.text import drift_text
from audit.reports import Style
from tests.drift.fleet import changed, recorded

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def shape(nodes: tuple[Node, ...]) -> dict[str, Any]:
    """A tree by the ids of its nodes."""
    return {node.id: shape(node.then) for node in nodes}


def said(report: DriftReport, verbosity: int = 0) -> str:
    """The text report on one endless line a piece."""
    return "".join(drift_text(report, Style(width=10_000, verbosity=verbosity)))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    """The tree, the host notes, the exit code and the sentences of the case."""
    case = json.loads(file.read_text(encoding="utf-8"))
    assert set(case) <= {"about", "host", "then", "facts", "row", "expect"}
    before = changed(recorded(), case["host"], case.get("then", {}))
    after = changed(before, case["host"], case["facts"], **case.get("row", {}))
    report = drift(before, after)
    expect = case["expect"]
    assert set(expect) <= {"exit", "tree", "notes", "says"}
    trees = [shape(host.causes) for host in report.hosts if host.causes]
    assert trees == ([expect["tree"]] if expect["tree"] else [])
    notes: dict[str, list[str]] = {}
    for note in report.notes:
        notes.setdefault(note.host, []).append(note.what)
    assert notes == expect.get("notes", {})
    assert report.exit_code == expect["exit"]
    for text in expect.get("says", []):
        assert text in said(report)
