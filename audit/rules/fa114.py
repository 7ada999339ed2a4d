"""No registry is declared insecure."""

from __future__ import annotations

from audit.facts.engine import Engine
from audit.model import Host, Severity
from audit.rule import Result, Rule, fail, ok

rule = Rule(
    id="FA114",
    title="No registry is declared insecure",
    severity=Severity.NOTE,
    why="Only the engine reads insecure-registries: a merge (imagetools, ours) and a container builder do not.",
    symptom="The push works and the merge says: http: server gave HTTP response to HTTPS client.",
    remedy="Give the registry a certificate; its CA goes into the system's store of every worker.",
    refs=("docker/buildx util/resolver/resolver.go",),
)


def check(engine: Engine, host: Host) -> Result:
    """It bites where merges run; elsewhere it is worth knowing."""
    if not engine.insecure_registries:
        return ok("no registry is declared insecure", "RegistryConfig: none besides loopback")
    return fail(
        "insecure registries are declared" + (" on a merge host" if host.merge_host else ""),
        *engine.insecure_registries,
        severity=Severity.WARNING if host.merge_host else Severity.NOTE,
    )
