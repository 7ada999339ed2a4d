"""Docker does not come as a snap."""

from __future__ import annotations

from audit.facts.docker_client import DockerClient
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA115",
    title="Docker does not come as a snap",
    severity=Severity.WARNING,
    why="snapd refreshes it whenever it likes, across major versions and under running builds, and its confinement "
    "hides folders outside of home.",
    symptom="A build dies with the engine's restart at night; or a build context that is there is not found.",
    remedy="`snap remove docker` on a drained worker, then install docker.io or docker-ce; "
    "till then `snap refresh --hold docker`.",
    refs=("snapcraft.io/docs/managing-updates",),
)


def check(client: DockerClient) -> Result:
    """By the packaging that the docker command came from."""
    if client.kind != "docker":
        return not_applicable("there is no docker command of Docker's own")
    evidence = tuple(text for text in (client.path, client.package) if text)
    if client.origin == "snap":
        return fail("Docker comes as a snap", *evidence)
    if client.origin is None:
        return cannot_tell("where the docker command comes from is not known", *evidence)
    return ok(f"Docker comes from {client.origin}", *evidence)
