"""JUnit XML as Jenkins, GitLab and others read it: a suite a host and one called ``fleet``, a case a rule.

A failed rule is a failure; what could not be told is an error at its cause, and skipped where it only follows from
one; waived and not applicable are skipped, each with its reason. Never a pass for what was not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from audit import inert
from audit.model import Host, Status, Verdict
from audit.reports._style import Style
from audit.run import Run

name = "junit"
about = "JUnit XML: a suite a host, a case a rule; unknown is an error, waived is skipped"

_TAGS = {Status.FAIL: "failure", Status.UNKNOWN: "error", Status.WAIVED: "skipped", Status.NOT_APPLICABLE: "skipped"}


def render(run: Run, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    seconds = (run.evidence.finished - run.evidence.started).total_seconds()
    suites: list[str] = []
    counts: Counter[str] = Counter()
    for host in run.fleet.hosts:
        suites.extend(_host_suite(run, host, counts))
    fleet = [verdict for verdict in run.verdicts if verdict.subject not in run.hosts]
    suites.extend(_suite("fleet", fleet, run, counts, "fleet", seconds, run.evidence.started, None))
    top = {
        "name": "fleet-audit",
        "tests": str(counts["tests"]),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{seconds:.3f}",
    }
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', _open("testsuites", top), *suites, "</testsuites>", ""])


def _host_suite(run: Run, host: Host, counts: Counter[str]) -> Iterator[str]:
    evidence = run.evidence.hosts.get(host.name)
    started = datetime.fromtimestamp(evidence.started, UTC) if evidence and evidence.started else run.evidence.started
    verdicts = run.by_subject.get(host.name, ())
    where = f"{_segment(host.pool_name)}.{_segment(host.name)}"
    return _suite(host.name, verdicts, run, counts, where, evidence.seconds if evidence else 0.0, started, host.address)


def _suite(
    title: str,
    verdicts: Sequence[Verdict],
    run: Run,
    totals: Counter[str],
    where: str,
    seconds: float,
    started: datetime,
    address: str | None,
) -> Iterator[str]:
    counts = Counter(_tag(verdict) for verdict in verdicts)
    totals["tests"] += len(verdicts)
    totals.update(counts)
    attributes = {
        "name": title,
        "tests": str(len(verdicts)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{seconds:.3f}",
        "timestamp": started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    }
    if address is not None:
        attributes["hostname"] = address
    yield "  " + _open("testsuite", attributes)
    for verdict in verdicts:
        yield from _case(verdict, run, where)
    yield "  </testsuite>"


def _tag(verdict: Verdict) -> str:
    if verdict.status is Status.UNKNOWN and verdict.because is not None:
        return "skipped"
    return _TAGS.get(verdict.status, "pass")


def _case(verdict: Verdict, run: Run, where: str) -> Iterator[str]:
    rule = run.rules.get(verdict.rule)
    title = f"{verdict.rule} {rule.title}" if rule else verdict.rule
    if where == "fleet":
        title = f"{title} ({verdict.subject})"
    case = {"classname": f"fleet_audit.{where}", "name": title, "time": "0"}
    tag = _tag(verdict)
    if tag == "pass":
        yield "    " + _open("testcase", case, end=True)
        return
    yield "    " + _open("testcase", case)
    said = {"type": verdict.severity.value if tag == "failure" else verdict.status.value, "message": _message(verdict)}
    body = list(_details(verdict)) if tag != "skipped" else []
    opened = "      " + _open(tag, said, end=not body)
    yield opened + "\n".join(inert.xml(line) for line in body) + (f"</{tag}>" if body else "")
    yield "    </testcase>"


def _message(verdict: Verdict) -> str:
    if verdict.because is not None:
        return f"unknown, follows from {verdict.because}: {verdict.message}"
    if verdict.status is Status.NOT_APPLICABLE:
        return f"not applicable: {verdict.message}"
    if verdict.waiver is not None:
        waiver = verdict.waiver
        return f"waived until {waiver.until.isoformat()} by {waiver.owner} ({waiver.reason}): {verdict.message}"
    return verdict.message


def _details(verdict: Verdict) -> Iterator[str]:
    yield verdict.message
    yield from (f"why: {line}" for line in verdict.evidence)
    if verdict.hosts:
        yield f"on: {', '.join(verdict.hosts)}"
    if verdict.remedy:
        yield f"fix: {verdict.remedy}"


def _segment(text: str) -> str:
    """A name as one segment of a dotted class name."""
    return text.replace(".", "_").replace("/", "_") or "-"


def _open(tag: str, attributes: dict[str, str], *, end: bool = False) -> str:
    return f"<{tag}{''.join(_attributes(attributes.items()))}{'/' if end else ''}>"


def _attributes(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f' {key}="{inert.xml(value)}"' for key, value in items)
