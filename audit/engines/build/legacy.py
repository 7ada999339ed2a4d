"""`docker build` of the client itself: its compiled-in BuildKit before 23.0, and the legacy builder of every client."""

from __future__ import annotations

from collections.abc import Iterator

from audit import versions
from audit.engines.able import Able
from audit.engines.build._step import STDIN, Ask, Command, Recipe, pushed
from audit.fact import Facts
from audit.facts.docker_client import DockerClient
from audit.model import Unknown

name = "legacy"
about = "docker build without buildx, which makes no attestations"

NO_OWN_BUILDKIT = "23.0.0"
"""The first client whose `docker build` by BuildKit is buildx's (docker/cli v23.0.0 cmd/docker/builder.go)."""


def able(facts: Facts, ask: Ask) -> Able:
    """For images alone, and without secrets where the client has no BuildKit of its own."""
    client = facts[DockerClient]
    if isinstance(client, Unknown):
        return Able(ok=False, why=f"the docker client is not known ({client})")
    if client.kind != "docker":
        return Able(ok=False, why="there is no docker client")
    builder = f"the legacy builder of client {versions.release(client.version)}"
    if ask.attest == "keep":
        return Able(ok=False, why=f"{builder} makes no attestations")
    if ask.secrets and not _own_buildkit(client):
        return Able(ok=False, why=f"{builder} takes no secrets")
    return Able(ok=True, why=f"{builder} is always there")


def actions(facts: Facts, ask: Ask) -> Iterator[Recipe]:
    """BuildKit before the legacy builder, where the client has both."""
    client = facts[DockerClient]
    if isinstance(client, Unknown):
        return
    release = versions.release(client.version)
    if _own_buildkit(client):
        yield _recipe(ask, f"BuildKit of client {release}", "1")
    if not ask.secrets:
        yield _recipe(ask, f"legacy builder of client {release}", "0")


def _own_buildkit(client: DockerClient) -> bool:
    """Known to be older; of an unreadable version nothing is claimed."""
    return versions.at_least(client.version, NO_OWN_BUILDKIT) is False


def _recipe(ask: Ask, builder: str, buildkit: str) -> Recipe:
    """One builder's; the legacy builder would leave the container of a RUN that fails."""
    clean = ("--force-rm",) if buildkit == "0" else ()
    return Recipe(
        engine=name,
        builder=builder,
        build=Command(
            environment=(("DOCKER_BUILDKIT", buildkit),),
            argv=("docker", "build", *clean, *ask.flags(progress=buildkit == "1")),
            stdin="context" if ask.context == STDIN else "nothing",
        ),
        push=pushed(ask.reference),
        flags=(f"DOCKER_BUILDKIT={buildkit}",),
    )
