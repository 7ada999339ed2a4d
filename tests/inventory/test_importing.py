"""A hosts.yml out of what the machine knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import InventoryError
from audit.inventory import load
from audit.inventory.importing import Entry, from_buildx, from_docker_contexts, from_ssh_config, hosts_yml
from audit.inventory.place import Place
from audit.inventory.readers import as_yaml_text
from audit.inventory.scalars import as_ansible
from audit.inventory.yamlfile import compose, tree_of
from audit.model import Host

CONFIG = """\
# mine
Include config.d/*
Host w1 w1-alias !w2
    HostName %h.example.org
    User root
    Port 2222
    IdentityFile "~/.ssh/my key"
Host=w2
    ProxyCommand ssh -W %h:%p "gate" # not a comment
Host *.example.org !no.example.org
    User wild
Host b.example.org no.example.org
Match user x
    Port 1
Match all
    HostKeyAlias everyone
Host *
    User last
"""
CONTEXTS = (
    '{"Current":true,"Description":"","DockerEndpoint":"unix:///var/run/docker.sock","Error":"","Name":"default"}\n'
    '{"Current":false,"Description":"","DockerEndpoint":"ssh://u@h:2222","Error":"","Name":"ctx+1"}\n'
)
NODES = json.dumps(
    {
        "Name": "multi",
        "Driver": "docker-container",
        "Nodes": [
            {"Name": "multi0", "Endpoint": "unix:///var/run/docker.sock", "Platforms": ["linux/amd64"]},
            {"Name": "multi1", "Endpoint": "ssh://opam@navajo:60022", "Platforms": ["linux/riscv64*", "linux/386"]},
            {
                "Name": "multi2",
                "Endpoint": "ssh://u@h:2222/run/x.sock",
                "Platforms": [{"os": "linux", "architecture": "arm64"}],
            },
            {"Name": "multi3", "Endpoint": "ssh://plain", "Platforms": None},
        ],
    }
)


def write_config(home: Path) -> Path:
    """An ssh_config with an Include."""
    (home / ".ssh/config.d").mkdir(parents=True)
    (home / ".ssh/config.d/a").write_text("Host inc\n  ProxyJump jump\n  HostName 10.0.0.9\n")
    path = home / ".ssh/config"
    path.write_text(CONFIG)
    return path


def test_ssh_config(tmp_path: Path) -> None:
    """Host names without wildcards, with the values that ssh would take: the first of each keyword."""
    found = {entry.name: entry for entry in from_ssh_config(write_config(tmp_path), tmp_path)}
    alias = "-o HostKeyAlias=everyone"
    assert list(found) == ["inc", "w1", "w1-alias", "w2", "b.example.org", "no.example.org"]
    assert (found["inc"].address, found["inc"].ssh_args) == ("10.0.0.9", f"-o ProxyJump=jump {alias}")
    w1 = found["w1"]
    assert (w1.address, w1.user, w1.port, w1.key_file) == ("w1.example.org", "root", 2222, "~/.ssh/my key")
    assert found["w1-alias"].address == "w1-alias.example.org"
    assert found["w2"].ssh_args == f"-o 'ProxyCommand=ssh -W %h:%p \"gate\" # not a comment' {alias}"
    assert (found["b.example.org"].user, found["no.example.org"].user) == ("wild", "last")
    assert found["w2"].origin == f"ssh_config {tmp_path}/.ssh/config:8"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh in PATH")
def test_ssh_agrees(tmp_path: Path) -> None:
    """``ssh -G`` takes the same host name, user and port for each of them."""
    path = tmp_path / "config"
    path.write_text(CONFIG.replace("Include config.d/*\n", ""))
    for entry in from_ssh_config(path, tmp_path):
        done = subprocess.run(["ssh", "-F", str(path), "-G", entry.name], capture_output=True, text=True, check=True)
        said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        assert said["hostname"] == (entry.address or entry.name)
        assert said["user"] == entry.user
        assert said["port"] == str(entry.port or 22)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Host a\n  Port 99999\n", "99999"),
        ('Host "a\n', "open quote"),
        ("Include CONFIG\n", "16 deep"),
        ("!!\n", "no line"),
    ],
)
def test_bad_ssh_config(tmp_path: Path, text: str, says: str) -> None:
    """What ssh would refuse is refused with its line."""
    path = tmp_path / "config"
    path.write_text(text.replace("CONFIG", str(path)))
    with pytest.raises(InventoryError, match=says):
        from_ssh_config(path, tmp_path)


def test_contexts_and_nodes() -> None:
    """Only ssh:// endpoints count; a node brings its first platform."""
    assert from_docker_contexts(CONTEXTS) == [Entry("ctx+1", "h", "u", 2222, origin="docker context ctx+1")]
    assert [(e.name, e.address, e.user, e.port, e.platform) for e in from_buildx(NODES)] == [
        ("multi1", "navajo", "opam", 60022, "linux/riscv64"),
        ("multi2", "h", "u", 2222, "linux/arm64"),
        ("multi3", "plain", None, None, None),
    ]


@pytest.mark.parametrize("text", ["NAME  DRIVER\n", "[]\n", "{\n"])
def test_listing_that_is_no_json(text: str) -> None:
    """A docker too old for ``--format json`` is told apart."""
    with pytest.raises(InventoryError, match="no JSON object"):
        from_buildx(text)


def test_same_login_is_one_host_and_names_are_unique(tmp_path: Path) -> None:
    """Entries of several origins for one login become one host; two logins of one name get two names."""
    found = [*from_docker_contexts(CONTEXTS), *from_buildx(NODES), Entry("ctx-1", "other", origin="x")]
    path = tmp_path / "hosts.yml"
    path.write_text(hosts_yml(found, "builders"))
    fleet = load(path)
    assert fleet.names == ("ctx-1", "multi1", "multi3", "ctx-1-2")
    first = fleet.hosts[0]
    assert (first.address, first.user, first.port, first.platform) == ("h", "u", 2222, "linux/arm64")
    assert "# docker context ctx+1; buildx node multi2 of multi" in path.read_text()


def test_imported_file_loads_as_meant(tmp_path: Path) -> None:
    """What import writes, load reads: every value arrives."""
    path = tmp_path / "hosts.yml"
    path.write_text(hosts_yml(from_ssh_config(write_config(tmp_path), tmp_path), "on"))
    hosts = {host.name: host for host in load(path).hosts}
    assert hosts["w1"] == Host(
        name="w1",
        address="w1.example.org",
        user="root",
        port=2222,
        key_file="~/.ssh/my key",
        ssh_args=("-o", "HostKeyAlias=everyone"),
        groups=("all", "on"),
        source=hosts["w1"].source,
    )
    assert hosts["w2"].ssh_args[1] == 'ProxyCommand=ssh -W %h:%p "gate" # not a comment'


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_any_text_survives_as_yaml(text: str) -> None:
    """A written scalar is read back as the same text, whatever YAML would have made of it bare."""
    node = compose(f"a: {as_yaml_text(text)}\n", "f")
    assert node is not None
    value = tree_of(node, Place("f")).value
    assert isinstance(value, dict)
    assert value["a"].value == text


@pytest.mark.parametrize("text", ["no", "on", "1.10", "022", "1:30", "null", "2026-01-02", "0o7", "1e3", "<<"])
def test_words_that_yaml_would_eat_are_quoted(text: str) -> None:
    """A trap is written in quotes."""
    assert as_yaml_text(text) == f'"{text}"'
    assert as_ansible("plain") == "plain"


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker client in PATH")
def test_real_docker_contexts(tmp_path: Path) -> None:
    """The real client's listing is understood; it needs no engine for that."""
    environment = os.environ | {"DOCKER_CONFIG": str(tmp_path)}

    def docker(*words: str) -> str:
        return subprocess.run(
            ["docker", "context", *words], capture_output=True, text=True, check=True, env=environment, timeout=60
        ).stdout

    docker("create", "far", "--docker", "host=ssh://u@h:2222")
    docker("create", "near", "--docker", "host=tcp://127.0.0.1:2375")
    assert from_docker_contexts(docker("ls", "--format", "json")) == [
        Entry("far", "h", "u", 2222, origin="docker context far")
    ]
