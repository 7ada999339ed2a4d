"""What the bench reads on the registry's disk: a tag that is not the merge of its sources is called wrong, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.image.media import ATTESTATION, OCI_INDEX, OCI_MANIFEST, REFERENCE_DIGEST, REFERENCE_TYPE
from tests.bench.merge.disk import Disk
from tests.bench.merge.sources import Pushed

REPOSITORY = "live/app"


class Store:
    """A registry's disk, written by hand as distribution's filesystem driver writes it."""

    def __init__(self, folder: Path) -> None:
        """Empty."""
        self.top = folder / "docker/registry/v2"

    def manifest(self, body: dict[str, Any]) -> str:
        """Store one, and link it; its digest."""
        raw = json.dumps(body).encode()
        digits = hashlib.sha256(raw).hexdigest()
        place = self.top / "blobs/sha256" / digits[:2] / digits / "data"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
        self.link("_manifests/revisions", f"sha256:{digits}")
        return f"sha256:{digits}"

    def place(self, kind: str, digest: str) -> Path:
        """Of a link."""
        return self.top / "repositories" / REPOSITORY / kind / Path(*digest.split(":")) / "link"

    def link(self, kind: str, digest: str) -> None:
        """Have something in the repository."""
        place = self.place(kind, digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(digest)

    def image(self, name: str) -> str:
        """An image with its two blobs."""
        blobs = [f"sha256:{hashlib.sha256(f'{name} {what}'.encode()).hexdigest()}" for what in ("config", "layer")]
        for blob in blobs:
            self.link("_layers", blob)
        config, layer = ({"digest": blob} for blob in blobs)
        return self.manifest({"mediaType": OCI_MANIFEST, "config": config, "layers": [layer]})


def spoil_nothing(rows: list[dict[str, Any]], store: Store) -> None:
    """As it should be."""


def spoil_image(rows: list[dict[str, Any]], store: Store) -> None:
    """An image of another run."""
    rows[0]["digest"] = store.image("of yesterday")


def spoil_platform(rows: list[dict[str, Any]], store: Store) -> None:
    """Two architectures, exchanged."""
    rows[0]["platform"], rows[1]["platform"] = rows[1]["platform"], rows[0]["platform"]


def spoil_attestation(rows: list[dict[str, Any]], store: Store) -> None:
    """It is lost."""
    del rows[2]


def spoil_child(rows: list[dict[str, Any]], store: Store) -> None:
    """It was never pushed there."""
    store.place("_manifests/revisions", rows[1]["digest"]).unlink()


def spoil_blob(rows: list[dict[str, Any]], store: Store) -> None:
    """It was never mounted there."""
    next((store.top / "repositories" / REPOSITORY / "_layers").rglob("link")).unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_nothing, ""),
        (spoil_image, "its images are "),
        (spoil_platform, "its images are "),
        (spoil_attestation, "its attestations are "),
        (spoil_child, "live/app has not [('_manifests/revisions', 'sha256:"),
        (spoil_blob, "live/app has not [('_layers', 'sha256:"),
    ],
)
def test_a_wrong_tag_is_seen(tmp_path: Path, spoil: Callable[[list[dict[str, Any]], Store], None], why: str) -> None:
    """Other images, exchanged platforms, a lost attestation, a child or a blob that is not there."""
    store = Store(tmp_path)
    amd64, arm64, proof = (store.image(name) for name in ("amd64", "arm64", "proof"))
    rows: list[dict[str, Any]] = [
        {"digest": amd64, "platform": {"architecture": "amd64"}},
        {"digest": arm64, "platform": {"architecture": "arm64"}},
        {"digest": proof, "platform": {"architecture": "unknown"},
         "annotations": {REFERENCE_TYPE: ATTESTATION, REFERENCE_DIGEST: arm64}},
    ]  # fmt: skip
    spoil(rows, store)
    digest = store.manifest({"mediaType": OCI_INDEX, "manifests": rows})
    pushed = [Pushed("1.0-amd64", amd64, amd64), Pushed("1.0-arm64", "sha256:index", arm64, proof)]
    said = Disk(tmp_path).wrong(REPOSITORY, digest, pushed, attested=True)
    assert said.startswith(why) if why else not said
