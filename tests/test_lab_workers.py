"""The lab itself: every worker is what its role says, and every state is what its name says, and is put back."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from tests.lab import BUILD_UNIT, Lab, Worker, leaks, states
from tests.lab.roles import REGISTRY_ACCOUNTS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

OVERLAY2, CONTAINERD = "overlay2", "io.containerd.snapshotter.v1"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_ASK = "docker info --format '{{.ServerVersion}} {{.Driver}} {{.DriverStatus}}'; docker buildx version"


@pytest.fixture(autouse=True)
def as_found(lab: Lab) -> Iterator[None]:
    """Every worker's services are up again afterwards."""
    yield
    with ThreadPoolExecutor() as pool:
        ups = pool.map(Worker.up, lab.workers.values())
    assert [name for name, up in zip(lab.workers, ups, strict=True) if not up] == []


@pytest.mark.parametrize(
    ("host", "user", "engine", "store", "buildx"),
    [
        ("amd64", "root", "28.5", OVERLAY2, "0.29"),
        ("arm64", "builder", "28.5", OVERLAY2, "0.29"),
        ("s390x", "root", "26.1", OVERLAY2, "0.13"),
        ("ppc64le", "root", "26.1", OVERLAY2, None),
        ("riscv64", "root", "28.5", CONTAINERD, "0.29"),
        ("trixie-containerd", "root", "26.1", CONTAINERD, "0.13"),
        ("bookworm", "root", "20.10", OVERLAY2, None),
        ("hidden", "root", "26.1", OVERLAY2, "0.13"),
    ],
)
def test_each_engine_is_what_its_role_says(
    lab: Lab, host: str, user: str, engine: str, store: str, buildx: str | None
) -> None:
    """Asked over real SSH with the inventory's keys."""
    done = lab.hosts[host].ssh(f"id -un; {_ASK}")
    login, version, *_ = done.stdout.split()
    assert login == user
    assert version.startswith(engine)
    assert store in done.stdout
    assert ("docker/buildx " + (buildx or "")) in done.stdout if buildx else done.returncode != 0


def test_logins_have_the_rights_their_roles_say(lab: Lab) -> None:
    """One has root by sudo, one has neither sudo nor the socket, one has no Docker, one has podman's."""
    assert lab.hosts["bookworm-sudo"].ssh("id -un; sudo -n id -un").stdout.split() == ["deploy", "root"]
    assert lab.hosts["bookworm-sudo"].ssh("docker info").returncode != 0
    assert "permission denied" in lab.hosts["bookworm-nosocket"].ssh("docker version").stderr
    assert lab.hosts["bookworm-nosocket"].ssh("sudo -n true").returncode != 0
    assert lab.hosts["bastion"].ssh("docker version").returncode == 127
    shim = lab.hosts["podman"].ssh("docker --version; docker info")
    assert "podman version" in shim.stdout
    assert "Emulate Docker CLI using podman" in shim.stderr
    assert shim.returncode == 0


def test_hidden_is_reached_through_bastion_alone(lab: Lab) -> None:
    """Its address is no use without the jump."""
    assert lab.hosts["hidden"].ssh("hostname").stdout == "hidden\n"
    direct = ["ssh", "-F", str(lab.ssh_config), "-o", "ProxyJump=none", "-o", "ConnectTimeout=3", "hidden", "true"]
    done = subprocess.run(direct, capture_output=True, text=True, check=False)
    assert done.returncode == 255


def test_the_founding_failure(lab: Lab) -> None:
    """The same build leaves an image on four builders and an index on the reinstalled one, and the merge refuses it."""
    served, run = {}, uuid.uuid4().hex[:8]
    for arch in ("amd64", "arm64", "s390x", "ppc64le", "riscv64"):
        built = lab.build(lab.workers[arch], f"staging/{run}-{arch}", platform=f"linux/{arch}")
        assert built.ok, built.log
        served[arch] = lab.served(built.tag)
        lab.forget(lab.workers[arch], [built.tag])
    assert {arch: found.media_type for arch, found in served.items()} == {
        "amd64": DOCKER_IMAGE,
        "arm64": DOCKER_IMAGE,
        "s390x": DOCKER_IMAGE,
        "ppc64le": DOCKER_IMAGE,
        "riscv64": OCI_INDEX,
    }
    assert served["riscv64"].platforms == ["linux/riscv64", "unknown/unknown"]
    sources = [f"{lab.registry}/staging/{run}-{arch}@{found.digest}" for arch, found in served.items()]
    merge = f"docker manifest create {lab.registry}/staging/{run} {' '.join(sources)}"
    done = lab.workers["amd64"].sh(merge, check=False)
    assert done.returncode == 1
    assert "is a manifest list" in done.stderr


def test_the_staging_account_cannot_write_live(lab: Lab) -> None:
    """The token server grants by the beginning of the repository's name."""
    built = lab.build(lab.workers["amd64"], "live/intruder")
    assert not built.ok
    assert "denied" in built.log


def test_even_hidden_can_push(lab: Lab) -> None:
    """The bastion forwards to the registry."""
    worker, tag = lab.workers["hidden"], f"{lab.registry}/staging/hidden"
    with states.docker_config(worker, lab.docker_registry.docker_config()):
        worker.sh(f"docker build --tag {tag} {lab.scratch(worker)} && docker push {tag}")
    assert lab.served(f"{tag}:latest").media_type == DOCKER_IMAGE


