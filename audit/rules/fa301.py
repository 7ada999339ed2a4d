"""The buildx plugin is there."""

from __future__ import annotations

from audit import versions
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, ok
from audit.rules._buildx import seen
from audit.shape import Prediction

rule = Rule(
    id="FA301",
    title="The buildx plugin is there",
    severity=Severity.WARNING,
    why="Without it `docker build` falls back to the legacy builder: no cache mounts, secrets or --link, other layers "
    "than the peers', and an error where DOCKER_BUILDKIT=1 asks for BuildKit.",
    symptom="DEPRECATED: The legacy builder is deprecated and will be removed in a future release.",
    remedy="Install the package that brings it: docker-buildx beside Debian's docker.io, docker-buildx-plugin beside "
    "docker-ce. It is only recommended by the others: --no-install-recommends leaves it out.",
    refs=("docker/cli cmd/docker/builder.go", "docker-ce-packaging deb/control"),
)

PACKAGES = {"docker.io": "docker-buildx", "docker-ce": "docker-buildx-plugin", "moby": "moby-buildx"}


def check(buildx: Buildx, client: DockerClient, push: Prediction) -> Result:
    """Clients before 23 build by themselves: there it is only missed where somebody calls it."""
    if buildx.state == "broken":
        return ok("the buildx plugin is there, but see FA302", *seen(buildx))
    if buildx.state == "present":
        return ok("the buildx plugin is there", *seen(buildx))
    evidence = (f"client {client.version or '?'}", "no docker-buildx in docker's plugin folders")
    modern = versions.at_least(client.version, "23.0")
    if modern is None:
        return cannot_tell("buildx is missing, and what the client then does is not known", *evidence)
    if not modern:
        return fail("buildx is missing; this client builds without it", *evidence, severity=Severity.NOTE)
    package = PACKAGES.get(client.origin or "")
    remedy = f"`apt install {package}`: the plugin for a docker of {client.origin}." if package else ""
    if push.kind == "fails":
        said = "buildx is missing and BuildKit is asked for: `docker build` ends with an error"
        return fail(said, *evidence, *push.reasons, remedy=remedy, severity=Severity.ERROR)
    return fail("buildx is missing: `docker build` falls back to the legacy builder", *evidence, remedy=remedy)
