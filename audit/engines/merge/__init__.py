"""One file a merge engine: a module with ``name``, ``about``, ``able`` and ``actions`` is the plugin.

They run nothing: `audit.merging` chooses one and carries its actions out. An engine is given a `MergeStep`, whose index
is known to the byte, so what an engine leaves is compared with it, whoever made it.
Files that begin with ``_`` are what the engines share.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast

from audit.engines.able import Able
from audit.engines.listing import listed
from audit.engines.merge._clients import (
    imagetools_fault,
    imagetools_notes,
    manifest_fault,
    manifest_is_far,
    manifest_is_index,
    manifest_is_mixed,
)
from audit.engines.merge._step import (
    SCRATCH,
    Action,
    Confirm,
    MergeHost,
    MergeSource,
    MergeStep,
    Mount,
    PutManifest,
    RegistryCall,
    Run,
)

ORDER = ("registry", "imagetools", "manifest")
"""In which `auto` tries them, where no policy says otherwise."""


class Engine(Protocol):
    """What every module of this folder is."""

    name: str
    """What ``--engine`` calls it; its file's name."""
    about: str
    """One line for ``--help``."""

    def able(self, step: MergeStep, host: MergeHost) -> Able:
        """Whether it can do that there, with the reason; `host` is where Docker's own clients would run."""

    def actions(self, step: MergeStep, host: MergeHost) -> tuple[Action, ...]:
        """What is to be done, in its order; only asked where it is able."""


@cache
def all_engines() -> Mapping[str, Engine]:
    """Every engine by name, in name order, by listing the folder."""
    return cast("Mapping[str, Engine]", listed(__name__, __path__))


__all__ = [
    "ORDER", "SCRATCH", "Able", "Action", "Confirm", "Engine", "MergeHost", "MergeSource", "MergeStep", "Mount",
    "PutManifest", "RegistryCall", "Run", "all_engines", "imagetools_fault", "imagetools_notes", "manifest_fault",
    "manifest_is_far", "manifest_is_index", "manifest_is_mixed",
]  # fmt: skip
