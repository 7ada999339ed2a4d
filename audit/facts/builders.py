"""The builder instances that buildx knows."""

from __future__ import annotations

from audit.fact import Fact, fact_field
from audit.model import Model


class BuilderNode(Model):
    """One node of a builder."""

    name: str
    endpoint: str = ""
    status: str = ""
    buildkit: str | None = None
    platforms: tuple[str, ...] = ()
    error: str | None = None


class Builder(Model):
    """One builder instance.

    Attributes:
        default_load: its driver-opt ``default-load``: results go into the engine's store; None: not told.
    """

    name: str
    driver: str
    selected: bool = False
    error: str | None = None
    default_load: bool | None = None
    nodes: tuple[BuilderNode, ...] = ()

    @property
    def buildkit(self) -> str | None:
        """BuildKit's version of the first node that tells it."""
        return next((node.buildkit for node in self.nodes if node.buildkit), None)


class Builders(Fact):
    """`docker buildx ls` as the build service would see it; Unknown(absent) without buildx."""

    builders: tuple[Builder, ...] = fact_field("All builders")
    selected: str | None = fact_field("The one that `docker buildx build` would use", default=None)

    def named(self, name: str) -> Builder | None:
        """The builder of that name."""
        return next((builder for builder in self.builders if builder.name == name), None)
