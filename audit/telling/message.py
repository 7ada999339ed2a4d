"""The words: a subject with the counts, and at most twenty lines that read well in mail, in a chat and in a log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from audit import inert
from audit.drift.transitions import Transition
from audit.reports._text import subjects_text
from audit.rule import all_rules
from audit.snapshot import Snapshot
from audit.telling.choosing import Kind, kind_of

MOST_LINES = 20
_MOST_CHARACTERS = 300
"""Of a line; chats cut long messages off, and mail servers refuse lines above 998 bytes."""
_MOST_OF_NAMES = 120
_SEVERITIES = ("error", "warning", "note")
_LABELS = {"error": "ERROR", "warning": "WARN", "note": "NOTE"}
_ORDER: tuple[Kind, ...] = ("new", "untold", "ended", "other")


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        subject: one line, without a worker's words.
        body: plain text of at most `MOST_LINES` lines, no newline at its end.
        kind: how channels that know colours or ranks paint it.
    """

    subject: str
    body: str
    kind: Literal["failure", "warning", "success", "info"]


@dataclass(frozen=True)
class _Group:
    """Transitions that say the same of several subjects."""

    kind: Kind
    first: Transition
    subjects: tuple[str, ...]
    text: str
    remedy: str


def told(found: Sequence[Transition], now: Snapshot, *, before: float | None = None, link: str = "") -> Message | None:
    """The message about a run.

    Args:
        found: what to tell of (see `audit.telling.chosen`).
        now: the check that they are of.
        before: UNIX time of the check that it was compared with; None: there was none.
        link: where the report can be seen; empty: nowhere.

    Returns:
        None where there is nothing to tell.
    """
    if not found:
        return None
    counts = Counter(kind_of(one) for one in found)
    fails = Counter(one.severity for one in found if kind_of(one) == "new")
    lines = [_head(now, before), ""]
    tail = ["", f"Report: {link}"] if link else []
    groups = sorted(_groups(found), key=_rank)
    room = MOST_LINES - len(lines) - len(tail)
    shown, left = (groups, []) if len(groups) <= room else _fitting(groups, room - 1)
    remedies = sum(bool(group.remedy) for group in shown) + len(shown) + bool(left) <= room
    for group in shown:
        lines.append(_line(group))
        if remedies and group.remedy:
            lines.append(f"   do: {group.remedy}")
    if left:
        lines.append(f"… and {_left(left)}.")
    return Message(f"fleet-audit: {_counted(found, counts, fails)}", "\n".join([*lines, *tail]), _kind(counts, fails))


def _head(now: Snapshot, before: float | None) -> str:
    hosts = "1 host" if len(now.hosts) == 1 else f"{len(now.hosts)} hosts"
    since = f"compared with {_when(before)}" if before is not None else "with no earlier check to compare with"
    return f"{hosts} checked {_when(now.at)}, {since}."


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _counted(found: Sequence[Transition], counts: Counter[Kind], fails: Counter[str]) -> str:
    """``2 errors and 1 warning new, 1 host not told, 3 findings ended``."""
    new = [_number(fails[severity], severity) for severity in _SEVERITIES if fails[severity]]
    untold = {one.subject for one in found if kind_of(one) == "untold"}
    together = {subject for subject in untold if subject == "fleet" or subject.startswith("pool:")}
    parts = [
        f"{' and '.join([', '.join(new[:-1]), new[-1]] if len(new) > 1 else new)} new" if new else "",
        f"{_number(len(untold - together), 'host')} not told" if untold - together else "",
        f"{_number(len(together), 'pool')} not told" if together else "",
        f"{_number(counts['ended'], 'finding')} ended" if counts["ended"] else "",
        f"{_number(counts['other'], 'verdict')} changed" if counts["other"] else "",
    ]
    return ", ".join(part for part in parts if part)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _kind(counts: Counter[Kind], fails: Counter[str]) -> Literal["failure", "warning", "success", "info"]:
    if fails["error"]:
        return "failure"
    if fails["warning"] or counts["untold"]:
        return "warning"
    return "success" if counts["ended"] and not counts["new"] else "info"


