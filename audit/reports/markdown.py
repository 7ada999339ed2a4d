"""For a ticket or a wiki: GitHub-flavoured Markdown, everything that a worker said shown as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from tabulate import tabulate

from audit import inert, summary
from audit.model import Status
from audit.reports._style import Style
from audit.reports._text import hosts_text, label_of, subjects_text
from audit.run import Run
from audit.summary import Group

name = "markdown"
about = "for tickets and wikis: the pools as a table, the findings with evidence and remedy"

_WORDS = {"ERROR": "Error", "WARN": "Warning", "NOTE": "Note", "??": "Unknown"}


def render(run: Run, style: Style) -> str:  # noqa: ARG001 - every format has this signature
    """The report."""
    when = run.when.strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# fleet-audit, {when}", "", inert.markdown(" · ".join(summary.headline(run))), ""]
    lines.extend(_pools(run))
    found = summary.findings(run)
    if found:
        lines.extend(("## Findings", ""))
        lines.extend(line for group in found for line in _finding(group, run))
    lines.extend(_waived(run))
    return "\n".join(lines).rstrip("\n") + "\n"


def _pools(run: Run) -> Iterator[str]:
    rows = [
        [row.pool, f"{row.reached}/{row.total}", row.engine, row.store, row.buildx, row.pushes, row.issues]
        for row in summary.pool_rows(run)
    ]
    if rows:
        header = ["Pool", "Hosts", "Docker", "Store", "buildx", "Pushes", "Issues"]
        cells = [[inert.markdown(text) for text in row] for row in rows]
        yield tabulate(cells, header, tablefmt="github", disable_numparse=True)
        yield ""


def _finding(group: Group, run: Run) -> Iterator[str]:
    verdict = group.verdict
    rule = run.rules.get(verdict.rule)
    title = f": {inert.markdown(rule.title)}" if rule else ""
    yield f"### {_WORDS[label_of(verdict)]} {verdict.rule}{title}"
    yield ""
    unknown = " - result unknown, not clean" if verdict.status is Status.UNKNOWN else ""
    follow = f" ({group.folded} checks follow from it)" if group.folded else ""
    yield f"**{inert.markdown(subjects_text(group.subjects))}**: {inert.markdown(verdict.message)}{unknown}{follow}"
    yield ""
    if verdict.hosts:
        yield f"- On: {inert.markdown(hosts_text(verdict.hosts))}"
    kinds = group.evidence
    for evidence, subjects in kinds:
        where = f" ({inert.markdown(hosts_text(subjects))})" if len(kinds) > 1 else ""
        for line in evidence:
            yield f"- Why{where}: {inert.markdown(line)}"
    if rule is not None and rule.symptom:
        yield f"- Seen as: {inert.markdown(rule.symptom)}"
    if verdict.remedy:
        yield f"- Fix: {inert.markdown(verdict.remedy)}"
    yield ""


def _waived(run: Run) -> Iterator[str]:
    groups = summary.findings(run, (Status.WAIVED,))
    if not groups:
        return
    yield from ("## Waived", "")
    header = ["Rule", "Hosts", "Until", "Owner", "Reason", "Finding"]
    rows = []
    for group in groups:
        waiver = group.members[0].waiver
        said = [waiver.until.isoformat(), waiver.owner, waiver.reason] if waiver else ["", "", ""]
        rows.append([group.verdict.rule, subjects_text(group.subjects), *said, group.verdict.message])
    cells = [[inert.markdown(text) for text in row] for row in rows]
    yield tabulate(cells, header, tablefmt="github", disable_numparse=True)
