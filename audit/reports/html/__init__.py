"""One self-contained page for a browser: overview, findings, hosts, drift and history; it loads and sends nothing.

    text = render(run, style)
    parts = page(run, timeline=entries, since="baseline spring", history=points)

Whatever a worker or an inventory wrote is inert text in it, and the page's own policy lets no other script run than
its own. It can be read without JavaScript: then there is no filter, and a host's section tells its findings only.
Links into it can be shared: ``#host-NAME`` and ``#rule-FA101``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from audit.model import Severity, Status
from audit.reports._style import Style
from audit.reports.html import _drawing, _js
from audit.reports.html._anchors import anchors
from audit.reports.html._charts import charts
from audit.reports.html._packed import packed
from audit.reports.html._values import Point, SitePage, TimelineEntry
from audit.reports.html._view import View
from audit.run import Run
from audit.summary import engine_text, headline, store_text, totals

name = "html"
about = "one self-contained page for a browser, with every host, rule and fact"

GENERATOR = _drawing.GENERATOR
drawn_by = _drawing.drawn_by
MOST_ENTRIES = 500
"""Changes in the timeline: the newest."""


def render(run: Run, style: Style) -> str:
    """The page of one run alone."""
    return "".join(pieces(run, style))


def pieces(run: Run, style: Style) -> Iterator[str]:  # noqa: ARG001 - every format has this signature
    """The same, piece by piece."""
    return page(run)


def page(
    run: Run,
    *,
    timeline: Sequence[TimelineEntry] | None = None,
    since: str = "the baseline",
    history: Sequence[Point] = (),
    home: str = "",
    mark: str = "",
) -> Iterator[str]:
    """A run's page, with what else is known of the fleet.

    Args:
        run: the check.
        timeline: what changed, in any order (the newest is shown first); None: nobody compared, and no section.
        since: what it was compared with, for the section's heading.
        history: the fleet at earlier checks and this one, in any order; empty: no charts.
        home: a relative address of a site's index; empty: none.
        mark: for whoever looks later whether the page is still right; stands in its head.

    Returns:
        The page in pieces; the last one ends with a newline.
    """
    view = View(run)
    total = totals(run)
    entries = sorted(timeline, key=lambda entry: -entry.at) if timeline is not None else None
    yield from _drawing.draw(
        "report",
        _js.REPORT + _js.SWITCH,
        view=view,
        at=run.when.timestamp(),
        headline=headline(run),
        failed=[(severity.value, total.failed[severity]) for severity in reversed(Severity)],
        waived=total.statuses[Status.WAIVED],
        rules=anchors("rule", [*run.rules, *(verdict.rule for verdict in run.verdicts)]),
        pool_places={row.pool: place for place, row in enumerate(view.pools, 1)},
        timeline=entries[:MOST_ENTRIES] if entries is not None else None,
        older=max(0, len(entries) - MOST_ENTRIES) if entries is not None else 0,
        since=since,
        charts=charts(history),
        data=packed(run),
        tool_version=run.tool_version,
        total_seconds=total.seconds,
        home=home,
        mark=mark,
    )


def index(pages: Sequence[SitePage], *, history: Sequence[Point] = ()) -> Iterator[str]:
    """A site's front page.

    Args:
        pages: in any order; the newest is shown first.
        history: for the charts; empty: none.
    """
    yield from _drawing.draw(
        "index",
        _js.SWITCH,
        pages=sorted(pages, key=lambda page: -page.at),
        charts=charts(history),
        tool_version=_drawing.TOOL_VERSION,
        mark="",
    )


def point_of(run: Run) -> Point:
    """One run as a point of the charts."""
    total = totals(run)
    return Point(
        at=run.when.timestamp(),
        findings=dict(total.failed),
        engines=Counter(map(engine_text, run.view.members)),
        stores=Counter(map(store_text, run.view.members)),
        reached=total.reached,
        hosts=total.hosts,
    )


__all__ = [
    "GENERATOR", "Point", "SitePage", "TimelineEntry", "about", "drawn_by", "index", "name", "page", "pieces",
    "point_of", "render",
]  # fmt: skip
