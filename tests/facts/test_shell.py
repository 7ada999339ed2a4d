"""The fragments themselves, run by the shells and the awks that are here: dash, busybox, bash; mawk, gawk, busybox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.fact import all_facts, all_probes, read_facts
from audit.facts import _sh
from audit.facts.disks import Disks
from audit.model import Answer, Host, HostEvidence, Outcome, Probe, Reason, Unknown

SHELLS = [words for words in (["dash"], ["busybox", "sh"], ["bash", "--posix"]) if shutil.which(words[0])]
AWKS = [words for words in (["mawk"], ["gawk"], ["busybox", "awk"], ["awk"]) if shutil.which(words[0])]
PROBES = {probe.name: probe for probe in all_probes()}
SECRET = "canary-do-not-leak"


def run(shell: list[str], probe: Probe, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """One probe as the wire would run it."""
    path = environment.pop("PATH", os.environ["PATH"]) + ":/usr/sbin:/sbin"
    base = {"LC_ALL": "C", "PATH": path, "HOME": str(home), "SHELL": "/bin/sh", "fa_unit": ""}
    return subprocess.run(
        [*shell, "-c", probe.script],
        env=base | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
@pytest.mark.parametrize("name", sorted(PROBES))
def test_syntax(shell: list[str], name: str) -> None:
    """Every fragment parses, silently."""
    done = subprocess.run([*shell, "-n", "-c", PROBES[name].script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_this_machine_reads_and_nothing_is_written(shell: list[str], tmp_path: Path) -> None:
    """All fragments run here; the machine's facts come out, no fact crashes, and the home folder stays empty."""
    answers: dict[str, Answer | Unknown] = {}
    for name, probe in PROBES.items():
        done = run(shell, probe, tmp_path)
        answers[name] = Answer(stdout=done.stdout, stderr=done.stderr, exit=done.returncode)
    assert list(tmp_path.iterdir()) == []
    facts = read_facts(HostEvidence(outcome=Outcome.OK, answers=answers), Host(name="here", address="192.0.2.1"))
    assert not isinstance(facts["machine"], Unknown)
    assert not isinstance(facts["access"], Unknown)
    assert set(facts) == set(all_facts())
    for value in facts.values():
        assert not isinstance(value, Unknown) or value.reason is not Reason.CRASHED


@pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox here")
def test_busybox_alone_is_enough(tmp_path: Path) -> None:
    """With nothing but busybox's own programs the same facts of machine, login and disks come out."""
    tools, home = tmp_path / "tools", tmp_path / "home"
    tools.mkdir()
    home.mkdir()
    subprocess.run(["busybox", "--install", "-s", str(tools)], check=True)
    found = []
    for shell, path in ((["dash"], os.environ["PATH"]), ([str(tools / "sh")], str(tools))):
        answers: dict[str, Answer | Unknown] = {}
        for name in ("host", "roots", "daemon", "docker-client", "build-unit"):
            script = PROBES[name].script.replace("/var/lib/containerd", "/var/lib")
            done = run(shell, PROBES[name].model_copy(update={"script": script}), home, PATH=path)
            answers[name] = Answer(stdout=done.stdout, stderr=done.stderr, exit=done.returncode)
        facts = read_facts(HostEvidence(outcome=Outcome.OK, answers=answers), Host(name="h", address="192.0.2.1"))
        disks = facts["disks"]
        assert isinstance(disks, Disks)
        assert disks.containerd_root is not None
        assert disks.containerd_root.size > 0
        found.append((facts["machine"], facts["access"], disks.containerd_root.device, disks.containerd_root.mount))
    assert found[0] == found[1]


def filtered(awk: list[str], text: str, keep: str, folder: Path) -> str:
    """A document after the worker's filter."""
    file = folder / "document.json"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*awk, "-v", f"keep={keep}", _sh.JSON_FILTER, str(file)], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("awk", AWKS, ids="-".join)
def test_json_keeps_its_shape_and_loses_its_secrets(awk: list[str], tmp_path: Path) -> None:
    """Values of listed keys stay, of the others only whether they are empty; userinfo of URLs goes."""
    text = json.dumps(
        {
            "features": {"containerd-snapshotter": True, "n": -1.5e3},
            "hosts": ["tcp://0.0.0.0:2375", f"tcp://u:{SECRET}@h"],
            "data-root": 'a "quoted\\" path \\',
            "proxies": {"https-proxy": f"http://u:{SECRET}@p:3128", "empty": "", "port": 31337, "on": False},
            "log-opts": [SECRET, [SECRET, {"deep": SECRET}]],
            f"https://u:{SECRET}@reg": None,
        },
        indent=2,
    )
    out = filtered(awk, text, "features hosts data-root", tmp_path)
    assert SECRET not in out
    assert json.loads(out) == {
        "features": {"containerd-snapshotter": True, "n": -1.5e3},
        "hosts": ["tcp://0.0.0.0:2375", "tcp://***@h"],
        "data-root": 'a "quoted\\" path \\',
        "proxies": {"https-proxy": True, "empty": False, "port": 0, "on": False},
        "log-opts": [True, [True, {"deep": True}]],
        "://***@reg": None,
    }


