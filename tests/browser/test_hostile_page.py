"""Whatever a worker, an inventory or a history says is text in the page: nothing of it runs, or changes the page."""

from __future__ import annotations

from functools import cache

import pytest

from audit.model import Severity
from audit.reports import html
from tests.browser.conftest import Look
from tests.reports.fleet import hostile, tiny_rules

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

TEXTS = {
    "script": "<script>window.owned=1;alert(1)</script>",
    "end of script": "</script><script>window.owned=1;alert(1)</script><!--",
    "end of style": "</style></title></textarea></noscript><img src=x onerror=window.owned=1>",
    "attribute": "\" autofocus onfocus=window.owned=1 x=\"' onmouseover='window.owned=1",
    "tag": "<svg onload=window.owned=1><iframe src=https://evil.example></iframe>",
    "link": "javascript:window.owned=1",
    "template": "{{ 7*7 }}{% raw %}{{ cycler.__init__.__globals__ }}",
    "entities": "&lt;script&gt;&#x202e;&amp;",
    "unseen": "\0\x1b[2J\u202eevil\u2066\u200b\u2028\U000e0041\ufeff",
    "prototype": "__proto__",
    "long": "x" * 100_000,
}
COUNT = (
    "() => { const found = {}; document.querySelectorAll('*').forEach(one => {"
    " if (one.tagName !== 'CODE') { found[one.tagName] = (found[one.tagName] || 0) + 1; } }); return found; }"
)
HANDLERS = (
    "() => [...document.querySelectorAll('*')].flatMap(one => [...one.attributes])"
    ".filter(one => one.name.startsWith('on') || /^\\s*(javascript|data|https?):/i.test(one.value)).length"
)


@cache
def page_with(text: str) -> str:
    """A page whose every foreign text holds `text`: hosts, facts, verdicts, drift and history."""
    with tiny_rules():
        run = hostile(text)
        change = html.TimelineEntry(
            at=run.when.timestamp(), host=f"w1{text}", kind=f"k{text}", title=f"t{text}", detail=f"d{text}",
            consequences=(f"c{text}",),
        )  # fmt: skip
        stranger = change.model_copy(update={"host": f"gone{text}"})
        point = html.Point(
            at=run.when.timestamp(), findings={Severity.ERROR: 1}, engines={f"e{text}": 3}, stores={f"s{text}": 3},
            reached=3, hosts=4,
        )  # fmt: skip
        return "".join(
            html.page(run, timeline=[change, stranger], since=f"b{text}", history=[point], home=f"h{text}.html")
        )


@pytest.mark.parametrize("kind", TEXTS)
def test_nothing_acts(look: Look, kind: str) -> None:
    """With each host open, the page has the very elements that it has with a harmless text, and no script ran."""
    counts = []
    for text in ("harmless", TEXTS[kind]):
        page = look(page_with(text)).page
        page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
        page.locator(".facts").nth(3).wait_for(state="attached")
        assert page.evaluate("() => window.owned") is None
        counts.append((page.evaluate(COUNT), page.evaluate(HANDLERS)))
    assert counts[0] == counts[1]


def test_it_can_be_read_and_found(look: Look) -> None:
    """A hostile name is shown as it was sent, can be searched for, and its link leads to it."""
    text = TEXTS["script"]
    page = look(page_with(text)).page
    assert page.locator("details.host h3").first.text_content() == f"w1{text}"
    page.get_by_label("Search hosts and findings").fill(f"w1{text}")
    assert page.locator("details.host:visible").count() == 1
    page.locator(".timeline a").first.click()
    host = page.locator("details.host", has=page.locator("h3", has_text="w1<script>"))
    host.locator(".facts").wait_for(state="visible")
    assert f"/usr/bin/docker{text}" in host.inner_text()
