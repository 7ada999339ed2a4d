"""A probe's report: text, JSON and Markdown; everything that a worker or a registry said is made inert."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from audit import __version__, inert
from audit.model import SCHEMA_VERSION, Model, Status
from audit.probe.result import HostProof, WayProof


class Finding(Model):
    """What the rule FA305 says of one host."""

    status: Status
    severity: str
    message: str
    remedy: str = ""


class Report(Model):
    """Everything that one `probe` found out."""

    kind: Literal["fleet-audit probe"] = "fleet-audit probe"
    schema_version: Literal[1] = SCHEMA_VERSION
    tool_version: str = __version__
    when: datetime
    registry: str | None = Field(default=None, description="Registry and repository; None: nothing was pushed")
    hosts: tuple[HostProof, ...] = ()
    findings: Mapping[str, Finding] = Field(default_factory=dict, description="FA305 by host")
    notes: tuple[str, ...] = Field(default=(), description="What could not be cleaned up at the registry, and the like")
    interrupted: str | None = Field(default=None, description="The signal that ended it early")

    @property
    def exit_code(self) -> int:
        """1: a difference, or what the policy makes an error of it; 3: something could not be told; 0: all agree.

        A difference that the policy waives, or of which it makes less than an error, does not count as one.
        """
        failed = [one for one in self.findings.values() if one.status is Status.FAIL]
        if any(one.severity == "error" for one in failed):
            return 1
        told = all(proof.agreement != "unknown" and not proof.left for proof in self.hosts)
        return 0 if told and self.interrupted is None else 3


def text(report: Report, width: int = 120, verbose: bool = False) -> Iterator[str]:
    """For people: a row a host and way, then what differs, what could not be told, and what is left."""
    header = ("host", "way", "predicted", "seen", "agrees")
    rows = [header, *(_row(proof, way) for proof in report.hosts for way in proof.ways or (None,))]
    rows = [tuple(inert.terminal(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() + "\n"
    for label, said in _details(report, verbose):
        lead = f"{inert.terminal(label)}: "
        yield from (
            f"{line}\n"
            for line in textwrap.wrap(
                lead + inert.terminal(said), width, subsequent_indent="    ", break_long_words=False
            )
        )


def markdown(report: Report, width: int = 120, verbose: bool = False) -> Iterator[str]:
    """For a comment on a change."""
    del width
    yield "| host | way | predicted | seen | agrees |\n|---|---|---|---|---|\n"
    for proof in report.hosts:
        for way in proof.ways or (None,):
            yield f"| {' | '.join(inert.markdown(cell) for cell in _row(proof, way))} |\n"
    details = list(_details(report, verbose))
    if details:
        yield "\n"
    for label, said in details:
        yield f"- **{inert.markdown(label)}**: {inert.markdown(said)}\n"


def as_json(report: Report, width: int = 120, verbose: bool = False) -> Iterator[str]:
    """For programs; `exit_code` is the command's."""
    del width, verbose
    document = report.model_dump(mode="json") | {"exit_code": report.exit_code}
    yield inert.json(json.dumps(document, indent=2, ensure_ascii=False))
    yield "\n"


FORMATS: Mapping[str, Callable[[Report, int, bool], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "markdown": markdown,
}

_AGREES = {"agrees": "yes", "differs": "NO", "unknown": "?"}


def _row(proof: HostProof, way: WayProof | None) -> Sequence[str]:
    if way is None:
        return (proof.host, "-", "-", "cannot tell", "?")
    return (proof.host, way.way, way.predicted_text, way.arrived_text, _AGREES[way.agreement])


def _details(report: Report, verbose: bool) -> Iterator[tuple[str, str]]:
    for proof in report.hosts:
        if proof.unknown:
            yield proof.host, f"could not be told: {proof.unknown}"
        for way in proof.ways:
            yield from ((proof.host, part) for part in _of_way(way, verbose, told=proof.unknown is not None))
        finding = report.findings.get(proof.host)
        if finding is not None and finding.status is not Status.PASS and "differs" in proof.agreement:
            waived = " (waived)" if finding.status is Status.WAIVED else ""
            yield proof.host, f"FA305 {finding.severity}{waived}: {finding.message}"
            yield proof.host, f"do: {finding.remedy}"
        if proof.link.works is not None and (verbose or not proof.link.works):
            yield proof.host, f"COPY --link --chown=NAME {_link(proof)}"
        for said in proof.left:
            yield proof.host, f"left behind: {said}"
    for said in report.notes:
        yield "note", said
    if report.interrupted:
        yield "note", f"ended early by {report.interrupted}"


def _of_way(way: WayProof, verbose: bool, *, told: bool) -> Iterator[str]:
    if way.agreement == "unknown" and way.unknown and not told:
        yield f"{way.way}: could not be told: {way.unknown}"
    for difference in way.differences:
        yield f"{way.way}: {difference}"
    if way.agreement != "agrees" or verbose:
        for line in way.told.log[-6:]:
            yield f"{way.way}: log: {line}"
    if verbose:
        for reason in way.prediction.reasons:
            yield f"{way.way}: because {reason}"
        for said in way.prediction.assumed:
            yield f"{way.way}: assumed: {said}"
        for note in way.notes:
            yield f"{way.way}: {note}"


def _link(proof: HostProof) -> str:
    if proof.link.works:
        return "works here"
    error = next((line for line in reversed(proof.link.log) if "error" in line.lower()), "")
    error = error or (proof.link.log[-1] if proof.link.log else "without a message")
    if "invalid user index" in error:
        return "fails here (invalid user index: -1): write the numbers of the user and the group instead"
    return f"fails here: {error}"
