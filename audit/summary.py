"""A run in the order a person reads it: a row a pool, then the findings, causes before their consequences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from audit import versions
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Severity, Status, Unknown, Verdict
from audit.rule import Member
from audit.run import Run

LIMIT_NAMES = 30
"""Hosts that a remedy's ``--limit`` spells out."""


@dataclass(frozen=True)
class PoolRow:
    """One pool at a glance; every text is short and made of what the members said.

    Attributes:
        pool: its name.
        reached: members that answered.
        total: members.
        engine: versions seen, e.g. ``28.5.2`` or ``28.5.2 (3) · 26.1.5 (1)``; ``?`` where unknown.
        store: e.g. ``overlay2`` or ``SPLIT containerd/overlayfs (22) · overlay2 (4)``.
        buildx: e.g. ``0.29.1``, ``missing``.
        pushes: e.g. ``flat``, ``index``, ``SPLIT index (22) · flat (4)``, ``?``.
        counts: failed verdicts on its members and on the pool itself, by severity.
        unknown: members with something that could not be told.
    """

    pool: str
    reached: int
    total: int
    engine: str
    store: str
    buildx: str
    pushes: str
    counts: Counter[Severity]
    unknown: int

    @property
    def issues(self) -> str:
        """E.g. ``2 errors, 1 warning``; ``-`` where there is none."""
        return ", ".join([*severities(self.counts), *([f"{self.unknown} unknown"] if self.unknown else [])]) or "-"


