"""Every format of one night, as kept in golden/ (FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites it), and of hostile nights."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import pkgutil
import time
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
import xmlschema
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from audit.batch import BatchReport, ErrorSeen, TagReport
from audit.batch.forecast import foretell
from audit.batch.reports import Style, _forecast, all_formats, render_forecast
from audit.batch.reports import json as json_report
from tests.batch.fleet import digest, fleet, manifests
from tests.reports.test_hostile import TEXTS

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"text": "txt", "markdown": "md", "junit": "xml", "prometheus": "prom"}
XSD = Path(__file__).parent.parent / "reports" / "schemas" / "junit.xsd"


def compare(file: str, text: str) -> None:
    """Against the kept file; write it instead where that is asked for."""
    path = GOLDEN / file
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{file} is not kept: run with FLEET_AUDIT_UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")


def sha(number: int) -> str:
    """A digest that looks like one."""
    return f"sha256:{number:064x}"


def tag(number: int, state: str = "done", why: str = "", **more: object) -> TagReport:
    """One tag of the story."""
    name = f"docker.io/live/opam:debian-13-ocaml-5.{number}"
    usual = {
        "tag": name, "state": state, "digest": sha(number + 1000), "before": None, "before_known": True,
        "platforms": ("linux/amd64", "linux/arm64"), "requests": {"POST mount": 12, "PUT manifest": 3},
        "pulls": 0, "attempts": 1, "why": why.replace("TAG", name),
    }  # fmt: skip
    return TagReport.model_validate(usual | more)


def report(tags: tuple[TagReport, ...], **more: object) -> BatchReport:
    """A run of a quarter of an hour."""
    usual = {
        "tool_version": "0.5.0", "run": "20260104-2200-7f3a", "plan": "night.yml", "plan_digest": "ab" * 32,
        "began": 1767564000.0, "ended": 1767564900.5, "tags": tags,
        "requests": {
            "token": 4, "HEAD manifest": 30, "GET manifest": 8, "POST mount": 2310, "PUT manifest": 100,
        },
        "pulls": 8, "waited": {"rate": 312.4, "limit": 61.0, "retry": 0.3},
    }  # fmt: skip
    return BatchReport.model_validate(usual | more)


def story() -> BatchReport:
    """A night with every state, two causes of one state, and a cause with many tags."""
    mounts = {"POST mount": 12}
    parked = [
        tag(number, "parked", "TAG: Docker Hub did not answer for 600 s; its last error was 503", digest=None,
            requests=mounts, attempts=4, waited={"retry": 71.5},
            errors=(ErrorSeen(kind="network", count=3, last="connection reset by peer"),
                    ErrorSeen(kind="server", count=1, last="503 Service Unavailable")))
        for number in range(10, 15)
    ]  # fmt: skip
    lost = tag(20, "failed", f"staging/opam:debian-13-arm64 is no longer there ({sha(7)})", digest=None, requests={})
    lost_too = tag(
        21, "failed", f"staging/opam:debian-13-arm64 is no longer there ({sha(8)})", digest=None, requests={}
    )
    shape = tag(22, "failed", "two sources are both for linux/arm64: give one of them", digest=None, requests={})
    moved = tag(30, "moved", f"TAG stands for {sha(9)}, which this fleet-audit did not put there", before=sha(9))
    left = [
        tag(number, "left", "the run was stopped before its turn", digest=None, requests={}, attempts=0)
        for number in (40, 41)
    ]
    same = [
        tag(number, "unchanged", requests={"HEAD manifest": 1}, before=sha(number + 1000)) for number in range(50, 53)
    ]
    made = (*[tag(number) for number in range(4)], *same, *parked, lost, lost_too, shape, moved, *left)
    return report(made, stopped="SIGINT", resumed=2, bytes_moved=1_234_567)


def quiet() -> BatchReport:
    """A night with nothing to tell."""
    return report((tag(1), tag(2, "unchanged")), waited={}, requests={"token": 1, "HEAD manifest": 2})


@pytest.mark.parametrize("name", sorted(all_formats()))
def test_format(name: str) -> None:
    """Each format renders the story as kept, twice the same, and ends with a line end."""
    text = all_formats()[name].render(story(), Style())
    assert text == all_formats()[name].render(story(), Style())
    assert text.endswith("\n")
    compare(f"night.{name}.{ENDINGS.get(name, name)}", text)


@pytest.mark.parametrize(
    ("file", "style"),
    [
        ("night-v.txt", Style(verbosity=1)),
        ("night-80.txt", Style(width=80)),
        ("night-color.txt", Style(color=True)),
    ],
)
def test_text_styles(file: str, style: Style) -> None:
    """The text at each verbosity and width, and in colour, is as kept."""
    compare(file, all_formats()["text"].render(story(), style))


def test_nothing_to_tell_is_one_line() -> None:
    """Where all is well there is one line, and it says so."""
    text = all_formats()["text"].render(quiet(), Style())
    assert text == "2 tags: 1 done, 1 unchanged · 3 requests · 8 pulls · 15.0 min\n"


def test_what_is_undone_stands_first() -> None:
    """Causes come before the summary, the worst first, each once with its tags counted."""
    lines = all_formats()["text"].render(story(), Style()).splitlines()
    heads = [line for line in lines if " tag" in line and not line.startswith(" ")]
    assert [line.split(":")[0] for line in heads] == [
        "failed 2 tags", "failed 1 tag", "moved 1 tag", "parked 5 tags", "left 2 tags", "18 tags",
    ]  # fmt: skip


def test_forecast() -> None:
    """A forecast, exact and with something assumed, as text and as JSON, is as kept and keeps to its schema."""
    rates = {"docker.io": 60.0}
    exact = foretell(fleet(), known=manifests().get, last=lambda one: digest(str(one.tag)), rates=rates)
    some = foretell(fleet(), known=lambda _: None, rates=rates)
    compare("forecast.txt", render_forecast(exact, Style()))
    compare("forecast-assumed.txt", render_forecast(some, Style(width=80)))
    text = render_forecast(some, Style(), "json")
    compare("forecast.json", text)
    schema = _forecast.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(text), schema)


def test_json_keeps_to_its_schema() -> None:
    """The document is valid against the published schema, which refuses what it does not know."""
    schema = json_report.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(json_report.render(story(), Style()))
    jsonschema.validate(document, schema)
    assert (document["exit_code"], document["counts"]["parked"]) == (5, 5)
    assert json.loads(json_report.render(quiet(), Style()))["exit_code"] == 0
    document["tags"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def check_all(found: BatchReport) -> None:
    """No report of this acts, and each can be read by a program that knows its format."""
    texts = {name: one.render(found, Style(verbosity=1)) for name, one in all_formats().items()}
    for name, text in texts.items():
        hidden = {one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
        assert not hidden, name
        text.encode()
    assert len(json.loads(texts["json"])["tags"]) == len(found.tags)
    rows = list(csv.reader(io.StringIO(texts["csv"])))
    assert len(rows) == len(found.tags) + 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    xmlschema.XMLSchema(XSD).validate(texts["junit"])
    assert JUnitXml.fromstring(texts["junit"].encode()).tests == len(found.tags)
    families = {family.name: family for family in text_string_to_metric_families(texts["prometheus"])}
    assert sum(one.value for one in families["fleet_audit_merge_tags"].samples) == len(found.tags)
    html = MarkdownIt("gfm-like", {"linkify": False}).render(texts["markdown"])
    assert not [word for word in ("<script", "<a ", "<img", "<b>") if word in html]


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts(text: str) -> None:
    """Whatever a registry, a plan's name or an error says is plain text in every format."""
    errors = (ErrorSeen(kind=text, count=2, last=text),)
    made = tuple(
        tag(number, state, text, tag=f"{text}{number}", digest=text, before=text, platforms=(text,), errors=errors,
            requests={text: 1}, waited={text: 2.0})
        for number, state in enumerate(("done", "failed", "moved", "parked", "left"))
    )  # fmt: skip
    check_all(report(made, run=text, plan=text, plan_digest=text, stopped=text, requests={text: 3}, waited={text: 4.0}))


