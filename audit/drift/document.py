"""Drift and diff as JSON, with their schemas; and every format by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from audit import __version__
from audit.drift.markdown import diff_markdown, drift_markdown
from audit.drift.model import DriftReport
from audit.drift.pair import HostDiff
from audit.drift.text import diff_text, drift_text
from audit.reports import _json
from audit.reports._style import Style
from audit.value import SCHEMA_VERSION


class DriftDocument(DriftReport):
    """One `fleet-audit drift`, whole."""

    kind: Literal["fleet-audit drift"] = "fleet-audit drift"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    code: int = Field(default=0, alias="exit_code", description="0 the same, 1 drift, 3 not everything compared")


class DiffDocument(HostDiff):
    """One `fleet-audit diff`, whole."""

    kind: Literal["fleet-audit diff"] = "fleet-audit diff"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    code: int = Field(default=0, alias="exit_code", description="0 alike, 1 they differ, 3 not everything compared")


def drift_json(report: DriftReport, style: Style) -> Iterator[str]:
    """The whole report as one document; volatile fields too."""
    del style
    yield _whole("fleet-audit drift", report)


def diff_json(found: HostDiff, style: Style) -> Iterator[str]:
    """The same for two hosts."""
    del style
    yield _whole("fleet-audit diff", found)


def _whole(kind: str, found: DriftReport | HostDiff) -> str:
    head = {"kind": kind, "schema_version": SCHEMA_VERSION, "tool_version": __version__}
    return _json.dumps({**head, "exit_code": found.exit_code, **dict(found)})


def drift_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `drift --format json`."""
    return _schema(DriftDocument, "drift")


def diff_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `diff --format json`."""
    return _schema(DiffDocument, "diff")


def _schema(document: type[DriftDocument] | type[DiffDocument], what: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document.model_json_schema(mode="serialization"),
        "title": f"fleet-audit {what}, schema version {SCHEMA_VERSION}",
    }


def schema_texts() -> dict[str, str]:
    """Files of docs/schema/ with what they hold: what `make docs` writes."""
    return {
        "drift.schema.json": json.dumps(drift_schema(), indent=2, sort_keys=True) + "\n",
        "diff.schema.json": json.dumps(diff_schema(), indent=2, sort_keys=True) + "\n",
    }


DRIFT_FORMATS: Mapping[str, Callable[[DriftReport, Style], Iterator[str]]] = {
    "text": drift_text,
    "json": drift_json,
    "markdown": drift_markdown,
}
DIFF_FORMATS: Mapping[str, Callable[[HostDiff, Style], Iterator[str]]] = {
    "text": diff_text,
    "json": diff_json,
    "markdown": diff_markdown,
}
