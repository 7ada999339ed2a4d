"""Sources from names to bytes: each is asked for once, and what is known already is not asked for at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import UsageError
from audit.image.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.image.merged import MergeRefused
from audit.image.platform import Platform
from audit.kept import Kept
from audit.merging import Asked, expect, prepare, resolve
from audit.registry import ManifestUnknown
from tests.farm.registry import Registry
from tests.farm.spoilers import answers
from tests.image.made import digest, entry, image
from tests.merging.stock import LIVE, STAGING, named, put_attested, put_image, put_index
from tests.registry.conftest import ROBOT, Dial

AMD, ARM = "linux/amd64", "linux/arm64"


@pytest.fixture
def asked(registry: Registry) -> list[Asked]:
    """One flat source, one attested, by their tags."""
    put_image(registry, "1-amd64", AMD, DOCKER_MANIFEST)
    put_attested(registry, "1-arm64", ARM)
    return [Asked(named(registry, f"{STAGING}:1-{name}")) for name in ("amd64", "arm64")]


def test_what_is_read(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """A manifest each, a config for the flat one alone, the children of the index; and every tag became a digest."""
    client = dial(registry)
    flat, index = resolve(client, asked)
    assert client.counts.by_kind == {"GET blob": 1, "GET manifest": 4}
    assert (flat.media_type, str(flat.platform), flat.reference.tag) == (DOCKER_MANIFEST, AMD, None)
    assert flat.reference.digest == digest(flat.raw)
    assert (index.media_type, index.platform, len(index.children)) == (OCI_INDEX, None, 2)
    assert flat.kept == index.kept == frozenset()


def test_one_token_for_all(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """The first call goes alone, so that one refusal and one token serve everything that is read and written."""
    registry.auth = "bearer"
    client = dial(registry, ROBOT)
    expect(client, [one.reference for one in asked], [named(registry, f"{LIVE}:1")])
    resolve(client, asked)
    assert client.counts.by_kind == {"GET blob": 1, "GET manifest": 5, "token": 1}
    (token,) = [one for one in registry.asked if one.path == "/token"]
    assert token.query["scope"] == [f"repository:{LIVE}:pull,push", f"repository:{STAGING}:pull"]


def test_what_is_known_is_not_asked_for(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """A platform that the plan knows spares the config; manifests that a build handed over spare everything."""
    first = resolve(dial(registry), asked)
    known = {one.reference.digest or "": one.raw for one in first} | dict(first[1].children)
    registry.asked.clear()
    told = [Asked(one.reference, platform=Platform.parse(AMD)) for one in first]
    client = dial(registry)
    again = resolve(client, told, known=known)
    assert registry.asked == []
    assert [one.raw for one in again] == [one.raw for one in first]
    assert again[1].kept == frozenset(), "a build has seen at the registry what it hands over"


def test_children_only_where_they_are_needed(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """Whoever copies nothing reads no child; and no attestation where these are dropped."""
    client = dial(registry)
    assert resolve(client, asked, children=False)[1].children == {}
    assert client.counts.by_kind["GET manifest"] == 2
    assert len(resolve(client, asked, attestations=False)[1].children) == 1


def test_a_name_that_stands_twice_is_resolved_once(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """And by its tag and its digest it is the same image."""
    client = dial(registry)
    raw = registry.manifests[(STAGING, "1-amd64")][1]
    by_digest = Asked(named(registry, f"{STAGING}@{digest(raw)}"))
    found = resolve(client, [asked[0], asked[0], by_digest], children=False)
    assert len({one.reference for one in found}) == 1
    assert client.counts.by_kind["GET manifest"] == 2


def test_an_earlier_run_spares_the_manifests(
    registry: Registry, dial: Dial, asked: list[Asked], tmp_path: Path
) -> None:
    """A HEAD for a tag, nothing for a digest; what nobody was asked for is marked; a tag that moved is read."""
    kept = Kept(tmp_path / "kept")
    first = resolve(dial(registry), asked, kept=kept)
    client = dial(registry)
    again = resolve(client, asked, kept=kept)
    assert client.counts.by_kind == {"HEAD manifest": 2}
    assert [one.raw for one in again] == [one.raw for one in first]
    assert again[0].kept == frozenset(), "its tag was asked for, and stands for that digest"
    assert again[1].kept == frozenset(again[1].children), "its children were not"
    client = dial(registry)
    by_digest = resolve(client, [Asked(one.reference) for one in first], kept=kept)
    assert client.counts.requests == 0
    assert by_digest[0].kept == {first[0].reference.digest}
    moved = put_image(registry, "1-amd64", AMD, DOCKER_MANIFEST, note="moved")
    assert resolve(dial(registry), asked, kept=kept)[0].raw == moved


def test_a_registry_that_does_not_like_head(registry: Registry, dial: Dial, asked: list[Asked], tmp_path: Path) -> None:
    """The manifest is read instead."""
    kept = Kept(tmp_path / "kept")
    first = resolve(dial(registry), asked, kept=kept)
    registry.spoil("HEAD", "/manifests/", answers(405))
    assert [one.raw for one in resolve(dial(registry), asked, kept=kept)] == [one.raw for one in first]


def test_a_manifest_without_its_type_is_not_kept(registry: Registry, dial: Dial, tmp_path: Path) -> None:
    """Its bytes alone would not say what it is; it is asked for each time, and told by its Content-Type."""
    raw = image(AMD).replace(b'"mediaType": "application/vnd.oci.image.manifest.v1+json", ', b"", 1)
    put_image(registry, "x", AMD)
    registry.add(STAGING, "bare", OCI_MANIFEST, raw)
    kept = Kept(tmp_path / "kept")
    for _ in range(2):
        (found,) = resolve(dial(registry), [Asked(named(registry, f"{STAGING}:bare"))], kept=kept)
        assert (found.media_type, found.raw) == (OCI_MANIFEST, raw)


def test_a_source_that_is_not_there(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """Told with its name; and a child of an index that is not there with the index's."""
    with pytest.raises(ManifestUnknown, match=f"{STAGING}:none"):
        resolve(dial(registry), [*asked, Asked(named(registry, f"{STAGING}:none"))])
    put_index(registry, "torn", entry(image("linux/s390x"), "linux/s390x"))
    with pytest.raises(
        MergeRefused, match=rf"{STAGING}:torn: its index names {digest(image('linux/s390x'))}, which is"
    ):
        resolve(dial(registry), [Asked(named(registry, f"{STAGING}:torn"))])


