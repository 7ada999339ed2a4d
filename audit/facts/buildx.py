"""The buildx plugin that `docker build` would use."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field
from audit.model import Model


class PluginCopy(Model):
    """One file called docker-buildx in a plugin folder.

    Attributes:
        path: where it is.
        version: what it says of itself, or None where it does not run.
        error: why it does not run.
        in_use: this is the one docker takes.
    """

    path: str
    version: str | None = None
    error: str | None = None
    in_use: bool = False


class Buildx(Fact):
    """State, version and copies, for the user and environment of the builds."""

    state: Literal["present", "missing", "broken"] = fact_field("What docker finds")
    version: str | None = fact_field("Version without a leading v, e.g. 0.29.1+ds1", default=None)
    path: str | None = fact_field("The copy in use", default=None)
    error: str | None = fact_field("Why it is broken", default=None)
    copies: tuple[PluginCopy, ...] = fact_field("Every copy in docker's plugin folders, in docker's order", default=())
    package: str | None = fact_field("Package and version that own the copy in use", default=None)