def test_the_story_and_the_quiet_night_are_readable() -> None:
    """Programs read every format of both nights, and of one without tags or with a clock that went back."""
    for found in (story(), quiet(), report(()), report((tag(1),), ended=1.0)):
        check_all(found)


def test_prometheus_counts() -> None:
    """The textfile has every state, each kind of request, and no tag's name."""
    text = all_formats()["prometheus"].render(story(), Style())
    assert 'fleet_audit_merge_tags{plan="night.yml",state="parked"} 5\n' in text
    assert 'fleet_audit_merge_requests_total{plan="night.yml",kind="POST mount"} 2310\n' in text
    assert 'fleet_audit_merge_waited_seconds_total{plan="night.yml",reason="rate"} 312.4\n' in text
    assert "debian-13" not in text


def test_formats_are_the_folder() -> None:
    """Every promised format is there, in name order, each with one line about it."""
    assert list(all_formats()) == ["csv", "json", "junit", "markdown", "prometheus", "text"]
    assert all("\n" not in one.about for one in all_formats().values())


def test_a_module_without_render_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the folder that is no format is an error, not a format that is missing."""
    modules = [SimpleNamespace(name="_told"), SimpleNamespace(name="text")]
    monkeypatch.setattr(pkgutil, "iter_modules", lambda _: modules)
    assert list(all_formats.__wrapped__()) == ["text"]
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(name="text", about="x"))
    with pytest.raises(TypeError, match="render"):
        all_formats.__wrapped__()
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace())
    with pytest.raises(TypeError, match="about"):
        all_formats.__wrapped__()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(all_formats()))
def test_many_tags_are_reported_soon(name: str) -> None:
    """10,000 tags, each parked for its own reason, are rendered within three seconds."""
    why = "the registry {} said: no, for {} is not {}"
    many = report(tuple(tag(n, "parked", why.format(chr(97 + n % 26), "x" * (n // 26), n)) for n in range(10_000)))
    began = time.process_time()
    all_formats()[name].render(many, Style(verbosity=1))
    assert time.process_time() - began < 3
