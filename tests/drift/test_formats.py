"""Every format: as kept (FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites it), by its schema, and inert whatever a worker says."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from audit.drift import DriftReport, drift
from audit.drift.document import (
    DIFF_FORMATS,
    DRIFT_FORMATS,
    diff_schema,
    drift_schema,
)
from audit.drift.fields import UNASKED
from audit.drift.pair import diff
from audit.model import Ignore
from audit.reports import Style
from audit.snapshot import Snapshot
from tests.drift.fleet import REINSTALL, changed, recorded, without
from tests.drift.test_counting import rule
from tests.drift.test_verdicts import judged, verdict
from tests.reports.test_hostile import TEXTS

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"text": "txt", "markdown": "md", "json": "json"}


@cache
def story() -> DriftReport:
    """A bad week: a reinstall, an upgrade of three, a new buildx, a host gone, one dark, one renamed, one ignored."""
    before = judged(
        without(recorded(), "trixie-containerd"),
        verdict("FA404", "pass"),
        verdict("FA006", "pass", "s390x", severity="warning"),
        verdict("FA410", "waived", "bookworm", waived_until="2026-11-30"),
    )
    after = changed(without(recorded(), "hidden"), "amd64", REINSTALL, pushes="index")
    for name in ("s390x", "ppc64le", "arm64"):
        after = changed(after, name, {"engine.version": "28.6.0", "docker_client.version": "28.6.0"})
    after = changed(after, "riscv64", {"buildx.version": "0.36.1", "machine.kernel": "7.0.0"})
    after = changed(after, "bookworm", {"engine": {"unknown": "timeout", "detail": "no answer in 8 s"}})
    after = changed(after, "podman", {}, outcome="unreachable", detail="no route to host")
    after = changed(after, "arm64", {}, name="arm64-2")
    after = judged(
        after,
        verdict("FA404", "fail", message="a plain push leaves an OCI index"),
        verdict("FA006", "fail", "s390x", severity="warning", message="the clock is 9 s off"),
        verdict("FA410", "fail", "bookworm", severity="note", message="a password is kept in plain base64"),
    )
    after = after.model_copy(update={"at": before.at + 7 * 86400})
    return drift(before, after, ignore=(rule("machine.kernel", until=date(2027, 1, 31)), rule("buildx.*")))


def compare(file: str, text: str) -> None:
    """Against the kept file; write it instead where that is asked for."""
    path = GOLDEN / file
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{file} is not kept: run with FLEET_AUDIT_UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["text", "markdown"])
@pytest.mark.parametrize("verbosity", [0, 1])
def test_drift_as_kept(name: str, verbosity: int) -> None:
    """The bad week, byte for byte."""
    compare(
        f"story{'-v' * verbosity}.{ENDINGS[name]}", "".join(DRIFT_FORMATS[name](story(), Style(verbosity=verbosity)))
    )


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_diff_as_kept(name: str) -> None:
    """Two workers of the lab, byte for byte."""
    compare(f"diff.{ENDINGS[name]}", "".join(DIFF_FORMATS[name](diff(recorded(), "amd64", "riscv64"), Style())))


def test_documents_keep_to_their_schemas() -> None:
    """JSON validates, holds the exit code, and each tree to its leaves."""
    document = json.loads("".join(DRIFT_FORMATS["json"](story(), Style())))
    jsonschema.validate(document, drift_schema())
    assert document["exit_code"] == 1
    causes = next(one for one in document["hosts"] if one["host"] == "amd64")["causes"]
    store = next(node for node in causes[0]["then"] if node["id"] == "store")
    assert store["then"][0]["then"][0]["id"] == "manifest-list"
    document = json.loads("".join(DIFF_FORMATS["json"](diff(recorded(), "amd64", "riscv64"), Style())))
    jsonschema.validate(document, diff_schema())


def test_nothing_is_wider_than_the_terminal() -> None:
    """Every line of 80 columns, but what holds a word that long."""
    for line in "".join(DRIFT_FORMATS["text"](story(), Style(width=80))).splitlines():
        assert len(line) <= 80 or max(map(len, line.split("`"))) > 60, line


def test_colour_says_no_more_than_the_words() -> None:
    """Without its colours the text is the same text."""
    painted = "".join(DRIFT_FORMATS["text"](story(), Style(color=True, width=10_000)))
    assert "\x1b[" in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == "".join(DRIFT_FORMATS["text"](story(), Style(width=10_000)))


# ---------------------------------------------------------------- hostile


def spoilt(value: Any, text: str) -> Any:
    """Every text of a JSON value with a worker's own words behind it."""
    if isinstance(value, str):
        return value + text
    if isinstance(value, dict):
        return {key: spoilt(item, text) for key, item in value.items()}
    return [spoilt(item, text) for item in value] if isinstance(value, list | tuple) else value


def hostile(text: str) -> tuple[Snapshot, Snapshot]:
    """A fleet of which every text has changed into a hostile one, verdicts and names too."""
    before = judged(recorded(), verdict("FA006", "pass"), verdict("FA404", "pass"))
    rows = [
        row.model_copy(
            update={
                "facts": {
                    name: spoilt(dict(values), text) for name, values in row.facts.items() if UNASKED not in values
                },
                "detail": text, "pool": f"{row.pool}{text}", "groups": (*row.groups, text),
            }
        )
        for row in recorded().hosts
    ]  # fmt: skip
    rows[1] = rows[1].model_copy(update={"outcome": "timeout"})
    rows[2] = rows[2].model_copy(update={"name": f"new{text}"})
    after = judged(
        recorded(), verdict("FA006", "fail", message=text, remedy=text), verdict("FA404", "fail", message=text)
    )
    return before, after.model_copy(update={"hosts": tuple(rows), "run": text, "tool_version": text})


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_whatever_a_worker_says_is_data(text: str) -> None:
    """No escape reaches a terminal, no markup a ticket, and the documents still are documents."""
    before, after = hostile(text)
    ignored = Ignore(what="engine.*", reason=text, owner=text, until=rule("x").until)
    report, pair = drift(before, after, ignore=(ignored,)), diff(after, "amd64", "riscv64")
    assert report.exit_code == 1
    for style in (Style(verbosity=1), Style(width=60)):
        for name, render in DRIFT_FORMATS.items():
            inert(name, "".join(render(report, style)), drift_schema())
        for name, show in DIFF_FORMATS.items():
            inert(name, "".join(show(pair, style)), diff_schema())


def inert(name: str, out: str, schema: dict[str, Any]) -> None:
    """Nothing in it acts, and a document keeps to its schema."""
    seen = {one for one in out if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert not seen, name
    out.encode("utf-8")
    if name == "json":
        assert "<" not in out
        jsonschema.validate(json.loads(out), schema)
    if name == "markdown":
        kinds = {token.type for line in MarkdownIt("js-default").parse(out) for token in line.children or ()}
        assert not kinds & {"link_open", "image", "html_inline"}


def test_a_long_value_is_cut_and_says_so() -> None:
    """A worker cannot fill the screen; the JSON report holds all of it."""
    report = drift(recorded(), changed(recorded(), "amd64", {"buildx.version": "9" * 100_000}))
    text = "".join(DRIFT_FORMATS["text"](report, Style(verbosity=1)))
    assert len(text) < 3000
    assert "more characters" in text
    assert "9" * 100_000 in "".join(DRIFT_FORMATS["json"](report, Style()))
