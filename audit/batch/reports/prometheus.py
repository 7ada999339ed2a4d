"""Prometheus text for node_exporter's textfile collector: HELP and TYPE for each metric, no timestamps.

One run's figures: those called ``_total`` begin anew with each run, as a counter's do where a program starts again. No
series has a tag's name, so that their number does not grow with the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from audit import inert
from audit.batch.model import UNDONE, BatchReport
from audit.batch.reports._told import STATES
from audit.reports._style import Style

name = "prometheus"
about = "gauges and counters for node_exporter's textfile collector"

Sample = tuple[Mapping[str, str], float]


def render(report: BatchReport, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    return "".join(line for metric in _metrics(report) for line in metric)


def _metrics(report: BatchReport) -> Iterator[Iterator[str]]:
    plan = {"plan": report.plan}
    about = {"run": report.run, "plan_digest": report.plan_digest, "version": report.tool_version}
    yield _metric("info", "gauge", "The last run of the plan; always 1.", [(plan | about, 1)])
    yield _metric("last_run_timestamp_seconds", "gauge", "When it ended.", [(plan, report.ended)])
    yield _metric("duration_seconds", "gauge", "How long it took.", [(plan, max(0.0, report.ended - report.began))])
    tags: list[Sample] = [(plan | {"state": state}, report.count(state)) for state in STATES]
    yield _metric("tags", "gauge", "Tags by what became of them.", tags)
    yield _metric("undone", "gauge", "Tags that are left for a person or a later run.", [(plan, report.count(*UNDONE))])
    requests = [(plan | {"kind": kind}, count) for kind, count in sorted(report.requests.items())]
    yield _metric("requests_total", "counter", "Requests by kind, tokens too.", requests)
    yield _metric("pulls_total", "counter", "Manifests read that Docker Hub counts as pulls.", [(plan, report.pulls)])
    waits = [(plan | {"reason": reason}, spent) for reason, spent in sorted(report.waited.items())]
    yield _metric("waited_seconds_total", "counter", "Seconds waited by reason, over all that waited at once.", waits)
    yield _metric("moved_bytes_total", "counter", "Bytes of blobs through this machine.", [(plan, report.bytes_moved)])


def _metric(metric: str, kind: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP fleet_audit_merge_{metric} {about}\n# TYPE fleet_audit_merge_{metric} {kind}\n"
    for labels, value in samples:
        pairs = ",".join(f'{key}="{inert.label(text)}"' for key, text in labels.items())
        yield f"fleet_audit_merge_{metric}{{{pairs}}} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
