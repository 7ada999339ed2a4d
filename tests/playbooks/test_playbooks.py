"""The playbooks, run by the real ansible-playbook."""

from __future__ import annotations

import ast
import base64
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ruamel.yaml import YAML

from audit.rule import all_rules
from audit.rules.fa401 import SWITCHES
from tests.lab import Lab

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
BOOKS = ROOT / "playbooks"


def play(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook of ours."""
    return subprocess.run(
        [BIN / "ansible-playbook", BOOKS / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"},
    )


@pytest.mark.parametrize("name", sorted(path.name for path in BOOKS.glob("*.yml")))
def test_syntax(name: str) -> None:
    """Ansible parses it against the sample inventory."""
    done = play(name, "-i", "inventory/", "--syntax-check")
    assert done.returncode == 0, done.stderr


def test_every_rule_is_mended_by_a_playbook_or_says_why_not() -> None:
    """A block with its tag in remediate.yml, or a reason in by-hand.yml; never both, and nothing else."""
    offered = re.findall(r"tags: \[never, (FA\d{3})\]", (BOOKS / "remediate.yml").read_text(encoding="utf-8"))
    by_hand = YAML(typ="safe").load(BOOKS / "files" / "by-hand.yml")
    assert len(offered) == len(set(offered))
    assert set(offered) & set(by_hand) == set()
    assert set(offered) | set(by_hand) == set(all_rules())
    assert all(len(str(reason)) > 30 for reason in by_hand.values())


def test_the_switches_are_those_of_the_rule() -> None:
    """What FA401 finds is what its block mends: no variable more, none less."""
    text = (BOOKS / "tasks" / "unit-env-read.yml").read_text(encoding="utf-8")
    (names,) = re.findall(r"name in \[([^\]]*)\]", text)
    assert tuple(re.findall(r"'(\w+)'", names)) == SWITCHES


def test_what_a_switch_was_meant_to_be() -> None:
    """As FA401's block works it out: an empty DOCKER_BUILDKIT, a right value and another program's variable stay."""
    text = (BOOKS / "tasks" / "unit-env-read.yml").read_text(encoding="utf-8")
    template = text.partition("unit_booleans: >-")[2].replace("\\u0000", "\0")
    jinja = jinja2.Environment(autoescape=True)
    jinja.filters["b64decode"] = lambda raw: base64.b64decode(raw).decode()
    variables = (
        "DOCKER_BUILDKIT=", "DOCKER_TLS_VERIFY=", "BUILDX_NO_DEFAULT_ATTESTATIONS=yes", "BUILDX_NO_DEFAULT_LOAD=1",
        "BUILDX_NO_DEFAULT_OCI_ARTIFACT=no", "TOKEN=yes",
    )  # fmt: skip
    raw = base64.b64encode("\0".join(variables).encode()).decode()
    found = ast.literal_eval(html.unescape(jinja.from_string(template).render(unit_environ={"content": raw}).strip()))
    assert found == {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_NO_DEFAULT_OCI_ARTIFACT": "0"}


def test_nothing_is_mended_that_was_not_named() -> None:
    """Without --tags only the tasks that look are left."""
    listed = play("remediate.yml", "-i", "inventory/", "--list-tasks").stdout
    tasks = [
        line.strip().partition("\t")[0] for line in listed.splitlines() if "TAGS:" in line and "play #" not in line
    ]
    assert tasks == [
        "Ask what kind of machine it is", "Refuse what these playbooks do not know",
        "See whether the login may do what follows", "Refuse where nothing could be written",
    ]  # fmt: skip


def tasks_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every task, block and play in a playbook or a file of tasks."""
    for one in node if isinstance(node, list) else []:
        yield one
        for part in ("pre_tasks", "tasks", "handlers", "block", "rescue", "always"):
            yield from tasks_of(one.get(part))


def test_what_others_wrote_is_read_and_edited_without_being_shown() -> None:
    """What is read of a worker's files goes into no log; each edit of one decides whether its difference is shown."""
    seen = set()
    for path in BOOKS.rglob("*.yml"):
        for task in tasks_of(YAML(typ="safe").load(path)):
            where = f"{path.name}: {task.get('name')}"
            if "ansible.builtin.slurp" in task:
                seen.add("read")
                assert task.get("no_log") is True, where
            if {"ansible.builtin.lineinfile", "ansible.builtin.replace", "ansible.builtin.blockinfile"} & set(task):
                seen.add("edit")
                assert "diff" in task, where
    assert seen == {"read", "edit"}


@pytest.mark.timeout(180)
def test_a_build_is_seen_although_the_unit_is_stopped(tmp_path: Path) -> None:
    """Whoever builds there: the worker is not out of work, and nothing is done."""
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho inactive\n", encoding="utf-8")
    (tmp_path / "systemctl").chmod(0o755)
    somebody = subprocess.Popen(["docker", "-c", "input()", "build"], executable=sys.executable, stdin=subprocess.PIPE)
    try:
        done = subprocess.run(
            [sys.executable, BOOKS / "files" / "stop-when-idle.py", "builds.service", "60"],
            env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=50,
        )  # fmt: skip
    finally:
        somebody.kill()
        somebody.communicate()
    assert done.returncode == 75
    assert "docker build (process " in done.stdout


def test_ansible_lint() -> None:
    """The production profile finds nothing."""
    done = subprocess.run(
        [BIN / "ansible-lint", "--offline", "--nocolor", "--profile", "production", "."],
        cwd=BOOKS, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failure(s), 0 warning(s)" in done.stderr


def groups(**variables: str) -> subprocess.CompletedProcess[str]:
    """The inventory script, by itself."""
    env = {**os.environ, "FLEET_AUDIT": f"{BIN / 'fleet-audit'}", **variables}
    return subprocess.run(
        [BOOKS / "inventory" / "fleet_audit.py", "--list"], capture_output=True, text=True, check=False, env=env
    )


def test_hosts_are_grouped_by_what_the_audit_found() -> None:
    """A recorded fleet: stores, plugins, shapes, rules that fail; Ansible takes it beside the operator's inventory."""
    saved = str(ROOT / "tests" / "recorded" / "lab-fleet.json")
    found = {name: group["hosts"] for name, group in json.loads(groups(FLEET_AUDIT_FROM=saved).stdout).items()
             if name != "_meta"}  # fmt: skip
    assert found["pushes_index"] == found["image_store_containerd"] == ["riscv64", "trixie-containerd"]
    assert "ppc64le" in found["buildx_missing"]
    assert found["fails_FA101"] == ["bastion"]
    assert "unreachable" not in found
    done = subprocess.run(
        [BIN / "ansible-inventory", "-i", "inventory", "-i", BOOKS / "inventory" / "fleet_audit.py", "--graph"],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "FLEET_AUDIT": str(BIN / "fleet-audit"), "FLEET_AUDIT_FROM": saved},
    )  # fmt: skip
    assert "@pushes_index:" in done.stdout


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"FLEET_AUDIT": "/no/such/program"}, "does not start: No such file or directory; name it with FLEET_AUDIT"),
        ({"FLEET_AUDIT_FROM": "/no/such.json"}, "ended with 2; see above"),
    ],
)
def test_the_inventory_script_says_what_is_wrong(variables: dict[str, str], words: str) -> None:
    """One line, and a status that Ansible minds."""
    done = groups(**variables)
    assert done.returncode != 0
    assert done.stdout == ""
    assert words in done.stderr


