"""A merge carried out by our own engine: what is asked of a registry, in which order, and what trouble does to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit.engines.merge import ORDER, MergeHost, MergeStep
from audit.errors import StepError
from audit.image.media import DOCKER_MANIFEST, OCI_INDEX
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import Asked, Done, carry_out, choose, expect, forecast, prepare, resolve
from audit.registry import BlobUnknown, Denied, DigestMismatch, MissingParts, NotAllowed, Options, Retry
from audit.registry.confirmed import ConfirmingClient
from tests.farm.registry import PASSWORD, USER, Registry
from tests.farm.spoilers import answers, fails
from tests.image.made import digest
from tests.merging.stock import LIVE, STAGING, lacking, named, put_attested, put_image, tags
from tests.registry.conftest import ROBOT

AMD, ARM, RISC = "linux/amd64", "linux/arm64", "linux/riscv64"
TAG_PUT = r"/v2/live/app/manifests/1\.0"


class Merging:
    """One merge from its sources to its tags, with what was told on the way."""

    def __init__(self, client: ConfirmingClient, sources: Sequence[Reference], kept: Kept | None = None) -> None:
        """Nothing is asked yet."""
        self.client, self.sources, self.kept = client, sources, kept
        self.lines: list[str] = []

    def step(self, *names: Reference, **more: Any) -> MergeStep:
        """Resolved and prepared."""
        expect(self.client, self.sources, names)
        return prepare(resolve(self.client, [Asked(one) for one in self.sources], kept=self.kept), names, **more)

    def run(self, *names: Reference, **more: Any) -> Done:
        """Carried out."""
        step = self.step(*names, **more)
        choice = choose(step, "registry", ORDER, MergeHost)
        return carry_out(self.client, choice, step, kept=self.kept, tell=self.lines.append)


Begin = Callable[..., Merging]


@pytest.fixture
def begin(registry: Registry, far: Registry) -> Begin:
    """A merge of a flat image, an attested one, and another flat one; `into` other registries too."""
    put_image(registry, "1-amd64", AMD, DOCKER_MANIFEST)
    put_attested(registry, "1-riscv64", RISC)
    put_image(registry, "1-arm64", ARM, DOCKER_MANIFEST)
    sources = [named(registry, f"{STAGING}:1-{name}") for name in ("amd64", "riscv64", "arm64")]

    def made(retry: Retry | None = None, kept: Kept | None = None) -> Merging:
        options = Options(
            plain_http=frozenset({registry.address, far.address}), environment={}, use_files=False,
            credentials={registry.address: ROBOT, far.address: ROBOT},
            retry=retry or Retry(tries=1), idle=2.0, answer=4.0,
        )  # fmt: skip
        return Merging(ConfirmingClient(options), sources, kept)

    return made


def writes(registry: Registry) -> list[str]:
    """What was written, in its order."""
    return [
        "mount" if "mount" in one.query else f"{one.method} {'tag' if ':' not in one.path else 'child'}"
        for one in registry.asked
        if one.method in ("PUT", "POST") and one.path != "/token"
    ]


# ------------------------------------------------------------------- where all goes well


def test_the_fewest_requests_in_their_order(registry: Registry, begin: Begin) -> None:
    """No HEAD, each distinct blob mounted once, each child pushed once, images before attestations, the tag last."""
    registry.auth = "bearer"
    merging = begin()
    done = merging.run(named(registry, f"{LIVE}:1.0"))
    assert merging.client.counts.by_kind == {
        "GET manifest": 6, "GET blob": 2, "POST mount": 8, "PUT manifest": 5, "token": 1,
    }  # fmt: skip
    assert (merging.client.counts.bytes_sent, done.mounted, done.streamed, done.pushed) == (0, 8, 0, 4)
    assert writes(registry) == ["mount"] * 8 + ["PUT child"] * 4 + ["PUT tag"]
    pushed = [one.path.rpartition("/")[2] for one in registry.asked if one.method == "PUT"]
    attestation = next(child.digest for child in merging.step(named(registry, "x:1")).merged.children
                       if child.role == "attestation")  # fmt: skip
    assert pushed[3] == attestation
    assert tags(registry) == {"1.0": done.digest}
    assert lacking(registry) == []
    assert registry.manifests[(LIVE, "1.0")][0] == OCI_INDEX
    for (where, name), value in list(registry.manifests.items()):
        if where == LIVE and ":" in name and name != done.digest:
            assert value == registry.manifests[(STAGING, name)], "children arrive byte for byte"
    assert merging.lines == ["placing 8 blobs", "pushing 4 manifests", "tagging " + str(done.tags[0].familiar)]


def test_the_forecast_is_what_comes(registry: Registry, begin: Begin) -> None:
    """Before anything is pushed it is known to the request."""
    merging = begin()
    step = merging.step(named(registry, f"{LIVE}:1.0"))
    choice = choose(step, "auto", ORDER, MergeHost)
    ahead = forecast(choice.actions)
    before = merging.client.counts
    carry_out(merging.client, choice, step)
    after = merging.client.counts
    grown = {kind: count - before.by_kind.get(kind, 0) for kind, count in after.by_kind.items()}
    assert ahead.by_kind == {kind: count for kind, count in grown.items() if count}
    assert (ahead.requests, ahead.bytes) == (13, after.bytes_sent)


def test_one_repository_needs_one_put(registry: Registry, begin: Begin) -> None:
    """Where the sources stand in the tag's own repository, nothing is moved."""
    merging = begin()
    done = merging.run(named(registry, f"{STAGING}:all"))
    assert writes(registry) == ["PUT tag"]
    assert tags(registry, STAGING)["all"] == done.digest
    assert lacking(registry, STAGING) == []


