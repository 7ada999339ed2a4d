"""The docker command is Docker's own."""

from __future__ import annotations

from audit.facts.docker_client import DockerClient
from audit.model import Severity
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA102",
    title="The docker command is Docker's own",
    severity=Severity.ERROR,
    why="A shim takes the same words and does something else: other image store, other manifests, no buildx.",
    symptom="Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.",
    remedy="Remove the shim (`apt remove podman-docker`, `dnf remove podman-docker`) and install Docker.",
    cause=True,
    refs=("podman-docker(1)",),
)


def check(client: DockerClient) -> Result:
    """Podman's shim is named; whatever else is called docker is not trusted either."""
    evidence = tuple(text for text in (client.path, client.package) if text)
    match client.kind:
        case "docker":
            return ok("the docker command is Docker's own", *(evidence or (f"client {client.version}",)))
        case "absent":
            return not_applicable("there is no docker command")
        case "podman":
            return fail("the docker command is podman's shim", *evidence)
        case _:
            return fail(
                "the docker command is not Docker's own",
                *evidence,
                remedy="Find out what it is (`ls -l $(command -v docker)`), and put Docker's own first in PATH.",
            )
