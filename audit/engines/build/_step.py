"""What a build engine is given, and what it gives back: values, all of them JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from audit.shape import How, parse_how
from audit.value import Model

Attest = Literal["keep", "drop"]

STDIN = "-"
"""The context, where it is streamed to the build as a tar."""
SCRATCH = "{scratch}"
"""Stands in a command for a private folder on the worker, which is made for one build and removed after it."""

_PRIVATE = ("--metadata-file=", "--secret=id=")
"""The flags in which that mark is ours; whoever writes it into a build argument means it."""
_SHAPELESS = ("--label=", "--build-arg=")
"""Flags that may be long, and of which one alone decides about a shape."""


class Ask(Model):
    """One platform to be built and pushed.

    Attributes:
        platform: ``os/architecture[/variant]``.
        reference: what it is pushed as, whole.
        context: `STDIN`, or a git URL that the worker fetches.
        dockerfile: path below the context's root.
        target: stage to stop at.
        build_args: name and value, in name order.
        labels: likewise.
        secrets: ids; what they hold comes when the build is run.
        attest: whether provenance shall be asked for.
    """

    platform: str
    reference: str
    context: str = STDIN
    dockerfile: str = "Dockerfile"
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    attest: Attest = "drop"

    def flags(self, *, progress: bool) -> Iterator[str]:
        """What every builder is told alike, the context last.

        Args:
            progress: the builder knows ``--progress``.
        """
        yield f"--platform={self.platform}"
        if progress:
            yield "--progress=plain"
        if self.target is not None:
            yield f"--target={self.target}"
        yield from (f"--build-arg={name}={value}" for name, value in self.build_args)
        yield from (f"--label={name}={value}" for name, value in self.labels)
        yield from (f"--secret=id={name},src={SCRATCH}/secret-{name}" for name in self.secrets)
        yield f"--file={self.dockerfile}"
        yield f"--tag={self.reference}"
        yield self.context


class Command(Model):
    """A program to be run on a worker, without a shell of ours.

    Attributes:
        environment: variables set for it, in name order, besides the build service's.
        argv: the program and its arguments; `SCRATCH` stands for the private folder.
        stdin: what it reads.
    """

    environment: tuple[tuple[str, str], ...] = ()
    argv: tuple[str, ...]
    stdin: Literal["nothing", "context"] = "nothing"

    @property
    def text(self) -> str:
        """As it would be typed."""
        words = [f"{name}={shlex.quote(value)}" for name, value in self.environment]
        return " ".join([*words, shlex.join(self.argv)])

    @property
    def private(self) -> bool:
        """It needs the private folder."""
        return any(word.startswith(_PRIVATE) for word in self.argv)

    def argv_in(self, folder: str) -> tuple[str, ...]:
        """The arguments with the private folder's real path."""
        return tuple(word.replace(SCRATCH, folder) if word.startswith(_PRIVATE) else word for word in self.argv)


class Read(Model):
    """Where the digest of what was pushed is read; it is confirmed at the registry all the same.

    Attributes:
        how: from the line that ``docker push`` ends with, or from the metadata that buildx writes.
        file: of the metadata.
        key: in it.
    """

    how: Literal["push-line", "metadata-file"]
    file: str | None = None
    key: str | None = None

    @property
    def text(self) -> str:
        """For people."""
        if self.how == "metadata-file":
            return f"{self.key} in --metadata-file"
        return "the `digest: sha256:…` that docker push prints"


PUSH_LINE = Read(how="push-line")
METADATA = Read(how="metadata-file", file=f"{SCRATCH}/metadata.json", key="containerimage.digest")


class Recipe(Model):
    """One way to build and push a platform on one worker.

    Attributes:
        engine: whose recipe it is.
        builder: who builds, for people.
        build: the command.
        push: what is run after it; None: the build pushes by itself.
        read: where the digest comes from.
        flags: those that decide the push's shape.
    """

    engine: str
    builder: str
    build: Command
    push: Command | None = None
    read: Read = PUSH_LINE
    flags: tuple[str, ...] = Field(default=())

    @property
    def how(self) -> How:
        """As the predictor takes it.

        Raises:
            UsageError: the command cannot be read back.
        """
        words = tuple(
            word for word in self.build.argv if not word.startswith(_SHAPELESS) or "BUILDKIT_MULTI_PLATFORM" in word
        )
        lines = [self.build.model_copy(update={"argv": words}).text]
        return parse_how(" && ".join([*lines, *([self.push.text] if self.push else [])]))


def pushed(reference: str) -> Command:
    """The push that follows a build."""
    return Command(argv=("docker", "push", reference))
