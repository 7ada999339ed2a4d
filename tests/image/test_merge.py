"""The algebra of indexes: what goes in, what comes out, and what is refused with which sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from audit.image.annotation import Annotation
from audit.image.index import merge
from audit.image.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.image.merged import Attest, Merged, MergeRefused, Source
from tests.image.made import (
    NOWHERE,
    STAGING,
    attestation,
    attested,
    described,
    digest,
    entry,
    flat,
    image,
    index,
    proof,
)

AMD, ARM, RISC = "linux/amd64", "linux/arm64", "linux/riscv64"


def rows(merged: Merged) -> list[dict[str, Any]]:
    """The entries of the index that was written."""
    found: list[dict[str, Any]] = json.loads(merged.raw)["manifests"]
    return found


def platforms(merged: Merged) -> list[str]:
    """Of all entries, in order; an attestation's is `unknown/unknown`."""
    return [str(child.platform) for child in merged.children]


def asked(*texts: str) -> list[Annotation]:
    """As the command line reads them."""
    return [one for text in texts for one in Annotation.parse(text)]


# ------------------------------------------------------------------- what comes out


def test_flat_and_attested_mixed() -> None:
    """The fleet's own case: flat images of Docker's type and an attested index give one OCI index, in their order."""
    sources = [flat(AMD, DOCKER_MANIFEST), attested(RISC), flat(ARM, DOCKER_MANIFEST)]
    merged = merge(sources)
    assert merged.media_type == OCI_INDEX
    assert platforms(merged) == [AMD, RISC, "unknown/unknown", ARM]
    assert [child.role for child in merged.children] == ["image", "image", "attestation", "image"]
    assert [str(one) for one in merged.platforms] == [AMD, RISC, ARM]
    theirs = json.loads(sources[1].raw)["manifests"]
    assert rows(merged)[1:3] == theirs, "an index's entries come out as they were, annotations and all"
    assert [child.raw for child in merged.children] == [
        sources[0].raw, *sources[1].children.values(), sources[2].raw,
    ], "the exact bytes of the children"  # fmt: skip
    assert merged.digest == digest(merged.raw)
    assert merged.notes == (f"{AMD}, {ARM} have no attestation, where other images of it have one",)


def test_the_order_is_that_of_the_arguments() -> None:
    """And nothing but the order tells two such merges apart."""
    one, other = flat(AMD), flat(ARM)
    there, back = merge([one, other]), merge([other, one])
    assert platforms(there) == [AMD, ARM]
    assert platforms(back) == [ARM, AMD]
    assert there.digest != back.digest
    assert merge([one, other]).raw == there.raw


@pytest.mark.parametrize(
    ("kinds", "made"),
    [
        ((DOCKER_MANIFEST, DOCKER_MANIFEST), DOCKER_LIST),
        ((DOCKER_MANIFEST, OCI_MANIFEST), OCI_INDEX),
        ((OCI_MANIFEST, DOCKER_MANIFEST), OCI_INDEX),
        ((OCI_MANIFEST, OCI_MANIFEST), OCI_INDEX),
    ],
)
def test_a_docker_list_only_of_docker_manifests(kinds: tuple[str, str], made: str) -> None:
    """Whichever comes first: the outer type is Docker's only where every child's is."""
    merged = merge([flat(AMD, kinds[0]), flat(ARM, kinds[1])])
    assert merged.media_type == made
    assert json.loads(merged.raw)["mediaType"] == made


def test_indexes_are_unwrapped() -> None:
    """Two indexes of two images each make one index of four, not an index of indexes."""
    one, two, three = image(AMD), image(ARM), image(RISC)
    merged = merge([index([entry(one, AMD), entry(two, ARM)]), index([entry(three, RISC)])])
    assert platforms(merged) == [AMD, ARM, RISC]


def test_windows_releases_are_platforms_of_their_own() -> None:
    """Three releases of Windows stand beside each other, each with its os.version and os.features written."""
    kinds = ["windows(10.0.17763.1)/amd64", "windows(10.0.20348.1)/amd64", "windows(10.0.26100.1)/amd64"]
    featured = flat("windows(10.0.26100.1)/amd64", note="gui")
    assert featured.platform is not None
    featured = featured.model_copy(
        update={"platform": featured.platform.model_copy(update={"os_features": ("win32k",)})}
    )
    merged = merge([*map(flat, kinds), featured])
    assert [row["platform"].get("os.version") for row in rows(merged)] == [
        "10.0.17763.1", "10.0.20348.1", "10.0.26100.1", "10.0.26100.1",
    ]  # fmt: skip
    assert [row["platform"].get("os.features") for row in rows(merged)] == [None, None, None, ["win32k"]]


