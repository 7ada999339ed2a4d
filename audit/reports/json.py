"""The whole run as one document, for programs; its schema is published as docs/schema/run.schema.json."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from audit.reports import _document, _json
from audit.reports._style import Style
from audit.run import Run

name = "json"
about = "the whole run as one document with a published JSON Schema: facts, verdicts, evidence, counts"


def render(run: Run, style: Style) -> str:
    """The report."""
    return "".join(pieces(run, style))


def pieces(run: Run, style: Style) -> Iterator[str]:
    """The report, host by host."""
    document = _document.document(run, style)
    frame = _json.dumps(document | {"hosts": []})
    # Only a key of the document itself stands two spaces in, and no string holds a line break.
    before, mark, after = frame.partition('\n  "hosts": [')
    yield before + mark
    yield from _inside(document["hosts"])
    yield after


def _inside(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The elements of the document's list of hosts, as they stand between its brackets."""
    between = "\n    "
    for entry in entries:
        yield between + _json.dumps(entry).rstrip("\n").replace("\n", "\n    ")
        between = ",\n    "
    if between.startswith(","):
        yield "\n  "


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    return _document.schema()


def schema_text() -> str:
    """The same, as the file that is published."""
    return _json.dumps(schema())