@dataclass(frozen=True)
class Group:
    """Verdicts of one rule that say the same of several subjects: one line where one line will do.

    Attributes:
        verdict: the first of them; where there are several, ``HOST`` stands for each one's own name.
        subjects: all of them, in the inventory's order.
        members: the verdicts themselves.
        folded: how many UNKNOWNs of other rules follow from it on those hosts.
    """

    verdict: Verdict
    subjects: tuple[str, ...]
    members: tuple[Verdict, ...]
    folded: int = 0

    @property
    def evidence(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """Each distinct evidence with the subjects that it is of; one entry where all show the same."""
        found: dict[tuple[str, ...], list[str]] = {}
        for member in self.members:
            lines = member.evidence if len(self.members) == 1 else _nameless(member.evidence, member.subject)
            found.setdefault(tuple(lines), []).append(member.subject)
        return tuple((lines, tuple(subjects)) for lines, subjects in found.items())


@dataclass(frozen=True)
class Totals:
    """The whole run in a few numbers.

    Attributes:
        hosts: how many were selected.
        reached: how many answered.
        failed: failed verdicts by severity.
        statuses: verdicts by status.
        unknown_hosts: hosts with something that could not be told.
        unknown_fleet: fleet checks that could not be told.
        rules: rules that were judged.
        seconds: how long the collection took.
    """

    hosts: int
    reached: int
    failed: Counter[Severity]
    statuses: Counter[Status]
    unknown_hosts: int
    unknown_fleet: int
    rules: int
    seconds: float


def totals(run: Run) -> Totals:
    """Count everything once."""
    unknown = [verdict.subject for verdict in run.verdicts if verdict.status is Status.UNKNOWN]
    return Totals(
        hosts=len(run.fleet),
        reached=run.reached,
        failed=Counter(verdict.severity for verdict in run.verdicts if verdict.status is Status.FAIL),
        statuses=Counter(verdict.status for verdict in run.verdicts),
        unknown_hosts=len(run.fleet) - run.covered,
        unknown_fleet=sum(subject not in run.hosts for subject in unknown),
        rules=len({verdict.rule for verdict in run.verdicts}),
        seconds=(run.evidence.finished - run.evidence.started).total_seconds(),
    )


def headline(run: Run) -> tuple[str, ...]:
    """The run in one line, in its parts.

    E.g. ``5 hosts reached of 6``, ``2 errors, 1 warning``, ``unknown on 1 host``, ``38 rules``, ``3.2 s``.
    """
    total = totals(run)
    unknown = [
        f"unknown on {_count(total.unknown_hosts, 'host')}" if total.unknown_hosts else "",
        f"{_count(total.unknown_fleet, 'fleet check')} unknown" if total.unknown_fleet else "",
    ]
    waived = total.statuses[Status.WAIVED]
    parts = (
        f"interrupted by {run.evidence.interrupted}" if run.evidence.interrupted else "",
        f"{_count(total.reached, 'host')} reached of {total.hosts}",
        ", ".join(severities(total.failed)) or ("" if any(unknown) else "clean"),
        *unknown,
        f"{waived} waived" if waived else "",
        _count(total.rules, "rule"),
        f"{total.seconds:.1f} s",
    )
    return tuple(part for part in parts if part)


def exit_reasons(run: Run, fail_on: Severity | None) -> tuple[str, ...]:
    """Why the exit code is not 0, worst first; empty where it is."""
    total = totals(run)
    reasons = [f"a bug of ours: {fault}" for fault in run.faults]
    findings = sum(total.failed[severity] for severity in Severity if fail_on is not None and severity >= fail_on)
    if findings:
        worse = "" if fail_on is Severity.ERROR else " or worse"
        reasons.append(f"{_count(findings, 'finding')} of severity {fail_on}{worse}")
    if total.unknown_hosts:
        reasons.append(f"{total.unknown_hosts} of {_count(total.hosts, 'host')} could not be told completely")
    if total.unknown_fleet:
        reasons.append(f"{_count(total.unknown_fleet, 'fleet check')} could not be told")
    return tuple(reasons)


def pool_rows(run: Run) -> tuple[PoolRow, ...]:
    """A row a pool, in the inventory's order."""
    return tuple(_pool_row(run, name, members) for name, members in run.view.pools().items())


def findings(run: Run, statuses: Iterable[Status] = (Status.FAIL, Status.UNKNOWN)) -> tuple[Group, ...]:
    """What must be read, worst first; UNKNOWNs that follow from a cause are counted under it, not listed.

    Verdicts that differ only in the host's own name and in their evidence are one group. Within one severity: rules
    that others follow from, then failed before unknown, then by rule id (reach before engine before store …), so that
    a cause stands before its consequences; then in the inventory's order.
    """
    wanted = set(statuses)
    followers = Counter((verdict.subject, verdict.because) for verdict in run.verdicts if verdict.because is not None)
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.status not in wanted or verdict.because is not None:
            continue
        said = _nameless((verdict.message, verdict.remedy), verdict.subject)
        key = (verdict.rule, verdict.status, verdict.severity, said, verdict.hosts, verdict.waiver)
        groups.setdefault(key, []).append(verdict)
    causes = {name for name, rule in run.rules.items() if rule.cause}
    found = [_group(members, followers) for members in groups.values()]

    def rank(group: Group) -> tuple[int, bool, int, str]:
        verdict = group.verdict
        return (-verdict.severity.rank, verdict.rule not in causes, -verdict.status.rank, verdict.rule)

    return tuple(sorted(found, key=rank))


def _group(members: Sequence[Verdict], followers: Counter[tuple[str, str]]) -> Group:
    first = members[0]
    if len(members) > 1:
        message, remedy = _nameless((first.message, first.remedy), first.subject)
        if len(members) <= LIMIT_NAMES:  # what Ansible takes as it stands
            remedy = remedy.replace("--limit HOST", f"--limit {','.join(verdict.subject for verdict in members)}")
        first = replace(first, message=message, remedy=remedy)
    return Group(
        verdict=first,
        subjects=tuple(verdict.subject for verdict in members),
        members=tuple(members),
        folded=sum(followers[verdict.subject, verdict.rule] for verdict in members),
    )


def _nameless(texts: Sequence[str], subject: str) -> tuple[str, ...]:
    """The texts with ``HOST`` where they name the subject as a word of its own."""
    if not subject or not any(subject in text for text in texts):
        return tuple(texts)
    name = re.compile(rf"(?<![\w.-]){re.escape(subject)}(?![\w-]|\.\w)")
    return tuple(name.sub("HOST", text) for text in texts)


def _pool_row(run: Run, name: str, members: Sequence[Member]) -> PoolRow:
    names = [member.host.name for member in members]
    counts: Counter[Severity] = Counter()
    unknown = 0
    for subject in (*names, f"pool:{name}"):
        verdicts = run.by_subject.get(subject, ())
        counts.update(verdict.severity for verdict in verdicts if verdict.status is Status.FAIL)
        unknown += subject in run.hosts and any(verdict.status is Status.UNKNOWN for verdict in verdicts)
    return PoolRow(
        pool=name,
        reached=sum(run.evidence.hosts[host].reached for host in names if host in run.evidence.hosts),
        total=len(members),
        engine=tally(engine_text(member) for member in members),
        store=tally((store_text(member) for member in members), split=True),
        buildx=tally(buildx_text(member) for member in members),
        pushes=tally((push_text(member) for member in members), split=True),
        counts=counts,
        unknown=unknown,
    )


def tally(values: Iterable[str], *, split: bool = False) -> str:
    """One value as it is; several with their counts, the commonest first and ``?`` last; a split is said out loud."""
    counted = Counter(values)
    if len(counted) == 1:
        return next(iter(counted))
    ordered = sorted(counted.items(), key=lambda item: (item[0] == "?", -item[1], item[0]))
    text = " · ".join(f"{value} ({count})" for value, count in ordered)
    known = [value for value in counted if value != "?"]
    return f"SPLIT {text}" if split and len(known) > 1 else text


def engine_text(member: Member) -> str:
    """The engine's version, or ``?``."""
    engine = member.facts[Engine]
    return "?" if isinstance(engine, Unknown) else versions.release(engine.version)


def store_text(member: Member) -> str:
    """The image store: ``overlay2``, ``containerd/overlayfs``, or ``?``."""
    store = member.facts[ImageStore]
    if isinstance(store, Unknown):
        return "?"
    return store.driver if store.kind == "graphdriver" else f"containerd/{store.driver}"


def buildx_text(member: Member) -> str:
    """The plugin's version, ``missing``, ``broken``, or ``?``."""
    buildx = member.facts[Buildx]
    if isinstance(buildx, Unknown):
        return "?"
    return versions.release(buildx.version) if buildx.state == "present" else buildx.state


def push_text(member: Member) -> str:
    """``flat``, ``index``, ``none``, ``fails``, or ``?``."""
    return "?" if member.push.kind == "unknown" else member.push.kind


def severities(counts: Counter[Severity]) -> list[str]:
    """``2 errors``, ``1 warning``: the worst first, without what there is none of."""
    return [_count(counts[severity], severity.value) for severity in reversed(Severity) if counts[severity]]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
