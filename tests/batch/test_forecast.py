"""What a batch will ask, against counts that were made by hand and the measured rows of Docker's clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from audit.batch import Unit, units
from audit.batch.forecast import ASSUMED_BLOBS, BatchForecast, Stood, foretell
from audit.batch.peers import Work, docker_manifest, imagetools, minutes_at
from audit.batch.reading import read_plan
from audit.image.reference import Reference
from tests.batch.fleet import digest, digest_of, fleet, image, images, index, manifests

FLAT = Work(sources=2, flat=2, children=2, references=22, blobs=19, bare=2)
ATTESTED = Work(sources=2, flat=0, children=4, references=26, blobs=23)
FOUR = Work(sources=4, flat=4, children=4, references=40, blobs=40, blobs_there=24, bare=4)


@pytest.mark.parametrize(
    ("requests", "cost"),
    [
        (127, docker_manifest(FLAT)),
        (107, imagetools(FLAT, mounts=False)),
        (103, imagetools(FLAT, mounts=False, referrers=True)),
        (69, imagetools(FLAT, mounts=True)),
        (129, imagetools(ATTESTED, mounts=False)),
        (83, imagetools(ATTESTED, mounts=True)),  # 85 were measured: one blob of 23 was uploaded, not mounted
        (45, imagetools(replace(FLAT, blobs_there=19, children_there=2, unchanged=True), mounts=True)),
        (53, imagetools(replace(ATTESTED, blobs_there=23, children_there=4, unchanged=True), mounts=False)),
        (231, docker_manifest(FOUR)),
        (113, imagetools(FOUR, mounts=True)),
        (145, imagetools(FOUR, mounts=False)),
    ],
)
def test_peers_are_as_measured(requests: int, cost: object) -> None:
    """The formulas give what was counted at a registry: flat and attested, cold and repeated, and a warm base."""
    assert getattr(cost, "requests", None) == requests


def test_peers_pulls_and_minutes() -> None:
    """Counted pulls are S, and S + 2M; a bucket that is full gives the first minute's worth at once."""
    assert [docker_manifest(FLAT).pulls, imagetools(FLAT, mounts=True).pulls] == [2, 6]
    assert imagetools(ATTESTED, mounts=True).pulls == 10
    assert docker_manifest(replace(FLAT, tags=3)).requests == 3 * 127
    assert (minutes_at(300, 300), minutes_at(7530, 300), minutes_at(10, 300)) == (0, 24.1, 0)


def at(name: Reference) -> str | None:
    """What a staged tag stood for."""
    return digest(str(name.tag))


def units_of(text: str) -> tuple[Unit, ...]:
    """The units of a plan."""
    return units(read_plan(text, "x").entries)


def distinct() -> int:
    """Distinct blobs of the whole fleet."""
    return len({blob for blobs in images().values() for blob in blobs})


def test_a_cold_night_is_exact() -> None:
    """Everything at hand: each source asked once, each blob mounted once, each child and tag put once, one token."""
    made = fleet()
    found = foretell(made, known=manifests().get, last=at, rates={"docker.io": 300})
    sources, tags = len(images()), sum(len(one.tags) for one in made)
    assert found.by_kind == {
        "token": 1, "HEAD manifest": sources, "GET tags": 1, "POST mount": distinct(), "PUT manifest": sources + tags,
    }  # fmt: skip
    assert found.exact
    assert (found.pulls, found.tags, found.units, found.images) == (0, tags, len(made), sources)
    assert found.requests == sum(found.by_kind.values()) == found.by_registry["docker.io"]
    cold = foretell(made, known=manifests().get, rates={"docker.io": 300})
    assert cold.by_kind["GET manifest"] == cold.pulls == cold.assumed == sources


def test_a_config_is_asked_for_where_the_platform_is_not_said() -> None:
    """Without platforms in the plan each flat source costs its config too, unless that is at hand."""
    made = fleet(platforms=False)
    assert foretell(made, known=manifests().get, last=at).by_kind["GET blob"] == len(images())
    configs = {json.loads(raw)["config"]["digest"]: b"{}" for raw in manifests().values()}
    assert "GET blob" not in foretell(made, known=(manifests() | configs).get, last=at).by_kind


def test_an_unchanged_night_is_a_head_a_tag() -> None:
    """Tags that stand for what their unit made cost one HEAD each and one token, and nothing is assumed."""
    made = fleet()
    stood = {str(tag): Stood("sha256:" + "0" * 64, one.key) for one in made for tag in one.tags}
    found = foretell(made, stood=stood)
    assert found.by_kind == {"token": 1, "HEAD manifest": len(stood)}
    assert (found.unchanged, found.assumed, found.pulls) == (len(stood), 0, 0)


def test_tags_that_stand_for_something_else_are_looked_at_first() -> None:
    """A tag that stood there costs a HEAD besides its PUT; of a unit's tags only those that are not right are put."""
    (one,) = units_of("merges: [{tags: ['live/x:a', 'live/x:b', 'live/x:c'], sources: ['s/x:1=amd64']}]")
    stood = {"docker.io/live/x:a": Stood("sha256:1", one.key), "docker.io/live/x:b": Stood("sha256:2", "other")}
    found = foretell((one,), stood=stood, known={"sha256:3": image("c", ["l"])}.get, last=lambda _: "sha256:3")
    assert found.by_kind == {
        "token": 1, "HEAD manifest": 3, "GET tags": 1, "POST mount": 2, "PUT manifest": 1 + 2,
    }  # fmt: skip
    assert found.unchanged == 1


