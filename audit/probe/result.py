"""What a probe build proved, host by host and way by way."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.image.arrived import Arrived
from audit.model import Model
from audit.shape.result import Prediction

Agreement = Literal["agrees", "differs", "unknown"]
Where = Literal["registry", "export"]


class Told(Model):
    """What the worker printed about one way of building.

    Attributes:
        number: of the way, from 0.
        build: exit status of the build; None: it did not come to its end.
        push: exit status of the push that followed; None: there was none, or it did not come to its end.
        iid: what the build wrote to its --iidfile.
        iid_usable: whether `docker image inspect` finds that; None: not asked, or the engine did not say.
        pushed: the digest that the push (or a build that pushes) printed.
        log: the last lines of the command that failed, and of nothing else.
    """

    number: int
    build: int | None = None
    push: int | None = None
    iid: str | None = None
    iid_usable: bool | None = None
    pushed: str | None = None
    log: tuple[str, ...] = ()


class Link(Model):
    """What ``COPY --link --chown=NAME`` did on the worker, with a user that the stage's base has.

    Attributes:
        works: None: it could not be told.
        log: the last lines of a build that failed.
    """

    works: bool | None = None
    log: tuple[str, ...] = ()


class WayProof(Model):
    """One way of building on one host: predicted against seen."""

    way: str = Field(description="The command line, without context, tag and files of ours")
    reference: str = Field(description="The tag that it was to be pushed as (or was given on the worker alone)")
    where: Where = Field(description="What was looked at: the registry, or the image exported on the worker")
    prediction: Prediction
    told: Told
    arrived: Arrived | None = Field(default=None, description="None: nothing arrived, or it could not be told")
    stored: bool = Field(default=False, description="Without a registry: one flat image was seen in the store")
    agreement: Agreement
    differences: tuple[str, ...] = Field(default=(), description="Where prediction and proof part")
    unknown: str | None = Field(default=None, description="Why it could not be told")
    notes: tuple[str, ...] = Field(default=(), description="Digests that cannot be used, and the like")

    @property
    def predicted_text(self) -> str:
        """For people, in a few words."""
        shape = self.prediction.shape
        if shape is not None:
            return shape.text
        texts = dict.fromkeys(shape.text for shape in self.prediction.shapes)
        return " or ".join(texts) or "cannot tell"

    @property
    def arrived_text(self) -> str:
        """For people, in a few words."""
        if self.arrived is not None:
            return arrived_text(self.arrived)
        if self.stored:
            return "one flat image"
        if self.agreement == "unknown":
            return "cannot tell"
        if self.told.build:
            return "the build failed"
        return "the push failed" if self.told.push else "nothing"


class HostProof(Model):
    """One host.

    Attributes:
        host: the inventory's name.
        ways: one for each way that was tried, in order.
        link: see `Link`.
        unknown: why nothing could be told of the whole host.
        user: as whom the builds ran.
        left: what could not be removed, one sentence each; empty where nothing is left.
        seconds: how long it took on the worker.
    """

    host: str
    ways: tuple[WayProof, ...] = ()
    link: Link = Link()
    unknown: str | None = None
    user: str | None = None
    left: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def agreement(self) -> Agreement:
        """The worst of its ways: a difference before what is unknown, what is unknown before all agree."""
        told = {way.agreement for way in self.ways}
        if "differs" in told:
            return "differs"
        return "unknown" if self.unknown or "unknown" in told or not told else "agrees"


class Proof(Model):
    """What rules see of a host's probe; without ways where none was run."""

    ways: tuple[WayProof, ...] = ()


def arrived_text(arrived: Arrived) -> str:
    """In the words of `Shape.text`."""
    oci = ".oci." in arrived.media_type
    if arrived.kind == "flat":
        return f"flat ({'OCI' if oci else 'schema2'})"
    images = sum(entry.role == "image" for entry in arrived.entries)
    attested = len(arrived.entries) - images
    parts = [f"{images} image{'s' * (images != 1)}"]
    if attested:
        parts.append(f"{attested} attestation{'s' * (attested != 1)}")
    return f"{'OCI index' if oci else 'Docker list'} ({' + '.join(parts)})"