def test_a_hostile_name_becomes_no_group_and_no_pattern(tmp_path: Path) -> None:
    """A host of a name that Ansible would read as a pattern is left out, and said."""
    saved = json.loads((ROOT / "tests" / "recorded" / "lab-fleet.json").read_text(encoding="utf-8"))
    evil = "all:!x\x1b[31m"
    saved["fleet"]["hosts"][0]["name"] = evil
    saved["evidence"]["hosts"][evil] = saved["evidence"]["hosts"].pop("amd64")
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(saved), encoding="utf-8")
    done = groups(FLEET_AUDIT_FROM=str(file))
    assert done.returncode == 0, done.stderr
    assert "all:!x" not in done.stdout
    assert "a host is left out" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.lab
@pytest.mark.xdist_group("lab")
@pytest.mark.timeout(180)
def test_preflight_stops_a_rollout_with_findings_and_lets_a_clean_one_pass(lab: Lab) -> None:
    """The reinstalled worker stops it; the upgraded ones do not. The --limit reaches the audit."""
    command = f"preflight_command={BIN / 'fleet-audit'}"
    stopped = play("preflight.yml", "-i", str(lab.inventory), "--limit", "builders", "-e", command)
    assert stopped.returncode != 0
    assert "FA506" in stopped.stdout
    passed = play("preflight.yml", "-i", str(lab.inventory), "--limit", "amd64:arm64", "-e", command)
    assert passed.returncode == 0, passed.stdout
