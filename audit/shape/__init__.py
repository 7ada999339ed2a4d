"""What a plain `docker build` and `docker push` on a worker will leave at the registry, and why.

Pure: facts in, a `Push` out. It follows the order of evaluation of docker/cli (`cmd/docker/builder.go`), docker/buildx
(`build/opt.go`) and moby (`daemon/containerd/image_push.go`, `builder-next/exporter`): which builder runs, which
driver, which image store, whether provenance is asked for, and whether the exporter keeps it.
"""

from __future__ import annotations

from typing import Literal

from audit import versions
from audit.fact import Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Model, StoreKind, Unknown

Kind = Literal["flat", "index", "none", "fails", "unknown"]
BuilderKind = Literal["legacy", "buildkit", "buildx"]
Command = Literal["docker build", "docker buildx build"]

CONTAINER_DRIVERS = ("docker-container", "kubernetes", "remote")

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
    builder: BuilderKind | None = None
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class _Undecided(Exception):  # noqa: N818 - a value on its way out, not a fault
    pass


def boolean(value: str) -> bool | None:
    """Go's ParseBool: True, False, or None for what is an error there."""
    return True if value in TRUE else False if value in FALSE else None


def said(setting: Setting) -> str:
    """A setting for people, with where it comes from."""
    return f"{setting.name}={setting.value or ' (empty)'} from {setting.place}"