def _groups(found: Sequence[Transition]) -> list[_Group]:
    alike: dict[tuple[str, ...], list[Transition]] = {}
    for one in found:
        key = (kind_of(one), one.rule, one.severity, str(one.after), _nameless(one.message, one.subject))
        alike.setdefault(key, []).append(one)
    return [
        _Group(
            kind=kind_of(members[0]),
            first=members[0],
            subjects=tuple(one.subject for one in members),
            text=members[0].message if len(members) == 1 else key[-1],
            remedy=_remedy(members) if kind_of(members[0]) == "new" else "",
        )
        for key, members in alike.items()
    ]


def _remedy(members: Sequence[Transition]) -> str:
    """What to do; the manual page where a command in it would not come out whole and as it is."""
    first, remedy = members[0], members[0].remedy
    if len(members) > 1:
        names = ",".join(one.subject for one in members)
        remedy = _nameless(remedy, first.subject)
        if len(names) <= _MOST_OF_NAMES:  # Ansible takes them as they stand
            remedy = remedy.replace("--limit HOST", f"--limit {names}")
    whole = len(remedy) <= _MOST_CHARACTERS and inert.chat(remedy) == remedy
    return remedy if whole else f"`fleet-audit explain {first.rule}`"


def _nameless(text: str, subject: str) -> str:
    """With ``HOST`` where it names the subject as a word of its own."""
    if not subject or subject not in text:
        return text
    return re.sub(rf"(?<![\w.-]){re.escape(subject)}(?![\w-]|\.\w)", "HOST", text)


def _rank(group: _Group) -> tuple[int, bool, str]:
    """Causes before what follows from them: rules that others rest on, then by id (reach, engine, store, push)."""
    check = all_rules().get(group.first.rule)
    return (_ORDER.index(group.kind), not (check is not None and check.rule.cause), group.first.rule)


def _fitting(groups: Sequence[_Group], room: int) -> tuple[list[_Group], list[_Group]]:
    """As many as there is room for, the most severe of them, in the order that they have."""

    def weight(place: int) -> tuple[int, int, int]:
        group = groups[place]
        severity = _SEVERITIES.index(group.first.severity) if group.first.severity in _SEVERITIES else 3
        return (_ORDER.index(group.kind), severity, place)

    kept = set(sorted(range(len(groups)), key=weight)[:room])
    parts: tuple[list[_Group], list[_Group]] = ([], [])
    for place, group in enumerate(groups):
        parts[place not in kept].append(group)
    return parts


def _left(groups: Sequence[_Group]) -> str:
    counts = Counter(group.first.severity if group.kind == "new" else group.kind for group in groups)
    words = {"untold": "not told", "ended": "ended", "other": "changed"}
    return ", ".join(
        _number(counts[name], f"more {name}") if name in _LABELS else f"{counts[name]} more {words[name]}"
        for name in (*_SEVERITIES, *words)
        if counts[name]
    )


def _line(group: _Group) -> str:
    first = group.first
    new, other = _LABELS.get(first.severity, "ERROR"), first.after or "gone"
    label = {"new": new, "untold": "??", "ended": "ended", "other": other}
    names = subjects_text(group.subjects[:1000])
    if len(names) > _MOST_OF_NAMES:
        names = f"{names[:_MOST_OF_NAMES].rpartition(', ')[0]}, … ({len(group.subjects)})"
    return _cut(f"{label[group.kind]} {first.rule} {names}: {group.text}")


def _cut(text: str) -> str:
    shown = inert.chat(text[: 2 * _MOST_CHARACTERS])
    return shown if len(shown) <= _MOST_CHARACTERS else f"{shown[: _MOST_CHARACTERS - 1]}…"
