"""`probe` against the lab: real builds and pushes, and every way of being cut off; nothing is left on a worker."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit import probing
from audit.cli.app import run
from audit.shape import Prediction
from audit.shape.result import Shape
from tests.lab import Lab, Worker, leaks, states
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), pytest.mark.xdist_group("lab")]

REPOSITORY = "staging/fleet-audit-probe"
OURS = (
    "docker image ls -aq --filter label=org.fleet-audit.probe; docker image ls --format '{{.Repository}}' |"
    " grep fleet-audit-probe; ls -d /tmp/fleet-audit-* 2>/dev/null;"
    " grep -rlE 'fleet-audit-[0-9a-f]{16,}' /root/.docker/buildx/refs /home/*/.docker/buildx/refs 2>/dev/null;"
    " grep -lE 'FA_SESSION=' /proc/[0-9]*/environ 2>/dev/null; true"
)
"""Prints whatever of a probe is on a worker: images, folders, buildx's notes, processes."""


class Probed:
    """One `probe`: its exit code and its JSON report."""

    def __init__(self, code: int, out: str, err: str) -> None:
        """Index the hosts by name."""
        self.code, self.out, self.err = code, out, err
        self.report: dict[str, Any] = json.loads(out) if out.startswith("{") else {}
        self.hosts: dict[str, Any] = {host["host"]: host for host in self.report.get("hosts", ())}

    def agreements(self) -> dict[str, list[str]]:
        """What each way of each host came to."""
        return {name: [way["agreement"] for way in host["ways"]] for name, host in self.hosts.items()}