def test_what_cannot_be_asked_for(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """No source at all, or a tag with a digest, is wrong usage."""
    with pytest.raises(UsageError, match="nothing to merge"):
        resolve(dial(registry), [])
    found = resolve(dial(registry), asked)
    with pytest.raises(UsageError, match="write REPOSITORY:TAG"):
        prepare(found, [named(registry, f"{LIVE}:1").at(digest(b""))])


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (b"[]", "its config is not JSON, so its platform cannot be told"),
        (b"{", "its config is not JSON, so its platform cannot be told"),
        (b"{}", "says neither an operating system nor an architecture"),
        (b'{"os": "linux"}', "its config says linux, which is no whole platform"),
        (b'{"os": ["linux"], "architecture": 7}', "says neither an operating"),
    ],
)
def test_a_config_that_says_no_platform(registry: Registry, dial: Dial, config: bytes, says: str) -> None:
    """It cannot be merged, and the sentence names it."""
    registry.add_blob(STAGING, config)
    registry.add(STAGING, "odd", OCI_MANIFEST, image(AMD, configured=config))
    with pytest.raises(MergeRefused, match=says) as told:
        prepare(resolve(dial(registry), [Asked(named(registry, f"{STAGING}:odd"))]), [named(registry, f"{LIVE}:1")])
    assert f"{STAGING}:odd" in str(told.value)


@pytest.mark.parametrize("raw", [b"{}", b'{"config": 3}', b'{"config": {"digest": "x"}}'])
def test_a_manifest_without_a_config(registry: Registry, dial: Dial, raw: bytes) -> None:
    """Likewise."""
    registry.add(STAGING, "odd", OCI_MANIFEST, raw)
    with pytest.raises(MergeRefused, match=f"{STAGING}:odd: its config cannot be read"):
        resolve(dial(registry), [Asked(named(registry, f"{STAGING}:odd"))])


def test_what_a_step_says_of_its_sources(registry: Registry, dial: Dial, asked: list[Asked]) -> None:
    """Engines are told what each source is, without its bytes."""
    step = prepare(resolve(dial(registry), asked), [named(registry, f"{LIVE}:1"), named(registry, f"{LIVE}:1")])
    assert len(step.tags) == 1
    flat, index = step.sources
    assert (flat.flat, flat.attested, [str(one) for one in flat.platforms]) == (True, False, [AMD])
    assert (index.flat, index.attested, [str(one) for one in index.platforms]) == (False, True, [ARM])
    assert (flat.types, index.types) == ((DOCKER_MANIFEST,), (OCI_MANIFEST,))
    assert flat.given == f"{registry.address}/{STAGING}:1-amd64"
