"""What a prediction says: the shapes that a push may have, and the steps of reasoning that led there."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field, computed_field

from audit.image.media import DOCKER_LIST, OCI_MANIFEST
from audit.model import Model

ShapeKind = Literal["flat", "index", "none", "fails"]
Kind = Literal["flat", "index", "none", "fails", "unknown"]
BuilderKind = Literal["legacy", "buildkit", "buildx"]
Role = Literal["image", "attestation"]
Fate = Literal["none", "kept", "artifact", "dropped", "stripped", "refused"]


class Step(Model):
    """One step of reasoning.

    Attributes:
        on: what it rests on: a fact's name (``image_store``), a flag (``--provenance``), a variable
            (``BUILDX_NO_DEFAULT_ATTESTATIONS``), or ``known`` for what a version is known to do.
        text: one clause for people, without a full stop.
    """

    on: str
    text: str


class Child(Model):
    """One manifest of an index, in its order."""

    media_type: str = Field(description="Media type of its descriptor")
    role: Role
    platform: str | None = Field(default=None, description="os/arch[/variant]; None: the worker's own")
    artifact: bool = Field(default=False, description="An attestation kept as an OCI artifact (artifactType, subject)")


class Attestations(Model):
    """What becomes of provenance and SBOM."""

    asked: tuple[str, ...] = Field(default=(), description="e.g. `provenance (default, mode=min)`, `--sbom`; in order")
    fate: Fate = Field(
        default="none",
        description="none: nobody asked; kept, or kept as an OCI artifact; dropped by the exporter without a word; "
        "stripped by the push; refused: the build ends with an error",
    )


class Digests(Model):
    """Which digest can be used as the pushed one."""

    trust: str = Field(description="Where the pushed digest can be read")
    lies: tuple[str, ...] = Field(default=(), description="What looks like the pushed digest here and is not")


class Shape(Model):
    """What one way of building and pushing leaves at the registry.

    Media types are those of the image and distribution specs. `layers` and `config` are of what was built; layers of a
    base image keep the type they came with.
    """

    kind: ShapeKind = Field(description="flat: one manifest; index: a list; none: nothing to push; fails: an error")
    builder: BuilderKind | None = Field(default=None, description="Who builds")
    media_type: str | None = Field(default=None, description="Of what the pushed tag names; None: nothing arrives")
    children: tuple[Child, ...] = Field(default=(), description="Of an index")
    manifest: str | None = Field(default=None, description="Media type of the image's own manifest")
    config: str | None = Field(default=None, description="Media type of its config")
    layers: str | None = Field(default=None, description="Media type of the layers that were built")
    attestations: Attestations = Attestations()
    digests: Digests | None = Field(default=None, description="None: nothing arrives")
    stage: Literal["build", "push"] | None = Field(default=None, description="Which command ends with the error")
    error: str | None = Field(default=None, description="What the user reads, as far as it is the same everywhere")
    steps: tuple[Step, ...] = Field(default=(), description="The reasoning, in order")

    @property
    def text(self) -> str:
        """For people, in a few words."""
        if self.kind == "flat":
            word = "OCI" if self.media_type == OCI_MANIFEST else "schema2"
            return f"flat ({word})"
        if self.kind == "index":
            word = "Docker list" if self.media_type == DOCKER_LIST else "OCI index"
            images = sum(child.role == "image" for child in self.children)
            attested = len(self.children) - images
            parts = [f"{images} image{'s' * (images != 1)}"]
            if attested:
                parts.append(f"{attested} attestation{'s' * (attested != 1)}")
            return f"{word} ({' + '.join(parts)})"
        return "nothing to push" if self.kind == "none" else f"the {self.stage or 'build'} fails"


_DECISIVE = (
    "DOCKER_BUILDKIT",
    "BUILDX_NO_DEFAULT_ATTESTATIONS",
    "BUILDX_NO_DEFAULT_LOAD",
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT",
    "build_env",
    "builders",
    "image_store",
)


class Prediction(Model):
    """Every shape that the facts leave possible: one where all that decides is known.

    Attributes:
        shapes: distinct, the likeliest reading of nothing: their order means nothing. Empty only where there is no
            Docker to ask.
        missing: why there is more than one, or none.
        assumed: where an answer rests on a version newer than the tables know.
    """

    shapes: tuple[Shape, ...] = ()
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def possible(self) -> tuple[str, ...]:
        """The possible shapes in a few words each, every wording once."""
        return tuple(dict.fromkeys(shape.text for shape in self.shapes))

    @property
    def decisive(self) -> tuple[str, ...]:
        """Of the sure shape's steps those that an operator could change, as text; else the shared reasons."""
        if self.shape is None:
            return self.reasons
        steps = [step.text for step in self.shape.steps if step.on in _DECISIVE or step.on.startswith("--")]
        return tuple(steps) or tuple(step.text for step in self.shape.steps[-1:])

    @property
    def shape(self) -> Shape | None:
        """The one shape, where the answer is sure."""
        return self.shapes[0] if len(self.shapes) == 1 and not self.missing else None

    @computed_field(description="The kind that all possible shapes share, else `unknown`")  # type: ignore[prop-decorator]  # mypy 1414: a decorated property
    @cached_property
    def kind(self) -> Kind:
        """The kind that all possible shapes share, else ``unknown``."""
        kinds = {shape.kind for shape in self.shapes}
        return kinds.pop() if len(kinds) == 1 else "unknown"

    @computed_field(description="Who builds, where all possible shapes agree")  # type: ignore[prop-decorator]  # likewise
    @cached_property
    def builder(self) -> BuilderKind | None:
        """Who builds, where all possible shapes agree."""
        builders = {shape.builder for shape in self.shapes}
        return builders.pop() if len(builders) == 1 else None

    @computed_field(description="The steps that all possible shapes share, in order")  # type: ignore[prop-decorator]  # likewise
    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """The steps that all possible shapes share, as text, in order."""
        if not self.shapes:
            return ()
        first, *others = ([step.text for step in shape.steps] for shape in self.shapes)
        shared = []
        for position, text in enumerate(first):
            if any(position >= len(other) or other[position] != text for other in others):
                break
            shared.append(text)
        return tuple(shared)
