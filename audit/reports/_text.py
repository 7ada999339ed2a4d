"""Text for a terminal: paint, wrap, fold."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from audit import inert
from audit.model import Severity, Status, Verdict
from audit.reports._style import Style

LABELS = {Severity.ERROR: "ERROR", Severity.WARNING: "WARN", Severity.NOTE: "NOTE"}
UNKNOWN = "??"
LONGEST = 2000
"""Characters of one text that a terminal shows; the rest is counted out loud."""

_CODES = {"ERROR": "1;31", "WARN": "1;33", "NOTE": "36", UNKNOWN: "1;35", "bold": "1", "dim": "2", "good": "32"}
_QUOTED = re.compile(r"`[^`]+`")
_HELD = "\0"  # stands for a space that no line may end at; `terminal` has left no such character


def label_of(verdict: Verdict) -> str:
    """``ERROR``, ``WARN``, ``NOTE``, or ``??`` for what could not be told."""
    return UNKNOWN if verdict.status is Status.UNKNOWN else LABELS[verdict.severity]


def painter(style: Style) -> Callable[[str, str], str]:
    """A function that paints a text in a colour of ours (``paint(text, "bold")``), or leaves it."""
    if not style.color:
        return lambda text, _color: text
    return lambda text, color: f"\x1b[{_CODES[color]}m{text}\x1b[0m"


def shown(text: str) -> str:
    """A text of a worker for a terminal: inert, and of a bearable length."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters: --report json)"
    return inert.terminal(text)


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most `width` columns with a hanging indentation; words and `quoted commands` stay whole.

    A quoted command longer than a line stands on a line of its own for the terminal to wrap: a copy of it must not
    hold a line end, at which a shell would run the half of it.

    Args:
        text: already inert.
        width: columns.
        first: what the first line begins with.
        rest: what the others begin with; spaces of the same length where not given.
    """
    if len(first) + len(text) <= width:
        return [first + text.replace(_HELD, " ")]
    rest = " " * len(first) if rest is None else rest
    held = _QUOTED.sub(lambda one: one[0].replace(" ", _HELD), text)
    lines = textwrap.wrap(
        held, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_HELD, " ") for line in lines]


def parts(texts: Iterable[str]) -> str:
    """Short texts in a row, `` · `` between them; `wrap` breaks none of them. They are made inert here."""
    return " · ".join(shown(text).replace(" ", _HELD) for text in texts)


def labelled(label: str, texts: Iterable[str], style: Style, indent: int = 6) -> list[str]:
    """Texts under one label: ``      why: …``, the following ones aligned with the first."""
    paint = painter(style)
    lines: list[str] = []
    head = f"{' ' * indent}{label}: "
    for text in texts:
        lines.extend(wrap(shown(text), style.width, head if not lines else " " * len(head), " " * len(head)))
    if lines:
        lines[0] = lines[0].replace(f"{label}:", paint(f"{label}:", "dim"), 1)
    return lines


_NUMBER = re.compile(r"([0-9]{1,9})")


def fold(names: Sequence[str], limit: int = 3) -> str:
    """Host names in the room of a few: ``riscv-[01-22,25]``; fewer than `limit` alike are written out.

    Each name is folded over the number that most of the others differ in; the order of first appearance is kept.
    """
    parts = {name: _NUMBER.split(name) for name in names}
    frames = Counter(_frame(split, place) for split in parts.values() for place in range(1, len(split), 2))
    groups: dict[tuple[str, str], list[str]] = {}
    for name, split in parts.items():
        places = range(len(split) - 2, 0, -2)
        if not places:
            groups[name, ""] = [""]
            continue
        counts = {place: frames[_frame(split, place)] for place in places}
        best = max(counts, key=counts.__getitem__)
        groups.setdefault(_frame(split, best), []).append(split[best])
    return ", ".join(
        text for (before, after), numbers in groups.items() for text in _folded(before, after, numbers, limit)
    )


def _frame(split: Sequence[str], place: int) -> tuple[str, str]:
    return "".join(split[:place]), "".join(split[place + 1 :])


def _folded(before: str, after: str, numbers: Sequence[str], limit: int) -> Iterator[str]:
    """One group; where some number has a leading zero, only numbers of one length fold together."""
    padded = any(len(number) > 1 and number.startswith("0") for number in numbers)
    lengths = dict.fromkeys(len(number) if padded else 0 for number in numbers)
    for length in lengths:
        alike = [number for number in numbers if length in (0, len(number))]
        if len(alike) < limit:
            yield from (f"{before}{number}{after}" for number in alike)
        else:
            yield f"{before}[{_ranges(alike)}]{after}"


def _ranges(numbers: Sequence[str]) -> str:
    ordered = sorted(set(numbers), key=int)
    spans: list[list[str]] = []
    for number in ordered:
        if spans and int(number) == int(spans[-1][-1]) + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ",".join("-".join(span) for span in spans)


def hosts_text(names: Sequence[str]) -> str:
    """``w1``, ``w1, w3``, ``riscv-[01-22] (22 hosts)``; inert."""
    folded = fold([inert.terminal(name) for name in names])
    return f"{folded} ({len(names)} hosts)" if len(names) > 3 else folded


def subjects_text(subjects: Sequence[str]) -> str:
    """Hosts, pools (``pool riscv64``) and the fleet; inert."""
    pools = [subject.removeprefix("pool:") for subject in subjects if subject.startswith("pool:")]
    if len(pools) != len(subjects):
        return hosts_text(subjects)
    return f"pool{'s' if len(pools) > 1 else ''} {', '.join(inert.terminal(pool) for pool in pools)}"
