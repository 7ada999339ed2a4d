"""The build service and the login shell have the same defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.fact import Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, fail, not_applicable, ok
from audit.shape import Prediction, boolean, predict, said

rule = Rule(
    id="FA402",
    title="The build service and the login shell have the same defaults",
    severity=Severity.WARNING,
    why="What somebody tries by hand on the worker is not what its builds do: the hand build pushes flat, the "
    "service's an index, or the other way round.",
    symptom="A build by hand on that very machine is fine, and the service's pushes are of another kind.",
    remedy="Set the variables in one place for both, or try builds with the service's environment: "
    "`systemd-run --pty -p EnvironmentFile=… docker build …`.",
    refs=("systemd.exec(5), Environment=",),
)

SHAPE = (
    "DOCKER_BUILDKIT",
    "BUILDX_NO_DEFAULT_ATTESTATIONS",
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT",
    "BUILDX_NO_DEFAULT_LOAD",
    "BUILDX_BUILDER",
    "aliases.builder",
)
"""What decides the shape of a push: where both predict the same, a difference is only worth knowing."""

PLACE = ("DOCKER_HOST", "DOCKER_CONTEXT", "currentContext", "DOCKER_DEFAULT_PLATFORM")
"""What decides where, and for which platform, a build runs."""


def check(
    host: Host,
    env: BuildEnv,
    push: Prediction,
    client: DockerClient | Unknown,
    buildx: Buildx | Unknown,
    builders: Builders | Unknown,
    store: ImageStore | Unknown,
    engine: Engine | Unknown,
) -> Result:
    """Only names that decide something, and only values that mean different things."""
    if host.build_unit is None or env.service is None:
        return not_applicable("no build unit is declared")
    service, shell = _by_name(env.service), _by_name(env.shell)
    differ = [name for name in (*SHAPE, *PLACE) if _meaning(service.get(name)) != _meaning(shell.get(name))]
    if not differ:
        alike = [said(setting) for name, setting in service.items() if name in (*SHAPE, *PLACE)]
        return ok("service and shell have the same defaults", *(alike or ["neither sets any of them"]))
    evidence = [
        f"{whose}: {said(found) if (found := side.get(name)) else f'{name} is not set'}"
        for name in differ
        for whose, side in (("service", service), ("shell", shell))
    ]
    message = f"the login shell differs from the build service in {', '.join(differ)}"
    by_hand = BuildEnv(service=None, shell=env.shell)
    facts = (client, buildx, builders, store, engine, by_hand)
    tried = predict(Facts({fact.fact_name(): fact for fact in facts if not isinstance(fact, Unknown)}))
    evidence.append(f"a plain push by the service: {push.kind}, from the shell: {tried.kind}")
    same = push.kind == tried.kind and push.kind != "unknown" and push.builder == tried.builder
    if same and not set(differ) & set(PLACE):
        return fail(f"{message}; today both push the same", *evidence, severity=Severity.NOTE)
    return fail(message, *evidence)


def _by_name(settings: Sequence[Setting]) -> Mapping[str, Setting]:
    return {setting.name: setting for setting in settings}


def _meaning(setting: Setting | None) -> object:
    """What a value means: 1 is true, and what is not set is no different from false or empty where docker says so."""
    if setting is None:
        return None
    value = boolean(setting.value) if setting.name not in (*PLACE, "BUILDX_BUILDER", "aliases.builder") else None
    if value is not None:
        return value or (False if setting.name == "DOCKER_BUILDKIT" else None)
    if not setting.value and setting.name in (*PLACE, "BUILDX_BUILDER", "DOCKER_BUILDKIT"):
        return None
    return setting.value
