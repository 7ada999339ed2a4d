"""Reading from a registry: manifests, what arrived, blobs, tags, referrers."""

from __future__ import annotations

import pytest

from audit.image.media import OCI_INDEX, OCI_MANIFEST
from audit.image.reference import Reference
from audit.registry import BlobUnknown, Garbled, ManifestUnknown, NameUnknown, TooLong
from tests.farm.registry import Registry
from tests.farm.spoilers import answers
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, dumped, index, manifest, named, stocked


def test_head_and_manifest(registry: Registry, dial: Dial) -> None:
    """By tag and by digest; every byte as it is stored, all four types accepted, each request counted."""
    raw = stocked(registry)
    client = dial(registry)
    head = client.head(named(registry))
    assert (head.media_type, head.digest, head.size) == (OCI_MANIFEST, digest(raw), len(raw))
    for name in (named(registry), named(registry).at(digest(raw))):
        whole = client.manifest(name)
        assert (whole.media_type, whole.digest, whole.raw, whole.size) == (OCI_MANIFEST, digest(raw), raw, len(raw))
        assert not whole.is_index
    assert client.counts.by_kind == {"GET manifest": 2, "HEAD manifest": 1}
    assert client.counts.requests == 3
    assert {one.headers["accept"].count("application/vnd.") for one in registry.asked} == {4}
    assert registry.asked[0].headers["user-agent"].startswith("fleet-audit/")


def test_an_old_registry_tells_no_digest(registry: Registry, dial: Dial) -> None:
    """Without Docker-Content-Digest, HEAD reads the manifest."""
    raw = stocked(registry)
    registry.spoil("HEAD", "/manifests/", answers(200, Content_Type=OCI_MANIFEST, Content_Length=str(len(raw))))
    assert dial(registry).head(named(registry)).digest == digest(raw)


def test_sha512(registry: Registry, dial: Dial) -> None:
    """A manifest asked for by SHA-512 is checked by SHA-512."""
    import hashlib

    raw = stocked(registry)
    wanted = f"sha512:{hashlib.sha512(raw).hexdigest()}"
    registry.manifests[("team/app", wanted)] = (OCI_MANIFEST, raw)
    assert dial(registry).manifest(named(registry).at(wanted)).digest == wanted
    other = f"sha512:{'0' * 128}"
    registry.manifests[("team/app", other)] = (OCI_MANIFEST, raw)
    with pytest.raises(Garbled, match="sha512:0000"):
        dial(registry).manifest(named(registry).at(other))


def test_what_arrived(registry: Registry, dial: Dial) -> None:
    """An index with its children; one that is missing is told as not read."""
    first, second = stocked(registry, tag=""), manifest(b"other")
    registry.add("team/app", "1.0", OCI_INDEX, index(first, second))
    client = dial(registry)
    arrived = client.arrived(named(registry))
    assert arrived.kind == "index"
    assert [entry.artifact for entry in arrived.entries] == [False, None]
    assert arrived.config == "application/vnd.oci.image.config.v1+json"
    assert client.counts.by_kind == {"GET manifest": 3}
    stocked(registry, tag="flat")
    assert client.arrived(named(registry, "team/app:flat")).kind == "flat"


def test_what_arrived_is_bounded(registry: Registry, dial: Dial) -> None:
    """Of a huge index not every child is read."""
    row = {"mediaType": OCI_MANIFEST, "size": 2, "platform": {"os": "linux", "architecture": "amd64"}}
    rows = [row | {"digest": f"sha256:{number:064x}"} for number in range(500)]
    registry.add("team/app", "1.0", OCI_INDEX, dumped({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}))
    client = dial(registry)
    assert len(client.arrived(named(registry)).entries) == 500
    assert client.counts.requests == 65


def test_no_such_manifest(registry: Registry, dial: Dial) -> None:
    """A missing tag is told with registry, repository and tag."""
    with pytest.raises(ManifestUnknown, match=rf"{registry.address}: GET manifest team/app:1.0: .*no such manifest"):
        dial(registry).manifest(named(registry))
    with pytest.raises(ManifestUnknown, match="HTTP 404"):
        dial(registry).head(named(registry))


def test_blobs(registry: Registry, dial: Dial) -> None:
    """A blob's size, its bytes as they come, and a small one whole; bytes are counted."""
    data = bytes(range(256)) * 1000
    wanted = registry.add_blob("team/app", data)
    client = dial(registry)
    assert client.blob_size(named(registry), wanted) == len(data)
    assert client.blob_size(named(registry), digest(b"none")) is None
    chunks = list(client.blob(named(registry), wanted, len(data)))
    assert b"".join(chunks) == data
    assert len(chunks) > 2
    assert client.blob_bytes(named(registry), wanted, len(data)) == data
    assert client.counts.bytes_read == 2 * len(data)
    empty = registry.add_blob("team/app", b"")
    assert list(client.blob(named(registry), empty, 0)) == []
    with pytest.raises(BlobUnknown, match="no such blob"):
        client.blob_bytes(named(registry), digest(b"none"), 4)
    with pytest.raises(TooLong, match="10 are read at most"):
        client.blob_bytes(named(registry), wanted, len(data), limit=10)


