"""The client against the lab's real registry: Debian's docker-registry 2.8 over TLS, with token authentication."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Iterator

import pytest

from audit.image.media import OCI_INDEX, OCI_MANIFEST
from audit.image.reference import Reference
from audit.registry import (
    BlobUnknown,
    Client,
    Credentials,
    Denied,
    DigestMismatch,
    Invalid,
    LoginRefused,
    ManifestUnknown,
    MissingParts,
    Options,
    RegistryError,
    Tls,
    TlsFailed,
)
from tests.lab import Lab, leaks
from tests.registry.images import digest, index, manifest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120), pytest.mark.xdist_group("lab")]


@dataclasses.dataclass
class Place:
    """Two repositories of this test's own, and who may write them."""

    lab: Lab
    staging: Reference
    target: Reference
    clients: list[Client] = dataclasses.field(default_factory=list)

    def client(self, account: str = "live", password: str = "") -> Client:
        """A client with an account of the lab."""
        credentials = Credentials(username=account, password=password or self.lab.credentials[account])
        registry = self.lab.registry
        options = Options(tls={registry: Tls(ca_file=self.lab.ca)}, credentials={registry: credentials}, environment={})
        self.clients.append(Client(options))
        return self.clients[-1]


@pytest.fixture
def place(lab: Lab) -> Iterator[Place]:
    """Repositories that nobody else uses; what is pushed to them is deleted again."""
    name = uuid.uuid4().hex[:12]
    staging = Reference.parse(f"{lab.registry}/staging/client-{name}:x")
    made = Place(lab, staging, Reference.parse(f"{lab.registry}/live/client-{name}:x"))
    yield made
    cleaner = made.client()
    for repository in (made.staging, made.target):
        try:
            tags = cleaner.tags(repository)
        except RegistryError:
            continue
        for tag in tags:
            cleaner.delete(repository.at(cleaner.head(repository.tagged(tag)).digest))
    for client in made.clients:
        client.close()


def pushed(client: Client, name: Reference, layer: bytes) -> bytes:
    """Push an image of one layer; its manifest."""
    raw = manifest(layer)
    for blob in (layer, b"{}"):
        client.upload(name, digest(blob), len(blob), blob)
    client.put(name, OCI_MANIFEST, raw)
    return raw


def test_the_whole_way(place: Place) -> None:
    """Upload, push, read, mount, push the index, verify, delete: with one token for the batch."""
    layer = os.urandom(300_000)
    staged = pushed(place.client("staging"), place.staging, layer)
    client = place.client()
    client.expect(place.lab.registry, pull=[place.staging.repository], push=[place.target.repository])
    source = client.manifest(place.staging)
    assert source.raw == staged
    for part in [source.body["config"], *source.body["layers"]]:
        assert client.mount(place.target, part["digest"], place.staging) is None
    client.put(place.target.at(source.digest), OCI_MANIFEST, source.raw)
    merged = client.put(place.target, OCI_INDEX, index(source.raw))
    assert client.counts.by_kind == {"GET manifest": 2, "POST mount": 2, "PUT manifest": 2, "token": 1}
    assert client.counts.bytes_sent == 0
    assert client.head(place.target).digest == merged
    assert place.lab.served(f"{place.target}").digest == merged
    arrived = client.arrived(place.target)
    assert (arrived.kind, [entry.platform for entry in arrived.entries]) == ("index", ["linux/amd64"])
    assert b"".join(client.blob(place.target, digest(layer), len(layer))) == layer
    assert client.blob_size(place.target, digest(layer)) == len(layer)
    assert client.tags(place.target) == ("x",)
    client.delete(place.target.at(merged))
    with pytest.raises(ManifestUnknown):
        client.head(place.target)
    client.delete(place.target.at(merged))