@pytest.mark.parametrize("awk", AWKS, ids="-".join)
@pytest.mark.parametrize(
    "text",
    [
        f'{{"proxies": {{"https-proxy": "http://u:{SECRET}@p',
        f'{{"proxies: {{"https-proxy": "{SECRET}"}}}}',
        f'{{"data-root": "/x, "proxies": {{"p": "{SECRET}"}}}}',
        f'{{"proxies" "{SECRET}"}}',
        f'{{"proxies": {SECRET}}}',
        f'// {SECRET}\n{{"data-root": "/x"}}',
        f"{{'proxies': '{SECRET}'}}",
        f'{{"proxies": {{"a" "{SECRET}"}}}}',
    ],
)
def test_a_broken_document_stays_broken_and_leaks_nothing(awk: list[str], text: str, tmp_path: Path) -> None:
    """Where quotes or colons are missing the filter may lose the thread, but not a secret."""
    out = filtered(awk, text, "features data-root", tmp_path)
    assert SECRET not in out
    with pytest.raises(ValueError):  # noqa: PT011 - the class is json's own, its words differ
        json.loads(out)


UNIT = f"""\
; Environment=DOCKER_HOST=commented
[Unit]
Environment=DOCKER_HOST=wrong-section
[Service]
ExecStart=-/usr/bin/env builder --token {SECRET}
Environment=DOCKER_BUILDKIT=1 "BUILDX_BUILDER=a b" 'DOCKER_CONTEXT=c"d' TOKEN={SECRET}
Environment="DOCKER_HOST=tcp://u:{SECRET}@h:2376" \\
  # a comment between
  SOURCE_DATE_EPOCH=0
Environment="PASSWORD=x DOCKER_CONFIG=/inside/quotes"
Environment=BUILDKIT_HOST=100%% DOCKER_TLS=a\\sb
UnsetEnvironment=DOCKER_CONTEXT OTHER
Environment=
Environment=DOCKER_BUILDKIT=0
"""
FILE = f"""\
# DOCKER_HOST=comment
DOCKER_CONTEXT="quoted value"
 DOCKER_HOST = 'single'
SECRET={SECRET}
BUILDX_BUILDER=plain  \n\
DOCKER_CONFIG=/a\\
/b
"""


