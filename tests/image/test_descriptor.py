"""Descriptors: read strictly, kept whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.media import OCI_MANIFEST

DIGEST = "sha256:" + "a" * 64
ROW: dict[str, Any] = {
    "mediaType": OCI_MANIFEST,
    "digest": DIGEST,
    "size": 3,
    "platform": {"os": "windows", "architecture": "amd64", "os.version": "10.0.1", "os.features": ["win32k"]},
    "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": DIGEST},
    "newer": {"than": ["us"]},
}


def test_what_is_not_known_is_kept() -> None:
    """Members that we do not know come out as they came in, and changing them outside changes nothing."""
    one = Descriptor.read(ROW)
    assert one.members() == ROW
    one.members()["newer"]["than"].append("x")
    assert one.members() == ROW
    assert one.platform is not None
    assert (one.platform.os_version, one.platform.os_features) == ("10.0.1", ("win32k",))


def test_made_here() -> None:
    """A descriptor of our own is written with what it has and no more."""
    assert Descriptor(media_type=OCI_MANIFEST, digest=DIGEST, size=3).members() == {
        "mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "attests"),
    [
        ({}, DIGEST),
        ({"annotations": None}, None),
        ({"annotations": None, "platform": {"os": "unknown", "architecture": "unknown"}}, ""),
    ],
)
def test_attestations(changed: dict[str, Any], attests: str | None) -> None:
    """BuildKit's marks, or a platform that is none, make an attestation."""
    assert Descriptor.read(ROW | changed).attests == attests


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([], "no object"),
        ({}, "no media type"),
        (ROW | {"mediaType": ""}, "no media type"),
        (ROW | {"digest": None}, "no digest"),
        (ROW | {"digest": "sha256:../.."}, "64 lower-case hex digits"),
        (ROW | {"size": -1}, "size"),
        (ROW | {"size": True}, "size"),
        (ROW | {"size": "3"}, "size"),
        (ROW | {"size": 1 << 60}, "size"),
    ],
)
def test_what_is_none(row: object, why: str) -> None:
    """Anything that could not be fetched or checked is refused with its reason."""
    with pytest.raises(BadDescriptor, match=why):
        Descriptor.read(row)


_leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
_json = st.recursive(_leaf, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=8)


@given(_json)
def test_anything_is_read_or_refused(row: object) -> None:
    """No JSON ends in another error, not even beside three good members."""
    good = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1}
    assert Descriptor.read({"platform": row, "annotations": row, "artifactType": row, **good}).digest == DIGEST
    with pytest.raises(BadDescriptor):
        Descriptor.read(row)
