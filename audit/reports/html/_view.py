"""A run, in the order and the words of its page: what the template walks over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from audit import summary
from audit.model import Severity, Status, Verdict
from audit.reports._text import fold, subjects_text
from audit.reports.html._anchors import anchors
from audit.reports.html._packed import reading_order
from audit.rule import Member, Rule
from audit.run import Run

LABELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
MOST_EVIDENCE = 40
"""Distinct evidences of one finding in the list of findings; each host's own stands with the host."""
MOST_LINKS = 60
"""Hosts of one finding that are links; the others are folded into a few words."""


@dataclass(frozen=True)
class HostLink:
    """A subject of a verdict: a host with the place of its section, or a pool or the fleet without one."""

    name: str
    anchor: str


@dataclass(frozen=True)
class Said:
    """One finding: what one rule says alike of several subjects.

    Attributes:
        label: ``error``, ``warning``, ``note``, ``unknown``, ``waived``: its class and its word.
        message, remedy: of the rule there.
        subjects: hosts as links, as far as they are few enough; `rest` folds the others.
        on: the hosts that a finding on a pool or on the fleet speaks of.
        evidence: lines, and of whom where they differ.
        folded: UNKNOWNs of other rules that follow from it.
        waiver: who answers for it, where it is waived.
    """

    label: str
    message: str
    remedy: str
    subjects: tuple[HostLink, ...]
    rest: str
    count: int
    on: tuple[HostLink, ...]
    evidence: tuple[tuple[tuple[str, ...], str], ...]
    more_evidence: int
    folded: int
    waiver: str


@dataclass(frozen=True)
class RulePart:
    """One rule with all that it found: an article of the page."""

    id: str
    rule: Rule | None
    label: str
    said: tuple[Said, ...]
    hosts: int


@dataclass(frozen=True)
class HostPart:
    """One host's section.

    Attributes:
        state: ``error``, ``warning``, ``note``, ``unknown``, ``clean``: the worst thing said of it.
        outcome: how the asking ended, where not well.
        findings: (label, rule, message): what fails, is unknown or is waived; the rest is unpacked when asked for.
        passed, silent: rules that hold; that do not arise.
        folded: UNKNOWNs that follow from another rule.
    """

    anchor: str
    name: str
    address: str
    pool: str
    platform: str
    declared: str
    outcome: str
    detail: str
    engine: str
    store: str
    buildx: str
    pushes: str
    state: str
    issues: str
    findings: tuple[tuple[str, str, str], ...]
    passed: int
    silent: int
    folded: int


def label_of(verdict: Verdict) -> str:
    """The class and the word of one verdict."""
    if verdict.status is Status.UNKNOWN:
        return "unknown"
    return "waived" if verdict.status is Status.WAIVED else LABELS[verdict.severity]


