"""JUnit XML: a suite a plan, a case a tag.

What failed or was moved by somebody else is a failure; what is parked or left, of which nobody knows whether it can be
done, an error. Never a pass for what does not stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from audit import inert
from audit.batch.model import BatchReport, TagReport
from audit.batch.reports import _told
from audit.reports._style import Style

name = "junit"
about = "JUnit XML: a case a tag; failed and moved are failures, parked and left errors"

_ENDS = {"failed": "failure", "moved": "failure", "parked": "error", "left": "error"}


def render(report: BatchReport, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: BatchReport) -> Iterator[str]:
    took = f"{max(0.0, report.ended - report.began):.3f}"
    counts = {
        "tests": str(len(report.tags)),
        "failures": str(report.count("failed", "moved")),
        "errors": str(report.count("parked", "left")),
    }
    began = datetime.fromtimestamp(report.began, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield _open("testsuites", {"name": "fleet-audit merge", **counts, "time": took})
    suite = {"name": report.plan, **counts, "skipped": "0", "time": took, "timestamp": began}
    yield "  " + _open("testsuite", suite)
    for tag in report.tags:
        yield from _case(tag)
    yield from ("  </testsuite>", "</testsuites>")


def _case(tag: TagReport) -> Iterator[str]:
    repository, _, label = tag.tag.rpartition(":")
    place = (repository or label).replace(".", "_").replace("/", ".")
    case = {"classname": f"fleet_audit.merge.{place}", "name": tag.tag, "time": "0"}
    end = _ENDS.get(tag.state)
    if end is None:
        yield "    " + _open("testcase", case, end=True)
        return
    yield "    " + _open("testcase", case)
    body = [tag.why, *(f"{one.kind} x{one.count}: {one.last}" for one in tag.errors), f"to do: {_told.NEXT[tag.state]}"]
    said = _open(end, {"type": tag.state, "message": tag.why})
    yield f"      {said}" + "\n".join(inert.xml(line) for line in body) + f"</{end}>"
    yield "    </testcase>"


def _open(tag: str, attributes: dict[str, str], *, end: bool = False) -> str:
    said = "".join(f' {key}="{inert.xml(value)}"' for key, value in attributes.items())
    return f"<{tag}{said}{'/' if end else ''}>"
