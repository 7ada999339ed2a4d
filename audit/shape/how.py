"""A way of building and pushing, as typed: environment, build command with its flags, push command."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.model import Model

Command = Literal["docker build", "docker buildx build", "docker buildx bake"]

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""What Go's strconv.ParseBool takes; anything else, the empty string too, is an error."""


def boolean(value: str | None) -> bool | None:
    """Go's ParseBool: True, False, or None for what is an error there."""
    return True if value in TRUE else False if value in FALSE else None


class Attest(Model):
    """One attestation that the command line asks for, or asks not to have."""

    type: str = Field(description="provenance, sbom, or another that --attest names")
    disabled: bool = Field(default=False, description="--provenance=false and the like")
    inline_only: bool = False
    text: str = Field(description="The flag as written")


class Output(Model):
    """One --output."""

    type: str = Field(description="image, registry, docker, oci, local, tar, ...")
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = Field(description="The flag as written")

    def get(self, name: str) -> str | None:
        """An attribute's value; the last one written wins."""
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
        default=(), description="Variables set for the build command itself; they win over the worker's"
    )
    flags: tuple[str, ...] = Field(default=(), description="Names of the flags used, in order, for builders too old")
    docker_push: bool = Field(default=False, description="A `docker push` is written; else it follows where need be")
    push_platform: str | None = Field(default=None, description="--platform of the `docker push` that follows")

    @property
    def pushes_itself(self) -> bool:
        """Whether the build command is meant to push, so that no `docker push` follows unless it is written."""
        return self.push or any(out.type == "image" and boolean(out.get("push")) is True for out in self.outputs)

    def variable(self, name: str) -> str | None:
        """A variable that the command line sets; None: it does not."""
        return dict(self.environment).get(name)
