"""Cases of the facts, as files: what a worker answered, and what the fact must make of it.

A case is ``{"about": …, "host": {…}, "evidence": {…}, "expect": {…}}``. `host` and `evidence` hold what differs from
an ordinary worker; ``expect`` is the whole fact (fields at their defaults left out), or ``{"unknown": REASON}``, with
``"detail"`` for words that must stand in the reason's sentence. ``lab-*`` cases were recorded from real workers.

    python -m tests.facts.cases TAG "ABOUT" FACT… < recorded.json

adds cases: recorded.json is ``{"host": {…}, "evidence": {…}}`` of one host, as `--save` keeps them. Read what it
wrote before you commit it: it expects what the code says now.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.fact import Fact, all_facts, read_facts
from audit.model import Host, HostEvidence, Unknown

FOLDER = Path(__file__).parent
PSEUDO = ("sudo", "unit-env", "wire-clock")
"""Answers that the wire gives by itself."""


def evidence_of(case: Mapping[str, Any]) -> HostEvidence:
    """The case's evidence; an answer may be written as its stdout alone."""
    given = {"outcome": "ok", **case["evidence"]}
    given["answers"] = {
        name: {"kind": "answer", **({"stdout": answer} if isinstance(answer, str) else answer)}
        for name, answer in given.get("answers", {}).items()
    }
    return HostEvidence.model_validate_json(json.dumps(given))


def host_of(case: Mapping[str, Any]) -> Host:
    """The case's host."""
    return Host.model_validate_json(json.dumps({"name": "w", "address": "192.0.2.1", **case.get("host", {})}))


def read(case: Mapping[str, Any], fact: str) -> dict[str, Any]:
    """What the fact makes of it, in the form of ``expect``."""
    value = read_facts(evidence_of(case), host_of(case))[fact]
    if isinstance(value, Unknown):
        return {"unknown": value.reason.value, "detail": value.detail}
    return value.model_dump(mode="json", exclude_defaults=True)


def all_cases() -> list[tuple[str, Path]]:
    """Every case: the fact's name and the file."""
    return [(file.parent.name, file) for file in sorted(FOLDER.glob("*/*.json"))]


def wanted_answers(fact: type[Fact], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that the fact may look at; nothing at its default is written down."""
    names = {probe.name for probe in fact.probes} | set(PSEUDO)
    kept: dict[str, Any] = {}
    for name in sorted(names & set(answers)):
        answer = {key: value for key, value in answers[name].items() if value not in ("", 0) and key != "seconds"}
        if answer["kind"] == "answer":
            answer = {"stdout": "", **{key: value for key, value in answer.items() if key != "kind"}}
        kept[name] = answer["stdout"] if set(answer) == {"stdout"} else answer
    return kept


def record(recorded: Mapping[str, Any], tag: str, about: str, names: list[str]) -> None:
    """Write a case a fact."""
    for name in names:
        evidence = {key: value for key, value in recorded["evidence"].items() if key != "answers"}
        evidence["answers"] = wanted_answers(all_facts()[name], recorded["evidence"]["answers"])
        host = {key: recorded["host"][key] for key in ("name", "build_unit", "become") if recorded["host"].get(key)}
        case = {"about": about, "host": host, "evidence": evidence}
        case["expect"] = read(case, name)
        file = FOLDER / name / f"{tag}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(case, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(json.load(sys.stdin), sys.argv[1], sys.argv[2], sys.argv[3:])
