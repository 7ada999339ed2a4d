"""The run a line at a time, for `grep`, `jq` and loaders.

Every line is an object whose ``kind`` says what it is, in this order: one ``run``; for each host one ``host`` (facts
and predicted push) and its ``verdict`` lines; the fleet's ``verdict`` lines; one ``end`` with counts and result, so
that a file that was cut off is known as such. The fields are those of the JSON document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from audit.model import Verdict
from audit.reports import _document, _json
from audit.reports._style import Style
from audit.run import Run

name = "jsonl"
about = "one JSON object a line, each with its kind: run, host, verdict, end"


def render(run: Run, style: Style) -> str:
    """The report."""
    return "".join(pieces(run, style))


def pieces(run: Run, style: Style) -> Iterator[str]:
    """The report, line by line."""
    return (_json.dumps(line, indent=None) for line in _lines(run, style))


def _lines(run: Run, style: Style) -> Iterator[dict[str, Any]]:
    yield {"kind": "run", **_document.run_entry(run)}
    for host in run.fleet.hosts:
        yield {"kind": "host", **_document.host_entry(run, host)}
        for verdict in run.by_subject.get(host.name, ()):
            yield _verdict(verdict, host.pool_name)
    for verdict in _document.fleet_verdicts(run):
        yield _verdict(verdict, verdict.subject.removeprefix("pool:") if ":" in verdict.subject else None)
    yield {"kind": "end", **_document.closing(run, style)}


def _verdict(verdict: Verdict, pool: str | None) -> dict[str, Any]:
    return {"kind": "verdict", "pool": pool} | {field.name: getattr(verdict, field.name) for field in fields(verdict)}
