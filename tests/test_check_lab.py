"""`check` against the lab's real workers: the story's fleet, the odd ones, and the states that a worker gets into."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from audit.cli.app import run
from tests.lab import BUILD_UNIT, Lab, Worker, leaks, states
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180), pytest.mark.xdist_group("lab")]

FORMATS = ("table", "json", "jsonl", "csv", "markdown", "junit", "sarif", "prometheus", "github")


class Checked:
    """One `check`: its exit code and its JSON report."""

    def __init__(self, code: int, document: dict[str, Any]) -> None:
        """Index the hosts by name."""
        self.code = code
        self.document = document
        self.hosts: dict[str, Any] = {host["name"]: host for host in document["hosts"]}

    def verdicts(self, host: str) -> dict[str, Any]:
        """The host's verdicts by rule."""
        return {verdict["rule"]: verdict for verdict in self.hosts[host]["verdicts"]}

    def failed(self, host: str) -> set[str]:
        """Ids of the rules that fail on the host."""
        return {rule for rule, verdict in self.verdicts(host).items() if verdict["status"] == "fail"}

    def fleet(self, rule: str) -> list[Any]:
        """What a fleet rule says."""
        return [verdict for verdict in self.document["fleet"] if verdict["rule"] == rule]


@pytest.fixture
def check(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Checked]:
    """Run `check` on hosts of the lab's inventory."""

    def checked(*arguments: str) -> Checked:
        report = tmp_path / "report.json"
        code = run(["check", "-i", str(lab.inventory), "-q", "-r", f"json:{report}", *arguments])
        capsys.readouterr()
        return Checked(code, json.loads(report.read_text(encoding="utf-8")))

    return checked


def test_the_story(check: Callable[..., Checked]) -> None:
    """Four builders push flat, the reinstalled one an index; the merge that would fail is named, with its culprit."""
    seen = check("builders")
    assert {name: host["push"]["kind"] for name, host in seen.hosts.items()} == {
        "amd64": "flat",
        "arm64": "flat",
        "s390x": "flat",
        "ppc64le": "flat",
        "riscv64": "index",
    }
    reasons = " ".join(seen.hosts["riscv64"]["push"]["reasons"])
    assert "containerd" in reasons
    assert "BUILDX_NO_DEFAULT_ATTESTATIONS" in reasons
    assert "FA404" in seen.failed("riscv64")
    assert all("FA404" not in seen.failed(name) for name in seen.hosts if name != "riscv64")
    (mixed,) = seen.fleet("FA506")
    assert mixed["status"] == "fail"
    assert mixed["hosts"] == ["riscv64"]
    assert "is a manifest list" in " ".join([mixed["message"], *mixed["evidence"], mixed["remedy"]])
    assert "FA301" in seen.failed("ppc64le")
    assert seen.code == 1


def test_facts_are_the_workers_own(check: Callable[..., Checked]) -> None:
    """Engine, store and plugin of each builder are those that its role installs."""
    seen = check("builders")

    def told(host: str) -> tuple[str, str, str | None]:
        facts = seen.hosts[host]["facts"]
        engine, store, buildx = facts["engine"], facts["image_store"], facts["buildx"]
        version = buildx["version"] and re.match(r"\d+\.\d+", buildx["version"])
        return engine["version"].split("+")[0], store["driver"], version and version[0]

    assert {name: told(name) for name in seen.hosts} == {
        "amd64": ("28.5.2", "overlay2", "0.29"),
        "arm64": ("28.5.2", "overlay2", "0.29"),
        "s390x": ("26.1.5", "overlay2", "0.13"),
        "ppc64le": ("26.1.5", "overlay2", None),
        "riscv64": ("28.5.2", "overlayfs", "0.29"),
    }


@pytest.mark.parametrize(
    ("host", "cause"),
    [
        ("bookworm-nosocket", "FA103"),
        ("bastion", "FA101"),
        ("podman", "FA102"),
    ],
)
def test_an_odd_worker_has_one_cause(check: Callable[..., Checked], host: str, cause: str) -> None:
    """No docker, no right to it, or podman in its place: one finding, and what follows from it is folded under it."""
    seen = check(host)
    verdicts = seen.verdicts(host)
    assert cause in seen.failed(host)
    loose = {rule for rule, verdict in verdicts.items() if verdict["status"] == "unknown" and not verdict["because"]}
    assert loose == set()
    assert any(verdict["because"] == cause for verdict in verdicts.values())
    assert seen.code == 1


