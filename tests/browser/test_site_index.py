"""The front page of a `report site` in a real browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types

from audit.reports import html
from tests.browser import fleets
from tests.browser.conftest import Look

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


def front() -> str:
    """An index of thirty checks, with charts."""
    points = fleets.points(fleets.lab())
    pages = [
        html.SitePage(
            file=f"run-2026-11-{number:02}T02-00-00-ab12.html", at=point.at, findings=point.findings,
            unknown=number % 3, reached=point.reached, hosts=point.hosts,
        )
        for number, point in enumerate(points, 1)
    ]  # fmt: skip
    return "".join(html.index(pages, history=points))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_index_lists_every_run_newest_first(look: Look, scheme: str) -> None:
    """A link a run beside it, four charts with a table each, axe-core finds nothing, nothing leaves the page."""
    seen = look(front(), color_scheme=scheme)
    links = [one.get_attribute("href") or "" for one in seen.page.locator("table a[href^='run-']").all()]
    assert len(links) == len(set(links)) == len(fleets.points(fleets.lab()))
    assert links == sorted(links, reverse=True)
    assert seen.page.locator("svg.chart").count() == 4
    seen.shot(f"index-{scheme}")
    found = Axe().run(seen.page)
    assert not found.violations_count, found.generate_report()


def test_the_index_on_a_phone_and_without_scripts(look: Look) -> None:
    """Nothing is wider than the screen, and every run can be come to."""
    page = look(front(), viewport={"width": 360, "height": 760}, java_script_enabled=False).page
    assert page.locator("table a[href^='run-']").count() == len(fleets.points(fleets.lab()))
    page = look(front(), viewport={"width": 360, "height": 760}).page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