def test_several_tags_and_repositories(registry: Registry, begin: Begin) -> None:
    """Blobs and children once a repository, one PUT a tag; all stand for one digest."""
    names = [named(registry, f"{name}:{tag}") for name in (LIVE, "live/other") for tag in ("1.0", "latest")]
    done = begin().run(*names)
    assert writes(registry).count("mount") == 16
    assert writes(registry).count("PUT child") == 8
    assert writes(registry)[-4:] == ["PUT tag"] * 4
    for name in (LIVE, "live/other"):
        assert tags(registry, name) == {"1.0": done.digest, "latest": done.digest}
        assert lacking(registry, name) == []


def test_across_registries(registry: Registry, far: Registry, begin: Begin) -> None:
    """Each blob is streamed once into the other registry, and mounted from there into a second repository of it."""
    registry.auth = far.auth = "bearer"
    merging = begin()
    done = merging.run(named(far, f"{LIVE}:1.0"), named(far, "live/other:1.0"))
    assert (done.streamed, done.mounted, done.pushed) == (8, 8, 8)
    assert merging.client.counts.by_kind == {
        "GET manifest": 6, "GET blob": 10, "POST upload": 9, "PUT upload": 8, "POST mount": 8, "PUT manifest": 10,
        "token": 2,
    }  # fmt: skip
    for name in (LIVE, "live/other"):
        assert tags(far, name) == {"1.0": done.digest}
        assert lacking(far, name) == []
    assert "8 blobs went through this machine from another registry" in merging.lines


def test_sources_of_two_registries(registry: Registry, far: Registry, begin: Begin) -> None:
    """What is near is mounted and only what is far is streamed; what both have is mounted."""
    put_image(far, "1-s390x", "linux/s390x")
    put_image(far, "1-amd64", AMD, DOCKER_MANIFEST)
    merging = begin()
    merging.sources = [named(far, f"{STAGING}:1-amd64"), *merging.sources, named(far, f"{STAGING}:1-s390x")]
    done = merging.run(named(registry, f"{LIVE}:1.0"))
    assert (done.mounted, done.streamed) == (8, 2)
    assert lacking(registry) == []


def test_a_flat_copy(registry: Registry, begin: Begin) -> None:
    """The only source as it is, under its own digest."""
    merging = begin()
    merging.sources = merging.sources[:1]
    done = merging.run(named(registry, f"{LIVE}:1.0"), prefer_index=False)
    assert done.digest == digest(registry.manifests[(STAGING, "1-amd64")][1])
    assert writes(registry) == ["mount", "mount", "PUT tag"]
    assert lacking(registry) == []


# ------------------------------------------------------------------- a second time


def test_an_unchanged_merge_is_one_request(registry: Registry, begin: Begin, tmp_path: Path) -> None:
    """Sources by digest: the tag is looked at, and nothing else; by tag: each of these too."""
    kept = Kept(tmp_path / "kept")
    first = begin(kept=kept)
    done = first.run(named(registry, f"{LIVE}:1.0"))
    by_tag = begin(kept=kept)
    again = by_tag.run(named(registry, f"{LIVE}:1.0"))
    assert (again.unchanged, again.digest, again.engine) == (True, done.digest, None)
    assert by_tag.client.counts.by_kind == {"HEAD manifest": 4}
    by_digest = begin(kept=kept)
    by_digest.sources = [one.reference for one in resolve(first.client, [Asked(one) for one in first.sources])]
    assert by_digest.run(named(registry, f"{LIVE}:1.0")).unchanged
    assert by_digest.client.counts.by_kind == {"HEAD manifest": 1}


