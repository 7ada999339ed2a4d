"""`build` against the lab: real builds and pushes on five builders, and every way of failing or being cut off.

Nothing of ours is left on a worker after any of it: no process, no private folder, no container.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from audit.building import Builds
from audit.building.confirming import Confirmed, confirm
from audit.cli.app import run
from audit.image.media import OCI_INDEX
from audit.image.reference import Reference
from audit.kept import Kept
from audit.plan import BuildStep
from audit.plan.model import Work
from audit.registry import Client
from tests.lab import Lab, Worker, leaks, states
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

FIVE = "amd64,arm64,s390x,ppc64le,riscv64"
OURS = (
    "ls -d /dev/shm/fleet-audit-* /run/fleet-audit-[0-9a-f]* /run/user/*/fleet-audit-* /tmp/fleet-audit-* 2>/dev/null;"
    " grep -lE 'FA_SESSION=' /proc/[0-9]*/environ 2>/dev/null; docker ps -aq; pgrep -f 'sleep [7]7777'; true"
)
"""Prints whatever of a build is on a worker: folders, processes, containers."""
PLAIN = "FROM scratch\nCOPY hello /hello\nARG WHO=nobody\nLABEL who=$WHO\n"


class Done:
    """One `build`: exit code, both streams, and the JSON of --digests."""

    def __init__(self, code: int, out: str, err: str, digests: Path) -> None:
        """Index the platforms by architecture."""
        self.code, self.out, self.err = code, out, err
        self.report: dict[str, Any] = json.loads(digests.read_text()) if digests.exists() else {}
        self.of: dict[str, Any] = {one["platform"].split("/")[1]: one for one in self.report.get("platforms", ())}


class Site:
    """What a test builds from, and how it calls the verb."""

    def __init__(self, lab: Lab, folder: Path, facts: Path) -> None:
        """Each has staging and live repositories of its own."""
        self.lab, self.folder, self.facts = lab, folder, facts
        self.name = uuid.uuid4().hex[:12]
        self.context = folder / "context"
        self.context.mkdir()
        self.digests = folder / "digests.json"

    @property
    def staging(self) -> str:
        """Where platforms are pushed."""
        return f"{self.lab.registry}/staging/{self.name}:1"

    @property
    def live(self) -> str:
        """What the merged image is called."""
        return f"{self.lab.registry}/live/{self.name}:1"

    def write(self, dockerfile: str, *, shell: bool = False) -> None:
        """The context: a Dockerfile, a file, and where asked for a shell of this machine with its libraries."""
        # No cache of an earlier run may stand for a step that a test waits for.
        (self.context / "Dockerfile").write_text(re.sub("^RUN .*", rf"\g<0>; : {self.name}", dockerfile, flags=re.M))
        (self.context / "hello").write_text(self.name)
        if shell:
            for program in ("dash", "sleep", "cat"):
                found = shutil.which(program)
                assert found
                libraries = re.findall(r"(/\S+) \(0x", subprocess.check_output(["ldd", found], text=True))
                for source in (found, *libraries):
                    target = self.context / "root" / source.lstrip("/").removeprefix("usr/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)
            shutil.copy(self.context / "root/bin/dash", self.context / "root/bin/sh")

    def arguments(self, platforms: str, *more: str) -> list[str]:
        """The command line."""
        told = ["-i", str(self.lab.inventory), "--from", str(self.facts), "--registry-ca", str(self.lab.ca)]
        return [
            "build", str(self.context), "--platforms", platforms, "--staging", self.staging, "--registry-user", "live",
            "--digests", str(self.digests), "--logs", str(self.folder / "logs"), *told, *more,
        ]  # fmt: skip


@pytest.fixture(scope="module")
def facts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the audit finds, asked once."""
    file = tmp_path_factory.mktemp("facts") / "run.json"
    hosts = [*FIVE.split(","), "trixie-containerd", "bookworm-sudo", "hidden", "bastion"]
    argv = [sys.executable, "-m", "audit", "check", "-i", str(lab.inventory), "-q", "--save", str(file), *hosts]
    subprocess.run(argv, capture_output=True, timeout=120, check=False)
    return file


