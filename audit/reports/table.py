"""For a person at a terminal: a row a pool, then the findings, the worst first, then one line that sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from audit import inert, summary
from audit.facts.disks import Disks
from audit.model import Severity, Status, Unknown
from audit.reports._style import Style
from audit.reports._text import UNKNOWN, hosts_text, label_of, labelled, painter, parts, shown, subjects_text, wrap
from audit.rule import Member
from audit.run import Run
from audit.summary import Group

name = "table"
about = "for a terminal: a row a pool, then the findings, worst first (-v: symptoms, all evidence; -vv: every host)"

WHY_LINES = 3
"""Evidence lines that a finding shows without -v."""
CELL = 48
"""Characters of one value in the pool table; findings and the other formats hold it whole."""


def render(run: Run, style: Style) -> str:
    """The report."""
    blocks = [_pools(run, style)] if len(run.fleet) else []
    found = summary.findings(run)
    lines = [line for group in found for line in _finding(group, run, style)]
    lines.extend(_waived(run, style))
    blocks.append("\n".join(lines))
    if style.verbosity >= 1:
        blocks.append(_hosts(run, style))
    if style.verbosity >= 2:
        blocks.append("\n".join(_facts(run, style)))
    blocks.append("\n".join(wrap(parts(summary.headline(run)), style.width, "", "  ")))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _pools(run: Run, style: Style) -> str:
    """The table; where it is too wide, what is split stands on lines of its own."""
    paint = painter(style)
    header = ["pool", "hosts", "docker", "store", "buildx", "pushes", "issues"]
    plain = [
        [row.pool, f"{row.reached}/{row.total}", row.engine, row.store, row.buildx, row.pushes, row.issues]
        for row in summary.pool_rows(run)
    ]
    cells = [[_cell(text) for text in row] for row in plain]
    if max(map(len, _grid(header, cells).splitlines())) > style.width:
        cells = [[_stacked(text) for text in row] for row in cells]
    if style.color:
        header = [paint(text, "bold") for text in header]
        worst = [max(row.counts, default=None) for row in summary.pool_rows(run)]
        for row, severity in zip(cells, worst, strict=True):
            row[:] = [text.replace("SPLIT", paint("SPLIT", "ERROR"), 1) for text in row]
            if severity is not None and severity > Severity.NOTE:
                row[-1] = "\n".join(
                    paint(line, "ERROR" if severity is Severity.ERROR else "WARN") for line in row[-1].split("\n")
                )
    return _grid(header, cells)


def _grid(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    text = tabulate([header, *cells], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def _cell(text: str) -> str:
    values = (value if len(value) <= CELL else value[: CELL - 1] + "…" for value in text.split(" · "))
    return inert.terminal(" · ".join(values))


def _stacked(text: str) -> str:
    return text.replace("SPLIT ", "SPLIT\n", 1).replace(" · ", "\n").replace(", ", ",\n")


def _finding(group: Group, run: Run, style: Style) -> Iterator[str]:
    verdict = group.verdict
    paint = painter(style)
    label = label_of(verdict)
    text = shown(verdict.message)
    if verdict.status is Status.UNKNOWN:
        text += " - result unknown, not clean"
    if group.folded:
        text += (
            f" ({group.folded} check{'s' if group.folded > 1 else ''} follow{'' if group.folded > 1 else 's'} from it)"
        )
    first = f"{label:<5} {verdict.rule} "
    lines = wrap(f"{subjects_text(group.subjects)}: {text}", style.width, first, " " * 6)
    lines[0] = (
        f"{paint(label, label)}{' ' * (5 - len(label))} {paint(verdict.rule, 'bold')}{lines[0][len(first) - 1 :]}"
    )
    yield from lines
    if label == "NOTE" and style.verbosity < 1:
        return
    if verdict.hosts:
        yield from labelled("on", [hosts_text(verdict.hosts)], style, indent=7)
    yield from _why(group, style)
    rule = run.rules.get(verdict.rule)
    if style.verbosity >= 1 and rule is not None and rule.symptom:
        yield from labelled("see", [rule.symptom], style)
    if verdict.remedy:
        yield from labelled("fix", [verdict.remedy], style)


def _why(group: Group, style: Style) -> Iterator[str]:
    kinds = group.evidence
    if style.verbosity >= 1 and len(kinds) > 1:
        for evidence, subjects in kinds:
            yield from labelled("why", [f"({hosts_text(subjects)})", *evidence], style)
        return
    evidence, subjects = kinds[0]
    texts = list(evidence)
    if 1 < len(kinds) <= WHY_LINES and not any(len(lines) > 1 for lines, _ in kinds):
        texts = [f"({hosts_text(names)}) {' '.join(lines)}" for lines, names in kinds]
    elif len(kinds) > 1 and texts:
        texts[0] = f"({hosts_text(subjects)}; the others with -v) {texts[0]}"
    more = len(texts) - WHY_LINES
    if style.verbosity < 1 and more > 1:  # one more line is shown in the place of the line that would tell of it
        texts = [*texts[:WHY_LINES], f"({more} more lines: -v)"]
    yield from labelled("why", texts, style)


def _waived(run: Run, style: Style) -> list[str]:
    groups = summary.findings(run, (Status.WAIVED,))
    texts = []
    for group in groups:
        waiver = group.members[0].waiver
        said = f"{group.verdict.rule} {subjects_text(group.subjects)}"
        if waiver is not None:
            said += f" until {waiver.until.isoformat()} by {shown(waiver.owner)}"
            said += f": {shown(waiver.reason)}" if style.verbosity >= 1 else ""
        texts.append(said)
    count = sum(len(group.members) for group in groups)
    return wrap(f"waived: {count} ({'; '.join(texts)})", style.width, "", " " * 6) if groups else []


def _hosts(run: Run, style: Style) -> str:
    """-v: what became of each host, and how many checks passed there."""
    rows = []
    for host in run.fleet.hosts:
        evidence = run.evidence.hosts.get(host.name)
        counts = Counter(verdict.status for verdict in run.by_subject.get(host.name, ()))
        rows.append(
            [
                inert.terminal(host.name),
                str(evidence.outcome) if evidence else "not-asked",
                f"{evidence.seconds:.1f} s" if evidence else "-",
                *(str(counts[status]) for status in Status),
            ]
        )
    header = ["host", "outcome", "took", *(str(status) for status in Status)]
    paint = painter(style)
    return _grid([paint(text, "bold") for text in header], rows) if rows else ""


def _facts(run: Run, style: Style) -> Iterator[str]:
    """-vv: what each host is, and why it pushes what it pushes; hosts that are the same are one entry."""
    groups: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for member in run.view.members:
        unknown = (f"{fact}: {value}" for fact, value in sorted(member.facts.items()) if isinstance(value, Unknown))
        said = (_at_a_glance(member), (*member.push.reasons, *member.push.missing), tuple(unknown))
        groups.setdefault(said, []).append(member.host.name)
    paint = painter(style)
    for (glance, push, missing), names in groups.items():
        title = hosts_text(names)
        lines = wrap(parts(glance), style.width, f"{title}: ", " " * 6)
        yield from (paint(title, "bold") + lines[0].removeprefix(title), *lines[1:])
        yield from labelled("push", push, style)
        yield from labelled(UNKNOWN, missing, style)


def _at_a_glance(member: Member) -> tuple[str, ...]:
    host = member.host
    disks = member.facts[Disks]
    roots = [] if isinstance(disks, Unknown) else [root for root in (disks.data_root, disks.containerd_root) if root]
    return (
        (host.platform or "platform not declared") + (" (emulated)" if host.emulated else ""),
        f"docker {summary.engine_text(member)}",
        f"store {summary.store_text(member)}",
        f"buildx {summary.buildx_text(member)}",
        f"pushes {summary.push_text(member)}",
        *(f"{root.free_percent:.0f}% free at {root.path}" for root in roots),
    )
