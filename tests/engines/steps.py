"""Merge steps made by hand: real manifests, resolved as `audit.merging.resolve` would, without a registry."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from audit.engines.merge import MergeStep
from audit.image.index import Source
from audit.image.media import OCI_INDEX
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.merging import prepare
from tests.engines import sets
from tests.engines.sets import Pushed

STAGING = Reference.parse("registry.example/staging/app:x")
LIVE = Reference.parse("registry.example/live/app:1.0")


def image(platform: str, *, oci: bool = False, word: str = "first") -> Pushed:
    """A flat image."""
    said = Platform.parse(platform).members()
    return sets._image(said, "oci" if oci else "schema2", word)


def proof_of(one: Pushed) -> Pushed:
    """Its attestation."""
    return sets._proof(sets.World(random.Random(1)), one)


def attested(platform: str, /, **members: Any) -> Pushed:
    """An index of an image and its attestation; `members` go into the image's descriptor."""
    one = image(platform, oci=True)
    proof = proof_of(one)
    said = {"vnd.docker.reference.digest": one.digest, "vnd.docker.reference.type": "attestation-manifest"}
    rows = [one.row(**members), proof.row(annotations=said)]
    return Pushed(OCI_INDEX, sets._json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}))


def step(
    sources: Sequence[Pushed], *, tags: Sequence[Reference] = (LIVE,), at: Reference = STAGING, **how: Any
) -> MergeStep:
    """These sources, pushed to `at`, as one merge."""
    made = [
        Source(
            reference=at.at(one.digest),
            given=f"{at.familiar}-{number}",
            media_type=one.media_type,
            raw=one.raw,
            platform=Platform.of(one.platform) if one.platform else None,
        )
        for number, one in enumerate(sources, 1)
    ]
    return prepare(made, tags, **how)
