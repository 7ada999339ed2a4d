"""A forecast as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from audit import __version__, inert
from audit.forecast import REFUSAL, Forecast, Row
from audit.model import Model
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import labelled, painter, shown, wrap
from audit.shape import How, Shape
from audit.shape.result import Kind

SCHEMA_VERSION = 1


class PredictedHost(Model):
    """One host and every shape that its push may have."""

    name: str
    pool: str
    platform: str | None
    kind: Kind = Field(description="flat, index, none (nothing to push), fails, or unknown where it hangs on a fact")
    shapes: tuple[Shape, ...] = Field(description="One where all that decides is known")
    missing: tuple[str, ...] = Field(description="Why there is more than one shape, or none")
    assumed: tuple[str, ...] = Field(description="What is taken for granted, as with a version newer than any known")


class PredictedFleet(Model):
    """What the hosts' pushes mean together; host names."""

    refused_by_docker_manifest: tuple[str, ...] = Field(description="Push an index: `… is a manifest list`")
    refused_by_docker_manifest_20_10: tuple[str, ...] = Field(description="Push a flat OCI manifest")
    failing: tuple[str, ...] = Field(description="The build or push ends with an error, or leaves nothing")
    unknown: tuple[str, ...]
    split_pools: dict[str, dict[str, tuple[str, ...]]] = Field(description="pool -> shape -> hosts, where they differ")


class PredictDocument(Model):
    """One `fleet-audit predict`, whole."""

    kind: str
    schema_version: int
    tool_version: str
    how: How
    hosts: tuple[PredictedHost, ...]
    fleet: PredictedFleet
    exit_code: int