@pytest.mark.parametrize("awk", AWKS, ids="-".join)
def test_unit_files(awk: list[str], tmp_path: Path) -> None:
    """Sections, quotes, several assignments a line, continued lines, resets; and no other variable leaves."""
    unit, file, everywhere = tmp_path / "u", tmp_path / "f", tmp_path / "e"
    unit.write_text(UNIT)
    file.write_text(FILE)
    everywhere.write_text(f"export DOCKER_HOST=unix:///x # why\nTOKEN={SECRET}\n")
    names = f"names={' '.join(_sh.ENV_NAMES)}"
    places = ("kind=unit", str(unit), "kind=environment-file", str(file), "kind=etc-environment", str(everywhere))
    done = subprocess.run([*awk, "-v", names, _sh.UNIT_FILTER, *places], capture_output=True, text=True, check=True)
    assert SECRET not in done.stdout
    seen = [tuple(line.split("\t")) for line in done.stdout.splitlines()]
    assert [(verb, rest) for verb, kind, _, rest in seen if kind == "unit"] == [
        ("exec", "/usr/bin/env"),
        ("set", "DOCKER_BUILDKIT=1"),
        ("set", "BUILDX_BUILDER=a b"),
        ("set", 'DOCKER_CONTEXT=c"d'),
        ("set", "DOCKER_HOST=tcp://***@h:2376"),
        ("set", "SOURCE_DATE_EPOCH=0"),
        ("set", "BUILDKIT_HOST=100%"),
        ("set", "DOCKER_TLS=a b"),
        ("unset", "DOCKER_CONTEXT"),
        ("reset", ""),
        ("set", "DOCKER_BUILDKIT=0"),
    ]
    assert [rest for _, kind, _, rest in seen if kind == "environment-file"] == [
        "DOCKER_CONTEXT=quoted value",
        "DOCKER_HOST=single",
        "BUILDX_BUILDER=plain",
        "DOCKER_CONFIG=/a/b",
    ]
    assert [(path, rest) for _, kind, path, rest in seen if kind == "etc-environment"] == [
        (str(everywhere), "DOCKER_HOST=unix:///x")
    ]


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder for programs of our own that comes first in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, text: str) -> Path:
    """Write an executable shell script."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_podmans_shim_is_only_asked_its_version(shell: list[str], bin_folder: Path, tmp_path: Path) -> None:
    """podman info would make its storage: the shim is told by its text and not run."""
    log = tmp_path / "log"
    program(
        bin_folder,
        "docker",
        f'echo "$@" >>{log}\n[ "$1" = --version ] || exit 9 # exec podman\necho podman version 5.0',
    )
    path = f"{bin_folder}:{os.environ['PATH']}"
    for name in ("docker-version", "docker-info", "buildx-ls", "docker-client"):
        done = run(shell, PROBES[name], tmp_path, PATH=path)
        if name in ("docker-version", "docker-info"):
            assert done.stdout.startswith("podman\n")
    assert log.read_text() == "--version\n"


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_info_loses_proxies_labels_and_userinfo(shell: list[str], bin_folder: Path, tmp_path: Path) -> None:
    """What may hold a password is cut out of `docker info` before it leaves."""
    said = {
        "ServerVersion": "28.0.0",
        "HttpProxy": f"http://u:{SECRET}@p",
        "HttpsProxy": f'a"b\\{SECRET}',
        "Labels": [f"a={SECRET}", f'b"]{SECRET},"'],
        "Plugins": {"Volume": ["local"], "Authorization": None},
        "Runtimes": {"runc": {"status": {"org.opencontainers.runtime-spec.features": '{"a":"b\\\\"}'}}},
        "RegistryConfig": {"Mirrors": [f"https://u:{SECRET}@m/"]},
        "ClientInfo": {"Plugins": [{"Name": "buildx"}]},
    }
    program(bin_folder, "docker", "cat <<'E'\n" + json.dumps(said, separators=(",", ":")) + "\nE\nexit 1")
    done = run(shell, PROBES["docker-info"], tmp_path, PATH=f"{bin_folder}:{os.environ['PATH']}")
    assert SECRET not in done.stdout
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "ServerVersion": "28.0.0",
        "HttpProxy": "x",
        "HttpsProxy": "x",
        "Labels": ["x"],
        "Plugins": {},
        "Runtimes": {"runc": {"status": {"features": ""}}},
        "RegistryConfig": {"Mirrors": ["https://***@m/"]},
        "ClientInfo": {"Plugins": [{"Name": "buildx"}]},
    }


@pytest.mark.skipif(not shutil.which("timeout"), reason="no timeout program here")
def test_the_client_is_known_while_the_engine_hangs(bin_folder: Path, tmp_path: Path) -> None:
    """`docker version` is cut off inside the probe, and `docker --version` asks no engine."""
    script = '[ "$1" != version ] || exec sleep 60\necho Docker version 28.5.2, build abc'
    program(bin_folder, "docker", script)
    probe = PROBES["docker-version"].model_copy(
        update={"script": PROBES["docker-version"].script.replace("KILL 6", "KILL 1")}
    )
    done = run(SHELLS[0], probe, tmp_path, PATH=f"{bin_folder}:{os.environ['PATH']}")
    assert done.stdout.splitlines()[:2] == ["exit 137", "Docker version 28.5.2, build abc"]


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_plugin_copies_and_the_builders_store(shell: list[str], bin_folder: Path, tmp_path: Path) -> None:
    """Extra folders come first, a dead link is told, a link to another copy is not; without a store nothing is run."""
    home = tmp_path / "home dir"
    extra, config = tmp_path / "extra", home / ".docker"
    program(extra, "docker-buildx", 'echo \'{"Version":"v9.9.9"}\'')
    (config / "cli-plugins").mkdir(parents=True)
    (config / "cli-plugins" / "docker-buildx").symlink_to("/nowhere")
    (config / "config.json").write_text(
        json.dumps({"cliPluginsExtraDirs": [str(extra)], "auths": {"r": {"auth": SECRET}}})
    )
    log = tmp_path / "log"
    program(bin_folder, "docker", f"echo run >>{log}")
    path = f"{bin_folder}:{os.environ['PATH']}"
    done = run(shell, PROBES["docker-client"], home, PATH=path)
    copies = [line for line in done.stdout.splitlines() if line.startswith("copy ")]
    assert copies[:2] == [f"copy yes {extra}/docker-buildx", f"copy no {config}/cli-plugins/docker-buildx"]
    assert SECRET not in done.stdout
    assert json.loads(done.stdout.partition("\njson\n")[2])["auths"] == {"r": {"auth": True}}
    done = run(shell, PROBES["buildx-ls"], home, PATH=path)
    assert f"meta v9.9.9 {extra}/docker-buildx" in done.stdout
    assert done.stdout.endswith("no-store\n")
    assert not log.exists()


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_login_shell_lets_only_listed_names_out(shell: list[str], tmp_path: Path) -> None:
    """The profile's secrets stay; a value with userinfo loses it."""
    (tmp_path / ".profile").write_text(
        f"export AWS_SECRET={SECRET} DOCKER_BUILDKIT=0 DOCKER_HOST=tcp://u:{SECRET}@h:1\necho noise\n"
    )
    done = run(shell, PROBES["login-shell"], tmp_path)
    assert sorted(done.stdout.splitlines()) == ["DOCKER_BUILDKIT=0", "DOCKER_HOST=tcp://***@h:1"]
