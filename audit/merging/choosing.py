"""Which engine does a merge, why that one, and why none of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from audit.engines.merge import ORDER, Able, Action, MergeHost, MergeStep, all_engines
from audit.errors import StepError, UsageError
from audit.value import Model


class Choice(Model):
    """An engine, chosen.

    Attributes:
        engine: its name.
        able: that it can, and why.
        others: every other one with the reason why it was not taken, in the policy's order.
        host: where it runs programs.
        actions: what is to be done.
    """

    engine: str
    able: Able
    others: tuple[tuple[str, str], ...] = ()
    host: MergeHost
    actions: tuple[Action, ...] = ()


def choose(step: MergeStep, wanted: str, order: Sequence[str], host: Callable[[], MergeHost]) -> Choice:
    """The engine that was asked for, or for ``auto`` the first of the policy's order that is able.

    Args:
        step: what is to be merged.
        wanted: an engine's name, or ``auto``.
        order: engines' names, the first one first.
        host: finds out about the merge host; only called where an engine needs to know.

    Raises:
        UsageError: there is no such engine.
        StepError: none is able; the sentence says why not, one by one.
    """
    engines = all_engines()
    names = tuple(order) if wanted == "auto" else (wanted,)
    for name in names:
        if name not in engines and name not in ORDER:
            raise UsageError(f"{name!r} is no merge engine: write auto, {', '.join(engines)}")
    others: list[tuple[str, str]] = []
    found: MergeHost | None = None
    for number, name in enumerate(names):
        if name not in engines:
            others.append((name, "it is not part of this installation"))
            continue
        if name != "registry" and found is None:
            found = host()
        at = found or MergeHost()
        able = engines[name].able(step, at)
        if not able.ok:
            others.append((name, able.why))
            continue
        others += [(other, f"{name} comes first and is able") for other in names[number + 1 :]]
        if wanted != "auto":
            others += [(other, f"{name} was asked for") for other in order if other != name]
        return Choice(
            engine=name, able=able, others=tuple(others), host=at, actions=engines[name].actions(step, at)
        )  # fmt: skip
    reasons = "; ".join(f"{name}: {why}" for name, why in others)
    raise StepError(f"no engine can do this merge, and nothing was changed ({reasons})")
