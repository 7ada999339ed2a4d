"""What a plain `docker build` and `docker push` on a worker will leave at the registry, and why.

Pure: facts in, a `Push` out. It follows the order of evaluation of docker/cli (`cmd/docker/builder.go`), docker/buildx
(`build/opt.go`) and moby (`daemon/containerd/image_push.go`, `builder-next/exporter`): which builder runs, which
driver, which image store, whether provenance is asked for, and whether the exporter keeps it.
"""

from __future__ import annotations

from typing import Literal

from audit import versions
from audit.fact import Facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Model, StoreKind, Unknown

Kind = Literal["flat", "index", "none", "fails", "unknown"]

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""What Go's strconv.ParseBool takes; anything else, the empty string too, is an error."""


class Push(Model):
    """What a push will leave.

    Attributes:
        kind: ``flat`` one manifest; ``index`` an OCI index (image and attestation); ``none`` the build leaves nothing
            to push; ``fails`` the build ends with an error; ``unknown`` a fact that decides is missing.
        builder: ``legacy``, ``buildkit`` (compiled into the client) or ``buildx``.
        reasons: the steps that led there, in order, each naming the fact it rests on.
        missing: why it is unknown.
    """

    kind: Kind
    builder: Literal["legacy", "buildkit", "buildx"] | None = None
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class _Undecided(Exception):  # noqa: N818 - a value on its way out, not a fault
    pass


def boolean(value: str) -> bool | None:
    """Go's ParseBool: True, False, or None for what is an error there."""
    return True if value in TRUE else False if value in FALSE else None


def default_push(facts: Facts, command: Literal["docker build", "docker buildx build"] = "docker build") -> Push:
    """Predict the push of one worker for a plain build without flags.

    Args:
        facts: the worker's.
        command: how it builds; the two can differ, since only `docker buildx build` honours the selected builder.
    """
    reasons: list[str] = []
    try:
        return _Walk(facts, command, reasons).run()
    except _Undecided as missing:
        return Push(kind="unknown", reasons=tuple(reasons), missing=(str(missing),))