@pytest.fixture
def site(lab: Lab, tmp_path: Path, facts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A context and names of its own; after the test nothing is left on any worker that it may have used."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    yield Site(lab, tmp_path, facts)
    lab.wait_until(clean, (*FIVE.split(","), "trixie-containerd", "bookworm", "hidden"))


def clean(worker: Worker) -> bool:
    """Whether nothing of ours is on a worker."""
    return worker.sh(OURS, check=False).stdout.strip() == ""


@pytest.fixture
def build(site: Site, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run the verb in this process."""

    def built(platforms: str, *more: str) -> Done:
        site.digests.unlink(missing_ok=True)
        capsys.readouterr()
        code = run(site.arguments(platforms, *more))
        said = capsys.readouterr()
        return Done(code, said.out, said.err, site.digests)

    return built


def begun(site: Site, platforms: str, *more: str) -> subprocess.Popen[str]:
    """The verb in a process of its own, once every platform has printed `begun`."""
    argv = [sys.executable, "-m", "audit", *site.arguments(platforms, *more)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    waiting = set(platforms.split(","))
    for line in process.stderr:
        if line.rstrip().endswith(" begun"):
            waiting.discard(line.partition("|")[0].strip())
        if not waiting:
            return process
    out, _ = process.communicate(timeout=60)
    raise AssertionError(f"it did not come so far: {waiting}; {out}")


def ended(site: Site, process: subprocess.Popen[str]) -> Done:
    """What came of it."""
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err, site.digests)


def test_five_platforms_become_one_tag(site: Site, build: Callable[..., Done]) -> None:
    """Four flat, one attested index; what is there is left, what differs or is gone is built again, no more."""
    site.write(PLAIN)
    keep = ("--attest", "keep", "-t", site.live, "--limit", "builders")
    done = build(FIVE, *keep)
    assert done.code == 0, done.err
    assert re.fullmatch(rf"{re.escape(site.live)}@sha256:[0-9a-f]{{64}}\n", done.out)
    served = site.lab.served(f"live/{site.name}:1")
    assert done.out.strip().endswith(served.digest)
    assert done.report["merged"] == [done.out.strip()]
    kinds = {arch: one["arrived"]["kind"] for arch, one in done.of.items()}
    assert kinds == {"amd64": "flat", "arm64": "flat", "s390x": "flat", "ppc64le": "flat", "riscv64": "index"}
    assert {one["state"] for one in done.of.values()} == {"built"}
    rows = json.loads(served.raw)["manifests"]
    names = [row["platform"]["architecture"] for row in rows]
    assert names == [*FIVE.split(","), "unknown"]
    assert rows[0]["digest"] == done.of["amd64"]["digest"]
    log = Path(done.of["ppc64le"]["attempts"][0]["log"]).read_text()
    assert "# DOCKER_BUILDKIT=0 docker build" in log
    assert "Step 1/4 : FROM scratch" in log
    assert "ppc64le | Step 1/4 : FROM scratch" in done.err
    assert leaks(done.out + done.err + site.digests.read_text() + log) == []

    again = build(FIVE, *keep)
    assert (again.code, again.out) == (0, done.out)
    assert {(one["state"], len(one["attempts"])) for one in again.of.values()} == {("present", 0)}

    forget(site, done.of["s390x"]["reference"])
    third = build("amd64,s390x,riscv64", "--attest", "keep", "--limit", "builders")
    assert {arch: one["state"] for arch, one in third.of.items()} == {
        "amd64": "present", "s390x": "built", "riscv64": "present",
    }  # fmt: skip
    assert third.of["s390x"]["why"] == "nothing stands under its staging tag any more"
    assert third.out.splitlines() == [third.of[arch]["reference"] for arch in ("amd64", "s390x", "riscv64")]
    other = build("amd64", "--build-arg", "WHO=me", "--build-arg", "API_TOKEN=hush-hush", "-q", "--limit", "builders")
    assert other.of["amd64"]["state"] == "built"
    assert "inputs differ" in other.of["amd64"]["why"]
    assert other.err == ""
    assert "--build-arg=WHO=me" in (words := Path(other.of["amd64"]["attempts"][0]["log"]).read_text())
    assert "hush-hush" not in words


def forget(site: Site, reference: str) -> None:
    """Delete what was pushed."""
    with client_of(site) as client:
        client.delete(Reference.parse(reference))


def client_of(site: Site) -> Client:
    """The registry as its owner sees it."""
    from audit.registry import Credentials, Options, Tls

    lab = site.lab
    account = Credentials(username="live", password=lab.credentials["live"])
    return Client(Options(tls={lab.registry: Tls(ca_file=lab.ca)}, credentials={lab.registry: account}))


def test_secrets_and_a_login_are_sent_for_one_build(
    site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker without a login pushes with the one sent; neither it nor a secret shows anywhere."""
    lab, worker = site.lab, site.lab.workers["trixie-containerd"]
    site.write(
        "FROM scratch\nCOPY root/ /\nRUN --mount=type=secret,id=tok cat /run/secrets/tok; echo; echo begun; sleep 6\n",
        shell=True,
    )
    monkeypatch.setenv("TOKEN_OF_TEST", "hush-hush-hush")
    on = ("--on", "amd64=trixie-containerd", "--secret", "id=tok,env=TOKEN_OF_TEST")

    refused = build("amd64", *on, "--push-login", "-t", site.live)
    assert (refused.code, refused.out) == (2, "")
    assert "must not leave this machine" in refused.err

    monkeypatch.setenv("FLEET_AUDIT_STAGING_USERNAME", "staging")
    monkeypatch.setenv("FLEET_AUDIT_STAGING_PASSWORD", lab.credentials["staging"])
    process = begun(site, "amd64", *on, "--push-login", "-t", site.live)
    listing = worker.sh(
        "stat -c '%a %n' /dev/shm/fleet-audit-build-* /dev/shm/fleet-audit-build-*/secret-tok"
        " /dev/shm/fleet-audit-build-*/docker/config.json"
    ).stdout
    assert re.fullmatch(r"700 \S+\n600 \S+/secret-tok\n600 \S+/docker/config.json\n", listing)
    assert lab.credentials["staging"] not in listing
    seen = worker.sh("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'", check=False).stdout
    assert "FA_SESSION=" in seen
    assert "hush-hush" not in seen
    assert leaks(seen) == []
    done = ended(site, process)
    assert (done.code, done.out.count("@sha256:")) == (0, 1), done.err
    log = Path(done.of["amd64"]["attempts"][0]["log"]).read_text()
    assert "***" in log
    assert leaks(done.err + log + site.digests.read_text()) == []
    assert "hush-hush" not in done.err + log
    assert worker.sh("test -e /root/.docker/config.json", check=False).returncode == 1
    without = build("amd64", *on, "--force")
    assert without.code == 5
    assert "--push-login" in without.of["amd64"]["attempts"][0]["cause"]


@pytest.mark.parametrize(
    ("number", "platforms", "code"),
    [(signal.SIGINT, "ppc64le,s390x,riscv64", 130), (signal.SIGTERM, "arm64", 143)],
)
def test_a_signal_stops_the_builds(site: Site, number: int, platforms: str, code: int) -> None:
    """Legacy builder and BuildKit on both stores: no client, step or folder is left; what is done is told."""
    site.write("FROM scratch\nCOPY root/ /\nRUN echo begun; sleep 77777\n", shell=True)
    process = begun(site, platforms, "--attest", "keep")
    for name in platforms.split(","):
        assert not clean(site.lab.workers[name])
    process.send_signal(number)
    done = ended(site, process)
    assert (done.code, done.out) == (code, "")
    assert done.report["interrupted"] == signal.Signals(number).name
    assert {one["state"] for one in done.of.values()} == {"stopped"}
    assert "0 of" in done.err
    for name in platforms.split(","):
        assert done.of[name]["attempts"][0]["left"] == []
        assert clean(site.lab.workers[name])


def test_a_killed_controller_leaves_nothing(site: Site) -> None:
    """SIGKILL: nobody says goodbye, and both kinds of builder are stopped by the workers themselves."""
    site.write("FROM scratch\nCOPY root/ /\nRUN echo begun; sleep 77777\n", shell=True)
    process = begun(site, "ppc64le,riscv64", "--attest", "keep")
    process.kill()
    process.communicate()
    for name in ("ppc64le", "riscv64"):
        wait_for(f"{name} to clean up", partial(clean, site.lab.workers[name]), 60)


def test_a_lost_worker_is_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sshd dies in the middle of the build: another fit worker builds, and the lost one stops by itself."""
    monkeypatch.setenv("FLEET_AUDIT_STAGING_USERNAME", "staging")
    monkeypatch.setenv("FLEET_AUDIT_STAGING_PASSWORD", site.lab.credentials["staging"])
    worker = site.lab.workers["trixie-containerd"]
    site.write("FROM scratch\nCOPY root/ /\nRUN echo begun; sleep 8\n", shell=True)
    prefer = ("--prefer", "trixie-containerd", "--prefer", "amd64", "--attest", "drop", "--push-login")
    process = begun(site, "amd64", *prefer)
    worker.sh(
        "p=$(pgrep -f 'eval .*dd bs=1' | head -n 1);"
        " while ! grep -q sshd /proc/$p/comm; do p=$(ps -o ppid= -p $p | tr -d ' '); done; kill -9 $p"
    )
    done = ended(site, process)
    assert done.code == 0, done.err
    lost, good = done.of["amd64"]["attempts"]
    assert (lost["host"], lost["failed"]) == ("trixie-containerd", "connect")
    assert (good["host"], good["failed"]) == ("amd64", None)
    assert "the worker was lost while it built" in lost["why"]
    assert "rm -rf /dev/shm/fleet-audit-build-" in lost["left"][0]
    assert "trying amd64" in done.err
    assert done.out.strip() == done.of["amd64"]["reference"]


def test_a_failed_step_ends_what_has_not_begun(site: Site, build: Callable[..., Done]) -> None:
    """Platform, worker, last words and log are named; --keep-going begins the rest; nothing is merged; exit 5."""
    site.write("FROM scratch\nCOPY root/ /\nARG OF\nRUN echo oops-$OF; exit 7\n", shell=True)
    (site.context / "Good").write_text(PLAIN)
    both = build("ppc64le,riscv64", "--jobs", "1", "--attest", "keep", "-t", site.live)
    assert (both.code, both.out) == (5, "")
    assert {arch: one["state"] for arch, one in both.of.items()} == {"ppc64le": "failed", "riscv64": "not-begun"}
    assert both.of["ppc64le"]["attempts"][0]["exit"] == 7
    told = both.err[both.err.index("FAILED on ppc64le") :]
    assert "returned a non-zero code: 7" in told.splitlines()[0]
    assert f"log: {site.folder}/logs/linux-ppc64le.1.ppc64le.log" in told
    assert "not begun: another platform had failed" in told
    assert "nothing was merged" in told
    going = build("riscv64,ppc64le", "--jobs", "1", "--attest", "keep", "--keep-going", "-q")
    assert going.code == 5
    assert {one["state"] for one in going.of.values()} == {"failed"}
    assert "FAILED on riscv64: docker build ended with exit status 1: ERROR: failed to" in going.err
    assert site.lab.workers["ppc64le"].sh("docker ps -aq").stdout == ""
    assert "oops" in Path(going.of["riscv64"]["attempts"][0]["log"]).read_text()


def test_no_space_on_the_worker(site: Site, build: Callable[..., Done]) -> None:
    """The engine's disk is full: said in the engine's words, with what is known about it; nothing is left."""
    site.write("FROM scratch\nCOPY root/ /\nCOPY hello /hello\n", shell=True)
    with states.disk_full(site.lab.workers["s390x"]):
        done = build("s390x")
    attempt = done.of["s390x"]["attempts"][0]
    assert (done.code, attempt["failed"]) == (5, "build")
    assert "no space left on device" in attempt["why"]
    assert attempt["symptom"], attempt
    again = build("s390x")
    assert again.code == 0, again.err


def test_a_tag_that_moves_is_noticed(site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else pushes to the staging tag between our push and our look: told, exit 5."""
    site.write(PLAIN)
    assert build("amd64").code == 0
    other = site.lab.served(f"staging/{site.name}:1-amd64")

    def raced(client: Client, step: BuildStep, work: Work, digest: str, kept: Kept) -> Confirmed:
        client.put(Reference.parse(step.staging), other.media_type, other.raw)
        return confirm(client, step, work, digest, kept)

    monkeypatch.setattr("audit.building.driving.confirm", raced)
    done = build("amd64", "--build-arg", "WHO=else")
    attempt = done.of["amd64"]["attempts"][0]
    assert (done.code, done.out, attempt["failed"]) == (5, "", "conflict")
    assert f"stands for {other.digest} now" in attempt["why"]
    assert "somebody else pushes to that tag" in attempt["why"]
    monkeypatch.undo()


def test_a_difference_is_told_and_not_merged(
    site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made to foretell riscv64 and an attestation: both differences, exit 5, not tried elsewhere."""
    site.write(PLAIN)

    def misled(client: Client, step: BuildStep, work: Work, digest: str, kept: Kept) -> Confirmed:
        index = work.shape.model_copy(update={"kind": "index", "media_type": OCI_INDEX})
        step = step.model_copy(update={"platform": "linux/riscv64"})
        return confirm(client, step, work.model_copy(update={"shape": index}), digest, kept)

    monkeypatch.setattr("audit.building.driving.confirm", misled)
    done = build("amd64", "--attest", "drop", "-t", site.live)
    assert (done.code, done.out) == (5, "")
    one = done.of["amd64"]
    assert (one["state"], one["attempts"][0]["failed"], len(one["attempts"])) == ("failed", "shape", 1)
    assert one["shape"] == "flat (schema2)"
    assert one["differences"][0].startswith(f"predicted {OCI_INDEX}, arrived ")
    assert "its config says linux/amd64, where linux/riscv64 was to be built" in one["differences"][1]
    assert "what arrived is not what was foretold" in done.err


def test_it_builds_as_root_through_sudo_and_behind_a_jump_host(
    site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest client's own BuildKit, and buildx behind the bastion: secret and login reach both."""
    monkeypatch.setenv("FLEET_AUDIT_STAGING_USERNAME", "staging")
    monkeypatch.setenv("FLEET_AUDIT_STAGING_PASSWORD", site.lab.credentials["staging"])
    (site.folder / "tok").write_text("hush-hush-hush\n")
    site.write("FROM scratch\nCOPY root/ /\nRUN --mount=type=secret,id=tok cat /run/secrets/tok\n", shell=True)
    for host in ("bookworm-sudo", "hidden"):
        secret = f"id=tok,src={site.folder}/tok"
        done = build("amd64", "--on", f"amd64={host}", "--push-login", "--secret", secret, "--force")
        assert done.code == 0, done.err
        attempt = done.of["amd64"]["attempts"][0]
        assert (attempt["host"], attempt["user"], attempt["left"]) == (host, "root", [])
        assert "***" in done.err
        assert "hush-hush" not in done.err


def test_a_context_that_changes_is_noticed(
    site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is written to between the look at the folder and the stream: told, not tried elsewhere."""
    site.write(PLAIN)
    (site.context / "large").write_bytes(b"x" * 3_000_000)
    whole = Builds._standing

    def meanwhile(self: Builds) -> dict[str, str | None]:
        (site.context / "large").write_bytes(b"y" * 3_000_001)
        return whole(self)

    monkeypatch.setattr(Builds, "_standing", meanwhile)
    done = build("amd64", "--prefer", "amd64")
    assert (done.code, done.out) == (5, "")
    (attempt,) = done.of["amd64"]["attempts"]
    assert attempt["failed"] == "context"
    assert "large changed while the build context was sent" in attempt["why"]


def test_bad_input_costs_no_build(site: Site, build: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence each: a registry that refuses or is away, a Dockerfile, a secret or a context that is not there."""
    site.write(PLAIN)
    for more, code, words in (
        (["-f", "Nowhere"], 2, "Nowhere"),
        (["--secret", "id=a,src=/nowhere"], 2, "/nowhere cannot be read"),
        (["--on", "amd64=nobody"], 2, "--on nobody"),
        (["--timeout", "soon"], 2, "--timeout"),
        (["--attest", "require", "--on", "amd64=amd64"], 1, "nothing was built, since the plan is not whole"),
    ):
        done = build("amd64", *more)
        assert (done.code, done.out, done.report) == (code, "", {}), done.err
        assert words in done.err
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", "wrong-but-secret")
    refused = build("amd64")
    assert (refused.code, refused.report) == (5, {})
    assert "nothing was built, since the staging registry cannot be asked" in refused.err
    assert "wrong-but-secret" not in refused.err
    monkeypatch.setattr(Site, "staging", f"{site.lab.registry.rpartition(':')[0]}:1/x:1")
    assert build("amd64").code == 5
    shutil.rmtree(site.context)
    assert build("amd64").code == 2


@pytest.fixture
def repository(site: Site, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A git repository that workers can reach: its address, and its only commit, which has the context in a folder."""
    work, bare = tmp_path / "work", tmp_path / "served" / "app.git"
    site.write(PLAIN)
    shutil.copytree(site.context, work / "images" / "app")
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "app"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=work, text=True).strip()
    host = site.lab.registry.rpartition(":")[0]
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    argv = [
        "git",
        "daemon",
        "--export-all",
        f"--listen={host}",
        f"--port={port}",
        f"--base-path={bare.parent}",
        "--reuseaddr",
    ]
    daemon = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"git://{host}:{port}/app.git"
    try:
        look = ["git", "ls-remote", address]
        wait_for("the git daemon", lambda: subprocess.run(look, capture_output=True, check=False).returncode == 0, 30)
        yield address, commit
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait()


def test_a_git_url_is_built_where_it_is_fetched(site: Site, repository: tuple[str, str]) -> None:
    """The worker fetches it by itself: a folder of a commit, once, and a branch every time, since it may have moved."""
    address, commit = repository

    def built(ref: str) -> Done:
        argv = site.arguments("s390x")
        argv[1] = f"{address}#{ref}:images/app"
        done = subprocess.run(
            [sys.executable, "-m", "audit", *argv], capture_output=True, text=True, timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr, site.digests)

    first = built(commit)
    assert first.code == 0, first.err
    assert "context:" not in first.err
    assert first.out.startswith(f"{site.staging.rpartition(':')[0]}@sha256:")
    again, branch = built(commit), built("main")
    assert (again.code, again.of["s390x"]["state"]) == (0, "present"), again.report
    assert (branch.code, branch.of["s390x"]["state"]) == (0, "built"), branch.report
    assert "name a commit" in branch.err


def test_a_git_repository_is_fetched_by_the_worker(site: Site, build: Callable[..., Done]) -> None:
    """A repository that is not there is the worker's failure, told in its words; nothing is streamed."""
    argv = site.arguments("amd64", "--on", "amd64=amd64")
    argv[1] = "http://127.0.0.1:1/no/where.git#main"
    process = subprocess.run(
        [sys.executable, "-m", "audit", *argv], capture_output=True, text=True, timeout=120, check=False,
        env=os.environ,
    )  # fmt: skip
    assert process.returncode == 5, process.stderr
    assert "FAILED on amd64: docker build ended with exit status" in process.stderr
    assert "name a commit" in process.stderr
