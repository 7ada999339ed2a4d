"""What is merged: images and attested indexes as builders push them, and the cases that they make."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.image.media import (
    ATTESTATION,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REFERENCE_DIGEST,
    REFERENCE_TYPE,
)
from audit.image.reference import Reference
from audit.registry import Client
from tests.bench.merge.counting import Tally
from tests.bench.merge.place import REGISTRY

LAYER_BYTES = 64 * 1024
SHAPE = json.loads((Path(__file__).parent / "shape.json").read_text(encoding="utf-8"))
_INTOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Case:
    """Sources, by their architectures, and where the merged tag stands.

    Attributes:
        key: in `.bench/merge.json`.
        about: for the table.
        sources: architecture -> ``flat`` or ``attested``.
        layers: of each image.
        shared: how many of them the images share.
        same: the tag stands in the sources' own repository.
        by_tag: the sources are named by tag; else by digest, as a build hands them over.
    """

    key: str
    about: str
    sources: dict[str, str]
    layers: int
    shared: int = 0
    same: bool = False
    by_tag: bool = False

    @property
    def staging(self) -> str:
        """The repository of the sources."""
        return f"staging/{self.key.replace('_', '-')}"

    def references(self, pushed: Sequence[Pushed], registry: str = REGISTRY) -> list[str]:
        """The sources as a user names them."""
        where = f"{registry}/{self.staging}"
        return [f"{where}:{one.tag}" if self.by_tag else f"{where}@{one.digest}" for one in pushed]

    def target(self, name: str) -> tuple[str, str]:
        """Repository and tag that nobody else has used."""
        return (self.staging, name) if self.same else (f"live/{self.key.replace('_', '-')}-{name}", "1.0")

    @property
    def all_flat(self) -> bool:
        """No source is an index."""
        return set(self.sources.values()) == {"flat"}


@dataclass(frozen=True)
class Pushed:
    """A source as it stands in the registry.

    Attributes:
        tag: its tag.
        digest: what a merge names.
        image: of the image's manifest: the same, unless it is attested.
        attestation: of its attestation's manifest, if it has one.
    """

    tag: str
    digest: str
    image: str
    attestation: str | None = None


CASES = (
    Case("two_flat", "2 flat x 11 blobs", {"amd64": "flat", "arm64": "flat"}, 10, 3),
    Case("two_attested", "2 attested x 11 blobs", {"amd64": "attested", "arm64": "attested"}, 10, 3),
    Case("five_mixed", "5 mixed x 47 layers", SHAPE["sources"], SHAPE["layers"]),
    Case("same_repository", "2 flat, same repository", {"amd64": "flat", "arm64": "flat"}, 10, 3, same=True),
    Case("two_flat_by_tag", "2 flat x 11 blobs, by tag", {"amd64": "flat", "arm64": "flat"}, 10, 3, by_tag=True),
)


class Pusher:
    """Pushes the sources of a case, and tells the tally which blobs are configs."""

    def __init__(self, client: Client, tally: Tally, registry: str = REGISTRY) -> None:
        """The client has the right to push everything."""
        self._client = client
        self._tally = tally
        self._registry = registry

    def push(self, case: Case) -> list[Pushed]:
        """All sources of a case; equal bytes in every run."""
        pushed = []
        for architecture, kind in case.sources.items():
            name = Reference.parse(f"{self._registry}/{case.staging}:1.0-{architecture}")
            layers = [
                _layer(f"{case.key} {'base' if number < case.shared else architecture} {number}")
                for number in range(case.layers)
            ]
            if kind == "flat":
                image = self._image(name, architecture, layers, (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER))
                pushed.append(Pushed(str(name.tag), image["digest"], image["digest"]))
            else:
                pushed.append(self._attested(name, architecture, layers))
        return pushed

    def _attested(self, name: Reference, architecture: str, layers: list[bytes]) -> Pushed:
        image = self._image(name, architecture, layers, (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER))
        statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": image}]}).encode()
        proof = self._image(name, "unknown", [statement], (OCI_MANIFEST, OCI_CONFIG, _INTOTO))
        proof["annotations"] = {REFERENCE_DIGEST: image["digest"], REFERENCE_TYPE: ATTESTATION}
        proof["platform"] = {"architecture": "unknown", "os": "unknown"}
        image["platform"] = {"architecture": architecture, "os": "linux"}
        raw = _json({"mediaType": OCI_INDEX, "manifests": [image, proof]})
        self._client.put(name, OCI_INDEX, raw)
        return Pushed(str(name.tag), _digest(raw), image["digest"], proof["digest"])

    def _image(
        self, name: Reference, architecture: str, layers: list[bytes], types: tuple[str, str, str]
    ) -> dict[str, Any]:
        """Its descriptor."""
        manifest, config_type, layer_type = types
        rows = [self._blob(name, layer_type, layer) for layer in layers]
        # Whole enough for docker-registry 2.8 to make schema 1 of it, which it does for who does not accept schema 2.
        step = {"created": "2026-01-01T00:00:00Z", "created_by": "RUN true"}
        config = {
            "architecture": architecture,
            "os": "unknown" if architecture == "unknown" else "linux",
            "config": {},
            "created": step["created"],
            "history": [step] * len(rows),
            "rootfs": {"type": "layers", "diff_ids": [row["digest"] for row in rows]},
        }
        described = self._blob(name, config_type, json.dumps(config).encode())
        self._tally.configs.add(described["digest"])
        raw = _json({"mediaType": manifest, "config": described, "layers": rows})
        self._client.put(name, manifest, raw)
        return {"mediaType": manifest, "digest": _digest(raw), "size": len(raw)}

    def _blob(self, name: Reference, media_type: str, raw: bytes) -> dict[str, Any]:
        digest = _digest(raw)
        self._client.upload(name, digest, len(raw), raw)
        return {"mediaType": media_type, "size": len(raw), "digest": digest}


def _json(body: dict[str, Any]) -> bytes:
    # As their builders write them: docker push indents by three, BuildKit by two. Docker 20.10 writes anew what it
    # reads, by three, and would push a manifest that nobody has named.
    indent = 3 if body["mediaType"] == DOCKER_MANIFEST else 2
    return json.dumps({"schemaVersion": 2} | body, indent=indent).encode()


def _layer(seed: str) -> bytes:
    # Really gzip: skopeo would compress what is not, and push another blob.
    return gzip.compress(random.Random(seed).randbytes(LAYER_BYTES), compresslevel=1, mtime=0)


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
