"""A way of building and pushing, as typed: environment, build command with its flags, push command."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.model import Model

Command = Literal["docker build", "docker buildx build", "docker buildx bake"]


class Attest(Model):
    """One attestation that the command line asks for, or asks not to have."""

    type: str = Field(description="provenance, sbom, or another that --attest names")
    disabled: bool = Field(default=False, description="--provenance=false and the like")
    inline_only: bool = False
    text: str = Field(description="The flag as written")


class Output(Model):
    """One --output; --push and --load stand in fields of their own."""

    type: str = Field(description="image, registry, docker, oci, local, tar, ...")
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = Field(description="The flag as written")

    def get(self, name: str) -> str | None:
        """An attribute's value."""
        return dict(self.attributes).get(name)


class How(Model):
    """How an image is built and how it leaves the worker. The default is a plain `docker build` and `docker push`."""

    command: Command = "docker build"
    builder: str | None = Field(default=None, description="--builder")
    attests: tuple[Attest, ...] = ()
    outputs: tuple[Output, ...] = ()
    push: bool = Field(default=False, description="--push: the build pushes by itself")
    load: bool = Field(default=False, description="--load")
    platforms: tuple[str, ...] = Field(default=(), description="--platform, one or several")
    multi_platform: str | None = Field(default=None, description="The build-arg BUILDKIT_MULTI_PLATFORM as written")
    environment: tuple[tuple[str, str], ...] = Field(
        default=(), description="Variables set for the command itself; they win over the worker's"
    )
    flags: tuple[str, ...] = Field(default=(), description="Other flags that a builder may not know, by name")
    push_platform: str | None = Field(default=None, description="--platform of the `docker push` that follows")


def parse_how(line: str) -> How:
    """Read a command line: ``[NAME=VALUE ...] docker build [flags] [&& docker push [flags] REF]``.

    The same three commands as docker's own, also as ``docker image build``, ``docker builder build`` and
    ``docker buildx b``; flags that do not change what is pushed are taken and forgotten. Nothing is run.

    Raises:
        UsageError: it is no build command, or a flag lacks its value.
    """
    raise NotImplementedError(line)
