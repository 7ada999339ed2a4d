"""Two rows of one host, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from audit.drift.fields import UNASKED, canonical, class_of, parts_of, told
from audit.drift.model import Difference
from audit.snapshot import HostRow

_NONE: Mapping[str, Any] = {}


def differences(before: HostRow, after: HostRow, missing: set[str] | None = None) -> Iterator[Difference]:
    """Every field that differs, by class; facts and fields that only one of the two has are not compared.

    Args:
        before, after: the same host, or two hosts that are held against each other.
        missing: takes ``FACT.FIELD`` of what one side has and the other does not: another fleet-audit collected it.

    Returns:
        In the order of the newer row's facts and fields. A fact that could not be told on one side is one difference
        of the kind ``lost`` or ``found``: it never reads as the same.
    """
    for fact, now in after.facts.items():
        then = before.facts.get(fact)
        if then is None:
            if missing is not None:
                missing.add(fact)
        elif then != now:
            yield from _of_fact(fact, then, now, missing)


def _of_fact(
    fact: str, then: Mapping[str, Any], now: Mapping[str, Any], missing: set[str] | None
) -> Iterator[Difference]:
    if UNASKED in then or UNASKED in now:
        yield from _untold(fact, then, now)
        return
    before, after = parts_of(fact, then), parts_of(fact, now)
    for field, value in after.items():
        kind = class_of(fact, field)
        if field not in before or kind is None:
            if missing is not None and field not in before:
                missing.add(f"{fact}.{field}")
            continue
        was = before[field]
        if was == value or canonical(fact, field, was) == canonical(fact, field, value):
            continue
        yield Difference(fact=fact, field=field, kind=kind, before=was, after=value)


def _untold(fact: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """What is absent on one side is a difference as any other; what could not be looked at is lost, or found again."""
    could, can = told(then), told(now)
    if could and can:
        if (UNASKED in then) != (UNASKED in now):  # two absent things differ in their detail only
            yield Difference(fact=fact, field="", kind="stable", before=_short(then), after=_short(now))
    elif could != can:
        kind = "lost" if could else "found"
        yield Difference(fact=fact, field="", kind=kind, before=_short(then), after=_short(now))  # type: ignore[arg-type]  # one of the two
    elif then[UNASKED] != now[UNASKED]:
        yield Difference(fact=fact, field="", kind="volatile", before=_short(then), after=_short(now))


def _short(values: Mapping[str, Any]) -> str:
    if UNASKED not in values:
        return "known"
    detail = values.get("detail")
    return f"{values[UNASKED]}: {detail}" if detail else str(values[UNASKED])
