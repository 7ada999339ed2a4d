"""Ansible as a program: not there, too old, failing half-way; the playbooks' folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import StepError, UsageError
from audit.onboarding import applying
from audit.onboarding.applying import Ansible, folder, offered

BOOKS = Path(__file__).parent.parent.parent / "playbooks"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an ``ansible-playbook`` of the test's own is looked for, alone."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(applying.sys, "executable", str(tmp_path / "elsewhere" / "python"))  # type: ignore[attr-defined]  # a module's own
    return tmp_path / "ansible-playbook"


def says(program: Path, version: str, then: str = "") -> None:
    """A program that tells its version, and else does something."""
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit 0; fi\n{then}\n')
    program.chmod(0o755)


def test_it_is_not_there(program: Path) -> None:
    """The sentence says what to install."""
    del program
    with pytest.raises(UsageError, match=r"there is none here: install ansible-core 2\.15 or newer"):
        Ansible.find()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            "ansible-playbook [core 2.9.27]",
            r"is of ansible-core 2\.9, and the playbooks want 2\.15 or newer: upgrade it",
        ),
        ("ansible-playbook 2.7.0", "does not say which ansible-core it is of"),
        ("", "does not say which ansible-core it is of"),
    ],
)
def test_it_is_too_old(program: Path, version: str, words: str) -> None:
    """Its version is named, and the one that is wanted."""
    says(program, version)
    with pytest.raises(UsageError, match=words):
        Ansible.find()


HALF = r"""
printf '%s\n' "TASK [FA301 Install it] ****"
printf '%s\n' "ok: [w]"
printf '%s\n' "TASK [Install the package] ****"
printf '%s\n' 'fatal: [w]: FAILED! => {"changed": false, "msg": "Could not get lock /var/lib/dpkg/lock\nIt is held"}'
printf '%s\n' "RUNNING HANDLER [Read the units again] ****"
exit 2
"""
OUT = r"""
printf '%s\n' "TASK [Have it stopped, and not started at a boot] ****"
printf '%s\n' "changed: [w]"
printf '%s\n' "TASK [Write the variables] ****"
printf '%s\n' 'fatal: [w]: UNREACHABLE! => {"changed": false, "msg": "Connection refused", "unreachable": true}'
exit 4
"""
SKIPPED = OUT.replace("changed: [w]", "skipping: [w]")
RESCUED = r"""
printf '%s\n' "TASK [Read it as JSON] ****"
printf '%s\n' 'fatal: [w]: FAILED! => {"censored": "the output has been hidden", "changed": false}'
printf '%s\n' "TASK [Refuse a file that is no JSON object] ****"
printf '%s\n' 'fatal: [w]: FAILED! => {"changed": false, "msg": "daemon.json is not a JSON object"}'
printf '%s\n' "RUNNING HANDLER [Restart the engine itself] ****"
printf '%s\n' 'fatal: [w]: FAILED! => {"changed": false, "msg": "it does not start"}'
exit 2
"""
ITEM = r"""
printf '%s\n' "TASK [Write the variables] ****"
printf '%s\n' 'failed: [w] (item=A: B) => {"changed": false, "msg": "No space left on device"}'
exit 2
"""
GONE = r"""
printf '%s\n' "TASK [Ask what kind of machine it is] ****"
printf '%s\n' 'fatal: [w]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect", "unreachable": true}'
exit 4
"""


def test_what_it_prints_is_told_without_secrets(program: Path) -> None:
    """A playbook of somebody else's, or one that fails, may print a proxy's password."""
    printed = (
        '+    "https-proxy": "http://fleet:canary-do-not-leak@proxy.lab.invalid:3128"', "+password: canary-do-not-leak",
        "-registry_token = canary-do-not-leak", "+-----BEGIN OPENSSH PRIVATE KEY-----", "+canary", "+canary==",
        "+-----END OPENSSH PRIVATE KEY-----", "--- before", "+++ after", "+harmless: yes",
    )  # fmt: skip
    says(program, "ansible-playbook [core 2.19.14]", "\n".join(f"echo '{line}'" for line in printed))
    lines: list[str] = []
    Ansible.find().run([], lines.append)
    assert "canary" not in "\n".join(lines)
    assert len(lines) == len(printed)
    assert "proxy.lab.invalid:3128" in lines[0]
    assert lines[-3:] == list(printed[-3:])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (HALF, r"stopped at the task `Install the package`: Could not get lock /var/lib/dpkg/lock It is held; "),
        (GONE, r"could not reach the machine at the task `Ask what kind of machine it is`: Failed to connect; "),
        (OUT, r"`Write the variables`: Connection refused; .* stays done, its build unit stays stopped, and"),
        (SKIPPED, r"Connection refused; what was done before it stays done, and it is safe"),
        (RESCUED, r"at the task `Refuse a file that is no JSON object`: daemon\.json is not a JSON object; "),
        (ITEM, r"at the task `Write the variables`: No space left on device; "),
        ("exit 250", r"the playbook stopped \(exit code 250\); "),
    ],
    ids=["half-way", "unreachable", "out-of-service", "skipped", "rescued", "item", "silent"],
)
def test_it_fails_half_way(program: Path, script: str, words: str) -> None:
    """The task, what was said, that what was done stays, and that it is safe to run again."""
    says(program, "ansible-playbook [core 2.19.1]", script)
    lines: list[str] = []
    with pytest.raises(StepError, match=words) as caught:
        Ansible.find().run(["book.yml"], lines.append)
    assert "it is safe to run again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all("\n" not in line for line in lines)


def test_what_only_looked_has_changed_nothing(program: Path) -> None:
    """A refusal of the dry run tells of no stopped unit, and of nothing that stays done."""
    says(program, "ansible-playbook [core 2.19.1]", OUT)
    with pytest.raises(StepError, match=r"Connection refused; it only looked, and nothing was changed$"):
        Ansible.find().run(["book.yml", "--check", "--diff"], list[str]().append)


def test_the_task_that_takes_a_worker_out_is_there() -> None:
    """The name by which we know that a worker was taken out of service is drain.yml's."""
    assert f"- name: {applying._DRAINED}\n" in (BOOKS / "drain.yml").read_text(encoding="utf-8")


def test_the_folder_of_the_playbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one given, else ./playbooks, else those beside the program; what is none is refused."""
    monkeypatch.chdir(tmp_path)
    assert folder(None) == BOOKS
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "remediate.yml").write_text("")
    assert folder(None) == Path("playbooks")
    with pytest.raises(UsageError, match=r"there is no remediate\.yml"):
        folder(tmp_path)
    rules, by_hand = offered(BOOKS)
    assert {"FA301", "FA404"} <= rules
    assert "FA211" in by_hand
    with pytest.raises(UsageError, match="its playbooks cannot be read"):
        offered(tmp_path / "playbooks")
