"""What only Ansible reads, through a stand-in for ansible-inventory; and the real one against our own reader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from audit.errors import InventoryError
from audit.inventory import load
from audit.inventory.layout import kind_of_text
from audit.model import Source
from tests.inventory.conftest import Write

REAL = shutil.which("ansible-inventory")
needs_ansible = pytest.mark.skipif(REAL is None, reason="ansible-inventory is not in PATH")
INI = "[arm]\nw1 ansible_host=10.0.0.7 merge_host=True emulated=no pool=7\n"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n3131\n"
LISTED = {
    "_meta": {"hostvars": {"w1": {"ansible_host": "10.0.0.7", "merge_host": True, "emulated": "no", "pool": 7}}},
    "all": {"children": ["ungrouped", "outer"]},
    "outer": {"children": ["arm"]},
    "arm": {"hosts": ["w1"]},
}
Stand = Callable[[str], Path]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Put a shell script called ansible-inventory first in PATH; it gives the file its arguments are written to."""

    def install(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "ansible-inventory"
        program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/arguments\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return tmp_path / "arguments"

    return install


@pytest.fixture
def no_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH without Ansible."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("hosts", INI, "is an INI inventory"),
        ("hosts.ini", "w1\nw2\n", "is an INI inventory"),
        ("hosts", "# list\nw1:2222 ansible_user=x\n", "is an INI inventory"),
        ("hosts.yml", "# misnamed\n[all:vars]\nx=1\n", "is an INI inventory"),
        ("inventory.py", "#!/usr/bin/env python3\nprint()\n", "is an executable inventory script"),
        ("aws_ec2.yml", "plugin: amazon.aws.aws_ec2\nregions: []\n", "is the configuration of an inventory plugin"),
        ("hosts.yml", VAULT, "is encrypted with ansible-vault"),
        ("hosts.toml", "[arm.hosts.w1]\n", "is a TOML inventory"),
    ],
)
@pytest.mark.usefixtures("no_ansible")
def test_foreign_source_without_ansible(write: Write, name: str, text: str, what: str) -> None:
    """Without Ansible the error names the file, what it is, and both ways out."""
    folder = write({name: text})
    with pytest.raises(InventoryError) as caught:
        load(folder)
    assert caught.value.file == str(folder / name)
    assert what in caught.value.message
    assert "install ansible-core" in caught.value.message
    assert "ansible-inventory --list --yaml" in caught.value.message


@pytest.mark.usefixtures("no_ansible")
def test_encrypted_variables_without_ansible(write: Write) -> None:
    """A vault among the group_vars might hold a variable of ours: it is never passed over."""
    folder = write({"hosts.yml": "all:\n  hosts:\n    w1:\n", "group_vars/all/vault.yml": VAULT})
    with pytest.raises(InventoryError, match="is encrypted with ansible-vault") as caught:
        load(folder)
    assert caught.value.file == str(folder / "group_vars/all/vault.yml")


def test_groups_and_variables_by_ansible(write: Write, stand_in: Stand) -> None:
    """Nesting comes from the groups, values from the host variables; INI's own types are understood; no line."""
    arguments = stand_in(f"cat <<'E'\n{json.dumps(LISTED)}\nE")
    folder = write({"hosts.ini": INI, "group_vars/arm.yml": "audit_policy: {rules: {FA101: off}}\n"})
    fleet = load([folder, folder])
    (host,) = fleet.hosts
    assert host.groups == ("all", "outer", "arm")
    assert (host.address, host.merge_host, host.emulated, host.pool) == ("10.0.0.7", True, False, "7")
    assert host.source == Source(file=str(folder / "hosts.ini"))
    assert [(layer.scope, layer.source.line) for layer in fleet.policy.layers] == [("group:arm", 1)]
    assert arguments.read_text() == f"--list -i {folder}\n"


def test_policy_that_only_ansible_sees(write: Write, stand_in: Stand) -> None:
    """A policy out of a plugin or a vault is checked like any other, and becomes its hosts' layer."""
    listed = json.loads(json.dumps(LISTED))
    policy = listed["_meta"]["hostvars"]["w1"]["audit_policy"] = {"wanted": {"engine": ">=28"}}
    script = f"cat <<'E'\n{json.dumps(listed)}\nE"
    arguments = stand_in(script)
    folder = write({"hosts.ini": INI})
    assert [(layer.scope, layer.wanted.engine) for layer in load(folder).policy.layers] == [("host:w1", ">=28")]
    policy["wanted"]["engine"] = "28"
    program = arguments.parent / "bin" / "ansible-inventory"
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{json.dumps(listed)}\nE\n")
    with pytest.raises(Exception, match=r"hostvars\.w1\.audit_policy\.wanted\.engine: is no range of versions"):
        load(folder)


