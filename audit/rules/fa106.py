"""Client and engine are of the same major version."""

from __future__ import annotations

from audit import versions
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._text import refusal

rule = Rule(
    id="FA106",
    title="Client and engine are of the same major version",
    severity=Severity.WARNING,
    why="A pair that was upgraded by half is one that nobody tests; its faults look like faults of the machine.",
    symptom="A build that passes on the peers fails here, with the same Dockerfile and the same engine.",
    remedy="Upgrade both packages together (Debian: docker.io and docker-cli; Docker's: docker-ce and docker-ce-cli).",
    refs=("tunbury.org 2026-01-16 arm64-workers",),
)


def check(client: DockerClient, engine: Engine | Unknown) -> Result:
    """Only majors count: minors of one line are made for each other."""
    if client.kind != "docker":
        return not_applicable("there is no docker command of Docker's own")
    if isinstance(engine, Unknown):
        if refusal(engine):
            return not_applicable("the engine refuses this client, see FA107")
        return cannot_tell(f"the engine is not known: {engine.detail or engine.reason}")
    evidence = (f"client {client.version or '?'}", f"engine {engine.version}")
    ours, theirs = versions.parse(client.version), versions.parse(engine.version)
    if ours is None or theirs is None:
        return cannot_tell("a version cannot be read", *evidence)
    if ours.major == theirs.major:
        return ok(f"client and engine are both of {ours.major}", *evidence)
    return fail(f"client of {ours.major}, engine of {theirs.major}", *evidence)