def test_one_digest_from_two_sources_stands_once() -> None:
    """Where it first stood, with what either of them says of it; its attestation likewise."""
    both = attested(AMD)
    again = flat(AMD)
    assert again.raw == next(iter(both.children.values()))
    merged = merge([again, flat(ARM), both])
    assert platforms(merged) == [AMD, ARM, "unknown/unknown"]
    assert merge([both, both]).raw == merge([both, again]).raw
    noted = index([entry(again.raw, AMD, annotations={"who": "us"})])
    assert rows(merge([again, noted]))[0]["annotations"] == {"who": "us"}


def test_an_attestation_goes_after_its_image() -> None:
    """BuildKit puts all attestations last, others put them first: after a merge none stands before its image."""
    one, two = image(AMD), image(ARM)
    said = attestation(one)
    first = index([proof(said, one), entry(two, ARM), entry(one, AMD)])
    merged = merge([first, flat(RISC)])
    assert platforms(merged) == [ARM, AMD, "unknown/unknown", RISC]
    last = index([entry(one, AMD), entry(two, ARM), proof(said, one)])
    assert platforms(merge([last, flat(RISC)])) == [AMD, ARM, "unknown/unknown", RISC], "it is after it already"


def test_an_attestation_of_another_source_s_image() -> None:
    """The image may come from another source than what is said of it."""
    one = image(AMD)
    alone = index([entry(image(ARM), ARM), proof(attestation(one), one)])
    assert platforms(merge([alone, flat(AMD)])) == [ARM, AMD, "unknown/unknown"]


def test_artifacts_are_attestations_too() -> None:
    """BuildKit 0.32's attestations, OCI artifacts, keep their artifactType."""
    one = image(AMD)
    said = proof(attestation(one), one, artifactType="application/vnd.docker.attestation.manifest.v1+json")
    merged = merge([index([entry(one, AMD), said]), flat(ARM)])
    assert rows(merged)[1]["artifactType"] == "application/vnd.docker.attestation.manifest.v1+json"
    assert merged.children[1].role == "attestation"


def test_attestations_are_dropped_where_that_is_asked_for() -> None:
    """Then the index has images only, and the note says how many were left out."""
    merged = merge([attested(AMD), attested(ARM)], attest="drop")
    assert platforms(merged) == [AMD, ARM]
    assert merged.notes == ("2 attestations were left out, as was asked for",)
    alone = merge([attested(AMD)], attest="drop")
    assert platforms(alone) == [AMD]
    assert not alone.copied


def test_required_attestations() -> None:
    """All there: as kept; one missing: refused, with the image's name."""
    both = [attested(AMD), attested(ARM)]
    assert merge(both, attest="require").raw == merge(both).raw
    with pytest.raises(MergeRefused, match=rf"app:linux-arm64 \({digest(flat(ARM).raw)}\) has no attestation"):
        merge([attested(AMD), flat(ARM)], attest="require")


def test_orphans() -> None:
    """An attestation whose image is not there is refused, or dropped with a note, as was said."""
    one = image(AMD)
    sources = [index([entry(image(ARM), ARM), proof(attestation(one), one)]), flat(RISC)]
    with pytest.raises(MergeRefused, match=f"attests {digest(one)}, which is not among the sources; name that image"):
        merge(sources)
    merged = merge(sources, orphans="drop")
    assert platforms(merged) == [ARM, RISC]
    assert merged.notes[0].endswith("which is not among the sources; it was left out")
    unsaid = index([entry(image(ARM), ARM), described(b"x", OCI_MANIFEST, platform=NOWHERE)])
    with pytest.raises(MergeRefused, match="attests an image that it does not name"):
        merge([unsaid])
    assert platforms(merge([unsaid], orphans="drop")) == [ARM]


# ------------------------------------------------------------------- a single source


