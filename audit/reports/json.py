"""The whole run as one document, for programs; its schema is published as docs/schema/run.schema.json."""

from __future__ import annotations

from typing import Any

from audit.reports import _document, _json
from audit.reports._style import Style
from audit.run import Run

name = "json"
about = "the whole run as one document with a published JSON Schema: facts, verdicts, evidence, counts"


def render(run: Run, style: Style) -> str:
    """The report."""
    return _json.dumps(_document.document(run, style))


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    return _document.schema()


def schema_text() -> str:
    """The same, as the file that is published."""
    return _json.dumps(schema())
