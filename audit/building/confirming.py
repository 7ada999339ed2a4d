"""What a registry serves after a push, against what the worker said and what the plan foretold."""

from __future__ import annotations

from typing import NamedTuple

from audit.buildstep.result import When
from audit.errors import StepError
from audit.image.arrived import Arrived
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import Asked, resolve
from audit.plan import BuildStep
from audit.plan.model import Work
from audit.registry import Client, NotFound, RegistryError
from audit.shape.agree import differences


class Confirmed(NamedTuple):
    """What was found.

    Attributes:
        arrived: what stands there; None: nothing could be confirmed.
        failed: what is wrong with it; None: nothing.
        why: one sentence.
        differences: from what was foretold.
    """

    arrived: Arrived | None
    failed: When | None = None
    why: str = ""
    differences: tuple[str, ...] = ()


def confirm(client: Client, step: BuildStep, work: Work, digest: str, kept: Kept) -> Confirmed:
    """Ask the registry for the staging tag, and hold what it serves against the push and the plan."""
    tag = Reference.parse(step.staging)
    try:
        arrived = client.arrived(tag)
        if arrived.digest != digest:
            return _moved(client, tag, digest, arrived)
        found = [*differences(work.shape, arrived), *_platform(client, tag.at(digest), step, arrived, kept)]
    except NotFound:
        return Confirmed(
            None, "confirm",
            f"{work.host} pushed {digest}, but nothing stands under {tag.familiar}; see whether somebody deletes "
            "there, and build again",
        )  # fmt: skip
    except StepError as error:
        return Confirmed(None, "confirm", f"what arrived cannot be confirmed: {error}")
    if found:
        return Confirmed(arrived, "shape", "what arrived is not what was foretold: " + "; ".join(found), tuple(found))
    return Confirmed(arrived)


def _moved(client: Client, tag: Reference, digest: str, arrived: Arrived) -> Confirmed:
    try:
        client.head(tag.at(digest))
        there = "which is there too"
    except NotFound:
        there = "which is not there at all"
    except RegistryError:
        there = "which could not be asked for"
    return Confirmed(
        None, "conflict",
        f"{tag.familiar} stands for {arrived.digest} now, where {digest} was pushed, {there}: somebody else pushes to "
        "that tag; give each build a --staging tag of its own",
    )  # fmt: skip


def _platform(client: Client, name: Reference, step: BuildStep, arrived: Arrived, kept: Kept) -> list[str]:
    """A flat image's config says what it is for; the entries of an index are part of the shape."""
    if arrived.kind != "flat":
        return []
    wanted = Platform.parse(step.platform)
    (source,) = resolve(client, [Asked(name)], children=False, kept=kept)
    if source.platform is None or source.platform.matches(wanted):
        return []
    return [f"its config says {source.platform}, where {wanted} was to be built (a FROM with another --platform?)"]
