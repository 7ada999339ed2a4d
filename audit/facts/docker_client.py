"""The `docker` command."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine
from audit.facts._packages import Packages
from audit.facts._read import no_userinfo
from audit.model import Probe

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

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_docker.DOCKER_VERSION,
        _probes_docker.DOCKER_CLIENT,
        _probes_machine.PACKAGES,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """Known even where the engine hangs: `docker --version` asks no engine."""
        seen = _docker.client(answers)
        if seen.kind == "absent":
            return cls(kind="absent")
        packages, lines = Packages.read(answers), _docker.lines(answers, "docker-client")
        path = packages.resolved or packages.path("docker") or (lines.first("docker") if lines else None)
        endpoint = lines.first("host") if lines else None
        kind: ClientKind = "podman" if seen.kind == "podman" else "docker" if seen.kind == "docker" else "other"
        return cls(
            kind=kind,
            path=path,
            version=seen.version,
            api_version=seen.client.text("ApiVersion") if seen.client else None,
            origin=_origin(path, packages),
            package=packages.of("docker"),
            context=(seen.client.text("Context") if seen.client else None)
            or (lines.first("context") if lines else None),
            docker_host=no_userinfo(endpoint) if endpoint else None,
        )


def _origin(path: str | None, packages: Packages) -> Origin | None:
    """By the path where that tells it, else by the package that owns the file."""
    called = packages.path("docker") or path or ""
    if called.startswith("/snap/") or (path or "").startswith("/snap/"):
        return "snap"
    if (path or "").startswith("/nix/store/"):
        return "nix"
    owner = (packages.of("docker") or "").partition(" ")[0]
    if owner.startswith("docker-ce"):
        return "docker-ce"
    if owner.startswith("moby"):
        return "moby"
    if owner == "docker.io" or (owner == "docker-cli" and packages.manager == "dpkg"):
        return "docker.io"
    if owner:
        return "other"
    return "static" if packages.manager else None
