"""Every format of one small fleet, compared with what is kept in golden/ (FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites it)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audit.reports import Style, all_formats, manual
from tests.reports.fleet import CHECKS, clean, story, tiny_rules

GOLDEN = Path(__file__).parent / "golden"
RULES = {name: check.rule for name, check in CHECKS.items()}
ENDINGS = {"table": "txt", "github": "txt", "markdown": "md", "junit": "xml", "prometheus": "prom"}


def compare(file: str, text: str) -> None:
    """Against the kept file; write it instead where that is asked for."""
    path = GOLDEN / file
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{file} is not kept: run with FLEET_AUDIT_UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(all_formats()))
def test_format(name: str) -> None:
    """Each format renders the story's fleet byte for byte as kept, and twice the same."""
    with tiny_rules():
        text = all_formats()[name].render(story(), Style())
        assert text == all_formats()[name].render(story(), Style())
    assert text.endswith("\n")
    if name == "html":  # a colour that changes must not break what is kept: test_html.py asserts its structure
        return
    if name in ("json", "jsonl", "sarif"):  # a fact that gains a field must not break what is kept
        text = _without_facts(text)
    compare(f"story.{name}.{ENDINGS.get(name, name)}", text)


def _without_facts(text: str) -> str:
    documents = [json.loads(line) for line in text.splitlines()] if text.count('{"kind"') > 1 else [json.loads(text)]
    for document in documents:
        for host in [document, *document.get("hosts", ())]:
            if "facts" in host:
                host["facts"] = sorted(host["facts"])
    return "".join(json.dumps(document, indent=1, ensure_ascii=False) + "\n" for document in documents)


@pytest.mark.parametrize(
    ("file", "style"),
    [
        ("table-v.txt", Style(verbosity=1)),
        ("table-vv.txt", Style(verbosity=2)),
        ("table-80.txt", Style(width=80)),
        ("table-wide.txt", Style(width=200)),
        ("table-color.txt", Style(color=True)),
    ],
)
def test_table_styles(file: str, style: Style) -> None:
    """The table at each verbosity and width, and in colour, is as kept."""
    with tiny_rules():
        compare(file, all_formats()["table"].render(story(), style))


def test_clean_table_is_two_blocks() -> None:
    """A clean fleet prints its pools and one line."""
    with tiny_rules():
        text = all_formats()["table"].render(clean(), Style())
    assert text.splitlines()[-2:] == ["", "2 hosts reached of 2 · clean · 5 rules · 3.2 s"]
    assert len(text.splitlines()) == 4


def test_manual() -> None:
    """The rules' list and pages, and one rule on a host, on a host that was not reached, and alone, are as kept."""
    remedies = manual.Remedies(frozenset({"FA404"}), {"FA501": "which store is meant is a person's decision"})
    compare("rules.txt", manual.rules_table(RULES))
    compare("rules.md", manual.rules_markdown(RULES, remedies))
    compare("rules.json", manual.rules_json(RULES, remedies))
    compare("explain.txt", manual.explain(RULES["FA404"], None, None, Style(), remedies))
    with tiny_rules():
        run = story()
        pages = [
            ("FA404", "riscv-03"),
            ("FA404", "w7"),
            ("FA204", "amd64-2"),
            ("FA501", "riscv-06"),
            ("FA301", "nobody"),
        ]
        text = "\n".join(manual.explain(RULES[rule], run, host, Style(width=100), remedies) for rule, host in pages)
    compare("explain-host.txt", text)
