"""A way of building as the words of a command that a probe may run: only what makes one image and pushes it."""

from __future__ import annotations

from collections.abc import Iterator

from audit.errors import UsageError
from audit.model import BUILD_VARIABLES, Model
from audit.shape.how import How, Output

CARRIED = {"attest", "builder", "build-arg", "load", "output", "platform", "provenance", "push", "sbom"}
"""Flags that a probe gives to its own command as they are (of build-args, BUILDKIT_MULTI_PLATFORM alone)."""
DROPPED = {
    "annotation", "cache-from", "debug", "file", "force-rm", "iidfile", "label", "metadata-file", "no-cache",
    "progress", "pull", "quiet", "rm", "tag",
}  # fmt: skip
"""Flags without which the push has the same shape: a probe has its own Dockerfile, tag and files."""
ELSEWHERE = {
    "BUILDKIT_HOST", "BUILDX_CONFIG", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST",
    "DOCKER_TLS", "DOCKER_TLS_VERIFY",
}  # fmt: skip
"""Variables that lead to another engine or another configuration than the worker's own."""
EXPORTS = {"image", "registry", "docker"}


class Way(Model):
    """One way of building.

    Attributes:
        how: for the prediction.
        text: for people: the command line, without context, tag and files.
        environment: assignments for the command itself.
        command: its first words, up to ``build``.
        flags: the words after that, before the tag and the context.
        pushes: the build pushes by itself.
        push_flags: the words of the `docker push` that follows.
    """

    how: How
    text: str
    environment: tuple[str, ...] = ()
    command: tuple[str, ...] = ("docker", "build")
    flags: tuple[str, ...] = ()
    pushes: bool = False
    push_flags: tuple[str, ...] = ()

    @property
    def builder_flags(self) -> tuple[str, ...]:
        """The words that choose the builder."""
        return tuple(flag for flag in self.flags if flag.startswith("--builder="))


def way_of(how: How) -> Way:
    """The words for a way of building.

    Raises:
        UsageError: a probe cannot run it, or will not: it would leave something else than one image.
    """
    if how.command == "docker buildx bake":
        raise UsageError("--how: bake reads its targets from a file; give the `docker buildx build` line instead")
    odd = [name for name in how.flags if name not in CARRIED | DROPPED]
    if odd:
        listed = ", ".join(f"--{name}" for name in odd)
        raise UsageError(f"--how: a probe does not run a build with {listed}; leave that out")
    for name, _ in how.environment:
        if name in ELSEWHERE:
            raise UsageError(f"--how: {name} leads away from the worker's own engine; leave it out")
        if name not in BUILD_VARIABLES:
            raise UsageError(f"--how: {name} is no variable of a build; known are {', '.join(BUILD_VARIABLES)}")
    how = how.model_copy(update={"flags": tuple(name for name in how.flags if name in CARRIED)})
    environment = tuple(f"{name}={value}" for name, value in how.environment)
    flags = tuple(_flags(how))
    pushes = how.push or any(_pushes(output) for output in how.outputs)
    push_flags: tuple[str, ...] = ("--platform", how.push_platform) if how.push_platform else ()
    words = [*environment, how.command, *flags]
    if not pushes:
        words += ["&& docker push", *push_flags]
    return Way(
        how=how,
        text=" ".join(words),
        environment=environment,
        command=tuple(how.command.split()),
        flags=flags,
        pushes=pushes,
        push_flags=push_flags,
    )


def _flags(how: How) -> Iterator[str]:
    if how.builder:
        yield f"--builder={how.builder}"
    for attest in how.attests:
        yield attest.text.replace("--attest ", "--attest=", 1)
    for output in how.outputs:
        yield f"--output={_output(output)}"
    if how.platforms:
        yield f"--platform={','.join(how.platforms)}"
    if how.multi_platform is not None:
        yield f"--build-arg=BUILDKIT_MULTI_PLATFORM={how.multi_platform}"
    if how.push:
        yield "--push"
    if how.load:
        yield "--load"


def _output(output: Output) -> str:
    given = dict(output.attributes)
    if output.type not in EXPORTS or "dest" in given:
        raise UsageError(f"--how: {output.text} does not leave an image in the engine or the registry; leave it out")
    given.pop("name", None)  # the tag is the probe's
    words = [f"type={output.type}", *(f"{name}={value}" for name, value in given.items() if name != "type")]
    if any(set(word) & set(',"\n') for word in words):
        raise UsageError(f"--how: {output.text} has a value with a comma or a quote in it; leave that out")
    return ",".join(words)


def _pushes(output: Output) -> bool:
    return output.type == "registry" or output.get("push") in ("1", "t", "T", "true", "TRUE", "True")


LINES = (
    "docker build",
    "DOCKER_BUILDKIT=0 docker build",
    "DOCKER_BUILDKIT=1 docker build",
    "docker build --provenance=false",
    "docker build --provenance=mode=max",
    "docker build --sbom=true",
    "docker buildx build --push",
    "docker buildx build --provenance=false --push",
    "docker buildx build --provenance=mode=max --push",
)
"""What --all-ways tries."""
