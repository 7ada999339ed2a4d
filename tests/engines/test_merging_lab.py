"""Every merge engine on the lab's real merge hosts: the same real sources, the same index, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from audit.cli.app import run
from audit.image.media import DOCKER_LIST, OCI_INDEX
from audit.image.reference import Reference
from audit.registry import Client, Credentials, Options, Tls
from tests.engines.steps import attested
from tests.lab import Lab, Worker, leaks, states
from tests.lab.roots import ROOTS
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

HOSTS = ("amd64", "arm64", "s390x", "ppc64le", "bookworm")
"""28.5 with buildx 0.29.1 (twice), 26.1 with 0.13.1, 26.1 without, 20.10 without."""
STAGING = "staging/engines"
_PUSHED: dict[str, dict[str, str]] = {}
LEFT = "ls -d /tmp/fleet-audit-* 2>/dev/null; grep -lE FA_SESSION= /proc/[0-9]*/environ 2>/dev/null; true"
"""Prints whatever of a merge is on a worker."""


@pytest.fixture
def sources(lab: Lab) -> dict[str, str]:
    """What three workers really pushed, by architecture: two flat images and an attested index; by digest."""
    if lab.registry not in _PUSHED:
        found = {}
        for name in ("amd64", "s390x", "riscv64"):
            built = lab.build(lab.workers[name], STAGING, name, f"linux/{name}")
            assert built.ok, built.log
            found[name] = f"{lab.registry}/{STAGING}@{lab.served(f'{STAGING}:{name}').digest}"
        _PUSHED[lab.registry] = found
    return _PUSHED[lab.registry]


@pytest.fixture
def merge_hosts(lab: Lab) -> Iterator[None]:
    """The merge hosts have an account that may read staging and write live."""
    with ExitStack() as stack:
        for name in HOSTS:
            user = "builder" if name == "arm64" else "root"
            config = lab.docker_registry.docker_config("live")
            stack.enter_context(states.docker_config(lab.workers[name], config, user))
        yield


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path) -> Path:
    """The lab's inventory, with merge hosts."""
    folder = tmp_path / "inventory"
    shutil.copytree(lab.inventory, folder)
    (folder / "host_vars").mkdir(exist_ok=True)
    for name in HOSTS:
        (folder / "host_vars" / f"{name}.yml").write_text("merge_host: true\n")
    return folder


