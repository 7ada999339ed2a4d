"""`merge` and `verify` against the lab's real registry, over images that its workers really built and pushed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from audit.cli.app import run
from audit.image.media import DOCKER_MANIFEST, OCI_INDEX
from audit.image.reference import Reference
from audit.registry import Client, Credentials, Options, RegistryError, Tls
from tests.lab import Lab, leaks
from tests.merging.conftest import Told

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), pytest.mark.xdist_group("lab")]

BUILDERS = {"amd64": "linux/amd64", "s390x": "linux/s390x", "riscv64": "linux/riscv64"}
EXPECT = ",".join(BUILDERS.values())


@pytest.fixture
def place(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name for repositories of this test's own; what stands in them is deleted again."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    name = f"merge-{uuid.uuid4().hex[:12]}"
    yield name
    login = Credentials(username="live", password=lab.credentials["live"])
    options = Options(tls={lab.registry: Tls(ca_file=lab.ca)}, credentials={lab.registry: login}, environment={})
    with Client(options) as client:
        for repository in (f"staging/{name}", f"live/{name}"):
            there = Reference.parse(f"{lab.registry}/{repository}:x")
            try:
                for tag in client.tags(there):
                    client.delete(there.at(client.head(there.tagged(tag)).digest))
            except RegistryError:
                continue


@pytest.fixture
def staged(lab: Lab, place: str) -> Iterator[list[str]]:
    """Two flat pushes of Docker's type, and the reinstalled worker's index."""
    built = {
        name: lab.build(lab.workers[name], f"staging/{place}", tag=f"1-{name}", platform=platform)
        for name, platform in BUILDERS.items()
    }
    assert all(one.ok for one in built.values()), built
    yield [one.tag for one in built.values()]
    for name, one in built.items():
        lab.forget(lab.workers[name], [one.tag])


@pytest.fixture
def command(lab: Lab, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run a verb with the lab's CA and the account for live images."""

    def called(verb: str, *words: str) -> Told:
        code = run([verb, "--registry-ca", str(lab.ca), "--registry-user", "live", *words])
        said = capsys.readouterr()
        assert not leaks(said.out + said.err)
        return Told(code, said.out, said.err)

    return called


def test_merged_verified_and_merged_again(
    lab: Lab, place: str, staged: list[str], command: Callable[..., Told]
) -> None:
    """What Docker's own tools push and refuse to merge: one tag, its digest on stdout, right by every check."""
    assert [lab.served(name).media_type for name in staged] == [DOCKER_MANIFEST, DOCKER_MANIFEST, OCI_INDEX]
    tag = f"{lab.registry}/live/{place}:1"
    told = command("merge", "-t", tag, *staged)
    assert told.code == 0, told.err
    there = lab.served(tag)
    assert told.out == f"{tag}@{there.digest}\n"
    assert there.platforms == [*BUILDERS.values(), "unknown/unknown"]
    repository = f"live/{place}"
    for row in there.body["manifests"]:
        child = lab.served(f"{repository}@{row['digest']}")
        assert child.raw == lab.served(f"staging/{place}@{row['digest']}").raw
        assert len(child.raw) == row["size"]
    sources = ",".join(staged)
    checked = command("verify", tag, "--expect", EXPECT, "--sources", sources, "--deep")
    assert checked.code == 0, checked.out
    assert checked.out.startswith(
        f"right: {tag}@{there.digest}: linux/amd64, linux/s390x, linux/riscv64, 1 attestation"
    )
    again = command("merge", "--format", "json", "-t", tag, *staged)
    body = json.loads(again.out)
    assert (body["unchanged"], body["digest"]) == (True, there.digest)
    assert body["requests"]["by_kind"] == {"HEAD manifest": 4, "token": 1}


def test_the_bytes_are_those_of_imagetools(
    lab: Lab, place: str, staged: list[str], command: Callable[..., Told]
) -> None:
    """`docker buildx imagetools create --dry-run` on a worker prints the index that we push, byte for byte."""
    told = command("merge", "-q", "--dry-run", *staged)
    theirs = lab.workers["amd64"].sh(f"docker buildx imagetools create --dry-run -t {staged[0]}-all {' '.join(staged)}")
    assert theirs.stdout.rstrip("\n") == told.out.rstrip("\n")


def test_a_rebuilt_source_and_a_wrong_platform(
    lab: Lab, place: str, staged: list[str], command: Callable[..., Told]
) -> None:
    """A staging tag that was pushed again is told by verify; a worker that built another platform by merge."""
    tag = f"{lab.registry}/live/{place}:1"
    assert command("merge", "-q", "-t", tag, *staged).code == 0
    rebuilt = lab.build(lab.workers["amd64"], f"staging/{place}", tag="1-amd64", platform="linux/amd64")
    assert rebuilt.ok
    checked = command("verify", tag, "--sources", ",".join(staged))
    assert checked.code == 5
    assert "which is not in the index; it was built again, or never merged" in checked.out
    before = lab.served(tag).digest
    refused = command("merge", "-t", tag, f"{staged[0]}=linux/arm64", *staged[1:])
    assert (refused.code, refused.out) == (5, "")
    assert "it is for linux/amd64, where linux/arm64 was wanted" in refused.err
    assert lab.served(tag).digest == before


def test_the_staging_account_may_not_tag(
    lab: Lab, place: str, staged: list[str], command: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Denied with what was wanted and what is allowed; no tag, no secret."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["staging"])
    tag = f"{lab.registry}/live/{place}:1"
    refused = command("merge", "--registry-user", "staging", "-t", tag, *staged)
    assert (refused.code, refused.out) == (5, "")
    assert f"wanted is repository:live/{place}:pull,push" in refused.err
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    assert command("verify", tag).code == 5