def test_encrypted_variables_keep_the_lines_of_hosts(write: Write, stand_in: Stand) -> None:
    """Where only variables are encrypted, hosts keep the line of their declaration."""
    stand_in(f"cat <<'E'\n{json.dumps(LISTED)}\nE")
    folder = write({"hosts.yml": "arm:\n  hosts:\n    w1:\n", "group_vars/all/vault.yml": VAULT})
    assert load(folder).hosts[0].source == Source(file=str(folder / "hosts.yml"), line=3)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'ERROR! no password' >&2; exit 4", "refuses it: no password"),
        ("exit 1", "refuses it: it gave no reason"),
        ("echo hello", "printed no inventory"),
        ("echo '[]'", "printed no inventory"),
        ("printf 'ERROR! \\033[31mred\\n' >&2; exit 1", r"refuses it: \?\[31mred"),
        ("""echo '{"_meta": {"hostvars": {"w1": {"plattform": 1}}}}'""", "hostvars.w1.plattform: is unknown"),
        ("""echo '{"_meta": {"hostvars": {"w1": {"platform": "{{ x }}"}}}}'""", "hostvars.w1.platform: is a Jinja"),
        ("""echo '{"_meta": {"hostvars": {"w1": {"pool": {"__ansible_vault": "x"}}}}}'""", "is encrypted"),
        (
            """echo '{"all": {"children": ["a"]}, "a": {"children": ["b"]}, "b": {"children": ["a"]}}'""",
            "loop of groups",
        ),
        ("""echo '{"_meta": {"hostvars": {}}}'""", "declares no host"),
    ],
)
def test_ansible_that_fails(write: Write, stand_in: Stand, script: str, says: str) -> None:
    """Whatever goes wrong inside Ansible is an error of the inventory, with the file."""
    stand_in(script)
    folder = write({"hosts.ini": INI})
    with pytest.raises(InventoryError, match=says) as caught:
        load(folder)
    assert caught.value.file == str(folder / "hosts.ini")


