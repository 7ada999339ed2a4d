"""GitHub workflow commands: an annotation a finding, at the inventory's line that declares the host."""

from __future__ import annotations

from collections.abc import Iterator

from audit import inert, summary
from audit.model import Severity, Status
from audit.reports._place import host_of, relative
from audit.reports._style import Style
from audit.reports._text import subjects_text
from audit.run import Run
from audit.summary import Group

name = "github"
about = "workflow commands (::error …) for GitHub Actions, worst first, and a line that sums up"

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(run: Run, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    lines = [_annotation(group, run) for group in summary.findings(run)]
    lines.append(f"fleet-audit: {inert.terminal(' · '.join(summary.headline(run)))}")
    return "\n".join(lines) + "\n"


def _annotation(group: Group, run: Run) -> str:
    verdict = group.verdict
    unknown = verdict.status is Status.UNKNOWN
    command = "warning" if unknown else _COMMANDS[verdict.severity]
    title = f"{verdict.rule} {subjects_text(group.subjects)}{' (unknown)' if unknown else ''}"
    properties = [*_place(group, run), f"title={inert.command_property(title)}"]
    return f"::{command} {','.join(properties)}::{inert.command(chr(10).join(_message(group)))}"


def _message(group: Group) -> Iterator[str]:
    """Lines that hold no line end of a worker's: those would be ours."""
    verdict = group.verdict
    follow = f" ({group.folded} checks follow from it)" if group.folded else ""
    yield inert.terminal(verdict.message) + follow
    yield from (inert.terminal(f"why: {line}") for line in group.evidence[0][0])
    if verdict.remedy:
        yield inert.terminal(f"fix: {verdict.remedy}")


def _place(group: Group, run: Run) -> Iterator[str]:
    host = host_of(group.verdict, run)
    if host is not None and (file := relative(host.source)) is not None:
        yield f"file={inert.command_property(file)}"
        if host.source.line:
            yield f"line={host.source.line}"