class _Walk:
    """One evaluation; each step appends its reason."""

    def __init__(self, facts: Facts, command: str, reasons: list[str]) -> None:
        self.facts = facts
        self.command = command
        self.reasons = reasons

    def run(self) -> Push:
        client = self._client()
        builder = self._builder(client)
        if builder is None:
            return self._end("fails", None)
        if builder != "buildx":
            return self._without_buildx(builder)
        return self._with_buildx()

    def _end(self, kind: Kind, builder: Literal["legacy", "buildkit", "buildx"] | None) -> Push:
        return Push(kind=kind, builder=builder, reasons=tuple(self.reasons))

    # -- the steps, in docker's order

    def _client(self) -> DockerClient:
        client = self.facts[DockerClient]
        if isinstance(client, Unknown):
            raise _Undecided(f"the docker client is not known ({client})")
        if client.kind == "absent":
            self.reasons.append("no docker command on the worker")
            raise _Undecided("there is no docker command")
        if client.kind != "docker":
            raise _Undecided(f"the docker command is not Docker's but {client.kind}")
        return client

    def _env(self, name: str) -> str | None:
        env = self.facts[BuildEnv]
        if isinstance(env, Unknown):
            raise _Undecided(f"the environment of the builds is not known ({env})")
        setting = env.get(name)
        return setting.value if setting else None

    def _place(self, name: str) -> str:
        env = self.facts[BuildEnv]
        setting = None if isinstance(env, Unknown) else env.get(name)
        return f" ({setting.place})" if setting else ""

    def _builder(self, client: DockerClient) -> Literal["legacy", "buildkit", "buildx"] | None:
        """docker/cli cmd/docker/builder.go processBuilder (23.0 and newer); cli/command/cli.go (20.10)."""
        switch = self._env("DOCKER_BUILDKIT")
        if self.command == "docker buildx build":
            if self._buildx().state == "present":
                return "buildx"
            self.reasons.append(f"buildx is {self._buildx().state}: `docker buildx build` does not run")
            return None
        modern = versions.at_least(client.version, "23.0")
        if modern is None:
            raise _Undecided(f"the client's version {client.version!r} cannot be read")
        on = boolean(switch) if switch else None  # set but empty counts as unset (23.0.0 alone refuses it)
        if switch and on is None:
            self.reasons.append(
                f"DOCKER_BUILDKIT={switch}{self._place('DOCKER_BUILDKIT')} is no boolean: the build ends with an error"
            )
            return None
        if on is False:
            self.reasons.append(f"DOCKER_BUILDKIT={switch}{self._place('DOCKER_BUILDKIT')}: legacy builder")
            return "legacy"
        if not modern:
            if on:
                self.reasons.append(
                    f"client {versions.release(client.version)}, DOCKER_BUILDKIT={switch}: its own BuildKit, no buildx"
                )
                return "buildkit"
            self.reasons.append(f"client {versions.release(client.version)} without DOCKER_BUILDKIT: legacy builder")
            return "legacy"
        buildx = self._buildx()
        if buildx.state == "present":
            self.reasons.append(f"buildx {versions.release(buildx.version)} runs `docker build`")
            return "buildx"
        alias = self._env("aliases.builder") == "buildx"
        if on or alias:
            self.reasons.append(f"buildx is {buildx.state} and BuildKit is asked for: the build ends with an error")
            return None
        self.reasons.append(f"buildx is {buildx.state}: `docker build` falls back to the legacy builder")
        return "legacy"

    def _buildx(self) -> Buildx:
        buildx = self.facts[Buildx]
        if isinstance(buildx, Unknown):
            raise _Undecided(f"the buildx plugin is not known ({buildx})")
        return buildx

    def _store(self) -> ImageStore:
        store = self.facts[ImageStore]
        if isinstance(store, Unknown):
            raise _Undecided(f"the image store is not known ({store})")
        return store

    def _without_buildx(self, builder: Literal["legacy", "buildkit"]) -> Push:
        store = self._store()
        types = "Docker media types" if store.kind is StoreKind.GRAPHDRIVER else "OCI and Docker media types mixed"
        if builder == "buildkit" and store.kind is StoreKind.CONTAINERD:
            types = "media types by the engine's BuildKit"
        self.reasons.append(f"it never asks for attestations: one flat manifest, {types}")
        return self._end("flat", builder)

    def _with_buildx(self) -> Push:
        driver = self._driver()
        if driver != "docker":
            self.reasons.append("without --push or --load its result stays in the build cache")
            return self._end("none", "buildx")
        if (no_load := self._env("BUILDX_NO_DEFAULT_LOAD")) and boolean(no_load):
            self.reasons.append(f"BUILDX_NO_DEFAULT_LOAD={no_load}: the build leaves no image to push")
            return self._end("none", "buildx")
        store = self._store()
        if store.kind is StoreKind.GRAPHDRIVER:
            self.reasons.append(
                f"{store.driver} (graphdriver store): its exporter keeps no attestation, the push is flat"
            )
            return self._end("flat", "buildx")
        self.reasons.append(f"{store.driver} (containerd image store): an attestation would be kept")
        return self._attested()

    def _driver(self) -> str:
        """`docker build` takes the docker driver of its context unless told; `docker buildx build` the selected one."""
        name = self._env("BUILDX_BUILDER")
        aliased = self._env("aliases.builder") == "buildx"
        if not name and self.command == "docker build" and not aliased:
            return "docker"
        builders = self.facts[Builders]
        if isinstance(builders, Unknown):
            raise _Undecided(f"the builders are not known ({builders})")
        chosen = builders.named(name) if name else builders.named(builders.selected or "default")
        if chosen is None:
            raise _Undecided(f"there is no builder called {name or builders.selected}")
        self.reasons.append(f"builder {chosen.name}: driver {chosen.driver}")
        return chosen.driver

    def _attested(self) -> Push:
        """docker/buildx build/opt.go: provenance is on by default from 0.10, the environment's switch from 0.10.4."""
        buildx = self._buildx()
        version = versions.parse(buildx.version)
        if version is None:
            raise _Undecided(f"buildx's version {buildx.version!r} cannot be read")
        if versions.at_least(buildx.version, "0.10.0") is False:
            self.reasons.append(f"buildx {versions.release(buildx.version)} is older than attestations (0.10)")
            return self._end("flat", "buildx")
        engine = self.facts[Engine]
        if isinstance(engine, Unknown):
            raise _Undecided(f"the engine is not known ({engine})")
        switch = self._env("BUILDX_NO_DEFAULT_ATTESTATIONS")
        if switch is not None and versions.at_least(buildx.version, "0.10.4"):
            place = self._place("BUILDX_NO_DEFAULT_ATTESTATIONS")
            value = boolean(switch)
            if value is None:
                self.reasons.append(
                    f"BUILDX_NO_DEFAULT_ATTESTATIONS={switch}{place} is no boolean: the build ends with an error"
                )
                return self._end("fails", "buildx")
            if value:
                self.reasons.append(f"BUILDX_NO_DEFAULT_ATTESTATIONS={switch}{place}: no provenance, the push is flat")
                return self._end("flat", "buildx")
            self.reasons.append(f"BUILDX_NO_DEFAULT_ATTESTATIONS={switch}{place}: provenance stays on")
        else:
            self.reasons.append("no BUILDX_NO_DEFAULT_ATTESTATIONS in the environment of the builds: provenance is on")
        self.reasons.append("the push is an OCI index: image and attestation manifest")
        return self._end("index", "buildx")
