"""The HTML page as a text: whole, self-contained, with one place for each host and rule; no browser is needed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from audit.model import Severity, Status
from audit.reports import Style, html
from audit.reports.html import _templates
from audit.reports.html._anchors import anchors
from audit.reports.html._charts import _scale, charts, moment
from tests.reports.fleet import clean, host, hostile, run_of, story, tiny_rules, unreached
from tests.reports.test_hostile import TEXTS, hidden

VOID = {"meta", "input", "rect", "path", "line"}


class Parsed(HTMLParser):
    """A page taken apart: its elements, its attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        """Read the whole text."""
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what begins."""
        self.tags[tag] += 1
        values = {name: value or "" for name, value in attrs}
        self.attributes += values.items()
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what begins and ends at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Hold what ends against what began."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep scripts and styles."""
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)


def page_of(run: Any, **more: Any) -> str:
    """A page as text."""
    return "".join(html.page(run, **more))


def data_of(text: str) -> dict[str, Any]:
    """The packed facts and verdicts of a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    value: dict[str, Any] = json.loads(found[1])
    return value


def test_it_is_whole_and_self_contained() -> None:
    """Every element is closed in its order, ids are unique, links lead somewhere, and nothing is loaded."""
    with tiny_rules():
        run = story()
        parsed = Parsed(page_of(run, timeline=(), history=[html.point_of(run)]))
    assert (parsed.open, parsed.wrong) == ([], [])
    assert [name for name, count in Counter(parsed.ids).items() if count > 1] == []
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name in ("src", "style") or name.startswith("on")]
    assert "url(" not in "".join(parsed.raw["style"])


def test_its_policy_names_its_own_scripts_only() -> None:
    """The content security policy allows exactly the style sheet and the scripts of the page, by their digests."""
    with tiny_rules():
        parsed = Parsed(page_of(story()))
    texts = [text for text in parsed.raw["script"] if not text.startswith("{")] + parsed.raw["style"]
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}
    assert set(re.findall(r"'sha256-[^']+'", parsed.policy)) == digests
    assert parsed.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in parsed.policy


def test_templates_print_nothing_raw_but_our_own() -> None:
    """Only the style sheet, the scripts and the packed data are printed as they stand."""
    raw = re.findall(r"\{\{ (\w+)\|safe \}\}", "".join(_templates.TEMPLATES.values()))
    assert sorted(raw) == ["css", "data", "js", "theme_js"]
    assert "".join(_templates.TEMPLATES.values()).count("safe") == len(raw)


def test_every_finding_stands_in_it_without_scripts() -> None:
    """What fails, what is unknown and what is waived is told by the page itself, with who answers for it."""
    with tiny_rules():
        run = story()
        text = page_of(run)
    static = text[: text.index('<script type="application/json"')]
    for said in ("only 2.0 % free", "buildx is missing", "pushes an OCI index", "connect timed out after 10 s",
                 "new disk is ordered", "mark, until 2026-12-31", "some push an index, some flat"):  # fmt: skip
        assert said in static, said
    assert 'id="rule-FA404"' in static
    assert all(f'id="host-{name}"' in static for name in run.fleet.names)


def test_packed_facts_are_those_of_the_run() -> None:
    """Unpacked as the page's script does it, each host has its own facts and every verdict of its own."""
    with tiny_rules():
        run = story()
        data = data_of(page_of(run))
    texts = data["t"]
    for (facts, verdicts), member in zip(data["h"], run.view.members, strict=True):
        name = member.host.name
        names = [texts[data["f"][place][0]] for place in facts]
        assert names == [fact.replace("_", " ") for fact, _ in member.facts.items()]
        said = {
            (texts[data["v"][place][0]], texts[data["v"][place][1]], texts[data["v"][place][3]].replace("\0", name))
            for place in verdicts
        }
        assert said == {(one.rule, one.status.value, one.message) for one in run.by_subject[name]}
    rows = {texts[key]: texts[value] for key, value in data["r"]}
    assert rows["driver"] in ("overlay2", "overlayfs")


