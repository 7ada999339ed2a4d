"""What a probe's script printed, read back, however odd it is."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.image.arrived import BadManifest
from audit.image.media import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from audit.probe.answers import MOST_FILES, MOST_LINES, exported, read

NONCE = "0123456789abcdef"
DIGEST = f"sha256:{'a' * 64}"


def said(*lines: str) -> list[str]:
    """Lines with the mark before them."""
    return [f"FP{NONCE} {line}" for line in lines]


def test_a_whole_answer_is_read() -> None:
    """Every kind of line lands where it belongs."""
    lines = said(
        "S containerd", "B 0", "E 0 0", f"I 0 {DIGEST} yes", f"P 0 0 {DIGEST}", "C 1", "D ERROR: no", "N a left"
    )
    answers = read(["Welcome!", *lines, "logout"], NONCE, 1)
    told = answers.told[0]
    assert (answers.store, told.build, told.push, told.iid, told.iid_usable, told.pushed) == (
        "containerd",
        0,
        0,
        DIGEST,
        True,
        DIGEST,
    )
    assert (answers.link.works, answers.link.log) == (False, ("ERROR: no",))
    assert answers.left == ("a left",)


@pytest.mark.parametrize(
    "line",
    [
        f"FP{'f' * 16} E 0 0",
        f"FP{NONCE}x E 0 0",
        f" FP{NONCE} E 0 0",
        f"FP{NONCE} E 1 0",
        f"FP{NONCE} E -1 0",
        f"FP{NONCE} E ² 0",
        f"FP{NONCE} E 0",
        f"FP{NONCE} E 0 yes",
        f"FP{NONCE} E 0 99999999999",
        f"FP{NONCE} EB 0 0",
        f"FP{NONCE}",
        "",
    ],
)
def test_what_has_another_form_says_nothing(line: str) -> None:
    """Another run's mark, a way that there is not, a status that is none: no build has ended well by that."""
    answers = read([line], NONCE, 1)
    assert all(told.build is None for told in answers.told.values())


def test_a_digest_that_is_none_is_not_kept() -> None:
    """Neither of --iidfile nor of the push."""
    told = read(said("I 0 sha256:abc yes", "P 0 0 $(reboot)"), NONCE, 1).told[0]
    assert (told.iid, told.pushed) == (None, None)


def test_floods_are_capped() -> None:
    """A worker that prints without end fills no memory."""
    lines = [f"L 0 {number}" for number in range(9999)] + [f"N {number}" for number in range(9999)]
    files = [f"F 0 blobs/sha256/{number} 00" for number in range(9999)]
    answers = read(said(*lines, *files), NONCE, 1)
    assert (len(answers.told[0].log), len(answers.left), len(answers.files[0])) == (MOST_LINES, MOST_LINES, MOST_FILES)


@given(st.lists(st.text() | st.from_regex(rf"FP{NONCE} [XSBEIPLFCDN] .*", fullmatch=True)))
def test_nothing_makes_it_raise(lines: list[str]) -> None:
    """Any lines at all."""
    read(lines, NONCE, 2)


def layout(manifest: bytes, kind: str = OCI_MANIFEST) -> dict[str, bytes]:
    """An exported image."""
    digest = hashlib.sha256(manifest).hexdigest()
    index = {"manifests": [{"mediaType": kind, "digest": f"sha256:{digest}", "size": len(manifest)}]}
    return {"index.json": json.dumps(index).encode(), f"blobs/sha256/{digest}": manifest}


def test_an_exported_image_is_what_would_arrive() -> None:
    """The layout's only entry, by its own bytes."""
    manifest = json.dumps(
        {"mediaType": OCI_MANIFEST, "config": {"mediaType": OCI_CONFIG}, "layers": [{"mediaType": OCI_LAYER}]}
    ).encode()
    arrived = exported(layout(manifest))
    assert (arrived.kind, arrived.media_type, arrived.config, arrived.layers) == (
        "flat",
        OCI_MANIFEST,
        OCI_CONFIG,
        (OCI_LAYER,),
    )


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"index.json": b"\xff"},
        {"index.json": b"[]"},
        {"index.json": b'{"manifests": []}'},
        {"index.json": b'{"manifests": [7]}'},
        {"index.json": b'{"manifests": [{"mediaType": 7, "digest": []}]}'},
        {"index.json": b"[" * 100_000},
        layout(b"no json"),
        layout(b"{}", "text/html"),
        {**layout(b"{}"), "blobs/sha256/x": b""}
        | {"index.json": b'{"manifests": [{"mediaType": "a", "digest": "b"}]}'},
    ],
)
def test_what_is_no_layout_is_told(files: dict[str, bytes]) -> None:
    """Each way of being wrong is the same refusal, never a crash."""
    with pytest.raises(BadManifest):
        exported(files)
