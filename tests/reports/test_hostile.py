"""Whatever a worker or an inventory says is data: in no format does it act, and every format stays readable."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from audit import inert
from audit.model import Severity, Status, Verdict
from audit.reports import Style, _json, all_formats, manual
from audit.run import Run
from tests.reports.fleet import CHECKS, hostile, story, tiny_rules

TEXTS = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\0",
    "a\r\nb\nc",
    "]]>",
    "a | b | c",
    "\n::error::owned",
    "::set-output name=x::y%0A",
    "\n##[error]owned",
    "\u202eevil\u2066\u200b\u2028",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    '"},"x":{"',
    '\\"\\',
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "@everyone #1 GH-2 https://evil.example www.evil.example a@evil.example",
    "`` ` <b>`</b> ` ``",
    "&lt;b&gt; &#60;b&#62;",
    '# HELP x\ny{a="b"} 1',
    "${{ secrets.X }} {0} %s {x}",
    "\ufffe\uffff\U000e0041",
]
SGR = re.compile("\x1b\\[[0-9;]*m")


def hidden(text: str) -> set[str]:
    """The characters of a text that a person cannot see, but for line ends."""
    return {one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}


def reports(run: Run, style: Style | None = None) -> dict[str, str]:
    """Every format of a run."""
    return {name: one.render(run, style or Style(verbosity=2)) for name, one in all_formats().items()}


def check_all(run: Run) -> None:
    """No report of this run acts, and each can be read by a program that knows its format."""
    for name, text in reports(run).items():
        assert not hidden(text), name
        text.encode("utf-8")
    texts = reports(run)
    document = json.loads(texts["json"])
    assert [host["name"] for host in document["hosts"]] == list(run.fleet.names)
    kinds = [json.loads(line)["kind"] for line in texts["jsonl"].splitlines()]
    assert (kinds[0], kinds[-1], kinds.count("verdict")) == ("run", "end", len(run.verdicts))
    results = json.loads(texts["sarif"])["runs"][0]["results"]
    assert len(results) == sum(verdict.status in (Status.FAIL, Status.WAIVED) for verdict in run.verdicts)
    suites = ElementTree.fromstring(texts["junit"])
    assert len(suites.findall("testsuite")) == len(run.fleet) + 1
    assert len(JUnitXml.fromstring(texts["junit"].encode())) == len(run.fleet) + 1
    families = {family.name: family for family in text_string_to_metric_families(texts["prometheus"])}
    assert len(families["fleet_audit_up"].samples) == len(run.fleet)
    rows = list(csv.reader(io.StringIO(texts["csv"])))
    assert len(rows) == 1 + sum(verdict.status is not Status.NOT_APPLICABLE for verdict in run.verdicts)
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(texts["csv"].splitlines()) == len(rows)
    assert not [cell for row in rows for cell in row if cell.lstrip(" ").startswith(("=", "+", "-", "@"))]
    check_markdown(texts["markdown"])
    for line in texts["github"].splitlines():
        assert re.match(r"::(error|warning|notice) [^:]*::|fleet-audit: ", line), line
    coloured = reports(run, Style(color=True, verbosity=2))["table"]
    assert not hidden(SGR.sub("", coloured))
    assert SGR.sub("", coloured) == texts["table"]


def check_markdown(text: str) -> None:
    """The Markdown holds no HTML, and nothing in it becomes a link, an image or emphasis but what we set."""
    without_code = re.sub(r"`[^`\n]*`", "", text)
    assert "<" not in without_code
    html = MarkdownIt("commonmark").enable("table").render(text)
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= {"h1", "h2", "h3", "p", "ul", "li", "strong", "code", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("text", TEXTS)
def test_planted_texts_are_inert(text: str) -> None:
    """A text planted in every field that a worker or an inventory fills acts in no report."""
    with tiny_rules():
        check_all(hostile(text))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=30).filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_any_text_is_inert(text: str) -> None:
    """Any text at all, planted likewise, acts in no report."""
    with tiny_rules():
        check_all(hostile(text))


def test_lone_surrogates_are_inert() -> None:
    """What no UTF-8 can hold breaks no report, should it ever get past the models."""
    bad = "\ud800x"
    verdict = Verdict(
        rule="FA204", subject="riscv-06", status=Status.FAIL, severity=Severity.ERROR, message=bad, evidence=(bad,),
        remedy=bad, hosts=(), because=None, waiver=None,
    )  # fmt: skip
    with tiny_rules():
        run = story()
        run = Run(run.fleet, run.evidence, run.facts, run.view, (*run.verdicts, verdict), "0.0.0")
        check_all(run)


def test_long_texts_are_bounded_in_the_table() -> None:
    """A worker that says a megabyte fills no terminal; how much is left out is said."""
    with tiny_rules():
        run = hostile("x" * 200_000)
        text = all_formats()["table"].render(run, Style())
    assert "more characters" in text
    assert len(text) < 1_500_000


def test_every_unseen_character_is_escaped() -> None:
    """No character of Unicode that cannot be seen passes any of the escapes."""
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    for escape in (inert.terminal, inert.markdown, inert.xml, inert.csv, inert.label, inert.command_property):
        assert not hidden(escape(every)), escape
    assert not hidden(inert.sarif(every))
    assert not hidden(inert.json(every.replace("\n", "")))


@given(st.text())
def test_json_escape_keeps_the_value(text: str) -> None:
    """Making JSON inert changes how it is written, not what it says."""
    whole = text.encode("utf-8", "replace").decode()
    assert json.loads(_json.dumps({"a": whole})) == {"a": whole}
    json.loads(_json.dumps({"a": text + "\udfff"}))


@given(st.text())
def test_prometheus_label_round_trips(text: str) -> None:
    """A label's value comes out of the reference parser as the visible form of what went in."""
    line = f'a{{b="{inert.label(text)}"}} 1\n'
    (family,) = text_string_to_metric_families(line)
    assert family.samples[0].labels["b"] == inert.terminal(text)


@given(st.text())
def test_markdown_shows_the_text(text: str) -> None:
    """Rendered, Markdown shows the text and nothing but the text."""
    html = MarkdownIt("commonmark").enable("table").render(f"x{inert.markdown(text)}x")
    assert set(re.findall(r"</?([a-z0-9]+)", html)) <= {"p", "code"}


def test_explain_is_inert() -> None:
    """The manual page of a rule on a hostile host holds no control character but line ends."""
    with tiny_rules():
        for text in TEXTS:
            run = hostile(text)
            for name in run.fleet.names:
                for check in CHECKS.values():
                    assert not hidden(manual.explain(check.rule, run, name, Style()))
