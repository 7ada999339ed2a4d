"""Indexes to the byte: as they were kept, and as Go's encoder would spell them.

FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites what is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.image.annotation import Annotation
from audit.image.index import merge
from audit.image.media import DOCKER_MANIFEST, OCI_MANIFEST
from audit.image.merged import Merged
from audit.image.written import NotWritable, members, unknown, written
from tests.image.made import attested, described, entry, flat, image, index

KEPT = Path(__file__).parent / "indexes"
ANNOTATIONS = [
    *Annotation.parse("org.opencontainers.image.description=<b>R&D</b> \u2028 \u00fc \U0001f40b"),
    *Annotation.parse("manifest-descriptor[linux/arm64]:b=2"),
    *Annotation.parse("manifest-descriptor:a=1"),
]
CASES: dict[str, Callable[[], Merged]] = {
    "mixed": lambda: merge([flat("linux/amd64", DOCKER_MANIFEST), attested("linux/riscv64"), flat("linux/arm/v7")]),
    "docker-list": lambda: merge([flat("linux/amd64", DOCKER_MANIFEST), flat("linux/arm64", DOCKER_MANIFEST)]),
    "windows": lambda: merge([
        flat(f"windows(10.0.{build})/amd64") for build in ("17763.6532", "20348.2849", "26100.2314")
    ]),
    "annotated": lambda: merge([attested("linux/amd64"), flat("linux/arm64")], annotations=ANNOTATIONS),
    "every-member": lambda: merge([
        index([entry(
            image("linux/arm64"), "linux/arm64", artifactType="application/x", data="eA==", urls=["https://a.invalid/?b&c"],
            annotations={"z": "<", "a": "", "\u00e9": "\ud83d\ude00"},
        ) | {"platform": {"variant": "v8", "os": "linux", "os.features": ["b", "a"], "architecture": "arm64",
                          "os.version": "1"}}]),
        flat("linux/amd64"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_as_kept(name: str) -> None:
    """Equal sources give equal bytes, today and after every change of this code: the digest hangs on each of them."""
    raw = CASES[name]().raw
    path = KEPT / f"{name}.index"
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        path.write_bytes(raw)
    assert raw == path.read_bytes()
    assert not raw.endswith(b"\n")


def test_every_kept_index_has_its_case() -> None:
    """None is left over from a case that is gone."""
    assert {path.stem for path in KEPT.glob("*")} == set(CASES)


def test_go_s_spelling() -> None:
    """Members in the order of the specification's structs, sorted keys, two blanks, and Go's five escapes."""
    row = members({
        "platform": {"variant": "v7", "os": "linux", "architecture": "arm", "os.features": []},
        "annotations": {"b": "<>&", "a": "\u2028\u2029", "Z": "\x7f\u00e9"},
        "size": 3, "digest": "sha256:x", "mediaType": OCI_MANIFEST, "urls": [], "data": "", "artifactType": "",
    })  # fmt: skip
    assert written("t", [row], {}).decode() == (
        '{\n  "schemaVersion": 2,\n  "mediaType": "t",\n  "manifests": [\n    {\n'
        f'      "mediaType": "{OCI_MANIFEST}",\n      "digest": "sha256:x",\n      "size": 3,\n'
        '      "annotations": {\n        "Z": "\x7f\u00e9",\n        "a": "\\u2028\\u2029",\n'
        '        "b": "\\u003c\\u003e\\u0026"\n      },\n'
        '      "platform": {\n        "architecture": "arm",\n        "os": "linux",\n'
        '        "variant": "v7"\n      }\n'
        "    }\n  ]\n}"
    )


def test_half_a_surrogate_pair() -> None:
    """JSON can hold one and UTF-8 cannot: it becomes what Go makes of it."""
    raw = written("t", [], {"a": "x\ud83dy"})
    assert json.loads(raw)["annotations"] == {"a": "x\ufffdy"}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"platform": []}, "its platform is no object"),
        ({"platform": {"os": 3, "architecture": "arm"}}, "its os is no text"),
        ({"platform": {"os": "linux", "architecture": "arm", "os.features": "x"}}, "its os.features is no list"),
        ({"annotations": []}, "no object"),
        ({"annotations": {"a": 3}}, "its annotations.a is no text"),
        ({"urls": "https://a.invalid"}, "its urls is no list"),
        ({"urls": [3]}, "its urls is no text"),
        ({"data": "%"}, "its data is no base64"),
        ({"artifactType": 3}, "its artifactType is no text"),
    ],
)
def test_members_of_a_wrong_type(row: dict[str, Any], why: str) -> None:
    """Go would refuse them too; an empty one is none."""
    whole = described(b"x", OCI_MANIFEST) | row
    if row == {"annotations": []}:
        assert "annotations" not in members(whole)
        return
    with pytest.raises(NotWritable, match=why):
        members(whole)


def test_what_the_specification_does_not_know() -> None:
    """Is named, so that a person can be told that it is left out."""
    row = described(b"x", OCI_MANIFEST, newer=1, platform={"os": "linux", "architecture": "arm", "features": []})
    assert unknown(row) == ("newer", "platform.features")
    assert "newer" not in members(row)