@pytest.fixture
def login(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options with which the lab's registry takes us."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    return [*registry_options(lab, lab.registry), "--registry-user", "live"]


def registry_options(lab: Lab, address: str) -> list[str]:
    """Where to push."""
    return ["--registry", address, "--repository", REPOSITORY, "--registry-ca", str(lab.ca)]


@pytest.fixture
def probe(lab: Lab, capsys: pytest.CaptureFixture[str]) -> Callable[..., Probed]:
    """Run `probe` on hosts of the lab's inventory."""

    def probed(*arguments: str) -> Probed:
        code = run(["probe", "-i", str(lab.inventory), "-q", "--yes", "--format", "json", *arguments])
        said = capsys.readouterr()
        return Probed(code, said.out, said.err)

    return probed


@pytest.fixture(autouse=True)
def _nothing_is_left(lab: Lab) -> Iterator[None]:
    """After every test: no image, folder, note or process of ours on any worker that has Docker."""
    yield
    lab.wait_until(clean, ("amd64", "arm64", "s390x", "ppc64le", "riscv64", "trixie-containerd"))


def clean(worker: Worker) -> bool:
    """Whether nothing of ours is on a worker."""
    return left_on(worker) == ""


def left_on(worker: Worker) -> str:
    """What of ours is on a worker."""
    return worker.sh(OURS, check=False).stdout.strip()


def tags(lab: Lab) -> list[str]:
    """The tags in the scratch repository."""
    storage = lab.docker_registry.home / "storage/docker/registry/v2/repositories" / REPOSITORY / "_manifests/tags"
    return sorted(path.name for path in storage.glob("*") if (path / "current/link").exists())


def test_every_builder_pushes_what_is_predicted(lab: Lab, probe: Callable[..., Probed], login: list[str]) -> None:
    """Four flat, one index, as the registry says; digests checked; nothing is left on workers or in the registry."""
    seen = probe(*login, "builders")
    assert seen.code == 0, seen.out + seen.err
    kinds = {name: host["ways"][0]["arrived"]["kind"] for name, host in seen.hosts.items()}
    assert kinds == {"amd64": "flat", "arm64": "flat", "s390x": "flat", "ppc64le": "flat", "riscv64": "index"}
    assert {host["user"] for host in seen.hosts.values()} == {"root", "builder"}
    for host in seen.hosts.values():
        told, arrived = host["ways"][0]["told"], host["ways"][0]["arrived"]
        assert told["pushed"] == arrived["digest"]
        assert told["iid_usable"] is True
        assert host["left"] == []
    assert {name: host["link"]["works"] for name, host in seen.hosts.items()} == {
        "amd64": True,
        "arm64": True,
        "s390x": True,
        "ppc64le": True,
        "riscv64": False,
    }
    assert "invalid user index: -1" in " ".join(seen.hosts["riscv64"]["link"]["log"])
    assert tags(lab) == []
    assert seen.report["notes"] == []
    assert leaks(seen.out + seen.err) == []


def test_the_build_cache_keeps_no_layer_of_ours(lab: Lab, probe: Callable[..., Probed]) -> None:
    """Its records are found by the run's own words, and removed; what stays is two that every build shares."""
    worker = lab.workers["riscv64"]

    def records() -> set[tuple[str, ...]]:
        told = worker.sh("docker buildx du --verbose | grep -E '^(ID|Description):'").stdout.splitlines()
        return {(told[at].split()[1], told[at + 1].partition(":")[2].strip()) for at in range(0, len(told), 2)}

    before = records()
    assert probe("riscv64").code == 0
    assert {what for _, what in records() - before if "COPY" in what or "fleet-audit" in what} == set()


def test_a_service_without_a_home(lab: Lab, probe: Callable[..., Probed], login: list[str]) -> None:
    """A unit that names no user has no HOME; docker then takes the one of passwd: its plugins count, its notes go."""
    worker = lab.workers["riscv64"]
    drop_in, folder = "/etc/systemd/system/image-builder.service.d/no-user.conf", "/root/.docker/buildx"
    worker.sh(f"rm -rf {folder}")
    with states.file(worker, drop_in, "[Service]\nUser=\n", after=states.RESTART_BUILDS):
        environment = worker.sh("cat /proc/$(systemctl show -P MainPID image-builder)/environ").stdout
        assert "LANG=" in environment
        assert "HOME=" not in environment
        seen = probe(*login, "riscv64")
        assert seen.code == 0, seen.out + seen.err
        assert seen.hosts["riscv64"]["ways"][0]["arrived"]["kind"] == "index"
        assert left_on(worker) == ""
        assert worker.sh(f"ls -A {folder} 2>&1", check=False).stdout.strip().endswith("No such file or directory")


def test_every_usual_way_agrees(probe: Callable[..., Probed], login: list[str]) -> None:
    """Legacy builder, attestations on, off and refused, --push: on a worker of each store; the scanner is not here."""
    seen = probe(*login, "--all-ways", "riscv64", "s390x")
    assert "differs" not in {agreement for found in seen.agreements().values() for agreement in found}, seen.out
    assert seen.agreements()["s390x"] == ["agrees"] * 9
    unknown = [way["way"] for way in seen.hosts["riscv64"]["ways"] if way["agreement"] == "unknown"]
    assert unknown == ["docker build --sbom=true && docker push"]
    assert seen.code == 3


def test_without_a_registry_the_export_is_read(probe: Callable[..., Probed]) -> None:
    """A containerd store exports what it would push; of the other store only that it is flat is told."""
    seen = probe("trixie-containerd", "riscv64", "amd64")
    assert seen.code == 0, seen.out
    ways = {name: host["ways"][0] for name, host in seen.hosts.items()}
    assert {way["where"] for way in ways.values()} == {"export"}
    assert ways["riscv64"]["arrived"]["kind"] == ways["trixie-containerd"]["arrived"]["kind"] == "index"
    assert ways["amd64"]["arrived"] is None
    assert ways["amd64"]["stored"] is True


def test_a_wrong_prediction_is_a_finding(
    lab: Lab, probe: Callable[..., Probed], login: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predictor is made to foretell an index on a graphdriver store: FA305, exit 1, and what to do."""
    wrong = Prediction(shapes=(Shape(kind="index", media_type="application/vnd.oci.image.index.v1+json"),))
    monkeypatch.setattr(probing, "predict", lambda *_: wrong)
    seen = probe(*login, "s390x")
    finding = seen.report["findings"]["s390x"]
    assert seen.code == 1
    assert (finding["status"], finding["severity"]) == ("fail", "error")
    assert "seen: flat (schema2)" in finding["message"]
    assert finding["remedy"]
    assert tags(lab) == []


def test_hosts_that_cannot_be_probed_are_not_clean(probe: Callable[..., Probed]) -> None:
    """No Docker, podman in its place, no right to the socket: each says why, nothing is built, exit 3."""
    seen = probe("bastion", "podman", "bookworm-nosocket")
    assert seen.code == 3
    assert all(host["unknown"] or host["ways"][0]["unknown"] for host in seen.hosts.values()), seen.out
    assert "no docker command" in seen.hosts["bastion"]["unknown"]


def test_it_runs_as_root_through_sudo_and_behind_a_jump_host(probe: Callable[..., Probed]) -> None:
    """What reaches a worker for `check` reaches it for `probe`."""
    seen = probe("bookworm-sudo", "hidden")
    assert seen.agreements() == {"bookworm-sudo": ["agrees"], "hidden": ["agrees"]}
    assert seen.hosts["bookworm-sudo"]["user"] == "root"


def test_a_refused_sudo_runs_nothing(lab: Lab, probe: Callable[..., Probed]) -> None:
    """No rights to become root: told in a sentence, exit 3."""
    with states.sudo_wants_password(lab.workers["bookworm"]):
        seen = probe("bookworm-sudo")
    assert seen.code == 3
    assert "sudo" in json.dumps(seen.hosts["bookworm-sudo"])


def test_a_registry_that_is_down_costs_no_build(lab: Lab, probe: Callable[..., Probed]) -> None:
    """It is asked before any worker is: one sentence, exit 3."""
    down = lab.registry.rpartition(":")[0] + ":1"
    seen = probe(*registry_options(lab, down), "s390x")
    assert seen.code == 3
    assert seen.out == ""
    assert re.fullmatch(r"fleet-audit: nothing was built, since the registry cannot be asked: [^\n]+\n", seen.err)


def test_a_refused_login_costs_no_build(
    lab: Lab, probe: Callable[..., Probed], login: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password of ours: one sentence that does not hold it, exit 3."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", "wrong-but-secret")
    seen = probe(*login, "s390x")
    assert seen.code == 3
    assert "nothing was built" in seen.err
    assert "wrong-but-secret" not in seen.err


def test_a_worker_without_a_login_is_told_apart(probe: Callable[..., Probed], login: list[str]) -> None:
    """The worker's push is refused: that says nothing about the shape, so it is unknown and no finding."""
    seen = probe(*login, "trixie-containerd")
    way = seen.hosts["trixie-containerd"]["ways"][0]
    assert (seen.code, way["agreement"]) == (3, "unknown")
    assert "login" in way["unknown"]


def test_a_denied_deletion_is_one_line(lab: Lab, probe: Callable[..., Probed], monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that may push and pull but not delete: the proof stands, the tags that stay are told."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["staging"])
    seen = probe(*registry_options(lab, lab.registry), "--registry-user", "staging", "s390x", "amd64")
    assert seen.code == 0, seen.out
    assert len(seen.report["notes"]) == 1
    assert "does not let us delete" in seen.report["notes"][0]
    assert len(tags(lab)) == 2
    monkeypatch.undo()
    for tag in tags(lab):
        forget(lab, f"{REPOSITORY}:{tag}")
    assert tags(lab) == []


def forget(lab: Lab, name: str) -> None:
    """Delete what a test has left in the registry."""
    from audit.image.reference import Reference
    from audit.registry import Client, Credentials, Options, Tls

    digest = lab.served(name).digest
    account = Credentials(username="live", password=lab.credentials["live"])
    options = Options(tls={lab.registry: Tls(ca_file=lab.ca)}, credentials={lab.registry: account})
    with Client(options) as client:
        client.delete(Reference.parse(f"{lab.registry}/{name.partition(':')[0]}").at(digest))


def test_without_yes_nobody_is_asked_without_a_terminal(lab: Lab) -> None:
    """Standard input is no terminal: exit 2, and how to go on."""
    argv = [sys.executable, "-m", "audit", "probe", "-i", str(lab.inventory), "s390x"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--yes" in done.stderr


SLOW = textwrap.dedent("""
    import sys, time
    from audit import probing
    from audit.cli.app import run
    whole = probing.stdin_of
    def slow(work):
        *first, last = whole(work)
        yield from first
        yield last[:700]  # the engine has begun to read the context, and waits for the rest
        print("waiting", file=sys.stderr, flush=True)
        time.sleep(600)
    probing.stdin_of = slow
    sys.exit(run(sys.argv[1:]))
""")


def begun(lab: Lab, *arguments: str) -> subprocess.Popen[str]:
    """A probe whose build is waiting for its context on the worker."""
    argv = [sys.executable, "-c", SLOW, "probe", "-i", str(lab.inventory), "-q", "--yes", "--format", "json"]
    process = subprocess.Popen([*argv, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any(line == "waiting\n" for line in process.stderr), "it did not come so far"
    return process


def building(worker: Worker) -> bool:
    """Whether a build of ours runs on the worker."""
    return worker.sh("ps -eo args= | grep -c '[f]leet-audit-[0-9a-f]*.Dockerfile' || true").stdout.strip() != "0"


@pytest.mark.parametrize("host", ["s390x", "riscv64", "ppc64le", "arm64"])
def test_ctrl_c_in_the_middle_of_a_build(lab: Lab, host: str) -> None:
    """SIGINT while the engine waits for the context: the worker cleans up, the report says so, exit 130."""
    worker = lab.workers[host]
    process = begun(lab, host)
    wait_for("the build to run", lambda: building(worker), 30)
    assert left_on(worker) != ""
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 130
    report = json.loads(out)
    (seen,) = report["hosts"]
    assert report["interrupted"] == "SIGINT"
    assert "interrupted" in seen["unknown"]
    assert seen["left"] == []
    assert left_on(worker) == ""


def test_a_killed_controller(lab: Lab) -> None:
    """SIGKILL: nobody says goodbye, and the worker takes everything back by itself."""
    worker = lab.workers["riscv64"]
    process = begun(lab, "riscv64")
    wait_for("the build to run", lambda: building(worker), 30)
    process.kill()
    process.communicate()
    wait_for("the worker to clean up", lambda: left_on(worker) == "", 60)


def test_a_dropped_connection(lab: Lab) -> None:
    """The worker's own sshd process of our login dies: the worker cleans up, and we say that we do not know."""
    worker = lab.workers["s390x"]
    process = begun(lab, "s390x")
    wait_for("the build to run", lambda: building(worker), 30)
    of_ours = "$(pgrep -f 'eval .*dd bs=1' | head -n 1)"
    worker.sh(
        f"p={of_ours}; while ! grep -q sshd /proc/$p/comm; do p=$(ps -o ppid= -p $p | tr -d ' '); done; kill -9 $p"
    )
    out, _ = process.communicate(timeout=90)
    (seen,) = json.loads(out)["hosts"]
    assert process.returncode == 3
    assert "lost" in seen["unknown"]
    assert any("rm -rf" in said for said in seen["left"])
    wait_for("the worker to clean up", lambda: left_on(worker) == "", 60)


def test_a_limit_is_kept(lab: Lab) -> None:
    """A build that takes too long is ended and taken back: a time-out, not a difference."""
    process = begun(lab, "s390x", "--timeout", "4s")
    out, _ = process.communicate(timeout=120)
    (seen,) = json.loads(out)["hosts"]
    assert process.returncode == 3
    assert "timeout" in seen["unknown"]
    assert seen["left"] == []


def test_a_full_tmp_is_told(lab: Lab, probe: Callable[..., Probed]) -> None:
    """No room for the one folder: cannot tell, because; nothing is left."""
    with states.tmp_full(lab.workers["s390x"]):
        seen = probe("s390x")
        assert "/tmp/fleet-audit" not in left_on(lab.workers["s390x"])
    assert seen.code == 3
    assert "fleet-audit-" in seen.hosts["s390x"]["unknown"]


def test_another_login_shell(lab: Lab, probe: Callable[..., Probed]) -> None:
    """Fish and tcsh take our first line too; noise of the login harms nothing."""
    for shell in ("/usr/bin/fish", "/usr/bin/tcsh"):
        with states.login_shell(lab.workers["s390x"], shell), states.chatty_login(lab.workers["s390x"]):
            assert probe("s390x").agreements() == {"s390x": ["agrees"]}, shlex.quote(shell)
