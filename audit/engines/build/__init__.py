"""One file a build engine: a module with ``name``, ``about``, ``able`` and ``actions`` is the plugin.

They run nothing, and they foretell nothing: a recipe says which commands it would be, `audit.shape` what these leave,
and `audit.plan` takes the first recipe that leaves what is wanted. Everything that decides a shape is said on the
command line, so that nothing rests on a worker's environment.
Files that begin with ``_`` are what the engines share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol, cast

from audit.engines.able import Able
from audit.engines.build._step import STDIN, Ask, Attest, Command, Read, Recipe
from audit.engines.listing import listed
from audit.fact import Facts


class Engine(Protocol):
    """What every module of this folder is."""

    name: str
    """What a plan calls it; its file's name."""
    about: str
    """One line."""

    def able(self, facts: Facts, ask: Ask) -> Able:
        """Whether it can build that there at all, with the reason."""

    def actions(self, facts: Facts, ask: Ask) -> Iterator[Recipe]:
        """Its ways to do it, the best one first; only asked where it is able."""


@cache
def all_engines() -> Mapping[str, Engine]:
    """Every engine by name, in name order, by listing the folder."""
    return cast("Mapping[str, Engine]", listed(__name__, __path__))


__all__ = ["STDIN", "Able", "Ask", "Attest", "Command", "Engine", "Read", "Recipe", "all_engines"]
