"""Which builder instance buildx takes, and so which driver and which engine's store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit.facts.builders import Builder
from audit.shape.how import How
from audit.shape.world import SOME, World

CONTAINER_DRIVERS = ("docker-container", "kubernetes", "remote")
Say = Callable[[str, str], None]


class NoBuilder(Exception):  # noqa: N818 - an outcome on its way out, not a fault
    """No builder of that name."""


@dataclass(frozen=True)
class Instance:
    """A builder instance.

    Attributes:
        driver: ``docker``, or another, which BuildKit of its own serves.
        name: as buildx calls it.
        nodes: the platforms that each node builds, in buildx's order; empty: not known.
    """

    driver: str
    name: str
    nodes: tuple[tuple[str, ...], ...] = ()

    @property
    def moby(self) -> bool:
        """The engine's own BuildKit."""
        return self.driver == "docker"

    def shared(self, platforms: tuple[str, ...]) -> bool:
        """Whether these platforms are built by several nodes: each by the first that names it, else by the first."""
        places = {
            next((place for place, built in enumerate(self.nodes) if platform in built), 0) for platform in platforms
        }
        return len(places) > 1


def chosen(world: World, how: How, context: str | None, say: Say) -> Instance:
    """The instance that this command takes.

    `docker build` takes the engine's own unless --builder, BUILDX_BUILDER or an alias says otherwise; `docker buildx
    build` takes the selected one (docker/cli cmd/docker/builder.go; docker/buildx builder/builder.go).

    Raises:
        NoBuilder: buildx lists no such builder.
    """
    here = context or "default"
    if _elsewhere(how, context):
        world.elsewhere = True
        say("--context", "the command names another engine, which was not asked")
        return Instance("docker", how.variable("DOCKER_CONTEXT") or "another")
    name = how.builder or world.value("BUILDX_BUILDER")
    aliased = bool(world.value("aliases.builder"))
    if not name and how.command == "docker build" and not aliased:
        return Instance("docker", here)
    listed = world.builders()
    selected = (listed.selected if listed else None) or ""
    builder = listed.named(name or selected) if listed else None
    if builder is not None:
        return _of(world, builder, here, say)
    if (name or selected) in (here, "default"):  # every context is a builder, listed or not
        return Instance("docker", here)
    if name and name != SOME and listed is not None:
        raise NoBuilder(name)
    return _unknown(world, name or "selected", say, named=bool(name) and name != SOME)


def _elsewhere(how: How, context: str | None) -> bool:
    """Whether the command line itself names another engine than the one that was asked."""
    if how.variable("DOCKER_HOST"):
        return True
    named = how.variable("DOCKER_CONTEXT")
    return bool(named) and named != (context or "default")


def _unknown(world: World, name: str, say: Say, *, named: bool) -> Instance:
    """A builder that we know nothing of: the engine of some context, or one with a BuildKit of its own.

    Raises:
        NoBuilder: it was named, and in this reading there is none of that name.
    """
    why = f"builder {name} is not known, since buildx's list of builders is not"
    drivers = ("docker", "docker-container", "") if named else ("docker", "docker-container")
    driver = world.fork.choose(f"builder {name}", drivers, why)
    if not driver:
        raise NoBuilder(name)
    say("builders", f"builder {name}: driver {driver}")
    if driver == "docker":
        world.elsewhere = True  # this context's engine or another's: what another's can be holds for this one too
    else:
        world.builder = Builder(name=name, driver=driver)
    return Instance(driver, name)


def _of(world: World, builder: Builder, here: str, say: Say) -> Instance:
    say("builders", f"builder {builder.name}: driver {builder.driver}")
    nodes = tuple(node.platforms for node in builder.nodes)
    if builder.driver == "docker":
        if builder.name != here:
            world.elsewhere = True
            say("builders", f"builder {builder.name} is the engine of another context, which was not asked")
        return Instance("docker", builder.name, nodes)
    world.builder = builder
    driver = builder.driver
    if driver not in CONTAINER_DRIVERS:
        why = f"what driver {driver} does by default is not known"
        driver = world.fork.choose(f"driver {driver}", ("docker", "docker-container"), why)
    return Instance(driver, builder.name, nodes)