def test_uploads_of_every_kind(place: Place) -> None:
    """Whole, in chunks, streamed from a generator, and copied from another repository after a 202."""
    client = place.client()
    for number, chunk in enumerate((None, 70_000, 1_000_000)):
        data = os.urandom(200_000 + number)

        def pieces(data: bytes = data) -> Iterator[bytes]:
            for start in range(0, len(data), 33_333):
                yield data[start : start + 33_333]

        client.upload(place.staging, digest(data), len(data), pieces, chunk=chunk)
        assert client.blob_bytes(place.staging, digest(data), len(data)) == data
    elsewhere = place.target.model_copy(update={"repository": f"{place.target.repository}/none"})
    session = client.mount(place.target, digest(data), elsewhere)
    assert session is not None, "the blob is not in that repository"
    client.copy(place.staging, place.target, digest(data), len(data), session=session)
    assert client.blob_size(place.target, digest(data)) == len(data)
    with pytest.raises(DigestMismatch):
        client.upload(place.target, digest(b"other"), 5, lambda: iter([b"wrong"]))
    with pytest.raises(BlobUnknown):
        client.blob_bytes(place.target, digest(b"other"), 5)


def test_what_is_missing_is_named(place: Place) -> None:
    """The registry names the blobs and the children that it lacks."""
    client = place.client()
    raw = manifest(b"never pushed")
    with pytest.raises(MissingParts) as told:
        client.put(place.target, OCI_MANIFEST, raw)
    assert set(told.value.digests) == {digest(b"never pushed"), digest(b"{}")}
    with pytest.raises((MissingParts, Invalid)):
        client.put(place.target, OCI_INDEX, index(raw))
    with pytest.raises(Invalid, match="MANIFEST_INVALID"):
        client.put(place.target, OCI_MANIFEST, b"{")


def test_referrers_by_the_fallback_tag(place: Place) -> None:
    """2.8 has no referrers API: what a push with a subject leaves is found under the fallback tag."""
    client = place.client()
    raw = pushed(client, place.target, b"image")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest(raw), "size": len(raw)}
    client.upload(place.target, digest(b"sbom"), 4, b"sbom")
    sbom = manifest(b"sbom", subject=subject, artifactType="application/sbom")
    client.put(place.target.at(digest(sbom)), OCI_MANIFEST, sbom)
    seen = client.referrers(place.target.at(digest(raw)))
    assert not seen.by_api
    assert [(one.digest, one.artifact_type) for one in seen.found] == [(digest(sbom), "application/sbom")]


def test_a_refused_login_is_asked_once(place: Place) -> None:
    """A wrong password is one request for a token, whatever is asked after it, and stands in no message."""
    client = place.client("live", "a-wrong-password")
    for _ in range(3):
        with pytest.raises(LoginRefused) as told:
            client.head(place.target)
        assert "a-wrong-password" not in str(told.value)
    assert client.counts.by_kind == {"HEAD manifest": 1, "token": 1}


def test_a_right_that_is_missing(place: Place) -> None:
    """The staging account may not write live: wanted and granted are told, and no secret."""
    raw = manifest(b"x")
    client = place.client("staging")
    with pytest.raises(Denied, match=rf"wanted is repository:{place.target.repository}:pull,push") as told:
        client.put(place.target, OCI_MANIFEST, raw)
    assert "allows nothing" in str(told.value)
    assert not leaks(repr((told.value, client.options, client._tokens.__dict__)))
    with pytest.raises(Denied):
        client.mount(place.staging, digest(b"x"), place.target)


def test_a_ca_that_is_not_known(place: Place) -> None:
    """Without the lab's CA nothing is sent."""
    with Client(Options(environment={})) as client, pytest.raises(TlsFailed, match="ca_file"):
        client.head(place.target)


def test_docker_s_own_file(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The config.json that docker reads on a worker serves the client too."""
    folder = tmp_path_factory.mktemp("docker")
    (folder / "config.json").write_text(place.lab.docker_registry.docker_config("live"))
    tls = {place.lab.registry: Tls(ca_file=place.lab.ca)}
    with Client(Options(tls=tls, environment={"DOCKER_CONFIG": str(folder)})) as client, pytest.raises(ManifestUnknown):
        client.head(place.target)
