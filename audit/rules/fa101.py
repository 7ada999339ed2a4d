"""There is a docker command."""

from __future__ import annotations

from audit.facts.docker_client import DockerClient
from audit.facts.machine import Machine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA101",
    title="There is a docker command",
    severity=Severity.ERROR,
    why="Without it the worker builds nothing; the builds look for it in the PATH of their own service.",
    symptom="docker: command not found",
    remedy="Install Docker as on the peers (Debian: `apt install docker.io docker-cli docker-buildx`), or fix PATH.",
    cause=True,
    refs=("docker-ce-packaging deb/common/control",),
)


def check(client: DockerClient, machine: Machine | Unknown) -> Result:
    """Pools hold macOS, BSD and Windows machines as well: no docker there is no fault."""
    if client.kind != "absent":
        return ok("there is a docker command", client.path or "found in PATH")
    if not isinstance(machine, Unknown) and machine.system != "Linux":
        return not_applicable(f"no docker on {machine.system}, and none is expected there", final=True)
    return fail("no docker command", "docker is not in the PATH that the builds get")