def test_a_tag_that_somebody_moved_is_put_right(registry: Registry, begin: Begin, tmp_path: Path) -> None:
    """What was merged before is no proof that it stands."""
    kept = Kept(tmp_path / "kept")
    done = begin(kept=kept).run(named(registry, f"{LIVE}:1.0"))
    registry.manifests[(LIVE, "1.0")] = registry.manifests[(STAGING, "1-amd64")]
    again = begin(kept=kept).run(named(registry, f"{LIVE}:1.0"))
    assert not again.unchanged
    assert tags(registry) == {"1.0": done.digest}
    del registry.manifests[(LIVE, "1.0")]
    begin(kept=kept).run(named(registry, f"{LIVE}:1.0"))
    assert tags(registry) == {"1.0": done.digest}


def test_an_image_that_was_removed_meanwhile(registry: Registry, begin: Begin, tmp_path: Path) -> None:
    """In the tag's own repository nothing is pushed again, and a registry may take an index of nothing: we ask."""
    kept = Kept(tmp_path / "kept")
    begin(kept=kept).run(named(registry, f"{STAGING}:all"))
    index = resolve(begin(kept=kept).client, [Asked(named(registry, f"{STAGING}:1-riscv64"))])[0]
    removed = next(iter(index.children))
    del registry.manifests[(STAGING, removed)]
    registry.spoil("PUT", "/manifests/", answers(201))  # it would take anything
    merging = begin(kept=kept)
    merging.sources = merging.sources[:2]
    with pytest.raises(
        StepError, match=f"{removed} was there in an earlier run, but is there no longer, so nothing was"
    ):
        merging.run(named(registry, f"{STAGING}:two"))
    assert writes(registry).count("PUT tag") == 1, "that of the first run"


# ------------------------------------------------------------------- trouble that is overcome


def test_a_registry_that_does_not_mount(registry: Registry, begin: Begin) -> None:
    """202 begins an upload, which is used; the bytes go through this machine, and that is said."""
    registry.mounts = False
    merging = begin()
    done = merging.run(named(registry, f"{LIVE}:1.0"))
    assert (done.mounted, done.streamed) == (0, 8)
    assert merging.client.counts.by_kind.get("POST upload") is None, "no second session is begun"
    assert "8 blobs went through this machine: the registry has not mounted them" in merging.lines
    assert lacking(registry) == []


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_a_registry_that_refuses_to_mount(registry: Registry, begin: Begin, status: int) -> None:
    """Whatever it says to that: the blobs are copied."""
    registry.spoil("POST", "mount=", answers(status))
    done = begin().run(named(registry, f"{LIVE}:1.0"))
    assert (done.mounted, done.streamed) == (0, 8)
    assert lacking(registry) == []


def test_an_account_that_may_not_do_both_at_once(registry: Registry, begin: Begin) -> None:
    """A token server of one scope a token: read there, write here, and copy."""
    registry.auth, registry.one_scope = "bearer", True
    done = begin().run(named(registry, f"{LIVE}:1.0"))
    assert lacking(registry) == []
    assert tags(registry) == {"1.0": done.digest}


def test_a_mount_that_was_none(registry: Registry, begin: Begin) -> None:
    """The registry says 201 and has nothing: its refusal of the manifest names the blobs, which are brought then."""
    registry.spoil("POST", "mount=", answers(201, Location="/v2/live/app/blobs/x"), times=3)
    merging = begin()
    done = merging.run(named(registry, f"{LIVE}:1.0"))
    assert done.streamed == 3
    assert any(line.startswith("bringing ") for line in merging.lines)
    assert lacking(registry) == []


def test_children_that_vanish_before_the_index(registry: Registry, begin: Begin) -> None:
    """The index is refused, names them, and they are pushed again."""
    registry.spoil("PUT", r"/manifests/sha256:", answers(201), times=2)
    begin().run(named(registry, f"{LIVE}:1.0"))
    assert lacking(registry) == []
    assert writes(registry).count("PUT child") == 6


