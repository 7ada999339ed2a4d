"""Engine and client are 23.0 or newer."""

from __future__ import annotations

from audit import versions
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.model import Severity, Unknown
from audit.rule import Result, Rule, cannot_tell, fail, ok

rule = Rule(
    id="FA109",
    title="Engine and client are 23.0 or newer",
    severity=Severity.WARNING,
    why="Before 23.0 the legacy builder is the default, the containerd store does not exist (24.0 brings it), and "
    "`docker manifest` takes no OCI image.",
    symptom="`docker manifest create` fails on a peer's OCI image: no such manifest, or … is not a manifest.",
    remedy="Upgrade Docker (Debian: move to trixie or newer), and read FA204 first: the upgrade may change the store.",
    refs=("docker/cli commit 070825bc74 (docker manifest takes OCI images)",),
)

FLOOR = "23.0"


def check(engine: Engine, client: DockerClient | Unknown) -> Result:
    """An old client spoils merges even beside a new engine."""
    evidence = [f"engine {engine.version}"]
    new = versions.at_least(engine.version, FLOOR)
    if new is False:
        return fail(f"the engine is older than {FLOOR}", *evidence)
    if not isinstance(client, Unknown) and client.kind == "docker":
        evidence.append(f"client {client.version or '?'}")
        if versions.at_least(client.version, FLOOR) is False:
            return fail(f"the docker command is older than {FLOOR}", *evidence)
    if new is None:
        return cannot_tell("the engine's version cannot be read", *evidence)
    return ok(f"{FLOOR} or newer", *evidence)
