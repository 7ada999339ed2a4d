"""`docker buildx build`: by the engine's own builder and a push after it; else by a builder that pushes itself."""

from __future__ import annotations

from collections.abc import Iterator

from audit import versions
from audit.engines.able import Able
from audit.engines.build._step import METADATA, PUSH_LINE, STDIN, Ask, Command, Recipe, pushed
from audit.fact import Facts
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.image.platform import Platform
from audit.model import Unknown

name = "buildx"
about = "docker buildx build, whose flags decide what is attested"

NO_ARTIFACT = "0.36.1"
"""The first that reads BUILDX_NO_DEFAULT_OCI_ARTIFACT (run, docs/proofs.md): what is no boolean fails every build."""


def able(facts: Facts, ask: Ask) -> Able:
    """Where there is a plugin that runs."""
    del ask
    buildx = facts[Buildx]
    if isinstance(buildx, Unknown):
        return Able(ok=False, why=f"buildx is not known ({buildx})")
    return Able(ok=buildx.state == "present", why=f"buildx is {buildx.state}")


def actions(facts: Facts, ask: Ask) -> Iterator[Recipe]:
    """The engine's own builder first: what it pushes goes by the engine's registry settings, as pulls do."""
    buildx, client, builders = facts[Buildx], facts[DockerClient], facts[Builders]
    if isinstance(buildx, Unknown):
        return
    context = None if isinstance(client, Unknown) else client.context
    yield _recipe(buildx, ask, context or "default")
    for builder in () if isinstance(builders, Unknown) else builders.builders:
        if builder.driver != "docker" and builder.error is None and _builds(builder, Platform.parse(ask.platform)):
            yield _recipe(buildx, ask, builder.name, driver=builder.driver)


def _builds(builder: Builder, platform: Platform) -> bool:
    """A node of it runs and says that it builds for this platform."""
    return any(
        node.status == "running" and node.error is None and any(_same(said, platform) for said in node.platforms)
        for node in builder.nodes
    )


def _same(said: str, platform: Platform) -> bool:
    system, _, rest = said.partition("/")
    architecture, _, variant = rest.partition("/")
    return Platform.of({"os": system, "architecture": architecture, "variant": variant}) == platform


def _recipe(buildx: Buildx, ask: Ask, builder: str, driver: str | None = None) -> Recipe:
    """One builder's; `driver` where it is not the engine's own, and so pushes by itself."""
    provenance = "--provenance=mode=min" if ask.attest == "keep" else "--provenance=false"
    flags = (f"--builder={builder}", provenance, *(("--push",) if driver else ()))
    private = (f"--metadata-file={METADATA.file}",) if driver else ()
    called = f"buildx {versions.release(buildx.version)}, builder {builder}{f' ({driver})' if driver else ''}"
    return Recipe(
        engine=name,
        builder=called,
        build=Command(
            environment=tuple(_environment(buildx, loads=driver is None)),
            argv=("docker", "buildx", "build", *flags, *private, *ask.flags(progress=True)),
            stdin="context" if ask.context == STDIN else "nothing",
        ),
        push=None if driver else pushed(ask.reference),
        read=METADATA if driver else PUSH_LINE,
        flags=flags,
    )


def _environment(buildx: Buildx, *, loads: bool) -> Iterator[tuple[str, str]]:
    """In name order: what no flag says, and what fails a build where a worker has garbage in it."""
    if loads:
        yield "BUILDX_NO_DEFAULT_LOAD", "0"
    if versions.at_least(buildx.version, NO_ARTIFACT):
        yield "BUILDX_NO_DEFAULT_OCI_ARTIFACT", "0"
    yield "DOCKER_BUILDKIT", "1"
