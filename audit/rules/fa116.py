"""The docker command talks to this machine's own engine."""

from __future__ import annotations

from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.machine import Machine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok

rule = Rule(
    id="FA116",
    title="The docker command talks to this machine's own engine",
    severity=Severity.WARNING,
    why="Builds land on another machine: two workers share one engine, and the disks seen here are not the images'.",
    symptom="A prune here frees nothing; the worker builds for a platform that it is not.",
    remedy="Unset DOCKER_HOST and DOCKER_CONTEXT for the builds, and `docker context use default` for their account.",
    refs=("docs.docker.com/engine/manage-resources/contexts",),
)

LOCAL = ("unix://", "fd://", "npipe://", "tcp://127.", "tcp://localhost:", "tcp://[::1]")


def check(client: DockerClient, machine: Machine | Unknown, engine: Engine | Unknown) -> Result:
    """DOCKER_HOST says it outright; for a context the engine's name is compared with the machine's."""
    if client.kind != "docker":
        return not_applicable("there is no docker command of Docker's own")
    if client.docker_host:
        said = f"DOCKER_HOST={client.docker_host}"
        if client.docker_host.startswith(LOCAL):
            return ok("the client talks to an engine of this machine", said)
        return fail("DOCKER_HOST sends the builds to another machine's engine", said)
    if client.context == "default":
        return ok("the client talks to an engine of this machine", "context default, no DOCKER_HOST")
    said = f"context {client.context or '?'}"
    if isinstance(engine, Unknown) or isinstance(machine, Unknown) or engine.name is None:
        return cannot_tell("which machine the current context leads to is not known", said)
    names = f"engine {engine.name}, machine {machine.hostname}"
    if engine.name.partition(".")[0] == machine.hostname.partition(".")[0]:
        return ok("the client talks to an engine of this machine", said, names)
    if client.context is None:
        return cannot_tell("which machine the current context leads to is not known", said, names)
    return fail("the current context sends the builds to another engine", said, names)
