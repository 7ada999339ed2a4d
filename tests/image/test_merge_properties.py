"""What holds for every merge; and whatever a registry serves as an index is merged or refused, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.image.index import merge
from audit.image.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.image.merged import Attest, Merged, MergeRefused, Source
from audit.image.reference import Reference
from tests.image.made import STAGING, attested, digest, flat, index

PLATFORMS = (
    "linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "linux/s390x", "linux/riscv64", "freebsd/amd64",
    "windows(10.0.17763.1)/amd64", "windows(10.0.20348.1)/amd64",
)  # fmt: skip


def _source(platform: str, kind: int) -> Source:
    return attested(platform) if kind == 2 else flat(platform, (DOCKER_MANIFEST, OCI_MANIFEST)[kind])


_sets = st.lists(st.sampled_from(PLATFORMS), min_size=1, max_size=6, unique=True).flatmap(
    lambda names: st.tuples(*(st.builds(_source, st.just(name), st.integers(0, 2)) for name in names))
)
_several = _sets.filter(lambda sources: len(sources) > 1)


def again(merged: Merged) -> Source:
    """What was merged, as a source of the next merge."""
    return Source(
        reference=Reference.parse(f"{STAGING}@{merged.digest}"),
        media_type=merged.media_type,
        raw=merged.raw,
        children={child.digest: child.raw for child in merged.children if child.raw is not None},
    )


@settings(max_examples=150, deadline=None)
@given(_sets)
def test_every_image_stands_once_and_its_attestation_after_it(sources: tuple[Source, ...]) -> None:
    """Nothing is lost, nothing comes twice, images keep the order of the arguments, the type follows the children."""
    merged = merge(sources)
    named = [row["digest"] for row in json.loads(merged.raw)["manifests"]]
    brought = [one for source in sources for one in ([source.reference.digest] if source.flat else source.children)]
    assert named == brought == [child.digest for child in merged.children]
    for number, child in enumerate(merged.children):
        if child.role == "attestation":
            assert child.descriptor.attests in named[:number]
    docker = all(child.descriptor.media_type == DOCKER_MANIFEST for child in merged.children)
    assert merged.media_type == (DOCKER_LIST if docker else OCI_INDEX)
    assert merged.digest == digest(merged.raw)
    assert all(child.raw is not None and digest(child.raw) == child.digest for child in merged.children)


@settings(max_examples=100, deadline=None)
@given(_several, st.integers(1, 5))
def test_merging_in_steps_is_merging_at_once(sources: tuple[Source, ...], cut: int) -> None:
    """The first few merged, and that merged with the rest, give the very bytes of all merged together."""
    whole = merge(sources)
    first, rest = sources[: cut % len(sources)], sources[cut % len(sources) :]
    if first:
        assert merge([again(merge(first)), *rest]).raw == whole.raw
    assert merge([again(whole)]).raw == whole.raw, "and an index that is merged alone stays what it is"
    assert merge([*sources, *sources]).raw == whole.raw, "and naming all of them twice changes nothing"


@settings(max_examples=100, deadline=None)
@given(_sets, st.sampled_from(["keep", "drop", "require"]))
def test_attestations_are_what_was_asked_for(sources: tuple[Source, ...], attest: Attest) -> None:
    """Dropped: none is there; required: each image has one, or the merge is refused; images are the same always."""
    images = [child.digest for child in merge(sources).children if child.role == "image"]
    try:
        merged = merge(sources, attest=attest)
    except MergeRefused:
        assert attest == "require"
        assert any(source.flat for source in sources)
        return
    assert [child.digest for child in merged.children if child.role == "image"] == images
    proved = {child.descriptor.attests for child in merged.children if child.role == "attestation"}
    expected = {"drop": 0, "require": len(images), "keep": sum(not source.flat for source in sources)}
    assert len(proved) == expected[attest]


_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
"""Half surrogate pairs too: JSON can hold them."""
_leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _text)
_json = st.recursive(
    _leaf, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_text, inner, max_size=3)), max_leaves=6
)
_type = st.sampled_from([OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, "text/plain"])
_row = st.fixed_dictionaries(
    {
        "mediaType": st.one_of(_type, _json),
        "digest": st.one_of(st.just(digest(b"x")), _json),
        "size": st.integers(0, 9),
    },
    optional={
        "platform": st.one_of(
            _json,
            st.fixed_dictionaries(
                {"os": st.one_of(st.just("linux"), _json), "architecture": st.one_of(st.just("amd64"), _json)},
                optional={"variant": _json, "os.version": _json, "os.features": _json, "more": _json},
            ),
        ),
        "annotations": st.one_of(_json, st.dictionaries(_text, _text, max_size=3)),
        "urls": _json,
        "data": _json,
        "artifactType": _json,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(_json, st.lists(st.one_of(_row, _json), max_size=4)), st.sampled_from(["refuse", "drop"]), st.booleans()
)
def test_whatever_is_served_as_an_index(manifests: Any, orphans: Any, with_another: bool) -> None:
    """It is merged into bytes that are JSON and UTF-8, or refused in one sentence; nothing else ever happens."""
    source = index([], manifests=manifests)
    others = [flat("linux/s390x")] if with_another else []
    try:
        merged = merge([source, *others], orphans=orphans)
    except MergeRefused as refused:
        assert STAGING in str(refused)  # noqa: PT017 - a refusal is as good an end as a merge
        return
    assert json.loads(merged.raw.decode())["manifests"]