def test_the_only_index_is_copied_byte_for_byte() -> None:
    """Same digest as its source, whatever members it has that a new index would not; its children are still pushed."""
    strange = index([entry(image(AMD), AMD, newer="x"), entry(image(ARM), ARM)], annotations={"a": "b"}, extra=[1])
    merged = merge([strange])
    assert (merged.raw, merged.digest, merged.copied) == (strange.raw, strange.reference.digest, True)
    assert platforms(merged) == [AMD, ARM]
    assert merged.notes == ()
    renamed = merge([strange], annotations=asked("who=us"))
    assert not renamed.copied
    assert json.loads(renamed.raw)["annotations"] == {"who": "us"}
    assert any("annotations of the index itself are not carried over" in note for note in renamed.notes)
    assert any("entry 1 has newer, which is left out" in note for note in renamed.notes)


def test_the_only_flat_image() -> None:
    """An index of one; or, where that is not wanted, its own bytes under its own digest."""
    one = flat(AMD, DOCKER_MANIFEST)
    wrapped = merge([one])
    assert (wrapped.media_type, platforms(wrapped), wrapped.copied) == (DOCKER_LIST, [AMD], False)
    copied = merge([one], prefer_index=False)
    assert (copied.media_type, copied.raw, copied.children, copied.flat) == (DOCKER_MANIFEST, one.raw, (), True)
    assert copied.source == one.reference
    assert not merge([flat(AMD), flat(ARM)], prefer_index=False).flat
    assert not merge([flat(AMD)], prefer_index=False, annotations=asked("a=b")).flat, "where could they stand?"


# ------------------------------------------------------------------- annotations


def test_annotations() -> None:
    """For the index, for every entry, for the entries of one platform, in this order of strength."""
    merged = merge(
        [attested(AMD), flat(ARM)],
        annotations=asked(
            "org.opencontainers.image.source=here", "index,manifest-descriptor:both=x", "manifest-descriptor:who=all",
            "manifest-descriptor[arm64]:who=arm",
        ),
    )  # fmt: skip
    assert json.loads(merged.raw)["annotations"] == {"both": "x", "org.opencontainers.image.source": "here"}
    said = [row["annotations"] for row in rows(merged)]
    assert [one["who"] for one in said] == ["all", "all", "arm"]
    assert said[1]["vnd.docker.reference.type"] == "attestation-manifest", "its own marks stay"


def test_a_docker_list_holds_none() -> None:
    """They are left out, and that is said."""
    merged = merge([flat(AMD, DOCKER_MANIFEST)], annotations=asked("a=b"))
    assert "annotations" not in json.loads(merged.raw)
    assert "which holds no annotations; they were left out" in merged.notes[0]


# ------------------------------------------------------------------- what is refused