def test_what_is_believed_present_is_not_brought() -> None:
    """Blobs and children that stand in the target, by belief or since it is the staging too, cost nothing."""
    made = fleet()
    assert set(foretell(made, known=manifests().get, last=at, present=lambda *_: True).by_kind) == {
        "token", "HEAD manifest", "GET tags", "PUT manifest",
    }  # fmt: skip
    same = units_of(f"live/x:a: ['live/x@{digest('alpine-opam-amd64')}=amd64']")
    assert foretell(same, known=manifests().get).by_kind == {"token": 1, "GET tags": 1, "PUT manifest": 1}


def test_two_repositories_and_two_registries() -> None:
    """Each target has its own mounts and children; blobs from another registry go through this machine."""
    name = digest("fedora-opam-amd64")
    made = units_of(f"merges: [{{tags: ['live/x:a', 'live/y:a', 'r.example/x:a'], sources: ['s/x@{name}=amd64']}}]")
    found = foretell(made, known=manifests().get, rates={"docker.io": 5, "r.example": 1000})
    assert found.by_kind == {
        "token": 2, "GET blob": 5, "GET tags": 3, "POST mount": 10, "POST upload": 5, "PUT upload": 5,
        "PUT manifest": 3 + 3,
    }  # fmt: skip
    assert found.bytes == 4 * 100 + 7
    assert found.by_registry == {"docker.io": 5 + 2 * (1 + 5 + 1 + 1) + 1, "r.example": 5 + 5 + 1 + 1 + 1 + 1}
    assert found.minutes == minutes_at(found.by_registry["docker.io"], 5)
    docker = found.peers[0]
    assert docker.cannot == 1
    assert docker.why == "it refuses a source in another registry"


def attested() -> tuple[dict[str, bytes], str]:
    """An index of two images and their attestations, with everything that it names at hand."""
    children = {one: image(f"config {one}", [f"layer {one}", "shared"]) for one in ("amd64", "arm64")}
    proofs = {one: image(f"proof {one}", [f"statement {one}"]) for one in children}
    top = index(children, proofs)
    known = {digest_of(raw): raw for raw in (top, *children.values(), *proofs.values())}
    return known, digest_of(top)


def test_an_index_with_attestations() -> None:
    """An index costs its children's bytes where they are not at hand; its attestations are brought unless dropped."""
    known, top = attested()
    (one,) = units_of(f"live/x:a: ['s/x@{top}']")
    found = foretell((one,), known=known.get)
    assert found.by_kind == {"token": 1, "GET tags": 1, "POST mount": 5 + 4, "PUT manifest": 4 + 1}
    assert (found.peers[0].cannot, found.peers[0].requests) == (1, 0)
    dropped = units_of(f"merges: [{{tag: 'live/x:a', attest: drop, sources: ['s/x@{top}']}}]")
    assert foretell(dropped, known=known.get).by_kind["PUT manifest"] == 2 + 1
    bare = foretell((one,), known={top: known[top]}.get)
    assert bare.by_kind["GET manifest"] == bare.pulls == bare.assumed == 4
    assert bare.by_kind["POST mount"] == 2 * ASSUMED_BLOBS + 2 * 2


def test_a_copy_needs_no_child() -> None:
    """A single flat source that is copied is put under its tag only."""
    name = digest("fedora-opam-amd64")
    made = units_of(f"merges: [{{tag: 'live/x:a', prefer_index: false, sources: ['s/x@{name}=amd64']}}]")
    assert foretell(made, known=manifests().get).by_kind == {
        "token": 1,
        "GET tags": 1,
        "POST mount": 5,
        "PUT manifest": 1,
    }


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"{}", b'{"manifests": 3}', b'{"manifests": [1, {}]}', b"\xff", b"[" * 9999]
)
def test_junk_at_hand_is_not_trusted(junk: bytes) -> None:
    """Bytes at hand that are no manifest are counted as not known, and nothing breaks."""
    found = foretell(fleet(), known=lambda _: junk, last=at)
    assert found.requests > 0
    assert isinstance(found, BatchForecast)


def test_what_is_not_known_is_assumed_like_the_rest() -> None:
    """With one base's images at hand the others are counted with their mean; the truth is near, and it is said so."""
    made = fleet()
    half = {digest(name) for name in images() if name.startswith("debian")}
    known: Mapping[str, bytes] = {one: raw for one, raw in manifests().items() if one in half}
    found = foretell(made, known=known.get, last=at)
    exact = foretell(made, known=manifests().get, last=at)
    assert not found.exact
    assert (found.assumed, found.images) == (len(images()) - len(half), len(images()))
    assert abs(found.requests - exact.requests) < exact.requests * 0.2
    assert abs(found.peers[0].requests - exact.peers[0].requests) < exact.peers[0].requests * 0.3
    nothing = foretell(made)
    assert nothing.by_kind["POST mount"] == len(images()) * ASSUMED_BLOBS
    assert nothing.assumed_blobs == ASSUMED_BLOBS


def test_tokens_last_as_long_as_tokens_do() -> None:
    """A night at a low rate needs a token every four and a half minutes."""
    found = foretell(fleet(), known=manifests().get, last=at, rates={"docker.io": 10})
    assert found.by_kind["token"] == -(-minutes_at(found.requests - found.by_kind["token"], 10) * 60 // 270)


def test_the_order_changes_no_sum() -> None:
    """The order of the units changes nothing in the sum of a night where everything is at hand."""
    made = fleet()
    one, other = (foretell(some, known=manifests().get, last=at) for some in (made, made[::-1]))
    assert one.by_kind == other.by_kind
