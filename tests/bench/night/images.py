"""The bytes of a night's images: small, right (a daemon could pull them), and the same in every run of one seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bench.night.workload import Image, Workload

# Spelt here and not taken from the project, so that what it leaves is judged by nothing of its own.
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEXES = (DOCKER_LIST, OCI_INDEX)
ACCEPT = ", ".join((DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX))
"""All of them must be named: docker-registry 2.8 gives nobody an OCI type for ``*/*``."""
_DOCKER = (DOCKER_MANIFEST, "application/vnd.docker.container.image.v1+json",
           "application/vnd.docker.image.rootfs.diff.tar.gzip")  # fmt: skip
_OCI = (OCI_MANIFEST, "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
_INTOTO = "application/vnd.in-toto+json"
_CREATED = "2026-01-01T00:00:00Z"
_RANDOM = 64
"""Random bytes in every layer."""


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index, to the byte."""

    media_type: str
    raw: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes."""
        return digest_of(self.raw)

    def row(self, **more: Any) -> dict[str, Any]:
        """Its descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.raw), **more}


@dataclass(frozen=True)
class Built:
    """What a worker pushes for an image.

    Attributes:
        image: of which it is.
        top: what the staging tag stands for: the image's manifest, or the index around it.
        manifest: the image's own.
        proof: its attestation's; None of a flat image.
        blobs: digests of all blobs that its manifests name.
    """

    image: Image
    top: Manifest
    manifest: Manifest
    proof: Manifest | None
    blobs: tuple[str, ...]

    @property
    def children(self) -> tuple[Manifest, ...]:
        """What must stand in a merged index for it, in this order."""
        return (self.manifest, self.proof) if self.proof else (self.manifest,)

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """All of its manifests, children first."""
        return (*self.children, self.top) if self.proof else (self.manifest,)


class Builder:
    """Builds images; a layer that several share is made once."""

    def __init__(self, seed: int = 0) -> None:
        """Another seed gives other bytes of the same shape."""
        self._seed = seed
        self._layers: dict[str, tuple[str, str]] = {}
        self.blobs: dict[str, bytes] = {}

    def build(self, image: Image) -> Built:
        """One image; its blobs are in `blobs` afterwards."""
        manifest_type, config_type, layer_type = _OCI if image.attested else _DOCKER
        layers = [self._layer(name) for name in image.layers()]
        config = self._keep(self._config(image, [plain for _, plain in layers]))
        rows = [self._row(layer_type, digest) for digest, _ in layers]
        manifest = _manifest(manifest_type, self._row(config_type, config), rows)
        blobs = [*(digest for digest, _ in layers), config]
        if not image.attested:
            return Built(image, manifest, manifest, None, tuple(blobs))
        statement = self._keep(_dumped({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": image.name, "digest": {"sha256": manifest.digest.partition(":")[2]}}],
        }))  # fmt: skip
        rootfs = {"type": "layers", "diff_ids": [statement]}
        unknown = {"architecture": "unknown", "os": "unknown"}
        proof_config = self._keep(_dumped({**unknown, "config": {}, "rootfs": rootfs}))
        proof = _manifest(OCI_MANIFEST, self._row(config_type, proof_config), [self._row(_INTOTO, statement)])
        marks = {"vnd.docker.reference.digest": manifest.digest, "vnd.docker.reference.type": "attestation-manifest"}
        platform = {"architecture": image.architecture, "os": image.os}
        index = {
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [manifest.row(platform=platform), proof.row(annotations=marks, platform=unknown)],
        }  # fmt: skip
        top = Manifest(OCI_INDEX, json.dumps(index, indent=2).encode())
        return Built(image, top, manifest, proof, (*blobs, proof_config, statement))

    def _layer(self, name: str) -> tuple[str, str]:
        """Digests of a layer, compressed and not."""
        if name not in self._layers:
            plain = _archive(hashlib.shake_256(f"{self._seed} {name}".encode()).digest(_RANDOM))
            self._layers[name] = self._keep(gzip.compress(plain, compresslevel=1, mtime=0)), digest_of(plain)
        return self._layers[name]

    def _config(self, image: Image, plain: list[str]) -> bytes:
        # Whole enough for docker-registry 2.8 to make schema 1 of it, which it does for who does not accept schema 2.
        step = {"created": _CREATED, "created_by": f"RUN {image.name} {self._seed}"}
        version = {"os.version": image.os_version} if image.os_version else {}
        return _dumped({
            "architecture": image.architecture, "os": image.os, **version, "config": {"Labels": {"night": image.name}},
            "created": _CREATED, "history": [step] * len(plain), "rootfs": {"type": "layers", "diff_ids": plain},
        })  # fmt: skip

    def _keep(self, raw: bytes) -> str:
        digest = digest_of(raw)
        self.blobs[digest] = raw
        return digest

    def _row(self, media_type: str, digest: str) -> dict[str, Any]:
        return {"mediaType": media_type, "size": len(self.blobs[digest]), "digest": digest}


def built(workload: Workload, seed: int = 0) -> tuple[dict[str, Built], dict[str, bytes]]:
    """Every image of a night by its name, and every blob by its digest."""
    builder = Builder(seed)
    return {name: builder.build(image) for name, image in workload.images.items()}, builder.blobs


def named(manifest: bytes) -> Iterator[str]:
    """Digests of the blobs that an image's manifest names."""
    said = json.loads(manifest)
    yield said["config"]["digest"]
    yield from (layer["digest"] for layer in said["layers"])


def digest_of(raw: bytes) -> str:
    """``sha256:`` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _archive(content: bytes) -> bytes:
    """A layer with one file."""
    info = tarfile.TarInfo(f"night/{content[:8].hex()}")
    info.size = len(content)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _manifest(media_type: str, config: dict[str, Any], layers: list[dict[str, Any]]) -> Manifest:
    # As their builders write them: docker push indents by three, BuildKit by two. Docker 20.10 writes anew what it
    # reads, by three, and would push a manifest that nobody has named.
    body = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
    return Manifest(media_type, json.dumps(body, indent=3 if media_type == DOCKER_MANIFEST else 2).encode())


def _dumped(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
