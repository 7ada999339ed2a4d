"""The `docker` command."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field

ClientKind = Literal["docker", "podman", "other", "absent"]
Origin = Literal["docker.io", "docker-ce", "snap", "nix", "moby", "static", "other"]


class DockerClient(Fact):
    """The `docker` that a build would run, under the build service's environment where one is declared."""

    kind: ClientKind = fact_field("Whose program it is; podman: podman's shim; absent: none in PATH")
    path: str | None = fact_field("Where it is, links resolved", default=None)
    version: str | None = fact_field("Client version as it says, e.g. 28.5.2+dfsg4", default=None)
    api_version: str | None = fact_field("Newest API that the client speaks to this engine", default=None)
    origin: Origin | None = fact_field("Packaging it came from", default=None)
    package: str | None = fact_field(
        "Package and version that own the file, e.g. docker-cli 28.5.2+dfsg4-1", default=None
    )
    context: str | None = fact_field("Current context", default=None)
    docker_host: str | None = fact_field("DOCKER_HOST in force, userinfo redacted", default=None)