@pytest.fixture
def login(lab: Lab, inventory: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options with which the lab takes us."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    return ["-i", str(inventory), "--registry-ca", str(lab.ca), "--registry-user", "live"]


Merge = Callable[..., tuple[int, str, str]]


@pytest.fixture
def merge(login: list[str], capsys: pytest.CaptureFixture[str]) -> Merge:
    """Run `fleet-audit merge`: its exit code, stdout and stderr."""

    def merged(*words: str) -> tuple[int, str, str]:
        code = run(["merge", *login, *words])
        said = capsys.readouterr()
        assert not leaks(said.out + said.err)
        return code, said.out.strip(), said.err

    return merged


@pytest.fixture(autouse=True)
def _nothing_is_left(lab: Lab) -> Iterator[None]:
    """After every test: no folder and no process of ours on any merge host, and its own list of lists untouched."""
    yield
    lab.wait_until(clean, HOSTS)


def clean(worker: Worker) -> bool:
    """Whether nothing of ours is on a worker."""
    return left_on(worker) == ""


def left_on(worker: Worker) -> str:
    """What of ours is on a worker."""
    return worker.sh(LEFT, check=False).stdout.strip()


def fresh(lab: Lab, tag: str = "1.0", account: str = "live") -> str:
    """A tag in a repository that nobody has used."""
    return f"{lab.registry}/{account}/engines-{uuid.uuid4().hex[:10]}:{tag}"


def absent(lab: Lab, tag: str) -> bool:
    """Whether nothing stands under a tag."""
    repository, _, name = tag.removeprefix(f"{lab.registry}/").rpartition(":")
    storage = lab.docker_registry.home / "storage/docker/registry/v2/repositories"
    return not (storage / repository / "_manifests/tags" / name / "current/link").exists()


def pulled(lab: Lab, tag: str, platform: str) -> str:
    """What an old client, which knows nothing of us, gets for a platform."""
    worker = lab.workers["bookworm"]
    name = shlex.quote(tag)
    worker.sh(f"docker pull -q --platform {platform} {name}")
    said = worker.sh(f"docker image inspect --format '{{{{.Os}}}}/{{{{.Architecture}}}}' {name}").stdout.strip()
    worker.sh(f"docker image rm --force {name}")
    return said


@pytest.mark.parametrize("what", ["flat", "mixed"])
def test_imagetools_and_we_leave_the_same(
    lab: Lab, merge: Merge, merge_hosts: None, sources: dict[str, str], what: str
) -> None:
    """Two versions of buildx on two hosts, as root and as the builder, and our own client: one digest, every byte."""
    del merge_hosts
    given = [sources["amd64"], sources["s390x" if what == "flat" else "riscv64"]]
    found = {}
    for engine, host in (("registry", ""), ("imagetools", "amd64"), ("imagetools", "arm64"), ("imagetools", "s390x")):
        tag = fresh(lab)
        code, out, err = merge("-t", tag, "--engine", engine, *(["--merge-host", host] if host else []), *given)
        assert code == 0, err
        served = lab.served(tag)
        assert out == f"{tag}@{served.digest}"
        found[engine, host] = (served.digest, served.media_type, served.raw)
        if what == "mixed" and host in ("amd64", "arm64"):
            assert f"buildx 0.29.1 on {host} copies too much" in err
    assert len(set(found.values())) == 1
    assert served.media_type == (DOCKER_LIST if what == "flat" else OCI_INDEX)
    second = "s390x" if what == "flat" else "riscv64"
    assert [pulled(lab, tag, f"linux/{name}") for name in ("amd64", second)] == ["linux/amd64", f"linux/{second}"]


def test_the_list_of_three_old_clients(lab: Lab, merge: Merge, merge_hosts: None, sources: dict[str, str]) -> None:
    """28.5, 26.1 and 20.10 leave one digest, of the wanted images, and say beforehand that it is their own."""
    del merge_hosts
    given = [sources["s390x"], sources["amd64"]]
    index = json.loads(merge("--dry-run", *given)[1])
    digests = set()
    for host in ("amd64", "ppc64le", "bookworm"):
        tags = [fresh(lab), fresh(lab)]
        code, out, err = merge("-t", tags[0], "-t", tags[1], "--engine", "manifest", "--merge-host", host, *given)
        assert code == 0, err
        assert "the same images, under another digest" in err
        for tag, line in zip(tags, out.splitlines(), strict=True):
            served = lab.served(tag)
            assert line == f"{tag}@{served.digest}"
            digests.add(served.digest)
            assert sorted(served.body["manifests"], key=str) == sorted(index["manifests"], key=str)
            for row in served.body["manifests"]:
                child = lab.served(f"{tag.rpartition(':')[0]}@{row['digest']}")
                assert hashlib.sha256(child.raw).hexdigest() == row["digest"].removeprefix("sha256:")
        # The three blanks of Go's MarshalIndent as docker calls it, and the order of the files' names.
        rows = sorted(served.body["manifests"], key=lambda row: str(row["digest"]))
        assert json.dumps(served.body | {"manifests": rows}, indent=3).encode() == served.raw
    assert len(digests) == 1
    assert [pulled(lab, tag, f"linux/{name}") for name in ("amd64", "s390x")] == ["linux/amd64", "linux/s390x"]


def test_is_a_manifest_list(lab: Lab, merge: Merge, merge_hosts: None, sources: dict[str, str]) -> None:
    """What docker says of a mixed set when it is too late, we say before anything is asked of the merge host."""
    del merge_hosts
    given = [sources["amd64"], sources["riscv64"]]
    tag = fresh(lab)
    for name in ("amd64", "ppc64le", "bookworm"):
        worker = lab.workers[name]
        with states.without(worker, "/root/.docker/manifests"):
            done = worker.sh(f"docker manifest create {shlex.join([tag, *given])}", check=False)
        assert (done.returncode, done.stderr.strip()) == (1, f"{sources['riscv64']} is a manifest list")
        code, out, err = merge("-t", tag, "--engine", "manifest", "--merge-host", name, *given)
        assert (code, out) == (5, "")
        assert f"`docker manifest create` says of {sources['riscv64']} that it is a manifest list" in err
    assert absent(lab, tag)


def test_stale_members(lab: Lab, merge: Merge, merge_hosts: None, sources: dict[str, str]) -> None:
    """A list of that name in the user's own store is neither used nor changed; docker itself trips over it."""
    del merge_hosts
    worker, tag = lab.workers["amd64"], fresh(lab)
    with states.without(worker, "/root/.docker/manifests"):
        worker.sh(f"docker manifest create {shlex.join([tag, sources['amd64']])}")
        before = worker.sh("cd /root/.docker && find . -type f -exec sha256sum {} +").stdout
        done = worker.sh(f"docker manifest create {shlex.join([tag, sources['s390x']])}", check=False)
        assert "refusing to amend an existing manifest list" in done.stderr
        assert merge("-t", tag, "--engine", "manifest", "--merge-host", "amd64", sources["s390x"])[0] == 0
        assert lab.served(tag).platforms == ["linux/s390x"]
        assert worker.sh("cd /root/.docker && find . -type f -exec sha256sum {} +").stdout == before


def test_auto_takes_the_first_that_is_able(
    lab: Lab, merge: Merge, merge_hosts: None, sources: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the policy's order, with the reason for every engine that was not taken; then it really merges."""
    del merge_hosts
    monkeypatch.setenv("FLEET_AUDIT_MERGE_ENGINES", "manifest,imagetools,registry")
    mixed, flat = [sources["amd64"], sources["riscv64"]], [sources["amd64"], sources["s390x"]]
    for host, given, engine in (
        ("amd64", mixed, "imagetools"), ("amd64", flat, "manifest"), ("bookworm", mixed, "registry"),
    ):  # fmt: skip
        tag = fresh(lab)
        code, out, err = merge("-t", tag, "--merge-host", host, "--format", "json", *given)
        assert code == 0, err
        said: dict[str, Any] = json.loads(out)
        assert (said["engine"], said["digest"]) == (engine, lab.served(tag).digest)
        assert said["index"] == lab.served(tag).body
        others = {row["engine"]: row["why"] for row in said["not_taken"]}
        if given is mixed:
            assert "that it is a manifest list" in others["manifest"]
            assert f"not by manifest: {others['manifest']}\n" in err
        assert f"by {engine}: {said['why']}\n" in err
        if host == "bookworm":
            assert others["imagetools"] == "there is no buildx on bookworm"


def test_what_the_dry_run_on_the_host_shows(lab: Lab, merge: Merge, merge_hosts: None) -> None:
    """An index that says another platform than its image's config: the tool would write the config's; not pushed."""
    del merge_hosts
    name = Reference.parse(f"{lab.registry}/{STAGING}:odd")
    index = attested("linux/riscv64", platform={"os": "linux", "architecture": "mips64le"})
    credentials = Credentials(username="live", password=lab.credentials["live"])
    options = Options(tls={lab.registry: Tls(ca_file=lab.ca)}, credentials={lab.registry: credentials}, environment={})
    with Client(options) as client:
        push(client, name, index)
    tag = fresh(lab)
    code, out, err = merge("-t", tag, "--engine", "imagetools", "--merge-host", "amd64", "--attest", "drop", str(name))
    assert (code, out) == (5, "")
    assert "imagetools create --dry-run would make sha256:" in err
    assert "nothing was pushed: use --engine registry" in err
    assert absent(lab, tag)


def push(client: Client, name: Reference, index: Any) -> None:
    """An attested index of `tests.engines.steps`, with its children."""
    from tests.engines import steps

    image = steps.image("linux/riscv64", oci=True)
    proof = steps.proof_of(image)
    for one in (image, proof):
        for blob in one.blobs:
            client.upload(name, f"sha256:{hashlib.sha256(blob).hexdigest()}", len(blob), blob)
        client.put(name.at(one.digest), one.media_type, one.raw)
    client.put(name, index.media_type, index.raw)


def test_on_this_very_machine(
    lab: Lab, merge: Merge, sources: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a merge host Docker's clients run here, with the user's own credentials."""
    tag, flat = fresh(lab), [sources["amd64"], sources["s390x"]]
    if shutil.which("docker") is None:
        code, _, err = merge("-t", tag, "--engine", "imagetools", *flat)
        assert code == 5
        assert "this machine has no docker command" in err
    chain = [layer.path for layer in ROOTS["trixie-buildx"].chain()]
    plugin = "usr/libexec/docker/cli-plugins/docker-buildx"
    docker, buildx = (
        next(root / file for root in chain if (root / file).exists()) for file in ("usr/bin/docker", plugin)
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").symlink_to(docker)
    (tmp_path / ".docker/cli-plugins").mkdir(parents=True)
    (tmp_path / ".docker/cli-plugins/docker-buildx").symlink_to(buildx)
    (tmp_path / ".docker/config.json").write_text(lab.docker_registry.docker_config("live"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.ca))
    before = {path.name for path in Path("/tmp").glob("fleet-audit-*")}
    for engine in ("imagetools", "manifest"):
        tag = fresh(lab)
        code, out, err = merge("-t", tag, "--engine", engine, *flat)
        assert (code, out) == (0, f"{tag}@{lab.served(tag).digest}"), err
    assert {path.name for path in Path("/tmp").glob("fleet-audit-*")} == before
    assert not (tmp_path / ".docker/manifests").exists()


@pytest.mark.parametrize("engine", ["imagetools", "manifest"])
@pytest.mark.parametrize("how", ["Ctrl-C", "killed"])
def test_cut_off(lab: Lab, login: list[str], merge_hosts: None, sources: dict[str, str], engine: str, how: str) -> None:
    """Ctrl-C, or a controller that dies, while the host waits for the registry: its programs end, its folder goes."""
    del merge_hosts
    worker, tag = lab.workers["amd64"], fresh(lab)
    words = ["-t", tag, "--engine", engine, "--merge-host", "amd64", sources["amd64"], sources["s390x"]]
    rule = "OUTPUT -p tcp --dport 5000 -j DROP"
    with states.state(worker, f"iptables -I {rule}", f"iptables -D {rule}"):
        argv = [sys.executable, "-m", "audit", "merge", *login, *words]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            asks = "grep -l FA_SESSION= $(grep -lE 'docker|buildx' /proc/[0-9]*/cmdline | sed 's/cmdline/environ/')"
            wait_for("docker to wait for the registry", lambda: worker.sh(asks, check=False).stdout.strip() != "", 60)
            assert left_on(worker)
            running.send_signal(signal.SIGINT if how == "Ctrl-C" else signal.SIGKILL)
            out, err = running.communicate(timeout=90)
        assert running.returncode == (130 if how == "Ctrl-C" else -signal.SIGKILL), err
        assert out == ""
        wait_for("nothing of ours on amd64", partial(clean, worker), 90)
    assert absent(lab, tag)
