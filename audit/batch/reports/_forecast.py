"""A forecast, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit.batch.forecast import BatchForecast
from audit.batch.reports._told import counted
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import painter, shown, wrap
from audit.value import SCHEMA_VERSION


def text(forecast: BatchForecast, style: Style) -> str:
    """For a terminal: the cost, how sure it is, and the same work done by Docker's clients."""
    return "".join(f"{line}\n" for line in _lines(forecast, style))


def _lines(forecast: BatchForecast, style: Style) -> Iterator[str]:
    about = "" if forecast.exact else "about "
    rates = ", ".join(f"{rate:,.0f}/min at {registry}" for registry, rate in forecast.rates.items())
    head = f"{counted(forecast.tags, 'tag')} by {counted(forecast.units, 'merge')}"
    if forecast.unchanged:
        head += f", {forecast.unchanged:,} unchanged"
    cost = [f"{about}{counted(forecast.requests, 'request')}", f"{about}{counted(forecast.pulls, 'pull')}"]
    if rates:
        cost.append(f"{about}{forecast.minutes:,.1f} min at {rates}")
    if forecast.bytes:
        cost.append(f"{forecast.bytes / 1e6:,.1f} MB through this machine")
    yield from wrap(shown(f"{head}: {', '.join(cost)}"), style.width, "", "  ")
    kinds = " · ".join(f"{count:,} {kind}" for kind, count in forecast.by_kind.items())
    yield from wrap(shown(kinds), style.width, "  ", "  ")
    if not forecast.exact:
        yield from wrap(_assumed(forecast), style.width, "  ", "  ")
    yield ""
    yield from _peers(forecast, style)


def _assumed(forecast: BatchForecast) -> str:
    said = f"assumed: the manifests of {forecast.assumed:,} of {counted(forecast.images, 'image')} are not at hand"
    if forecast.assumed == forecast.images:
        return f"{said}, so {forecast.assumed_blobs:.0f} blobs each were counted, none of them shared: it will be less"
    return f"{said}, so {forecast.assumed_blobs:.0f} blobs each were counted, shared as those at hand share theirs"


def _peers(forecast: BatchForecast, style: Style) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("done by", "requests", "pulls", "minutes")]
    rows.append(("fleet-audit", f"{forecast.requests:,}", f"{forecast.pulls:,}", f"{forecast.minutes:,.0f}"))
    for peer in forecast.peers:
        cells = (f"{peer.requests:,}", f"{peer.pulls:,}", f"{peer.minutes:,.0f}")
        rows.append((peer.name, *(cells if peer.cannot < forecast.tags else ("cannot", "-", "-"))))
    if not forecast.rates:  # no minutes follow where nothing limits
        rows = [row[:3] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for place, row in enumerate(rows):
        line = "  ".join([row[0].ljust(widths[0]), *(cell.rjust(widths[n]) for n, cell in enumerate(row[1:], 1))])
        yield painter(style)(line, "dim") if not place else line
    for peer in forecast.peers:
        if peer.cannot:
            yield from wrap(f"{peer.name} cannot make {counted(peer.cannot, 'tag')}: {peer.why}", style.width, "", "  ")


def as_json(forecast: BatchForecast) -> str:
    """For a program; its schema is published as docs/schema/merge-forecast.schema.json."""
    return _json.dumps(forecast.model_dump(mode="json"))


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **BatchForecast.model_json_schema(mode="serialization"),
        "title": f"fleet-audit merge forecast, schema version {SCHEMA_VERSION}",
    }
