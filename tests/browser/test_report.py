"""The HTML report in a real browser: drawn, filtered, walked with the keyboard, printed, and quiet on the network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Page, expect

from audit.model import Status
from audit.reports import html
from tests.browser import fleets
from tests.browser.conftest import SHOTS, Look

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

HOSTS = "details.host:visible"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
RULES = "article.rule:visible"


@cache
def story() -> str:
    """The page that most tests look at, drawn once."""
    return fleets.story()


def axe(page: Page) -> str:
    """What axe-core finds wrong with the page as it is; empty: nothing."""
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


def test_everything_is_drawn(look: Look) -> None:
    """Each section has its heading, each host its section, each rule that found something its article."""
    page = look(story()).page
    headings = [one.text_content() for one in page.locator("h2").all()]
    assert headings == ["Overview", "Drift since baseline spring", "Findings", "History", "Hosts"]
    run = fleets.lab()
    assert [one.text_content() for one in page.locator("details.host h3").all()] == list(run.fleet.names)
    failed = {verdict.rule for verdict in run.verdicts if verdict.status is Status.FAIL}
    drawn = {one.get_attribute("id") for one in page.locator(RULES).all()}
    assert {f"rule-{rule}" for rule in failed} <= drawn
    assert page.locator("svg.chart").count() == 4
    assert page.locator("tbody tr th", has_text="linux-riscv64").count() >= 1


def test_opened_host_shows_its_facts(look: Look) -> None:
    """A host that is opened shows every fact of its own, and all its verdicts with their evidence."""
    page = look(story()).page
    host = page.locator("details.host", has=page.locator("h3", has_text="riscv64"))
    host.locator("summary").first.click()
    facts = host.locator(".facts")
    assert "containerd" in facts.inner_text()
    run = fleets.lab()
    known = {name.replace("_", " ") for name, _ in run.facts["riscv64"].items()}
    captions = {one.text_content() for one in facts.locator("caption").all()}
    assert captions <= known
    assert {"engine", "image store", "buildx", "machine"} <= captions
    for verdict in run.by_subject["riscv64"]:
        if verdict.status is Status.FAIL:
            for line in verdict.evidence:
                assert line.replace("`", "") in host.inner_text()
    quiet = host.locator("details summary").last
    quiet.click()
    assert host.locator(".badge.pass").count() == sum(
        verdict.status is Status.PASS for verdict in run.by_subject["riscv64"]
    )


def test_filter(look: Look) -> None:
    """Words, a state and a pool narrow hosts and rules, the count says so, and Clear undoes it."""
    page = look(story()).page
    every = page.locator(HOSTS).count(), page.locator(RULES).count()
    page.get_by_label("Search hosts and findings").fill("RISCV64 index")
    assert [one.text_content() for one in page.locator(f"{HOSTS} h3").all()] == ["riscv64"]
    assert page.locator(RULES).count() < every[1]
    assert "1 of 12 hosts" in page.locator("#count").inner_text()
    page.get_by_label("Search hosts and findings").fill("no such word anywhere")
    assert page.locator("#none").is_visible()
    page.get_by_role("button", name="Clear").click()
    assert (page.locator(HOSTS).count(), page.locator(RULES).count()) == every
    page.get_by_label("Worst finding").select_option("error")
    states = {one.get_attribute("data-state") for one in page.locator(HOSTS).all()}
    assert states == {"error"}
    page.get_by_label("Worst finding").select_option("")
    page.get_by_label("Pool of the host").select_option(label="bookworm")
    assert [one.text_content() for one in page.locator(f"{HOSTS} h3").all()] == ["bookworm"]


def test_links_can_be_shared(look: Look) -> None:
    """``#host-NAME`` opens the host and ``#rule-ID`` shows the rule, also one that found nothing or is filtered out."""
    page = look(story(), at="#host-s390x").page
    host = page.locator("#host-s390x")
    assert host.is_visible()
    expect(page.locator("details.host", has=host).locator("summary").first).to_be_focused()
    page.get_by_label("Search hosts and findings").fill("amd64")
    page.evaluate("location.hash = '#host-riscv64'")
    page.locator("#host-riscv64").wait_for(state="visible")
    assert page.get_by_label("Search hosts and findings").input_value() == ""
    page.evaluate("location.hash = '#rule-FA404'")
    expect(page.locator("#rule-FA404")).to_be_in_viewport()
    assert page.locator("#rule-FA002").is_hidden()
    page.evaluate("location.hash = '#rule-FA002'")
    page.locator("#rule-FA002").wait_for(state="visible")
    page.evaluate("location.hash = '#%E0%A4%A'")  # what is no address breaks nothing
    page.evaluate("location.hash = '#host-nobody'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_and_accessibility(look: Look, scheme: str) -> None:
    """Both themes differ, follow the system, and axe-core finds nothing in either, with hosts and tables open."""
    seen = look(story(), color_scheme=scheme)
    page = seen.page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(247, 248, 249)"
    assert light is (scheme == "light")
    seen.shot(f"report-{scheme}")
    assert axe(page) == ""
    page.evaluate(OPEN_ALL)
    expect(page.locator(".facts")).to_have_count(12)
    page.evaluate(OPEN_ALL)
    assert axe(page) == ""
    page.locator("#drift").evaluate("one => one.scrollIntoView()")
    seen.shot(f"drift-{scheme}")
    page.locator("#history").evaluate("one => one.scrollIntoView()")
    seen.shot(f"history-{scheme}")
    page.locator("#host-riscv64").evaluate("one => one.scrollIntoView()")
    seen.shot(f"host-{scheme}")


def test_theme_is_remembered(look: Look) -> None:
    """The switch goes system, light, dark; what was chosen is there after the page is loaded again."""
    page = look(story(), color_scheme="light").page
    button = page.locator("#theme")
    assert button.inner_text() == "Theme: system"
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button.click()
    button.click()
    assert button.inner_text() == "Theme: dark"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != before
    page.reload()
    assert page.locator("#theme").inner_text() == "Theme: dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == before


def walk(page: Page, most: int = 60) -> Iterator[str]:
    """Tab by tab: what has the focus; it must be seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "(() => { const one = document.activeElement, style = getComputedStyle(one);"
            " return [one.id || one.className || one.textContent.trim().slice(0, 30), one.matches(':focus-visible'),"
            " style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, one === document.body]; })()"
        )
        if told[3]:
            return
        assert told[1:3] == [True, True], f"the focus on {told[0]} cannot be seen"
        yield told[0]


def test_keyboard(look: Look) -> None:
    """The skip link is first; every control can be reached and seen; a host opens with Enter."""
    page = look(story()).page
    order = list(walk(page))
    assert order[0] == "skip"
    places = [order.index(name) for name in ("theme", "find", "state", "pool", "clear")]
    assert places == sorted(places)
    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("details.host summary").first.focus()
    page.keyboard.press("Enter")
    page.locator(".facts").first.wait_for(state="visible")
    page.keyboard.press("Enter")
    page.locator(".facts").first.wait_for(state="hidden")


def test_landmarks_and_names(look: Look) -> None:
    """One of each landmark, a caption for every table, a name and a table for every chart; headings skip no level."""
    page = look(story()).page
    for role in ("banner", "main", "contentinfo", "navigation", "search"):
        assert page.get_by_role(role).count() == 1, role
    assert page.locator("table").count() == page.locator("table > caption").count()
    for chart in page.locator("figure").all():
        assert len(chart.locator("svg.chart").get_attribute("aria-label") or "") > 40
        assert chart.locator("table tbody tr").count() == 31
    levels = [int(one.evaluate("one => one.tagName[1]")) for one in page.locator("h1, h2, h3, h4").all()]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_print(look: Look) -> None:
    """On paper there is no bar and no dark ground, and the hosts with something to read are open."""
    seen = look(story(), color_scheme="dark")
    page = seen.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".bar").is_hidden()
    assert page.locator("#theme").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 38)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.locator("#host-riscv64").wait_for(state="visible")
    closed = page.locator("article.rule:visible details:not([open])")
    assert closed.count() == 0, "no evidence stays folded away on paper"
    assert page.locator("article.rule details").count() > 0
    seen.shot("report-print", full=True)
    assert page.locator(".facts").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#host-riscv64").is_hidden()


def test_without_javascript(look: Look) -> None:
    """Without scripts the filter is not there, and every finding with its evidence and remedy still is."""
    page = look(story(), java_script_enabled=False).page
    assert page.locator("#find").is_hidden()
    assert page.locator("#theme").is_hidden()
    assert page.locator("noscript p").is_visible()
    article = page.locator("#rule-FA404").text_content() or ""
    (verdict,) = (one for one in fleets.lab().by_subject["riscv64"] if one.rule == "FA404")
    for text in (*verdict.evidence, verdict.message, verdict.remedy):
        assert text.replace("`", "") in article
    page.locator("details.host summary").first.click()
    assert page.locator("#host-amd64 .list li").count() == 5


def test_narrow_and_calm(look: Look) -> None:
    """On a phone nothing is wider than the screen; with reduced motion nothing moves."""
    seen = look(story(), viewport={"width": 360, "height": 760}, reduced_motion="reduce")
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    moving = (
        "[...document.querySelectorAll('*')].filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0"
    )
    assert page.evaluate(f"{moving} || parseFloat(getComputedStyle(one).animationDuration) > 0).length") == 0
    seen.shot("report-narrow")
    assert axe(page) == ""


def test_thousand_hosts(look: Look, tmp_path: Path) -> None:
    """A thousand hosts are less than 3 MB, and in less than two seconds the page is there and has filtered once."""
    run = fleets.many(1000)
    file = tmp_path / "thousand.html"
    text = "".join(html.page(run, timeline=fleets.changes(run), history=fleets.points(run)))
    file.write_text(text, encoding="utf-8")
    assert file.stat().st_size < 3_000_000
    found = []
    for _ in range(3):
        seen = look(file)
        seconds = seen.page.evaluate(
            "(() => { const ready = performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd;"
            " const start = performance.now(), find = document.getElementById('find'); find.value = 'riscv64-0004';"
            " find.dispatchEvent(new Event('input')); document.body.getBoundingClientRect();"
            " return (ready + performance.now() - start) / 1000; })()"
        )
        assert seen.page.locator(HOSTS).count() == 1
        found.append(seconds)
        if len(found) == 1:
            seen.page.get_by_role("button", name="Clear").click()
            seen.shot("thousand")
    print(f"1,000 hosts: {file.stat().st_size / 1e6:.2f} MB, {min(found):.2f} s")
    assert min(found) < 2
    assert SHOTS.joinpath("thousand.png").exists()
