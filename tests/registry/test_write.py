"""Writing into a registry: mounts, uploads, manifests, deletion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit.image.media import OCI_INDEX, OCI_MANIFEST
from audit.registry import (
    Denied,
    DigestMismatch,
    Invalid,
    MissingParts,
    NotAllowed,
    Retry,
    TooLong,
    Unreachable,
    UploadLost,
)
from tests.farm.registry import Registry
from tests.farm.spoilers import answers, breaks, hangs_up
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, index, manifest, named, stocked

DATA = bytes(range(256)) * 2000
AGAIN = Retry(sleep=lambda seconds: None)


def pieces() -> Iterator[bytes]:
    """The data as a generator gives it."""
    for start in range(0, len(DATA), 50_000):
        yield DATA[start : start + 50_000]


def test_a_mount_moves_no_bytes(registry: Registry, dial: Dial) -> None:
    """One POST, with one token for both repositories."""
    registry.auth = "bearer"
    wanted = registry.add_blob("staging/a", DATA)
    client = dial(registry, ROBOT)
    assert client.mount(named(registry, "live/b:x"), wanted, named(registry, "staging/a:x")) is None
    assert registry.blobs["live/b"][wanted] == DATA
    assert client.counts.by_kind == {"POST mount": 2, "token": 1}
    assert (client.counts.bytes_read, client.counts.bytes_sent) == (0, 0)
    (asked,) = [one for one in registry.asked if one.path == "/token"]
    assert asked.query["scope"] == ["repository:live/b:pull,push", "repository:staging/a:pull"]


def test_what_is_not_mounted_is_copied(registry: Registry, dial: Dial) -> None:
    """202 gives a session; the blob is streamed into it, with nothing begun a second time."""
    registry.mounts = False
    wanted = registry.add_blob("staging/a", DATA)
    client = dial(registry)
    source, name = named(registry, "staging/a:x"), named(registry, "live/b:x")
    session = client.mount(name, wanted, source)
    assert session is not None
    assert "state" not in repr(session)
    client.copy(source, name, wanted, len(DATA), session=session)
    assert registry.blobs["live/b"][wanted] == DATA
    assert client.counts.by_kind == {"GET blob": 1, "POST mount": 1, "PUT upload": 1}
    assert (client.counts.bytes_read, client.counts.bytes_sent) == (len(DATA), len(DATA))


@pytest.mark.parametrize("given", [DATA, pieces], ids=["bytes", "generator"])
@pytest.mark.parametrize("chunk", [None, 100_000, len(DATA), 1_000_000])
def test_uploads(registry: Registry, dial: Dial, given: bytes, chunk: int | None) -> None:
    """Whole or in chunks, from bytes or from a generator."""
    client = dial(registry)
    client.upload(named(registry), digest(DATA), len(DATA), given, chunk=chunk)
    assert registry.blobs["team/app"][digest(DATA)] == DATA
    assert client.counts.bytes_sent == len(DATA)
    patches = 0 if chunk is None else -(-len(DATA) // chunk)
    assert client.counts.by_kind.get("PATCH upload", 0) == patches
    put = registry.asked[-1]
    assert put.query == {"state": ["x"], "digest": [digest(DATA)]}


def test_the_registry_says_how_small_a_chunk_may_be(registry: Registry, dial: Dial) -> None:
    """OCI-Chunk-Min-Length goes before what the caller wants."""
    registry.least_chunk = 300_000
    client = dial(registry)
    client.upload(named(registry), digest(DATA), len(DATA), DATA, chunk=10)
    assert client.counts.by_kind["PATCH upload"] == 2


def test_an_empty_blob(registry: Registry, dial: Dial) -> None:
    """Nothing at all can be pushed too."""
    dial(registry).upload(named(registry), digest(b""), 0, b"")
    dial(registry).upload(named(registry), digest(b""), 0, lambda: iter(()), chunk=5)
    assert registry.blobs["team/app"] == {digest(b""): b""}


@pytest.mark.parametrize(
    ("given", "size", "error"),
    [
        (lambda: iter([b"wrong", b"er"]), 7, DigestMismatch),
        (lambda: iter([b"more", b"than that"]), 7, TooLong),
        (lambda: iter([b"less"]), 7, Unreachable),
        (b"wronger", 7, DigestMismatch),
        (b"short", 7, Invalid),
    ],
)
@pytest.mark.parametrize("chunk", [None, 3])
def test_wrong_bytes_never_become_a_blob(
    registry: Registry, dial: Dial, given: bytes, size: int, error: type[Exception], chunk: int | None
) -> None:
    """What is pushed is checked here, before its last bytes are sent."""
    with pytest.raises(error):
        dial(registry).upload(named(registry), digest(b"correct"), size, given, chunk=chunk)
    assert registry.blobs == {}


def test_an_upload_is_begun_again(registry: Registry, dial: Dial) -> None:
    """A session that is lost, or a line that breaks, begins the upload anew with all of its bytes."""
    registry.spoil("PUT", "/uploads/", answers(503), times=1)
    registry.spoil("PUT", "/uploads/", answers(404), times=1)
    registry.spoil("PUT", "/uploads/", hangs_up, times=1)
    client = dial(registry, retry=AGAIN)
    client.upload(named(registry), digest(DATA), len(DATA), pieces)
    assert registry.blobs["team/app"][digest(DATA)] == DATA
    assert client.counts.by_kind == {"POST upload": 4, "PUT upload": 4}


def test_a_chunk_is_resumed(registry: Registry, dial: Dial) -> None:
    """After a lost answer the registry is asked how far it got; a chunk that it has is not sent again."""

    def stored_but_silent(handler: object) -> None:
        place = next(iter(registry.uploads))
        registry.uploads[place] += handler.payload  # type: ignore[attr-defined] # the farm's handler
        hangs_up(handler)  # type: ignore[arg-type] # likewise

    registry.spoil("PATCH", "/uploads/", stored_but_silent, times=1)
    registry.spoil("PATCH", "/uploads/", answers(502), times=1)
    client = dial(registry, retry=AGAIN)
    client.upload(named(registry), digest(DATA), len(DATA), pieces, chunk=300_000)
    assert registry.blobs["team/app"][digest(DATA)] == DATA
    assert client.counts.by_kind == {"GET upload": 2, "PATCH upload": 3, "POST upload": 1, "PUT upload": 1}


def test_a_lost_session_is_told(registry: Registry, dial: Dial) -> None:
    """Where nothing is tried again, a lost session is one sentence."""
    registry.spoil("PATCH", "/uploads/", answers(416))
    with pytest.raises(UploadLost, match="begin the upload again") as told:
        dial(registry).upload(named(registry), digest(DATA), len(DATA), DATA, chunk=1000)
    assert told.value.transient


def test_a_broken_source_leaves_nothing(registry: Registry, dial: Dial) -> None:
    """Where the blob that is copied breaks off, no blob appears in the target."""
    wanted = registry.add_blob("staging/a", DATA)
    registry.spoil("GET", "/blobs/", breaks(1000, len(DATA)))
    client = dial(registry)
    with pytest.raises(Unreachable, match="GET blob"):
        client.copy(named(registry, "staging/a:x"), named(registry, "live/b:x"), wanted, len(DATA))
    assert "live/b" not in registry.blobs


def test_manifests_by_tag_and_by_digest(registry: Registry, dial: Dial) -> None:
    """The bytes arrive as they are, under the type that was said."""
    raw = manifest(b"layer")
    for blob in (b"layer", b"{}"):
        registry.add_blob("team/app", blob)
    client = dial(registry)
    assert client.put(named(registry), OCI_MANIFEST, raw) == digest(raw)
    assert registry.manifests[("team/app", "1.0")] == (OCI_MANIFEST, raw)
    spaced = raw + b"\n"
    assert client.put(named(registry).at(digest(spaced)), OCI_MANIFEST, spaced) == digest(spaced)
    assert registry.manifests[("team/app", digest(spaced))] == (OCI_MANIFEST, spaced)
    assert client.put(named(registry, "team/app:all"), OCI_INDEX, index(raw)) == digest(index(raw))


def test_a_manifest_that_is_not_its_digest(registry: Registry, dial: Dial) -> None:
    """Nothing is sent where bytes and digest differ; and a registry that takes them for others is caught."""
    raw = stocked(registry)
    client = dial(registry)
    with pytest.raises(DigestMismatch, match="the bytes to be pushed"):
        client.put(named(registry).at(digest(b"")), OCI_MANIFEST, raw)
    with pytest.raises(Invalid, match="no type of a manifest"):
        client.put(named(registry), "text/plain", raw)
    assert registry.asked == []
    registry.spoil("PUT", "/manifests/", answers(201, Docker_Content_Digest=digest(b"other")))
    with pytest.raises(DigestMismatch, match="the registry serves"):
        client.put(named(registry), OCI_MANIFEST, raw)


def test_missing_parts_are_named(registry: Registry, dial: Dial) -> None:
    """What the registry lacks comes out as digests, so that it can be mounted."""
    raw = manifest(b"one", b"two")
    registry.add_blob("team/app", b"{}")
    with pytest.raises(MissingParts, match="push these first") as told:
        dial(registry).put(named(registry), OCI_MANIFEST, raw)
    assert told.value.digests == (digest(b"one"), digest(b"two"))
    assert told.value.codes == ("MANIFEST_BLOB_UNKNOWN",)
    assert told.value.status == 400
    assert not told.value.transient, "the same call alone would help nobody"


def test_a_tag_that_cannot_be_changed(registry: Registry, dial: Dial) -> None:
    """An immutable tag is told as such."""
    stocked(registry)
    registry.mutable = False
    registry.add_blob("team/app", b"new")
    with pytest.raises(NotAllowed, match="does not let a tag be changed"):
        dial(registry).put(named(registry), OCI_MANIFEST, manifest(b"new"))


def test_deletion(registry: Registry, dial: Dial) -> None:
    """By digest; what is gone already is well; a registry that does not delete says so; a tag alone is refused here."""
    raw = stocked(registry)
    client = dial(registry)
    with pytest.raises(Invalid, match="a tag alone is not deleted"):
        client.delete(named(registry))
    registry.deletes = False
    with pytest.raises(NotAllowed, match="ask whoever runs it"):
        client.delete(named(registry).at(digest(raw)))
    registry.deletes = True
    client.delete(named(registry).at(digest(raw)))
    client.delete(named(registry).at(digest(raw)))
    assert registry.manifests == {}
    registry.auth = "bearer"
    registry.grants = {"*": {"pull"}}
    with pytest.raises(Denied, match="wanted is repository:team/app:pull,delete"):
        dial(registry, ROBOT).delete(named(registry).at(digest(raw)))


def test_referrers_survive_another_writer(registry: Registry, dial: Dial) -> None:
    """Where somebody else overwrites the list of referrers at the same moment, ours is entered again."""
    raw = stocked(registry)
    subject = {"mediaType": OCI_MANIFEST, "digest": digest(raw), "size": len(raw)}
    signed = manifest(b"layer", subject=subject)
    registry.spoil("PUT", "/manifests/sha256-", answers(201), times=1)  # as if it were overwritten at once
    client = dial(registry)
    client.put(named(registry, "team/app:sig"), OCI_MANIFEST, signed)
    (found,) = client.referrers(named(registry).at(digest(raw))).found
    assert found.digest == digest(signed)
    registry.manifests = {key: value for key, value in registry.manifests.items() if not key[1].startswith("sha256-")}
    registry.spoil("PUT", "/manifests/sha256-", answers(201))
    with pytest.raises(Exception, match="others keep writing"):
        client.put(named(registry, "team/app:sig"), OCI_MANIFEST, signed)


def test_what_a_registry_has_acknowledged(registry: Registry) -> None:
    """The digest that the answer to a push named is remembered, and forgotten where a later one names none."""
    from audit.registry import Options
    from audit.registry.confirmed import ConfirmingClient

    raw = stocked(registry)
    options = Options(plain_http=frozenset({registry.address}), environment={}, use_files=False)
    with ConfirmingClient(options) as client:
        assert client.acknowledged(named(registry)) is None
        client.put(named(registry), OCI_MANIFEST, raw)
        assert client.acknowledged(named(registry)) == digest(raw)
        assert client.acknowledged(named(registry, "team/app:other")) is None
        registry.spoil("PUT", "/manifests/", answers(201))
        client.put(named(registry), OCI_MANIFEST, raw)
        assert client.acknowledged(named(registry)) is None