@pytest.mark.parametrize("host", ["trixie-containerd", "bookworm", "bookworm-sudo", "hidden"])
def test_a_worker_off_the_beaten_track_is_told_completely(check: Callable[..., Checked], host: str) -> None:
    """Old engines, sudo and a jump host cost no knowledge."""
    seen = check(host)
    assert seen.hosts[host]["outcome"] == "ok"
    assert [v for v in seen.hosts[host]["verdicts"] if v["status"] == "unknown"] == []
    assert seen.hosts[host]["push"]["kind"] == ("index" if host == "trixie-containerd" else "flat")


State = Callable[[Worker], AbstractContextManager[object]]


@pytest.mark.parametrize(
    ("host", "state", "rule", "status", "words"),
    [
        ("s390x", states.engine_frozen, "FA104", "fail", "hangs"),
        ("s390x", states.engine_stopped, "FA104", "fail", "does not answer"),
        ("s390x", states.buildx_hidden, "FA301", "fail", "missing"),
        ("s390x", states.buildx_broken, "FA302", "fail", ""),
        ("s390x", states.buildx_shadowed, "FA303", "fail", ""),
        ("s390x", states.tcp_socket, "FA112", "fail", ""),
        ("s390x", states.host_key_replaced, "FA002", "fail", "reinstalled"),
        ("s390x", states.ssh_stopped, "FA001", "unknown", "refused"),
        ("s390x", states.ssh_frozen, "FA001", "unknown", ""),
        ("s390x", states.ssh_dropped, "FA001", "unknown", ""),
        ("bookworm-sudo", states.sudo_wants_password, "FA005", "fail", ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_state_is_named(
    lab: Lab, check: Callable[..., Checked], host: str, state: State, rule: str, status: str, words: str
) -> None:
    """Break a worker for real; the rule that is for it speaks, and the run does not read as clean."""
    with state(lab.hosts[host].worker):
        seen = check(host, "--timeout", "20s")
    verdict = seen.verdicts(host)[rule]
    assert verdict["status"] == status
    assert words in verdict["message"]
    assert verdict["remedy"]
    worst = max((v["severity"] == "error") + (v["status"] == "fail") for v in seen.verdicts(host).values())
    assert seen.code == (1 if worst == 2 else 3 if status == "unknown" else 0)


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (lambda worker: states.daemon_json(worker, {"storage-driver": "vfs"}, restart=False), "FA111"),
        (lambda worker: states.daemon_json(worker, "{ not json", restart=False), "FA111"),
        (lambda worker: states.unit_environment(worker, BUILDX_NO_DEFAULT_ATTESTATIONS="yes"), "FA401"),
        (lambda worker: states.unit_environment(worker, DOCKER_BUILDKIT="maybe"), "FA401"),
        (lambda worker: states.unit_environment(worker, BUILDX_NO_DEFAULT_LOAD="1"), "FA408"),
        (lambda worker: states.etc_environment(worker, BUILDX_NO_DEFAULT_ATTESTATIONS="1"), "FA402"),
        (lambda worker: states.state(worker, f"systemctl stop {BUILD_UNIT}", f"systemctl start {BUILD_UNIT}"), "FA405"),
    ],
    ids=["unapplied", "unparsable", "not-boolean", "not-boolean-buildkit", "no-load", "shell-differs", "unit-stopped"],
)
def test_a_setting_is_named(lab: Lab, check: Callable[..., Checked], state: State, rule: str) -> None:
    """Settings of the engine and of the build service, each broken for real."""
    assert rule not in check("riscv64").failed("riscv64")
    with state(lab.workers["riscv64"]):
        assert rule in check("riscv64").failed("riscv64")


def test_the_service_environment_decides(lab: Lab, check: Callable[..., Checked]) -> None:
    """The switch in the unit's drop-in makes the reinstalled worker push flat, and the reason names the drop-in."""
    with states.unit_environment(lab.workers["riscv64"], BUILDX_NO_DEFAULT_ATTESTATIONS="1"):
        seen = check("builders")
    push = seen.hosts["riscv64"]["push"]
    assert push["kind"] == "flat"
    assert any("BUILDX_NO_DEFAULT_ATTESTATIONS=1" in reason for reason in push["reasons"])
    assert "FA404" not in seen.failed("riscv64")
    assert [verdict["status"] for verdict in seen.fleet("FA506")] == ["pass"]


def test_what_is_predicted_is_what_is_pushed(lab: Lab, check: Callable[..., Checked]) -> None:
    """Each builder's own service builds and pushes for real; the registry holds the shape that `check` foretold."""
    foretold = {name: host["push"]["kind"] for name, host in check("builders").hosts.items()}
    found = {}
    for name in foretold:
        worker = lab.workers[name]
        built = lab.build(worker, f"staging/check-{name}", "proof")
        served = lab.served(f"staging/check-{name}:proof")
        found[name] = "index" if "index" in served.media_type or "list" in served.media_type else "flat"
        lab.forget(worker, [built.tag])
    assert found == foretold


def test_no_planted_secret_is_stored_or_shown(lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Secrets planted in units, proxies and credentials stand in no format, no saved evidence and no log."""
    reports = [part for name in FORMATS for part in ("-r", f"{name}:{tmp_path / name}")]
    run(["check", "-i", str(lab.inventory), "--save", str(tmp_path / "run.json"), "-vvv", *reports])
    shown = capfd.readouterr()
    texts = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert set(texts) == {*FORMATS, "run.json"}
    texts |= {"stdout": shown.out, "stderr": shown.err}
    assert {name: leaks(text) for name, text in texts.items() if leaks(text)} == {}


def test_a_saved_run_is_judged_again_byte_for_byte(lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every format of `--from` is the one that the live run wrote."""
    saved = tmp_path / "run.json"

    def reports(folder: Path) -> list[str]:
        folder.mkdir()
        return [part for name in FORMATS for part in ("-r", f"{name}:{folder / name}")]

    first = run(["check", "-i", str(lab.inventory), "-q", "--save", str(saved), *reports(tmp_path / "live")])
    again = run(["check", "--from", str(saved), *reports(tmp_path / "again")])
    under = run(["check", "--from", str(saved), "-i", str(lab.inventory), *reports(tmp_path / "under")])
    capfd.readouterr()
    assert first == again == under
    for name in FORMATS:
        live = (tmp_path / "live" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == live
        assert (tmp_path / "under" / name).read_bytes() == live


def test_nothing_is_left_on_a_worker(lab: Lab, check: Callable[..., Checked]) -> None:
    """No file of a worker is newer after a check than before it, but the logs' and the kernel's own."""
    worker = lab.workers["s390x"]
    worker.sh("touch /run/fleet-audit-mark")
    check("s390x")
    found = worker.sh(
        "find / -xdev -newer /run/fleet-audit-mark -type f"
        " -not -path '/proc/*' -not -path '/sys/*' -not -path '/run/*' -not -path '/var/log/*'"
        " -not -path '/var/lib/docker/*' -not -path '/var/lib/containerd/*'; rm /run/fleet-audit-mark"
    ).stdout.split()
    assert found == []


@pytest.mark.parametrize(
    "state",
    [
        states.chatty_login,
        states.busybox_shell,
        states.tmp_full,
        states.tmp_noexec,
        lambda worker: states.login_shell(worker, "/usr/bin/fish"),
        lambda worker: states.login_shell(worker, "/usr/bin/tcsh"),
    ],
    ids=["chatty", "busybox", "tmp-full", "tmp-noexec", "fish", "tcsh"],
)
def test_a_strange_shell_costs_no_knowledge(lab: Lab, check: Callable[..., Checked], state: State) -> None:
    """Noise around the frame, busybox, a full or noexec /tmp, and shells that are not POSIX change no verdict."""
    before = {rule: verdict["status"] for rule, verdict in check("s390x").verdicts("s390x").items()}
    with state(lab.workers["s390x"]):
        seen = check("s390x")
    assert seen.hosts["s390x"]["outcome"] == "ok"
    assert {rule: verdict["status"] for rule, verdict in seen.verdicts("s390x").items()} == before


def test_ctrl_c_reports_what_there_is(lab: Lab, tmp_path: Path) -> None:
    """SIGINT while one host hangs: exit 130 at once, and the others' answers stand in the report."""
    report = tmp_path / "report.json"
    argv = [sys.executable, "-m", "audit", "check", "-i", str(lab.inventory), "-vv", "-r", f"json:{report}", "builders"]
    with states.ssh_frozen(lab.workers["s390x"]):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        done: set[str] = set()
        for line in process.stderr:
            done |= set(re.findall(r" s (\S+) done", line))
            if len(done) == 4:
                break
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 8
    hosts = {host["name"]: host["outcome"] for host in json.loads(report.read_text(encoding="utf-8"))["hosts"]}
    assert [outcome for name, outcome in hosts.items() if name != "s390x"] == ["ok"] * 4
    assert hosts["s390x"] != "ok"


def test_a_lost_controller_leaves_nothing_running(lab: Lab) -> None:
    """The controller dies while the engine hangs: after the probes' limits no process of ours is on the worker."""
    worker = lab.workers["s390x"]
    argv = [sys.executable, "-m", "audit", "check", "-i", str(lab.inventory), "-vv", "s390x"]
    ours = "ps -eo args= | grep -cE '^/bin/sh -s|^docker (info|version)' || true"
    assert worker.sh(ours).stdout.strip() == "0"
    with states.engine_frozen(worker):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        next(line for line in process.stderr if line.endswith(" probe\n"))
        wait_for("the script to run", lambda: worker.sh(ours).stdout.strip() != "0", 20)
        process.kill()
        process.communicate()
        wait_for("the script to end", lambda: worker.sh(ours).stdout.strip() == "0", 60)


def test_a_full_disk_is_named(lab: Lab, check: Callable[..., Checked]) -> None:
    """No byte, and no inode, left under the engine's root: told from the numbers, the audit itself needs neither."""
    worker = lab.workers["s390x"]
    assert not {"FA207", "FA209"} & check("s390x").failed("s390x")
    with states.disk_full(worker):
        seen = check("s390x")
    assert seen.verdicts("s390x")["FA207"]["severity"] == "error"
    assert "FA207" in seen.failed("s390x")
    with states.inodes_full(worker):
        assert "FA209" in check("s390x").failed("s390x")


def test_live_credentials_are_named(lab: Lab, tmp_path: Path, check: Callable[..., Checked]) -> None:
    """A worker that holds a login for a registry that the policy does not want there; its value stands nowhere."""
    inventory = tmp_path / "inventory"
    shutil.copytree(lab.inventory, inventory)
    policy = inventory / "group_vars" / "all" / "policy.yml"
    policy.write_text(f"audit_policy: {{wanted: {{registries: ['{lab.registry}']}}}}\n", encoding="utf-8")
    assert "FA409" not in check("-i", str(inventory), "riscv64").failed("riscv64")
    secret = base64.b64encode(b"ocurrent:live-password").decode()
    config = json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": secret}}})
    with states.docker_config(lab.workers["riscv64"], config):
        seen = check("-i", str(inventory), "riscv64")
    assert "FA409" in seen.failed("riscv64")
    assert "docker.io" in " ".join(seen.verdicts("riscv64")["FA409"]["evidence"])
    assert secret not in json.dumps(seen.document)


def test_a_deadline_ends_the_run(lab: Lab, check: Callable[..., Checked]) -> None:
    """One host is silent; `--deadline` ends the run, the others are told, the silent one is not read as clean."""
    with states.ssh_frozen(lab.workers["s390x"]):
        began = time.monotonic()
        seen = check("s390x", "amd64", "--deadline", "4s")
        assert time.monotonic() - began < 12
    assert seen.hosts["amd64"]["outcome"] == "ok"
    assert seen.hosts["s390x"]["outcome"] in ("timeout", "unreachable", "not-asked")
    assert seen.verdicts("s390x")["FA001"]["status"] == "unknown"
    assert seen.code == 3
