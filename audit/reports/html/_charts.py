"""Charts as plain geometry: stacked columns over checks, drawn by the page's template as inline SVG.

No colour is the only sign: every layer has a texture of its own, the legend names it, and a table says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.model import Severity
from audit.reports.html._values import Point

WIDTH, HEIGHT = 640.0, 180.0
"""Of the drawing, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 8.0, 26.0
MOST_COLUMNS = 120
"""Checks in one chart: the newest."""
MOST_LAYERS = 5
"""Engines or stores told apart; the rest is ``other``."""
OTHER = "other"
_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True)
class Bar:
    """One rectangle: a layer's part of one column."""

    x: float
    y: float
    width: float
    height: float
    layer: int


@dataclass(frozen=True)
class Tick:
    """A text at an axis, and where."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One chart with all that its drawing and its table say.

    Attributes:
        id: unique in the page.
        title: its heading.
        summary: one sentence that says what the drawing shows, for who does not see it.
        layers: their names, the lowest first.
        style: which textures: ``severity`` or ``mix``.
        bars: the rectangles.
        rows, columns: ticks of the vertical and the horizontal axis.
        table: a row a check: its moment and each layer's number.
    """

    id: str
    title: str
    summary: str
    layers: tuple[str, ...]
    style: str
    bars: tuple[Bar, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    table: tuple[tuple[str, tuple[int, ...]], ...]


def charts(points: Sequence[Point]) -> tuple[Chart, ...]:
    """All charts of a history, oldest check first; none where there is none."""
    shown = sorted(points, key=lambda point: point.at)[-MOST_COLUMNS:]
    if not shown:
        return ()
    times = [moment(point.at) for point in shown]
    findings = [[point.findings.get(one, 0) for one in reversed(_SEVERITIES)] for point in shown]
    reach = [[point.reached, max(0, point.hosts - point.reached)] for point in shown]
    return (
        _chart("findings", "Findings", ("notes", "warnings", "errors"), "severity", times, findings),
        _mixed("engines", "Engines", times, [point.engines for point in shown]),
        _mixed("stores", "Image stores", times, [point.stores for point in shown]),
        _chart("reach", "Reach", ("answered", "not reached"), "reach", times, reach),
    )


def moment(at: float) -> str:
    """A UNIX time for people: UTC, to the minute; a clock beyond the calendar as it is."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"


def _mixed(name: str, title: str, times: Sequence[str], counts: Sequence[Mapping[str, int]]) -> Chart:
    """Layers for the commonest of the last checks, and one for the rest."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    ordered = sorted(total, key=lambda key: (key == "?", -total[key], key))
    named = ordered if len(ordered) <= MOST_LAYERS else ordered[: MOST_LAYERS - 1]
    layers = tuple(named) + ((OTHER,) if len(named) < len(ordered) else ())
    values = []
    for one in counts:
        row = [one.get(layer, 0) for layer in named]
        values.append([*row, sum(one.values()) - sum(row)] if len(named) < len(ordered) else row)
    return _chart(name, title, layers, "mix", times, values)


def _chart(
    name: str, title: str, layers: tuple[str, ...], style: str, times: Sequence[str], values: Sequence[Sequence[int]]
) -> Chart:
    top = max((sum(row) for row in values), default=0)
    step, most = _scale(top)
    slot = (WIDTH - LEFT - RIGHT) / max(len(values), 8)  # few checks stay columns, and do not become walls
    gap = min(3.0, slot * 0.2)
    unit = (HEIGHT - TOP - BOTTOM) / most
    bars = []
    for place, row in enumerate(values):
        y = HEIGHT - BOTTOM
        for layer, value in enumerate(row):
            if value > 0:
                height = value * unit
                y -= height
                bars.append(
                    Bar(round(LEFT + place * slot, 2), round(y, 2), round(slot - gap, 2), round(height, 2), layer)
                )
    every = max(1, -int(-90 // slot))  # a date is about so wide
    columns = tuple(
        Tick(round(LEFT + place * slot, 2), time[:10])
        for place, time in enumerate(times)
        if place % every == 0 and LEFT + place * slot < WIDTH - 60
    )
    rows = tuple(Tick(round(HEIGHT - BOTTOM - n * step * unit, 2), f"{n * step:,}") for n in range(most // step + 1))
    first, last = (_told(layers, row) for row in (values[0], values[-1]))
    summary = f"{len(times)} checks from {times[0]} ({first}) to {times[-1]} ({last})."
    if len(times) == 1:
        summary = f"One check, {times[0]}: {last}."
    table = tuple((time, tuple(row)) for time, row in zip(times, values, strict=True))
    return Chart(f"chart-{name}", title, summary, layers, style, tuple(bars), rows, columns, table)


def _told(layers: Sequence[str], row: Sequence[int]) -> str:
    return ", ".join(f"{layer} {value:,}" for layer, value in zip(layers, row, strict=True) if value) or "none"


def _scale(top: int) -> tuple[int, int]:
    """Step and end of the axis: round numbers, at most five steps."""
    for power in range(20):
        for digit in (1, 2, 5):
            step = digit * 10**power
            if step * 4 >= top:
                return step, step * max(1, -(-top // step))
    return top, top