def default_push(facts: Facts, command: Command = "docker build") -> Push:
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

    def __init__(self, facts: Facts, command: Command, reasons: list[str]) -> None:
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
        return self._end(self._with_buildx(client), "buildx")

    def _end(self, kind: Kind, builder: BuilderKind | None) -> Push:
        return Push(kind=kind, builder=builder, reasons=tuple(self.reasons))

    # -- what the steps look at

    def _client(self) -> DockerClient:
        client = self.facts[DockerClient]
        if isinstance(client, Unknown):
            raise _Undecided(f"the docker client is not known ({client})")
        if client.kind == "absent":
            raise _Undecided("there is no docker command")
        if client.kind != "docker":
            raise _Undecided("the docker command is not Docker's own")
        return client

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

    def _engine(self) -> Engine:
        engine = self.facts[Engine]
        if isinstance(engine, Unknown):
            raise _Undecided(f"the engine is not known ({engine})")
        return engine

    def _setting(self, name: str) -> Setting | None:
        env = self.facts[BuildEnv]
        if isinstance(env, Unknown):
            raise _Undecided(f"the environment of the builds is not known ({env})")
        return env.get(name)

    def _value(self, name: str) -> str:
        """Empty where it is not set: most readers take the two for the same."""
        setting = self._setting(name)
        return setting.value if setting else ""

    def _no_boolean(self, setting: Setting) -> None:
        self.reasons.append(f"{said(setting)} is no boolean: the build ends with an error")

    # -- which builder, in the order of docker/cli: cmd/docker/builder.go (23.0 and newer), docker.go and cli.go (20.10)

    def _builder(self, client: DockerClient) -> BuilderKind | None:
        if self.command == "docker buildx build":
            return self._plugin("`docker buildx build` does not run")
        modern = versions.at_least(client.version, "23.0")
        if modern is None:
            raise _Undecided(f"the client's version {client.version!r} cannot be read")
        alias = self._value("aliases.builder")
        if alias not in ("", "buildx"):
            raise _Undecided(f"`docker build` is an alias for the plugin {alias}")
        if alias and not modern:  # the alias is replaced before anything else is looked at
            return self._plugin("`docker build` is an alias for it, and ends with an error")
        switch = self._setting("DOCKER_BUILDKIT")
        if switch is not None and not switch.value and not refuses_empty(client):
            switch = None
        on = None
        if switch is not None:
            on = boolean(switch.value)
            if on is None:
                self._no_boolean(switch)
                return None
        if on is False and switch is not None:
            self.reasons.append(f"{said(switch)}: legacy builder")
            return "legacy"
        if not modern:
            return self._own_builder(client, switch)
        if on or alias:
            return self._plugin("BuildKit is asked for, so the build ends with an error")
        buildx = self._buildx()
        if buildx.state == "present":
            return self._plugin("")
        self.reasons.append(f"buildx is {buildx.state}: `docker build` falls back to the legacy builder")
        return "legacy"

    def _plugin(self, otherwise: str) -> BuilderKind | None:
        buildx = self._buildx()
        if buildx.state == "present":
            self.reasons.append(f"buildx {versions.release(buildx.version)} runs `{self.command}`")
            return "buildx"
        self.reasons.append(f"buildx is {buildx.state}: {otherwise}")
        return None

    def _own_builder(self, client: DockerClient, switch: Setting | None) -> BuilderKind:
        """A client of 20.10 or older builds by itself; unless told, as the engine's ping says (BuildKit from 23.0)."""
        old = f"client {versions.release(client.version)}"
        if switch is not None:
            self.reasons.append(f"{old}, {said(switch)}: its own BuildKit, no buildx")
            return "buildkit"
        new = versions.at_least(self._engine().version, "23.0")
        if new is None:
            raise _Undecided(f"the engine's version {self._engine().version!r} cannot be read")
        chosen: BuilderKind = "buildkit" if new else "legacy"
        name = "its own BuildKit, no buildx" if new else "legacy builder"
        self.reasons.append(f"{old} without DOCKER_BUILDKIT, engine {versions.release(self._engine().version)}: {name}")
        return chosen

    def _without_buildx(self, builder: BuilderKind) -> Push:
        self._store()  # without an engine there is no push
        self.reasons.append("it never asks for attestations: one flat manifest")
        return self._end("flat", builder)

    # -- what buildx makes of it, in the order of docker/buildx build/opt.go

    def _with_buildx(self, client: DockerClient) -> Kind:
        builder = self._other_builder(client)
        store = self._store()
        attested = self._provenance(store, builder)
        if attested is None or not self._oci_artifact():
            return "fails"
        no_load = self._setting("BUILDX_NO_DEFAULT_LOAD")
        if no_load is not None and boolean(no_load.value):  # what is no boolean counts as false, with a warning
            self.reasons.append(f"{said(no_load)}: the build leaves no image to push")
            return "none"
        if builder is not None:
            return self._loaded(builder)
        if store.kind is StoreKind.GRAPHDRIVER:
            self.reasons.append(f"{store.driver} (graphdriver store) keeps no attestation: one flat manifest")
            return "flat"
        self.reasons.append(f"{store.driver} (containerd store) keeps what the build made")
        if attested:
            self.reasons.append("the push is an OCI index: image and attestation manifest")
            return "index"
        self.reasons.append("the push is one flat manifest")
        return "flat"

    def _other_builder(self, client: DockerClient) -> Builder | None:
        """The builder instance, or None for the current engine's own: the docker driver of the context.

        `docker build` takes the latter unless BUILDX_BUILDER or an alias says otherwise; `docker buildx build` takes
        the selected one.
        """
        name = self._value("BUILDX_BUILDER")
        aliased = bool(self._value("aliases.builder"))
        if not name and self.command == "docker build" and not aliased:
            return None
        builders = self.facts[Builders]
        if isinstance(builders, Unknown):
            raise _Undecided(f"the builders are not known ({builders})")
        name = name or builders.selected or ""
        if not name:
            raise _Undecided("which builder is selected is not known")
        chosen = builders.named(name)
        if chosen is None:
            raise _Undecided(f"builder {name} is not among those that buildx lists")
        self.reasons.append(f"builder {chosen.name}: driver {chosen.driver}")
        if chosen.driver == "docker":
            if chosen.name != (client.context or "default"):
                raise _Undecided(f"builder {name} is the engine of another context, which was not asked")
            return None
        if chosen.driver not in CONTAINER_DRIVERS:
            raise _Undecided(f"what driver {chosen.driver} does by default is not known")
        return chosen

    def _provenance(self, store: ImageStore, builder: Builder | None) -> bool | None:
        """Whether provenance is asked for by default; None: the environment's switch is wrong and the build fails.

        0.10.0 asks, 0.10.4 looks at the switch, 0.12.0 neither asks nor looks where the driver could not keep it:
        the docker driver on a graphdriver store. Older ones look there too where BuildKit can attest (engine 24).
        """
        buildx = self._buildx()
        switch = self._setting("BUILDX_NO_DEFAULT_ATTESTATIONS")
        value = boolean(switch.value) if switch else False
        graph = builder is None and store.kind is StoreKind.GRAPHDRIVER
        if graph and value is not None:
            return False
        version = versions.release(buildx.version)
        knows = versions.at_least(buildx.version, "0.10.0")
        heeds = versions.at_least(buildx.version, "0.10.4")
        if knows is None:
            raise _Undecided(f"buildx's version {buildx.version!r} cannot be read")
        if graph and (not heeds or versions.at_least(buildx.version, "0.12.0") or not self._can_attest()):
            return False
        if not knows:
            self.reasons.append(f"buildx {version} is older than attestations (0.10)")
            return False
        if switch is None:
            self.reasons.append("no BUILDX_NO_DEFAULT_ATTESTATIONS in the environment of the builds: provenance is on")
            return True
        if not heeds:
            self.reasons.append(f"{said(switch)}, but buildx {version} does not know it (0.10.4): provenance is on")
            return True
        if value is None:
            self._no_boolean(switch)
            return None
        self.reasons.append(f"{said(switch)}: provenance is {'off' if value else 'on'}")
        return not value

    def _can_attest(self) -> bool:
        """Whether the engine's BuildKit has the capability: from engine 24 (BuildKit 0.11)."""
        can = versions.at_least(self._engine().version, "24.0")
        if can is None:
            raise _Undecided(f"the engine's version {self._engine().version!r} cannot be read")
        return can

    def _oci_artifact(self) -> bool:
        """Buildx 0.36.1 and newer read this switch in every build; False: it is wrong and the build fails."""
        switch = self._setting("BUILDX_NO_DEFAULT_OCI_ARTIFACT")
        if switch is None or boolean(switch.value) is not None:
            return True
        new = versions.at_least(self._buildx().version, "0.36.1")
        if new is None:
            raise _Undecided(f"buildx's version {self._buildx().version!r} cannot be read")
        if new:
            self._no_boolean(switch)
        return not new

    def _loaded(self, builder: Builder) -> Kind:
        """Other drivers leave nothing, unless their default-load (0.14) brings the image into the engine's store."""
        if builder.default_load is None and versions.at_least(self._buildx().version, "0.14.0") is not False:
            raise _Undecided(f"whether builder {builder.name} loads its results by default is not known")
        if builder.default_load:
            self.reasons.append("default-load brings the image into the store without its default attestation")
            return "flat"
        self.reasons.append("without --push or --load its result stays in the build cache")
        return "none"


def refuses_empty(client: DockerClient) -> bool:
    """Clients 23.0.0 to 23.0.4 take a DOCKER_BUILDKIT that is set but empty for a wrong one."""
    return bool(versions.within(client.version, ">=23.0.0,<23.0.5"))