ONE = image(AMD)
WRONG = {"mediaType": OCI_MANIFEST, "digest": "sha256:short", "size": 3}
REFUSED: dict[str, tuple[Callable[[], Sequence[Source]], str]] = {
    "nothing": (lambda: [], "there is nothing to merge"),
    "two-images-one-platform": (
        lambda: [flat(AMD), flat(AMD, note="new")],
        r"two different images are for linux/amd64: .*app:linux-amd64 \(sha256:.*\) and .*app:linux-amd64new",
    ),
    "two-spellings-of-one-platform": (
        lambda: [flat(ARM), index([entry(image(ARM, note="x"), ARM) | {
            "platform": {"os": "linux", "architecture": "aarch64", "variant": "v8"}}])],
        "two different images are for linux/arm64",
    ),
    "within-one-index": (
        lambda: [index([entry(ONE, AMD), entry(image(AMD, note="x"), AMD)])], "two different images are for linux/amd",
    ),
    "windows-twice": (
        lambda: [flat("windows(10.0.1)/amd64"), flat("windows(10.0.1)/amd64", note="x")],
        r"two different images are for windows\(10.0.1\)/amd64",
    ),
    "another-worker-s-platform": (
        lambda: [flat(AMD, wanted=ARM)],
        "it is for linux/amd64, where linux/arm64 was wanted; see which worker built it",
    ),
    "another-platform-in-an-index": (lambda: [attested(RISC, wanted=AMD)], "for linux/riscv64, where linux/amd64"),
    "another-variant": (lambda: [flat("linux/arm/v6", wanted="linux/arm/v7")], "it is for linux/arm/v6, where"),
    "another-windows": (
        lambda: [flat("windows(10.0.20348.1)/amd64", wanted="windows(10.0.17763)/amd64")], "where windows.*was wanted",
    ),
    "no-platform": (
        lambda: [flat(AMD).model_copy(update={"platform": None})], "neither an operating system nor an architecture",
    ),
    "unknown-platform": (
        lambda: [flat("unknown/unknown")], "its config says unknown/unknown, which is no whole platform",
    ),
    "entry-without-platform": (
        lambda: [index([entry(ONE, AMD), described(image(ARM), OCI_MANIFEST)])],
        f"{digest(image(ARM))} in it says no platform, so nobody could pull it; name that image as a source of its own",
    ),
    "entry-for-nowhere": (
        lambda: [index([entry(ONE, AMD) | {"platform": {"os": "", "architecture": "amd64"}}])], "says no platform",
    ),
    "one-image-two-platforms": (
        lambda: [flat(AMD), index([entry(flat(AMD).raw, ARM)])],
        "is said to be for linux/amd64 by .*, and for linux/arm64 by .*; one image cannot be both",
    ),
    "two-types": (
        lambda: [flat(AMD), index([entry(flat(AMD).raw, AMD) | {"size": 3}])], "has different types or sizes",
    ),
    "index-in-an-index": (
        lambda: [index([entry(ONE, AMD), described(b"x", OCI_INDEX)])],
        f"entry 2 of it is an index itself, into which Docker does not look; name {STAGING}@{digest(b'x')} as a source",
    ),
    "schema-1-in-an-index": (
        lambda: [index([described(b"x", "application/vnd.docker.distribution.manifest.v1+prettyjws")])],
        "entry 1 of it is no image, but 'application/vnd.docker.distribution.manifest.v1",
    ),
    "schema-1": (
        lambda: [flat(AMD).model_copy(update={"media_type": "application/vnd.docker.distribution.manifest.v1+json"})],
        "is no type of an image; build it anew",
    ),
    "no-image": (
        lambda: [index([proof(attestation(ONE), ONE)])], "there is no image in it, so there is nothing to merge",
    ),
    "empty-index": (lambda: [index([])], "there is no image in it"),
    "no-list": (lambda: [index([], manifests=None)], "an index without a list of manifests"),
    "endless-list": (lambda: [index([entry(ONE, AMD)] * 1001)], "or with too long a one"),
    "no-descriptor": (lambda: [index([WRONG])], "entry 1 of it is no descriptor: the digest 'sha256:short' needs 64"),
    "no-object": (lambda: [index([["x"]])], "entry 1 of it is no descriptor: it is no object"),  # type: ignore[list-item] # served
    "bad-member": (
        lambda: [index([entry(ONE, AMD, annotations={"a": 1})])], "is no descriptor: its annotations.a is no text",
    ),
    "wrong-source-digest": (
        lambda: [flat(AMD).model_copy(update={"raw": b"{}"})], "its bytes have the digest sha256:44136fa3",
    ),
    "wrong-child-bytes": (
        lambda: [index([entry(ONE, AMD)]).model_copy(update={"children": {digest(ONE): ONE + b" "}})],
        "the index says that sha256:.* has .* bytes, but .* stand there; push it again",
    ),
    "wrong-child-size": (
        lambda: [index([entry(ONE, AMD) | {"size": 5}], [ONE])], "has 5 bytes, but .* bytes with the digest",
    ),
    "not-json": (
        lambda: [index([]).model_copy(update={"raw": b"{", "reference": index([]).reference.at(digest(b"{"))})],
        "it is not JSON; push it again",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_right_index(name: str) -> None:
    """Refused with exit code 5, in one sentence that names the source at fault and what to do."""
    sources, says = REFUSED[name]
    with pytest.raises(MergeRefused, match=says) as told:
        merge(sources())
    assert told.value.exit_code == 5
    assert "\n" not in str(told.value)
    if name != "nothing":
        assert STAGING in str(told.value)


@pytest.mark.parametrize("attest", ["keep", "drop", "require"])
def test_refusals_do_not_hang_on_attestations(attest: Attest) -> None:
    """Two images for one platform are two, whatever becomes of attestations."""
    with pytest.raises(MergeRefused, match="two different images"):
        merge([attested(AMD), attested(AMD, note="x")], attest=attest)


def test_what_is_known_from_an_earlier_run_only() -> None:
    """A child keeps the word of its source that no registry was asked for it."""
    one = attested(AMD)
    first, second = one.children
    merged = merge([one.model_copy(update={"kept": frozenset({second})}), flat(ARM)])
    assert [child.kept for child in merged.children] == [False, True, False]
    assert first == merged.children[0].digest