def text(found: Forecast, style: Style) -> Iterator[str]:
    """For a terminal: a row a host, then what breaks, the cause before its consequences."""
    paint = painter(style)
    rows = [("host", "pool", "engine", "store", "buildx", "pushes"), *map(_cells, found.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for number, (row, host) in enumerate(zip(rows, (None, *found.rows), strict=True)):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        line = f"{line}  {row[5]}".rstrip()
        yield (paint(line, "bold") if not number else line) + "\n"
        if host is not None and style.verbosity:
            yield from (f"{one}\n" for one in _because(host, style))
    closing = list(_closing(found, style))
    if closing:
        yield "\n"
        yield from (f"{line}\n" for line in closing)


def _cells(row: Row) -> tuple[str, ...]:
    pushes = " or ".join(row.prediction.possible)
    if row.prediction.kind == "unknown":
        pushes = f"? {pushes}".strip() if len(row.prediction.possible) < 4 else "?"
    if row.prediction.assumed:
        pushes += " (assumed)"
    cells = (row.host.name, row.host.pool_name, row.engine, row.store, row.buildx, pushes)
    return tuple(shown(cell) for cell in cells)


def _because(row: Row, style: Style) -> Iterator[str]:
    shape = row.prediction.shape
    steps = tuple(step.text for step in shape.steps) if shape else row.prediction.reasons
    yield from labelled("why", steps, style)
    if shape and shape.error:
        yield from labelled("error", (f"{shape.stage or 'push'}: {shape.error}",), style)
    if shape and shape.media_type:
        kinds = ", ".join(filter(None, (shape.media_type, shape.config, shape.layers)))
        yield from labelled("types", (kinds,), style)
    if shape and shape.attestations.asked:
        asked = ", ".join(shape.attestations.asked)
        yield from labelled("attestations", (f"{asked}: {shape.attestations.fate}",), style)
    if shape and shape.digests:
        yield from labelled("digest", (f"trust {shape.digests.trust}",), style)
        yield from labelled("beware", shape.digests.lies, style)
    yield from labelled("unknown", row.prediction.missing, style)
    yield from labelled("assumed", row.prediction.assumed, style)


def _closing(found: Forecast, style: Style) -> Iterator[str]:
    """What breaks, each with its reason and what to do; nothing where nothing does."""
    for rows in _alike(found.indexes, lambda row: (row.prediction.decisive, row.remedies)):
        verb = "pushes" if len(rows) == 1 else "push"
        yield from wrap(f'{_names(rows)} {verb} an index: `docker manifest create` will say "{REFUSAL}"', style.width)
        yield from labelled("why", rows[0].prediction.decisive, style)
        yield from labelled("fix", rows[0].remedies, style)
    for rows in _alike(found.failing, lambda row: (row.prediction.possible, row.prediction.reasons[-1:])):
        shape = rows[0].prediction.shapes[0]
        what = shape.text if shape.kind == "fails" else "a build leaves nothing to push"
        yield from wrap(f"{_names(rows)}: {what}", style.width)
        yield from labelled("why", rows[0].prediction.reasons[-1:], style)
        if shape.error:
            yield from labelled("error", (shape.error,), style)
    if found.new_manifests:
        verb = "pushes" if len(found.new_manifests) == 1 else "push"
        said = f"{_names(found.new_manifests)} {verb} a flat OCI manifest, which `docker manifest` before 23.0 refuses"
        yield from wrap(said, style.width)
    for pool, shapes in found.split.items():
        parts = ", ".join(f"{', '.join(hosts)} {words}" for words, hosts in shapes.items())
        yield from wrap(f"pool {shown(pool)} is split: {shown(parts)}", style.width)
    for rows in _alike(found.unknown, lambda row: row.prediction.missing):
        yield from wrap(f"{_names(rows)}: cannot be told", style.width)
        yield from labelled("why", _causes(rows[0].prediction.missing)[:3], style)


def _alike(rows: Iterable[Row], told: Callable[[Row], tuple[object, ...]]) -> list[list[Row]]:
    """Hosts of which the same would be told, together."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(told(row), []).append(row)
    return list(groups.values())


def _causes(missing: Iterable[str]) -> tuple[str, ...]:
    """What is not known, by its cause: the one refusal that hides several facts is told once."""
    found: dict[str, list[str]] = {}
    for why in missing:
        what, dark, cause = why.partition(_DARK)
        found.setdefault(cause if dark else why, []).extend([what] if dark else [])
    dark_of = {1: _DARK, 2: _DARK.replace(" is ", " are ")}
    return tuple(
        f"{' and '.join(names)}{dark_of[min(len(names), 2)]}{cause}" if names else cause
        for cause, names in found.items()
    )


_DARK = " is not known ("


def _names(rows: Iterable[Row]) -> str:
    names = [shown(row.host.name) for row in rows]
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:7])} and {len(names) - 7} more"


def markdown(found: Forecast, style: Style) -> Iterator[str]:
    """For an issue or a job summary."""
    del style  # Markdown has no columns and no colours
    plain = inert.markdown
    yield "| host | pool | engine | store | buildx | pushes |\n|---|---|---|---|---|---|\n"
    for row in found.rows:
        pushes = " or ".join(row.prediction.possible) or "?"
        cells = (row.host.name, row.host.pool_name, row.engine, row.store, row.buildx, pushes)
        yield f"| {' | '.join(plain(cell) for cell in cells)} |\n"
    closing = list(_closing(found, Style(color=False, width=10_000)))
    if closing:
        yield "\n"
        yield from (f"{'  ' if line.startswith(' ') else ''}- {plain(line.strip())}\n" for line in closing)


def as_json(found: Forecast, style: Style) -> Iterator[str]:
    """For programs; `schema()` describes it."""
    del style
    yield _json.dumps(document(found)) + "\n"


def document(found: Forecast) -> dict[str, Any]:
    """The forecast as a tree."""
    return {
        "kind": "fleet-audit prediction",
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "how": found.how,
        "hosts": [_host(row) for row in found.rows],
        "fleet": {
            "refused_by_docker_manifest": [row.host.name for row in found.indexes],
            "refused_by_docker_manifest_20_10": [row.host.name for row in (*found.indexes, *found.new_manifests)],
            "failing": [row.host.name for row in found.failing],
            "unknown": [row.host.name for row in found.unknown],
            "split_pools": found.split,
        },
        "exit_code": found.exit_code,
    }


def _host(row: Row) -> dict[str, Any]:
    return {
        "name": row.host.name,
        "pool": row.host.pool_name,
        "platform": row.host.platform,
        "kind": row.prediction.kind,
        "shapes": row.prediction.shapes,
        "missing": row.prediction.missing,
        "assumed": row.prediction.assumed,
    }


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PredictDocument.model_json_schema(mode="serialization"),
        "title": f"fleet-audit prediction, schema version {SCHEMA_VERSION}",
    }


FORMATS: Mapping[str, Callable[[Forecast, Style], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "markdown": markdown,
}
