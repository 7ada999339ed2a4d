"""What a token is for, and what it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Scope(NamedTuple):
    """What is wanted of one repository.

    Attributes:
        repository: its path in the registry.
        actions: of ``pull``, ``push`` and ``delete``.
    """

    repository: str
    actions: frozenset[str]

    def __str__(self) -> str:
        """As a token server reads it."""
        order = [name for name in ("pull", "push", "delete") if name in self.actions]
        return f"repository:{self.repository}:{','.join([*order, *sorted(self.actions - set(order))])}"

    def covers(self, other: Scope) -> bool:
        """Whether whoever has this may do the other."""
        return self.repository == other.repository and self.actions >= other.actions


def scope(repository: str, *actions: str) -> Scope:
    """A scope, written shortly."""
    return Scope(repository, frozenset(actions))


def merged(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each repository once, with all that is wanted of it; pushes first, since some registries read one scope only."""
    wanted: dict[str, frozenset[str]] = {}
    for one in scopes:
        wanted[one.repository] = wanted.get(one.repository, frozenset()) | one.actions
    found = [Scope(*item) for item in wanted.items()]
    return tuple(sorted(found, key=lambda one: "push" not in one.actions))


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        value: never shown.
        scopes: what was asked for with it.
        ends: on the clock of `Tokens`, when it is to be replaced.
        dies: on that clock, when it is no longer used.
        kept: it comes from an earlier run.
    """

    value: str = field(repr=False)
    scopes: tuple[Scope, ...]
    ends: float
    dies: float
    kept: bool = False

    def covers(self, wanted: Iterable[Scope]) -> bool:
        """Whether all of it was asked for."""
        return all(any(had.covers(one) for had in self.scopes) for one in wanted)
