"""One evaluation, in docker's own order: who builds, what it makes of the command line, what the push leaves."""

from __future__ import annotations

from typing import Literal, NoReturn

from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.image.media import DOCKER_LAYER
from audit.model import StoreKind, Unknown
from audit.shape.arrival import PushRefused, by_buildkit, by_docker_push
from audit.shape.exports import Image, exported
from audit.shape.how import How, boolean
from audit.shape.instance import NoBuilder, chosen
from audit.shape.line import LEGACY, OWN
from audit.shape.result import Attestations, BuilderKind, Shape, Step
from audit.shape.wanted import Refused, wanted
from audit.shape.world import Untold, World

NO_ENGINE = "Cannot connect to the Docker daemon"
NO_IMAGE = {
    StoreKind.GRAPHDRIVER: "An image does not exist locally with the tag",
    StoreKind.CONTAINERD: "tag does not exist",
}
NO_BUILDX = "BuildKit is enabled but the buildx component is missing or broken."
NO_BOOLEAN = "DOCKER_BUILDKIT environment variable expects boolean value"


Stage = Literal["build", "push"]


class _Fails(Exception):  # noqa: N818 - an outcome on its way out, not a fault
    def __init__(self, text: str, stage: Stage = "build", attestations: Attestations | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.stage = stage
        self.attestations = attestations or Attestations()


class Walk:
    """One walk through one world; `shape` is its end."""

    def __init__(self, world: World, how: How) -> None:
        """Nothing is asked yet."""
        self.world = world
        self.how = how
        self.steps: list[Step] = []
        self.builder: BuilderKind | None = None

    def shape(self) -> Shape:
        """Follow the build and the push to what arrives."""
        try:
            return self._shape()
        except _Fails as end:
            return Shape.model_construct(
                kind="fails",
                builder=self.builder,
                stage=end.stage,
                error=end.text,
                attestations=end.attestations,
                steps=tuple(self.steps),
            )

    def _step(self, on: str, text: str) -> None:
        self.steps.append(Step.model_construct(on=on, text=text))

    def _fail(self, on: str, why: str, text: str, stage: Stage = "build") -> NoReturn:
        self._step(on, why)
        raise _Fails(text, stage)

    def _shape(self) -> Shape:
        self._engine()
        self.builder = self._who()
        if self.builder == "buildx":
            return self._with_buildx()
        self._flags_known(self.builder)
        return self._without_buildx(self.builder)

    def _engine(self) -> None:
        """Where neither the engine nor its store can be told, it may not answer at all."""
        world = self.world
        if any(not isinstance(world.facts[kind], Unknown) for kind in (Engine, ImageStore)):
            return
        if not world.fork.choose("engine", (True, False), world.dark(Engine)):
            self._fail("engine", "no engine answers", NO_ENGINE)

    # -- who builds, in the order of docker/cli: cmd/docker/builder.go (23.0 and newer), cli.go and docker.go (20.10)

    def _who(self) -> BuilderKind:
        world, plain = self.world, self.how.command == "docker build"
        modern = world.can("client.plugin")
        on = self._switch(modern) if modern or plain else None
        if not plain:
            self._plugin(f"`{self.how.command}` does not run", self._no_command())
            return "buildx"
        alias = world.value("aliases.builder")
        if alias not in ("", "buildx"):
            raise Untold(f"`docker build` is an alias for the plugin {alias}")
        if alias and (not modern or on is not False):
            self._plugin("`docker build` is an alias for it, and ends with an error", NO_BUILDX)
            return "buildx"
        if on is False:
            self._step("DOCKER_BUILDKIT", f"{world.setting('DOCKER_BUILDKIT')}: legacy builder")
            return "legacy"
        if not modern:
            return self._own_builder(on)
        if on:
            self._plugin("BuildKit is asked for, so the build ends with an error", NO_BUILDX)
            return "buildx"
        state = world.has_buildx()
        if state == "present":
            self._plugin("", "")
            return "buildx"
        self._step("buildx", f"buildx is {state}: `docker build` falls back to the legacy builder")
        return "legacy"

    def _switch(self, modern: bool) -> bool | None:
        """DOCKER_BUILDKIT, which a newer client reads before any command."""
        setting = self.world.setting("DOCKER_BUILDKIT")
        if setting is None or (not setting.value and not (modern and self.world.can("client.refuses-empty-switch"))):
            return None
        value = boolean(setting.value)
        if value is None:
            self._fail("DOCKER_BUILDKIT", f"{setting} is no boolean: the build ends with an error", NO_BOOLEAN)
        return value

    def _plugin(self, otherwise: str, error: str) -> None:
        state = self.world.has_buildx()
        if state != "present":
            self._fail("buildx", f"buildx is {state}: {otherwise}", error)
        self._step("buildx", f"buildx {self.world.release('buildx')} runs `{self.how.command}`")

    def _no_command(self) -> str:
        """Docker itself reads the line then, and stumbles over its first flag; a build that is pushed has a tag."""
        return f"unknown flag: --{self.how.flags[0]}" if self.how.flags else "unknown"

    def _own_builder(self, on: bool | None) -> BuilderKind:
        """A client of 20.10 or older builds by itself; unless told, as the engine's ping says."""
        world = self.world
        old = f"client {world.release('client')}"
        if on:
            setting = world.setting("DOCKER_BUILDKIT")
            self._step("DOCKER_BUILDKIT", f"{old}, {setting}: its own BuildKit, no buildx")
            return "buildkit"
        chosen_: BuilderKind = "buildkit" if world.can("engine.prefers-buildkit") else "legacy"
        name = "its own BuildKit, no buildx" if chosen_ == "buildkit" else "legacy builder"
        self._step("engine", f"{old} without DOCKER_BUILDKIT, engine {world.release('engine')}: {name}")
        return chosen_

    # -- without buildx

    def _flags_known(self, builder: BuilderKind) -> None:
        known = LEGACY if self.world.can("client.plugin") else OWN
        for flag in self.how.flags:
            if flag not in known:
                self._fail(f"--{flag}", f"the {_NAMES[builder]} does not know --{flag}", f"unknown flag: --{flag}")

    def _without_buildx(self, builder: BuilderKind) -> Shape:
        """Neither asks for attestations: one flat manifest."""
        if len(self.how.platforms) > 1:
            several = f"--platform {','.join(self.how.platforms)}"
            self._fail("--platform", f"the {_NAMES[builder]} builds one platform: {several} is refused", SEVERAL)
        for output in self.how.outputs:
            if output.type in ("local", "tar", "oci"):
                self._step(output.text, "the build leaves files and no image to push")
                return self._nothing()
        store, world = self.world.store(), self.world
        if self.how.pushes_itself and not self.how.docker_push:
            if builder == "legacy":
                self._step("--output", "the legacy builder passes over --output: the image is built and not pushed")
                return self._nothing()
            if store is StoreKind.GRAPHDRIVER:
                self._fail("--output", f"BuildKit on {world.store_text()} has no image exporter", NO_EXPORTER)
        self._step("known", "it never asks for attestations: one flat manifest")
        if store is StoreKind.GRAPHDRIVER:
            return self._pushed(Image(oci=False, platforms=self.how.platforms or (None,)))
        if builder == "legacy":
            self._step("image_store", f"{world.store_text()}: an OCI manifest round layers of Docker's own type")
            return self._pushed(Image(oci=True, layers=DOCKER_LAYER, platforms=self.how.platforms or (None,)))
        oci, forced = world.can("buildkit.oci"), boolean(self.how.multi_platform) is True
        return self._pushed(Image(oci=oci, index=forced, platforms=self.how.platforms or (None,)))

    # -- with buildx

    def _with_buildx(self) -> Shape:
        world, how = self.world, self.how
        client = world.fact(DockerClient)
        try:
            instance = chosen(world, how, client.context if client else None, self._step)
            asked = wanted(world, how, instance, self._step)
            image = exported(world, how, instance, asked, self._step)
        except NoBuilder as end:
            self._fail("builders", f"there is no builder {end}", f'no builder "{end}" found')
        except Refused as end:
            fate = Attestations(asked=end.asked, fate="refused") if end.attestation else None
            self._step(end.on, end.why)
            raise _Fails(end.text, attestations=fate) from None
        if image is None:
            return self._nothing()
        if image.pushed and not how.docker_push:
            if instance.moby and world.store() is StoreKind.CONTAINERD and not world.can("buildx.direct-push"):
                self._step("buildx", "it is pushed twice, by BuildKit and by the engine, with one digest")
            shape = by_buildkit(world, instance, "buildx", image, asked.asked)
            return self._with_steps(shape)
        if not image.stored:
            return self._nothing()
        return self._pushed(image, asked.asked)

    def _nothing(self) -> Shape:
        if self.how.docker_push:
            self._fail("docker push", "there is no image of that name for `docker push`", self._no_image(), "push")
        return Shape.model_construct(
            kind="none", builder=self.builder, steps=tuple(self.steps), attestations=Attestations()
        )

    def _no_image(self) -> str:
        return NO_IMAGE[self.world.store()]

    def _pushed(self, image: Image, asked: tuple[str, ...] = ()) -> Shape:
        assert self.builder is not None
        try:
            shape = by_docker_push(self.world, self.how, self.builder, image, asked, self._step)
        except PushRefused as end:
            self._fail(end.on, end.why, end.text, "push")
        return self._with_steps(shape)

    def _with_steps(self, shape: Shape) -> Shape:
        return Shape.model_construct(**{**shape.__dict__, "steps": tuple(self.steps)})


SEVERAL = "is an invalid component of"
NO_EXPORTER = 'exporter "image" could not be found'
_NAMES = {"legacy": "legacy builder", "buildkit": "client's own BuildKit", "buildx": "buildx"}