def test_tags(registry: Registry, dial: Dial) -> None:
    """All pages; a repository that is not there."""
    for tag in ("a", "b", "c", "d", "e"):
        stocked(registry, tag=tag)
    registry.page = 2
    client = dial(registry)
    assert client.tags(named(registry)) == ("a", "b", "c", "d", "e")
    assert client.counts.by_kind == {"GET tags": 3}
    with pytest.raises(NameUnknown, match="no such repository"):
        client.tags(named(registry, "other/app:x"))


@pytest.mark.parametrize(
    ("body", "link", "tags"),
    [
        ('{"tags": null}', "", ()),
        ('{"tags": ["a", 1, "../b", "a", null, "\\u001b[2J"]}', "", ("a",)),
        ('{"tags": []}', '</v2/team/app/tags/list?n=1000>; rel="next"', "lead back"),
        ('{"tags": []}', '<http://evil.invalid:1/x>; rel="next"', "lead to another server"),
        ('{"tags": []}', "garbage", ()),
        ("[]", "", "no JSON object"),
    ],
)
def test_lists_of_tags_that_are_none(
    registry: Registry, dial: Dial, body: str, link: str, tags: tuple[str, ...] | str
) -> None:
    """Only what can be a tag comes out, and a list that runs in a circle ends."""
    registry.spoil("GET", "/tags/", answers(200, body, Link=link))
    client = dial(registry)
    if isinstance(tags, tuple):
        assert client.tags(named(registry)) == tags
    else:
        with pytest.raises(Exception, match=tags):
            client.tags(named(registry))


@pytest.mark.parametrize("by_api", [True, False])
def test_referrers(registry: Registry, dial: Dial, by_api: bool) -> None:
    """By the API, or by the fallback tag, which a push keeps up where the registry does not; a type may be chosen."""
    registry.referrers = by_api
    raw = stocked(registry)
    subject = {"mediaType": OCI_MANIFEST, "digest": digest(raw), "size": len(raw)}
    client = dial(registry)
    target = named(registry).at(digest(raw))
    assert client.referrers(target).found == ()
    for kind in ("application/sbom", "application/signature"):
        signed = manifest(subject=subject, artifactType=kind, annotations={"who": "us"})
        client.put(named(registry).at(digest(signed)), OCI_MANIFEST, signed)
    seen = client.referrers(target)
    assert seen.by_api is by_api
    assert {one.artifact_type for one in seen.found} == {"application/sbom", "application/signature"}
    (chosen,) = client.referrers(target, artifact_type="application/sbom").found
    assert client.manifest(target.at(chosen.digest)).body["annotations"] == {"who": "us"}
    tag = "sha256-" + digest(raw).partition(":")[2]
    assert (("team/app", tag) in registry.manifests) is not by_api


def test_a_batch_is_read_with_one_token(registry: Registry, dial: Dial) -> None:
    """What a batch will need is asked for once, pushes first; later calls ask nobody anything."""
    registry.auth = "bearer"
    for name in ("a/one", "a/two", "a/three"):
        stocked(registry, name)
    client = dial(registry, ROBOT)
    client.expect(registry.address, pull=["a/one", "a/two"], push=["a/three"])
    for name in ("a/one", "a/two", "a/three"):
        client.manifest(named(registry, f"{name}:1.0"))
    assert client.counts.by_kind == {"GET manifest": 4, "token": 1}
    (asked,) = [one for one in registry.asked if one.path == "/token"]
    assert asked.query["scope"] == ["repository:a/three:pull,push", "repository:a/one:pull", "repository:a/two:pull"]
    known = client.challenges
    again = dial(registry, ROBOT, challenges=known)
    again.manifest(named(registry, "a/one:1.0"))
    assert again.counts.by_kind == {"GET manifest": 1, "token": 1}


def test_docker_hub_has_its_own_host() -> None:
    """References to docker.io are asked of registry-1.docker.io."""
    from audit.registry import Options

    assert Options().base(Reference.parse("debian").registry) == "https://registry-1.docker.io"
    assert Options().base("ghcr.io") == "https://ghcr.io"
    assert Options(plain_http=frozenset({"localhost:5000"})).base("localhost:5000") == "http://localhost:5000"
    assert Options().base("localhost:5000") == "https://localhost:5000"
