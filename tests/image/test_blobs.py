"""The blobs that a manifest names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.image.blobs import blobs
from audit.image.descriptor import BadDescriptor
from audit.image.media import OCI_CONFIG, OCI_LAYER
from tests.image.made import described, digest

CONFIG = described(b"{}", OCI_CONFIG)
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
AWAY = {"urls": ["https://mcr.invalid/v2/windows/blobs/x"]}


def manifest(*layers: dict[str, Any], **more: Any) -> bytes:
    """One that names these."""
    return json.dumps({"config": CONFIG, "layers": list(layers), **more}).encode()


def test_config_first_then_layers() -> None:
    """In their order; an artifact without layers has its config alone."""
    found = blobs(manifest(described(b"a", OCI_LAYER), described(b"b", OCI_LAYER)))
    assert [one.digest for one in found] == [digest(b"{}"), digest(b"a"), digest(b"b")]
    assert [one.size for one in blobs(json.dumps({"config": CONFIG}).encode())] == [2]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (described(b"a", FOREIGN, **AWAY), False),
        (described(b"a", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", **AWAY), False),
        (described(b"a", FOREIGN), True),
        (described(b"a", OCI_LAYER, **AWAY), True),
    ],
)
def test_layers_that_stand_elsewhere(layer: dict[str, Any], named: bool) -> None:
    """Windows' base layers of old are asked of no registry; whatever might be in one is."""
    assert (len(blobs(manifest(layer))) == 2) is named


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"[]", b"{}", b"3", b'{"config": 3}', json.dumps({"config": CONFIG, "layers": None}).encode(),
        json.dumps({"config": CONFIG, "layers": 3}).encode(), manifest({"digest": "sha256:x"}), b"[" * 100_000,
        manifest(*[described(b"a", OCI_LAYER)] * 10_000),
    ],
)  # fmt: skip
def test_what_is_no_image_s_manifest(raw: bytes) -> None:
    """It is refused, however it is wrong."""
    with pytest.raises(BadDescriptor):
        blobs(raw)
