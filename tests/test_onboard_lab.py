"""A worker wiped and reinstalled for real, and taken back into the fleet by `onboard`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from audit.cli.app import run
from audit.onboarding import applying
from tests.lab import Lab, Worker, leaks, states
from tests.playbooks.repack import source_of
from tests.playbooks.test_remedies_lab import OURS
from tests.test_probe_lab import left_on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400), pytest.mark.xdist_group("lab")]

HOST = "amd64"
POLICY = """
audit_policy:
  wanted: {push: flat}
  rules: {FA007: {enabled: false}, FA301: {severity: error}, FA310: {severity: note}}
"""


@pytest.fixture
def said(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that runs a command with the lab's inventory, a policy, a history and a registry of its own."""
    folder = tmp_path / "policy"
    (folder / "host_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text(f"all: {{hosts: {{{HOST}: {{}}}}}}\n")
    (folder / "host_vars" / f"{HOST}.yml").write_text(POLICY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", lab.credentials["live"])
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_USER", "live")
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_CA", str(lab.ca))
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY", lab.registry)
    monkeypatch.setenv("FLEET_AUDIT_PROBE_REPOSITORY", "staging/fleet-audit-probe")
    for name, value in {"PIPELINING": "1", "TIMEOUT": "5", "SSH_RETRIES": "0"}.items():
        monkeypatch.setenv(f"ANSIBLE_{name}", value)

    def command(*words: str, bare: bool = False) -> tuple[int, str, str]:
        code = run([*words, *([] if bare else ["-i", str(lab.inventory), "-i", str(folder)])])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def reinstalled(lab: Lab) -> Iterator[Worker]:
    """As after a reinstallation: new keys and machine-id, no images, the other store, no buildx, a skewed build unit.

    known_hosts is put back, too.
    """
    worker = lab.workers[HOST]
    known = lab.place.keys / "known_hosts"
    before = known.read_bytes()
    with ExitStack() as stack:
        stack.callback(known.write_bytes, before)
        for path in OURS:
            stack.enter_context(states.kept(worker, path, states.RESTART_BUILDS))
        stack.enter_context(source_of(worker, "docker-buildx"))
        worker.sh("dpkg --force-all -r docker-buildx >/dev/null")
        stack.enter_context(
            states.unit_environment(worker, DOCKER_DEFAULT_PLATFORM="linux/s390x", BUILDX_NO_DEFAULT_OCI_ARTIFACT="no")
        )
        stack.enter_context(states.reinstalled(worker))
        yield worker


def steps(out: str) -> dict[str, str]:
    """The state of each step of a JSON report."""
    return {step["id"]: step["state"] for step in json.loads(out)["steps"]}


def test_a_reinstalled_worker_comes_back_with_one_command(said: Any, request: pytest.FixtureRequest) -> None:
    """Nothing before its key is believed; a wrong one is refused; then it is mended, proved, merged and READY."""
    said("check", HOST, "arm64", "-q")
    assert said("baseline", "set", "default", bare=True)[0] == 0
    worker = request.getfixturevalue("reinstalled")

    code, out, err = said("onboard", HOST, "--yes", "-q", "--format", "json")
    assert out, err
    found = json.loads(out)
    assert (code, found["ready"]) == (1, False)
    states_ = steps(out)
    assert states_.pop("identity") == "todo"
    assert set(states_.values()) == {"unknown"}, "nothing else was looked at"
    key = found["todo"][0]["command"].rpartition(" ")[2]
    shown = worker.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[1]
    assert key == shown
    assert any("known until now: SHA256:" in line for step in found["steps"] for line in step["lines"])

    wrong = "SHA256:" + "A" * 43
    code, out, err = said("onboard", HOST, "--yes", "-q", "--accept-host-key", wrong)
    assert code == 2
    assert f"shows {key}; nothing was taken" in err
    code, out, _ = said("onboard", HOST, "--yes", "-q", "--trust-first-use", "--format", "json")
    assert code == 1, "it is no first use"

    code, out, err = said("onboard", HOST, "--yes", "--accept-host-key", key, "--apply")
    assert code == 0, out + err
    assert "READY: amd64" in out
    for words in ("would change:", "FA301 Install it", "+BUILDX_NO_DEFAULT_ATTESTATIONS=1", "RUNNING HANDLER"):
        assert words in err
    assert "NOT READY" in err, "what it was like before is shown before anything is changed"
    words = " ".join(err.split())
    cause = words.index("reinstalled, or another machine under this name")
    assert cause < words.index("store graphdriver → containerd")
    # What is read of a running service only is mended, although the service is stopped before.
    assert "changed: FA401: mended\n" in out
    assert "merged into" in out
    assert "linux/amd64" in out
    assert "what it is now stands in the baseline default" in out
    assert leaks(out + err) == []

    code, out, _ = said("onboard", HOST, "--yes", "-q", "--format", "json")
    found = json.loads(out)
    assert (code, found["ready"], found["todo"]) == (0, True, [])
    assert steps(out)["identity"] == "ok", "the key was written once and for all"
    assert said("drift", "--quiet-if-clean", "--limit", HOST, bare=True)[:2] == (0, "")


def test_what_is_wrong_with_the_command_is_one_sentence(said: Any, tmp_path: Path) -> None:
    """A peer of another platform, a host that answers nowhere, no playbooks, a fingerprint that is none."""
    for words, code, told in (
        (("riscv64", "--like", "amd64"), 2, "it builds for linux/amd64 and riscv64 for linux/riscv64"),
        (("riscv64", "--like", "nobody"), 2, "--like nobody: the inventory has no such host"),
        (("riscv64", "--pool", "nowhere"), 2, "--pool nowhere: no host of the inventory is in it"),
        (("riscv64", "--accept-host-key", "MD5:aa"), 2, "is no fingerprint"),
        (("riscv64", "--apply", "--playbooks", str(tmp_path)), 2, "there is no remediate.yml"),
        (("riscv64", "--like", "a", "--pool", "b"), 2, "give one of them"),
    ):
        found, out, err = said("onboard", *words, "--yes", "-q")
        assert (found, out) == (code, "")
        assert told in err
        assert err.count("\n") == 1


def test_a_machine_that_does_not_answer_is_not_ready(said: Any, lab: Lab) -> None:
    """Nothing is proved, everything is unknown, exit code 3."""
    with states.ssh_stopped(lab.workers["riscv64"]):
        code, out, _ = said("onboard", "riscv64", "--yes", "-q", "--format", "json")
    assert code == 3
    assert set(steps(out).values()) == {"unknown"}


def test_without_a_registry_nothing_is_proved(said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is told; it is not called ready."""
    monkeypatch.delenv("FLEET_AUDIT_REGISTRY")
    code, out, _ = said("onboard", "arm64", "--yes", "-q", "--format", "json")
    found = json.loads(out)
    assert code in (1, 3)
    assert not found["ready"]
    assert steps(out)["proof"] == steps(out)["merge"] == "unknown"
    assert any("name a registry with --registry" in step["text"] for step in found["steps"])


def test_a_worker_that_goes_away_in_the_middle(said: Any, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reboots while the playbook runs: the task is named, and that no builds run; the same command later goes on.

    What it proves the worker with is gone afterwards, although the service that it read the environment of was stopped.
    """
    worker = lab.workers["riscv64"]
    real, gone = applying.Ansible.run, list[str]()

    def run_and_vanish(self: applying.Ansible, words: list[str], tell: Any, **more: Any) -> None:
        def watch(line: str) -> None:
            tell(line)
            if "--check" not in words and line.startswith("TASK [Write the variables]") and not gone:
                gone.append(line)
                worker.sh("systemctl stop ssh.service; pkill -KILL sshd; true")

        real(self, words, watch, **more)

    monkeypatch.setattr(applying.Ansible, "run", run_and_vanish)
    words = ("onboard", "riscv64", "--yes", "-q", "--apply", "--fail-on", "warning")
    with ExitStack() as stack:
        for path in OURS:
            stack.enter_context(states.kept(worker, path, states.RESTART_BUILDS))
        try:
            code, out, err = said(*words)
        finally:
            worker.sh("systemctl reset-failed; systemctl start ssh.service")
        assert gone
        assert (code, out) == (5, ""), err
        assert "could not reach the machine at the task" in err
        assert "its build unit stays stopped, and it is safe to run again" in err
        assert err.count("\n") == 1
        serves = "systemctl is-active image-builder; systemctl is-enabled image-builder"
        assert worker.sh(serves, check=False).stdout == "inactive\ndisabled\n"
        code, out, err = said(*words)
        assert "changed: FA404: mended\nchanged: FA405: mended\n" in out, out + err
        assert worker.sh(serves).stdout == "active\nenabled\n"
        assert left_on(worker) == ""