def test_the_planted_secrets_are_where_they_are_said_to_be(lab: Lab) -> None:
    """Otherwise a test that finds no leak would prove nothing."""
    places = [
        ("ppc64le", f"systemctl show --property Environment {BUILD_UNIT}", "unit environment of ppc64le"),
        ("arm64", f"systemctl show --property Environment {BUILD_UNIT}", "proxy in the unit of arm64"),
        ("s390x", "cat /etc/docker/daemon.json", "proxy in daemon.json of s390x"),
        ("amd64", "cat /root/.docker/config.json", "registry auth, staging"),
    ]
    for worker, command, canary in places:
        assert leaks(lab.workers[worker].sh(command).stdout) == [canary]
    assert leaks(f"-u live:{REGISTRY_ACCOUNTS['live']}") == ["registry password, live"]


_STATES: list[tuple[str, Callable[[Worker], AbstractContextManager[None]], str]] = [
    ("amd64", states.engine_frozen, "! timeout 3 docker version"),
    ("amd64", states.engine_stopped, "! docker version"),
    ("amd64", lambda w: states.daemon_json(w, {"debug": True}, restart=False), "grep debug /etc/docker/daemon.json"),
    (
        "amd64",
        lambda w: states.daemon_json(w, {"debug": True}, restart=True),
        "docker info --format '{{.Debug}}' | grep true",
    ),
    ("bookworm", states.tcp_socket, "docker -H tcp://127.0.0.1:2375 version"),
    ("amd64", states.tcp_socket, "docker -H tcp://127.0.0.1:2375 version"),
    ("s390x", states.disk_full, "test $(df --output=avail /var/lib/docker | tail -n 1) -lt 1024"),
    ("s390x", states.inodes_full, "df --output=iavail /var/lib/docker | grep -x ' *0'"),
    (
        "trixie-containerd",
        lambda w: states.disk_full(w, "/var/lib/containerd"),
        "test $(df --output=avail /var/lib/containerd | tail -n 1) -lt 1024",
    ),
    ("amd64", states.tmp_full, "! sh -c 'echo more >/tmp/more'"),
    ("amd64", states.tmp_noexec, "cp /bin/true /tmp/true && ! /tmp/true"),
    ("amd64", states.buildx_hidden, "! docker buildx version"),
    ("amd64", states.buildx_broken, "! docker buildx version"),
    ("amd64", states.buildx_shadowed, "docker buildx version | grep v0.12.1"),
    (
        "riscv64",
        lambda w: states.unit_environment(w, BUILDX_NO_DEFAULT_ATTESTATIONS="1"),
        "grep --text ATTESTATIONS=1 /proc/$(systemctl show --property MainPID --value image-builder)/environ",
    ),
    ("bookworm", states.sudo_wants_password, "! runuser -l deploy -c 'sudo -n true'"),
    ("s390x", lambda w: states.login_shell(w, "/usr/bin/fish"), "getent passwd root | grep fish"),
    ("s390x", lambda w: states.login_shell(w, "/usr/bin/tcsh"), "getent passwd root | grep tcsh"),
    ("amd64", states.busybox_shell, "/bin/sh --help 2>&1 | grep BusyBox"),
    ("amd64", lambda w: states.without(w, "/etc/docker/daemon.json"), "! ls /etc/docker/daemon.json"),
]


@pytest.mark.parametrize(("name", "state", "holds"), _STATES)
def test_a_state_holds_and_is_put_back(
    lab: Lab, name: str, state: Callable[[Worker], AbstractContextManager[None]], holds: str
) -> None:
    """What is so inside was not so before and is not so after."""
    worker = lab.workers[name]
    assert worker.sh(holds, check=False).returncode != 0
    with state(worker):
        assert worker.sh(holds, check=False).returncode == 0
    assert worker.sh(holds, check=False).returncode != 0


def test_states_of_the_login(lab: Lab) -> None:
    """What a client of SSH meets: noise, another key, a refused port, a silent one, a closed one."""
    login, worker = lab.hosts["bookworm"], lab.workers["bookworm"]
    with states.chatty_login(worker):
        assert "Welcome" in login.ssh("true").stdout
    with states.etc_environment(worker, LAB="1"):
        assert "LAB=1\n" in login.ssh("env").stdout
    with states.host_key_replaced(worker):
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in login.ssh("true").stderr
    with states.ssh_stopped(worker):
        assert "refused" in login.ssh("true").stderr
    with states.ssh_frozen(worker), pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["ssh", "-F", lab.ssh_config, "bookworm", "true"], check=False, timeout=2, capture_output=True)
    with states.ssh_dropped(worker):
        dropped = ["ssh", "-F", str(lab.ssh_config), "-o", "ConnectTimeout=1", "bookworm", "true"]
        assert "timed out" in subprocess.run(dropped, check=False, capture_output=True, text=True).stderr
    done = login.ssh("true")
    assert (done.returncode, done.stdout) == (0, "")


def test_ansible_layout_is_accepted_by_plain_ssh(lab: Lab) -> None:
    """Every host of the inventory answers."""
    assert {name: login.ssh("true").returncode for name, login in lab.hosts.items()} == dict.fromkeys(lab.hosts, 0)