def test_alike_hosts_cost_little() -> None:
    """A host that says what another one says adds a line to the page, not its facts again."""
    with tiny_rules():
        few, more = (
            run_of(
                tuple(host(f"w{n:03}", "p", n) for n in range(count)),
                {f"w{n:03}": unreached("x") for n in range(count)},
            )
            for count in (100, 200)
        )
        growth = len(page_of(more)) - len(page_of(few))
    assert growth / 100 < 1500


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_change_no_element(text: str) -> None:
    """With a hostile text in every field the page has the elements of a harmless one, and no unseen character."""
    with tiny_rules():
        pages = []
        for said in ("harmless", text):
            run = hostile(said)
            entry = html.TimelineEntry(at=0, host=said, kind=said, title=said, detail=said, consequences=(said,))
            point = html.Point(at=0, engines={f"e{said}": 1}, stores={f"s{said}": 1}, reached=1, hosts=1)
            pages.append(page_of(run, timeline=[entry], since=said, history=[point]))
    harmless, parsed = map(Parsed, pages)
    assert not hidden(pages[1])
    assert (parsed.open, parsed.wrong) == ([], [])
    del harmless.tags["code"], parsed.tags["code"]
    assert parsed.tags == harmless.tags
    assert [one for one in parsed.links if one[0] != "#"] == [one for one in harmless.links if one[0] != "#"]


def test_clean_fleet() -> None:
    """A fleet with nothing to say of it says so, and lists its rules with their places."""
    with tiny_rules():
        run = clean()
        text = page_of(run)
    assert "Nothing failed, and nothing is unknown." in text
    assert all(f'id="rule-{rule}"' in text for rule in run.rules)
    assert 'id="drift"' not in text
    assert 'id="history"' not in text


def test_no_drift_is_said() -> None:
    """A comparison that found nothing is told from no comparison."""
    with tiny_rules():
        assert "Nothing that matters changed." in page_of(clean(), timeline=())


def test_timeline_is_newest_first_and_bounded() -> None:
    """The newest change stands first; of very many the older ones are counted."""
    entries = [html.TimelineEntry(at=float(n), kind="k", title=f"change {n}.") for n in range(700)]
    with tiny_rules():
        text = page_of(clean(), timeline=entries)
    assert text.index("change 699.") < text.index("change 698.")
    assert "change 100." not in text
    assert "200 older changes are not shown here" in text


def test_charts_draw_what_their_tables_say() -> None:
    """Each column is as high as its numbers, the layers stand on each other, and the table has the same numbers."""
    points = [
        html.Point(
            at=86400.0 * n, findings={Severity.ERROR: n, Severity.NOTE: 2}, engines={"a": 5, "b": n}, reached=n, hosts=9
        )
        for n in range(1, 9)
    ]
    findings, engines, stores, reach = charts(list(reversed(points)))
    assert findings.layers == ("notes", "warnings", "errors")
    assert findings.table[0] == ("1970-01-02 00:00", (2, 0, 1))
    assert findings.rows[0].text == "0"
    for chart in (findings, engines, stores, reach):
        for bar in chart.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= 640
            assert 0 <= bar.y <= bar.y + bar.height <= 154.01
    last = [bar for bar in reach.bars if bar.x == max(one.x for one in reach.bars)]
    assert last[0].height / last[1].height == pytest.approx(8 / 1, rel=0.01)
    assert last[1].y + last[1].height == pytest.approx(last[0].y, abs=0.05)
    assert stores.layers == ()


def test_chart_of_many_engines_has_few_layers() -> None:
    """Beyond five engines the rarest are one layer, and no host is lost."""
    point = html.Point(at=0, engines={f"28.{n}": 10 - n for n in range(9)}, reached=1, hosts=1)
    chart = charts([point])[1]
    assert chart.layers[-1] == "other"
    assert len(chart.layers) == 5
    assert sum(chart.table[0][1]) == sum(point.engines.values())


@pytest.mark.parametrize(
    ("top", "wanted"), [(0, (1, 1)), (3, (1, 3)), (7, (2, 8)), (45, (20, 60)), (1000, (500, 1000))]
)
def test_axis_is_round(top: int, wanted: tuple[int, int]) -> None:
    """The axis ends at a round number with few steps."""
    assert _scale(top) == wanted


def test_clock_beyond_the_calendar() -> None:
    """A time that no calendar has breaks nothing."""
    assert moment(1e300) == "1e+300"
    assert moment(float("nan")) == "nan"


def test_anchors_are_unique() -> None:
    """Ordinary names stay as they are; names that would meet get a number."""
    made = anchors("host", ["w1", "a b", "a/b", "a_b", "é" * 200, "è" * 200])
    assert made["w1"] == "host-w1"
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]+", one) for one in made.values())


def test_it_is_a_format_of_check() -> None:
    """`render` and `pieces` give the page of `page`, and severities are counted as everywhere."""
    with tiny_rules():
        run = story()
        text = html.render(run, Style())
        assert text == "".join(html.pieces(run, Style())) == page_of(run)
        assert html.point_of(run).findings == Counter(
            verdict.severity for verdict in run.verdicts if verdict.status is Status.FAIL
        )
