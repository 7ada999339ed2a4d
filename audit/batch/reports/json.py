"""The whole report as one document, for programs; its schema is published as docs/schema/merge-batch.schema.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from audit.batch.model import UNDONE, BatchReport
from audit.batch.reports._told import STATES
from audit.reports import _json
from audit.reports._style import Style
from audit.value import SCHEMA_VERSION

name = "json"
about = "the whole report as one document with a published JSON Schema"


class BatchDocument(BatchReport):
    """One `fleet-audit merge --plan`, whole.

    Attributes:
        counts: tags by state, every state.
        exit_code: 0, or 5 where something is left undone.
    """

    kind: Literal["merge-batch"] = "merge-batch"
    counts: dict[str, int] = Field(description="Tags by state")
    exit_code: Literal[0, 5] = Field(description="5: something is left undone")


def render(report: BatchReport, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    said = report.model_dump(mode="json", warnings=False)
    head = {"kind": "merge-batch", "schema_version": said.pop("schema_version")}
    counts = {state: report.count(state) for state in STATES}
    return _json.dumps(head | {"counts": counts, "exit_code": 5 if report.count(*UNDONE) else 0} | said)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **BatchDocument.model_json_schema(mode="serialization"),
        "title": f"fleet-audit merge batch, schema version {SCHEMA_VERSION}",
    }