def test_a_server_that_fails_now_and_then(registry: Registry, begin: Begin) -> None:
    """Every kind of call is tried again; the tag stands in the end."""
    for method, pattern in (("GET", "manifests"), ("POST", "mount="), ("PUT", "sha256:"), ("PUT", TAG_PUT)):
        registry.spoil(method, pattern, answers(503, Retry_After="1"), times=2)
    pauses: list[float] = []
    begin(retry=Retry(tries=4, sleep=pauses.append)).run(named(registry, f"{LIVE}:1.0"))
    assert lacking(registry) == []
    assert len(pauses) == 8
    assert min(pauses) >= 1, "as long as the registry asks for"


def test_an_immutable_tag_that_is_right(registry: Registry, begin: Begin) -> None:
    """Refused, looked at, and found to be what was wanted."""
    done = begin().run(named(registry, f"{LIVE}:1.0"))
    registry.spoil("PUT", TAG_PUT, fails(409, "TAG_IMMUTABLE", "tag is immutable"))
    merging = begin()
    assert merging.run(named(registry, f"{LIVE}:1.0")).digest == done.digest
    assert "stands already, and may not be written again (not-allowed)" in merging.lines[-1]


# ------------------------------------------------------------------- trouble that is not


def test_a_blob_that_is_gone(registry: Registry, begin: Begin) -> None:
    """Neither mounted nor copied: the sentence names it, and there is no tag."""
    merging = begin()
    step = merging.step(named(registry, f"{LIVE}:1.0"))
    gone = next(iter(registry.blobs[STAGING]))
    del registry.blobs[STAGING][gone]
    with pytest.raises(BlobUnknown, match=f"{STAGING}@{gone}"):
        carry_out(merging.client, choose(step, "registry", ORDER, MergeHost), step)
    assert tags(registry) == {}


def test_a_blob_that_is_gone_after_its_mount(registry: Registry, begin: Begin) -> None:
    """Brought again in vain: no tag."""
    registry.spoil("POST", "mount=", answers(201))
    registry.spoil("PUT", "/uploads/", answers(201))
    with pytest.raises(MissingParts, match="push these first"):
        begin().run(named(registry, f"{LIVE}:1.0"))
    assert tags(registry) == {}


def test_the_second_tag_is_refused(registry: Registry, begin: Begin) -> None:
    """The sentence says which tag stands already."""
    registry.add(LIVE, "1.0", OCI_INDEX, b'{"manifests": []}')
    registry.mutable = False
    with pytest.raises(StepError, match=rf"does not let a tag be changed.*\(done already: .*{LIVE}:new\)"):
        begin().run(named(registry, f"{LIVE}:new"), named(registry, f"{LIVE}:1.0"), named(registry, f"{LIVE}:newer"))
    assert set(tags(registry)) == {"1.0", "new"}
    assert lacking(registry) == []


def test_another_right_is_missing(registry: Registry, begin: Begin) -> None:
    """No right to write: denied before anything is there, with what was wanted and what is allowed."""
    registry.auth = "bearer"
    registry.grants = {STAGING: {"pull"}, LIVE: {"pull"}}
    with pytest.raises(Denied, match=f"wanted is repository:{LIVE}:pull,push.* allows {LIVE}:pull") as told:
        begin().run(named(registry, f"{LIVE}:1.0"))
    assert PASSWORD not in str(told.value)
    assert USER not in str(told.value)
    assert LIVE not in registry.blobs


def test_the_registry_takes_the_index_for_another(registry: Registry, begin: Begin) -> None:
    """It says another digest than that of the bytes."""
    registry.spoil("PUT", TAG_PUT, answers(201, Docker_Content_Digest=digest(b"other")))
    with pytest.raises(DigestMismatch, match=digest(b"other")):
        begin().run(named(registry, f"{LIVE}:1.0"))


def test_somebody_else_writes_the_tag(registry: Registry, begin: Begin) -> None:
    """Where the registry names no digest the tag is looked at; what stands there is not ours."""
    registry.add(LIVE, "1.0", OCI_INDEX, b'{"manifests": []}')
    registry.spoil("PUT", TAG_PUT, answers(201))
    with pytest.raises(StepError, match="see whether somebody else writes that tag, then merge again"):
        begin().run(named(registry, f"{LIVE}:1.0"))


def test_an_immutable_tag_that_is_another(registry: Registry, begin: Begin) -> None:
    """It stays."""
    registry.add(LIVE, "1.0", OCI_INDEX, b'{"manifests": []}')
    registry.mutable = False
    with pytest.raises(NotAllowed, match="does not let a tag be changed"):
        begin().run(named(registry, f"{LIVE}:1.0"))
    assert tags(registry) == {"1.0": digest(b'{"manifests": []}')}