def test_ansible_that_hangs(write: Write, stand_in: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dynamic inventory that never answers is given up."""
    stand_in("exec tail -f /dev/null")
    monkeypatch.setattr("audit.inventory.external.TIMEOUT", 0.2)
    with pytest.raises(InventoryError, match=r"gave no answer in 0\.2 s"):
        load(write({"hosts.ini": INI}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts", "all:\n"), ("hosts", "---\nx: 1"), ("hosts", '{"all": {}}'), ("hosts", '"all":\n'),
        ("hosts.yml", "w1"), ("hosts.json", "[all]"), ("hosts", "# c\n\narm:  # d\n"), ("h", ""),
    ],
)  # fmt: skip
def test_yaml_is_known_by_its_first_line(name: str, text: str) -> None:
    """A file without a telling name is YAML when its first line is a mapping."""
    assert kind_of_text(name, text) == "yaml"


NESTED = """
all:
  vars: {pool: 1-all, timeout: 9, x: all}
  children:
    outer:
      vars: {pool: 2-outer, x: outer}
      children:
        inner: {vars: {pool: 3-inner}, hosts: {"w[1:3]": {ansible_port: 22}, "v[a:c:2]:2200": }}
        other: {hosts: {w2: {ansible_user: u}}}
    side: {vars: {pool: 0-side, ansible_group_priority: 5}, hosts: {w1: , w3: , lone: }}
    zeta: {vars: {pool: 9-zeta}, hosts: {lone: , "n[08:10]": }}
  hosts: {bare: }
other: {vars: {timeout: 3}}
"""
AGREE: Mapping[str, Mapping[str, str]] = {
    "nested": {"hosts.yml": NESTED},
    "files": {
        "hosts.yml": NESTED,
        "group_vars/all.yml": "pool: file-all\nansible_user: all\n",
        "group_vars/side": "timeout: 4\n",
        "group_vars/inner/a.yml": "pool: a\n",
        "group_vars/inner/b.yaml": "pool: b\nemulated: yes\n",
        "group_vars/inner/c.txt": "pool: never\n",
        "group_vars/inner/deep/c.json": '{"merge_host": true}',
        "group_vars/ungrouped.yml": "platform: linux/386\n",
        "host_vars/w1.yml": "ansible_port: 99\n",
        "host_vars/lone/x": "pool: lone\n",
    },
    "several": {
        "10-a.yml": "a: {hosts: {w1: {pool: first}}}\n",
        "20-b.yml": "b: {hosts: {w1: {pool: second}, w2: }, children: {a: }}\n",
        "old.yml.orig": "c: {hosts: {w9: }}\n",
        "notes.md": "# c\n",
        "deep/30-c.yml": "c: {children: {b: }, vars: {timeout: 1}}\n",
        "group_vars/c.yml": "timeout: 2\n",
    },
    "merges": {
        "hosts.yml": "all:\n  hosts:\n    a: &a {pool: x, timeout: 5}\n    b: {<<: *a, pool: y}\n    c: *a\n"
        "    d: {emulated: on, merge_host: No, platform: linux/amd64, ansible_become: yes}\n"
        "    e1:22: {ansible_port: 23}\n"
    },
    "diamond": {
        "hosts.yml": "top: {children: {l: {children: {b: }, vars: {pool: l}}, r: {children: {m: {children: {b: }}}}}}\n"
        "m: {vars: {pool: m, timeout: 1}}\nr: {vars: {timeout: 2}}\nb: {hosts: {w: }}\n"
    },
}


def told(folder: Path, source: Path) -> dict[str, Any]:
    """What the real ansible-inventory says."""
    assert REAL
    done = subprocess.run(
        [REAL, "-i", str(source), "--list"], capture_output=True, check=True, text=True, cwd=folder, timeout=60
    )
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def compare(folder: Path) -> None:
    """Hosts, groups and our variables are the same in both readings."""
    listed = told(folder, folder)
    hostvars = listed["_meta"]["hostvars"]
    below: dict[str, set[str]] = {}

    def hosts_of(group: str) -> set[str]:
        if group not in below:
            said = listed.get(group, {})
            below[group] = set(said.get("hosts", [])).union(*(hosts_of(child) for child in said.get("children", [])))
        return below[group]

    everyone = hosts_of("all")
    fleet = load(folder)
    assert set(fleet.names) == everyone
    groups = {name for name in listed if name not in ("_meta", "all")} | set(listed["all"]["children"])
    for host in fleet.hosts:
        said = hostvars.get(host.name, {})
        assert set(host.groups) - {"all"} == {group for group in groups if host.name in hosts_of(group)}, host.name
        ours = {
            "pool": host.pool, "timeout": host.timeout, "platform": host.platform, "emulated": host.emulated,
            "merge_host": host.merge_host, "ansible_port": host.port, "ansible_user": host.user,
            "ansible_become": host.become, "build_unit": host.build_unit,
        }  # fmt: skip
        assert {name: value for name, value in ours.items() if value} == {
            name: said[name] for name in ours if said.get(name)
        }, host.name


@needs_ansible
@pytest.mark.parametrize("case", AGREE)
def test_native_reader_and_ansible_agree(write: Write, case: str) -> None:
    """On hosts, groups and variables, precedence included."""
    compare(write(AGREE[case]))


@needs_ansible
def test_ansible_reads_the_sample(tmp_path: Path) -> None:
    """The sample fleet means the same to Ansible as it stands (but for durations, which are ours)."""
    folder = tmp_path / "sample"
    shutil.copytree(Path(__file__).parent.parent.parent / "inventory", folder)
    slow = folder / "group_vars/emulated/builders.yml"
    slow.write_text(slow.read_text().replace("timeout: 3m", "timeout: 180"))
    compare(folder)


@needs_ansible
def test_real_ini_inventory(write: Write) -> None:
    """An INI inventory arrives through Ansible with its groups, and group_vars beside it."""
    text = "[arm]\nw[1:2] ansible_port=2222 merge_host=True\n[outer:children]\narm\n[outer:vars]\ntimeout=90\npool=x\n"
    folder = write({"hosts": text, "group_vars/arm.yml": "platform: linux/arm64\n"})
    hosts = load(folder).hosts
    assert [(host.name, host.port, host.timeout, host.pool) for host in hosts] == [
        ("w1", 2222, 90, "x"), ("w2", 2222, 90, "x"),
    ]  # fmt: skip
    assert hosts[0].groups == ("all", "outer", "arm")
    assert (hosts[0].platform, hosts[0].merge_host) == ("linux/arm64", True)


@needs_ansible
def test_real_script_and_broken_source(write: Write) -> None:
    """A script is run by Ansible; a source that Ansible cannot parse fails instead of being skipped."""
    folder = write({"inv.sh": '#!/bin/sh\necho \'{"arm": {"hosts": ["w1"]}, "_meta": {"hostvars": {}}}\'\n'})
    (folder / "inv.sh").chmod(0o755)
    assert load(folder / "inv.sh").names == ("w1",)
    (folder / "inv.sh").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(InventoryError, match="ansible-inventory refuses it"):
        load(folder / "inv.sh")