class View:
    """Everything that the page of a run shows.

    Attributes:
        run: the run.
        hosts: anchors by host name.
    """

    def __init__(self, run: Run) -> None:
        """Look at a run."""
        self.run = run
        self.hosts = anchors("host", run.fleet.names)

    @cached_property
    def findings(self) -> tuple[RulePart, ...]:
        """Rules with something to read, worst first."""
        return self._parts((Status.FAIL, Status.UNKNOWN))

    @cached_property
    def waived(self) -> tuple[RulePart, ...]:
        """Rules with findings that somebody answers for."""
        return self._parts((Status.WAIVED,))

    def _parts(self, statuses: tuple[Status, ...]) -> tuple[RulePart, ...]:
        """One part a rule, where its worst finding would stand."""
        groups: dict[str, list[summary.Group]] = {}
        for group in summary.findings(self.run, statuses):
            groups.setdefault(group.verdict.rule, []).append(group)
        return tuple(
            RulePart(
                id=rule,
                rule=self.run.rules.get(rule),
                label=label_of(found[0].verdict),
                said=tuple(self._said(group) for group in found),
                hosts=sum(len(group.subjects) for group in found),
            )
            for rule, found in groups.items()
        )

    def _said(self, group: summary.Group) -> Said:
        verdict = group.verdict
        waiver = verdict.waiver
        evidence = group.evidence
        several = len(evidence) > 1
        return Said(
            label=label_of(verdict),
            message=verdict.message,
            remedy=verdict.remedy,
            subjects=self._links(group.subjects[:MOST_LINKS]),
            rest=fold(group.subjects[MOST_LINKS:]),
            count=len(group.subjects),
            on=self._links(verdict.hosts[:MOST_LINKS]),
            evidence=tuple(
                (lines, subjects_text(subjects) if several else "") for lines, subjects in evidence[:MOST_EVIDENCE]
            ),
            more_evidence=max(0, len(evidence) - MOST_EVIDENCE),
            folded=group.folded,
            waiver=f"{waiver.owner}, until {waiver.until.isoformat()}: {waiver.reason}" if waiver else "",
        )

    def _links(self, subjects: Sequence[str]) -> tuple[HostLink, ...]:
        return tuple(HostLink(_subject(one), self.hosts.get(one, "")) for one in subjects)

    @cached_property
    def quiet(self) -> tuple[tuple[str, str, str], ...]:
        """(id, title, in what numbers it holds) of the rules that found nothing, in id order."""
        counts: dict[str, Counter[Status]] = {}
        for verdict in self.run.verdicts:
            counts.setdefault(verdict.rule, Counter())[verdict.status] += 1
        shown = {part.id for part in (*self.findings, *self.waived)}
        return tuple(
            (name, rule.title, _numbers(counts.get(name, Counter())))
            for name, rule in self.run.rules.items()
            if name not in shown
        )

    def members(self) -> Iterator[HostPart]:
        """A section a host, in the inventory's order."""
        for member in self.run.view.members:
            yield self._host(member)

    def _host(self, member: Member) -> HostPart:
        host = member.host
        evidence = self.run.evidence.hosts.get(host.name)
        verdicts = self.run.by_subject.get(host.name, ())
        counts = Counter(verdict.status for verdict in verdicts)
        failed = Counter(verdict.severity for verdict in verdicts if verdict.status is Status.FAIL)
        told = sorted(
            (one for one in verdicts if one.status.value in ("fail", "unknown", "waived") and one.because is None),
            key=reading_order,
        )
        unknown = counts[Status.UNKNOWN]
        worst = next((LABELS[one] for one in reversed(Severity) if failed[one]), "unknown" if unknown else "clean")
        return HostPart(
            anchor=self.hosts[host.name],
            name=host.name,
            address=host.address or "",
            pool=host.pool_name,
            platform=host.platform or "",
            declared=str(host.source),
            outcome=evidence.outcome.value if evidence else "not asked",
            detail=evidence.detail if evidence else "",
            engine=summary.engine_text(member),
            store=summary.store_text(member),
            buildx=summary.buildx_text(member),
            pushes=summary.push_text(member),
            state="unknown" if unknown and worst == "note" else worst,
            issues=", ".join([*summary.severities(failed), *([f"{unknown} unknown"] if unknown else [])]) or "clean",
            findings=tuple((label_of(one), one.rule, one.message) for one in told),
            passed=counts[Status.PASS],
            silent=counts[Status.NOT_APPLICABLE],
            folded=sum(one.because is not None for one in verdicts),
        )

    @cached_property
    def pools(self) -> tuple[summary.PoolRow, ...]:
        """The overview's rows."""
        return summary.pool_rows(self.run)

    @cached_property
    def totals(self) -> summary.Totals:
        """The overview's numbers."""
        return summary.totals(self.run)

    @cached_property
    def mixes(self) -> tuple[tuple[str, Mapping[str, int]], ...]:
        """Hosts by engine, by store and by what they push: the whole fleet at a glance, the commonest first."""
        members = self.run.view.members
        return (
            ("Engine", _counted(map(summary.engine_text, members))),
            ("Image store", _counted(map(summary.store_text, members))),
            ("buildx", _counted(map(summary.buildx_text, members))),
            ("A plain push leaves", _counted(map(summary.push_text, members))),
        )


def _counted(values: Iterator[str]) -> dict[str, int]:
    counted = Counter(values)
    ordered = sorted(counted.items(), key=lambda item: (item[0] == "?", -item[1], item[0]))
    shown = dict(ordered[:8])
    rest = sum(count for _, count in ordered[8:])
    return {**shown, f"{len(ordered) - 8} others": rest} if rest else shown


def _subject(subject: str) -> str:
    return f"pool {subject.removeprefix('pool:')}" if subject.startswith("pool:") else subject


def _numbers(counts: Counter[Status]) -> str:
    words = {Status.PASS: "holds on", Status.NOT_APPLICABLE: "does not arise on", Status.UNKNOWN: "not known of"}
    return ", ".join(f"{word} {counts[status]:,}" for status, word in words.items() if counts[status]) or "turned off"
