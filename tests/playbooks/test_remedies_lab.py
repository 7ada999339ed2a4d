"""Remedies on real workers: broken, found, mended by the playbook, found no more; a second run changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Lab, Worker, states
from tests.playbooks.repack import source_of
from tests.playbooks.test_playbooks import BIN, play

pytestmark = [pytest.mark.lab, pytest.mark.timeout(420), pytest.mark.xdist_group("lab")]

Break = Callable[[Worker], AbstractContextManager[object]]
OURS = (
    "/etc/default/fleet-audit-builds", "/etc/systemd/system/image-builder.service.d/zz-fleet-audit.conf",
)  # fmt: skip
"""What the playbook leaves on a worker for the build unit."""


def kept(path: str, after: str = "") -> Break:
    """Whatever the playbook does to a path is taken back."""
    return lambda worker: states.kept(worker, path, after)


def does(do: str, undo: str) -> Break:
    """A command that breaks something, and one that mends it."""
    return lambda worker: states.state(worker, do, undo)


@dataclass(frozen=True)
class Case:
    """Several remedies on one host, in one run of the playbook.

    Attributes:
        host: of the inventory.
        rules: that fail once it is broken, and not afterwards.
        breaks: in order; undone in the other order.
        arguments: of ansible-playbook.
        wanted: of the policy, for this host.
        machine: where the host is another login on one.
        owner: what is the owner's to do on the worker after the remedy.
        shows: what the difference foretold must show.
        holds: a command of the worker that must succeed in the end.
    """

    host: str
    rules: tuple[str, ...]
    breaks: tuple[Break, ...]
    arguments: tuple[str, ...] = ()
    wanted: str = ""
    machine: str = ""
    owner: str = ""
    shows: str = ""
    holds: str = "true"


TALKER = """set -eu
folder=$(mktemp -d) && cd "$folder" && cp /bin/busybox .
printf 'FROM scratch\\nCOPY busybox /busybox\\n' >Dockerfile
docker build -q -t talker:1 . && rm -rf "$folder"
"""
TALK = (
    "docker run -d --name talker --network none talker:1 /busybox sh -c "
    "'/busybox yes 0123456789abcdef0123456789abcdef | /busybox head -c 50000000' && docker wait talker"
)
"""A container whose log has 148 MiB, unless it is turned over; it has ended."""


@contextmanager
def logs_fill_the_disk(worker: Worker) -> Iterator[None]:
    """The data-root is a small disk of its own, and the log of a container fills it."""
    stop = "systemctl stop docker.socket docker.service"
    small = f"{stop} && mount -t tmpfs -o size=160m tmpfs /var/lib/docker && {states.RESTART_ENGINE}"
    large = f"{stop}; umount --lazy /var/lib/docker && {states.RESTART_ENGINE}"
    gone = "docker rm -f talker; docker rmi -f talker:1"
    with states.state(worker, small, large), states.state(worker, TALKER + TALK, gone):
        yield


@contextmanager
def api_floor_raised(worker: Worker) -> Iterator[None]:
    """The engine refuses older clients, as 29.0 does by itself."""
    text = "[Service]\nEnvironment=DOCKER_MIN_API_VERSION=1.44\n"
    with states.file(worker, "/etc/systemd/system/docker.service.d/api.conf", text, after=states.RESTART_ENGINE):
        yield


@contextmanager
def dockers_own_packages(worker: Worker) -> Iterator[None]:
    """An Ubuntu whose engine is of Docker's own package, as far as dpkg knows."""
    renamed = "sed -i 's/^Package: {}$/Package: {}/' /var/lib/dpkg/status"
    ubuntu = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
    with (
        states.file(worker, "/usr/lib/os-release", ubuntu),
        states.state(
            worker,
            renamed.format("docker.io", "docker-ce"),
            f"dpkg -P docker-buildx-plugin >/dev/null 2>&1; {renamed.format('docker-ce', 'docker.io')}",
        ),
    ):
        yield


UNIT = tuple(kept(path, states.RESTART_BUILDS) for path in OURS)
CASES = (
    Case(
        "riscv64",
        ("FA404", "FA208"),
        (*UNIT, kept("/etc/docker"), logs_fill_the_disk),
        shows='+    "log-driver": "json-file"',
        # The log that is there stays, and so does the logging of the container, until its owner makes it anew.
        owner=f"docker rm -f talker && {TALK}",
    ),
    Case(
        "amd64",
        ("FA112", "FA113", "FA303", "FA401", "FA407", "FA408"),
        (
            *UNIT,
            does("true", states.RESTART_ENGINE),
            kept("/etc/systemd/system/docker.service.d"),
            kept("/etc/docker"),
            api_floor_raised,
            states.tcp_socket,
            kept("/usr/local/lib/docker"),
            does("mkdir -p /usr/local/lib/docker/cli-plugins && ln -s /usr/libexec/docker/cli-plugins/docker-buildx"
                 " /usr/local/lib/docker/cli-plugins/docker-buildx", "true"),
            kept("/root/.docker/cli-plugins"),
            states.buildx_shadowed,
            lambda worker: states.unit_environment(
                worker, DOCKER_DEFAULT_PLATFORM="linux/s390x", BUILDX_NO_DEFAULT_ATTESTATIONS="yes",
                BUILDX_NO_DEFAULT_LOAD="1",
            ),
        ),
        # Of a link to the packaged plugin only the link goes.
        holds="! test -L /usr/local/lib/docker/cli-plugins/docker-buildx && docker buildx version",
    ),
    Case(
        "ppc64le",
        ("FA111", "FA406"),
        (
            does("true", states.RESTART_BUILDS),  # the playbook's restart took what goes now
            lambda worker: states.daemon_json(worker, {"max-concurrent-uploads": 3}, restart=False),
            lambda worker: states.unit_environment(worker, restart=False, BUILDX_NO_DEFAULT_ATTESTATIONS="1"),
        ),
    ),
    Case(
        "s390x",
        ("FA301", "FA405"),
        (
            lambda worker: source_of(worker, "docker-buildx", "docker-buildx-plugin"),
            does("dpkg --force-all -r docker-buildx >/dev/null", "true"),
            dockers_own_packages,
            does("systemctl stop image-builder.service", states.RESTART_BUILDS),
        ),
        holds="dpkg -S /usr/libexec/docker/cli-plugins/docker-buildx | grep -q ^docker-buildx-plugin:",
    ),
    Case(
        "arm64",
        ("FA302",),
        (
            lambda worker: source_of(worker, "docker-buildx"),
            does("printf broken >/usr/libexec/docker/cli-plugins/docker-buildx", "true"),
            states.buildx_broken,
        ),
        arguments=("-e", "ansible_user=root"),
    ),
    Case("bookworm", ("FA104",), (states.engine_stopped,)),
    Case(
        "bookworm-sudo",
        ("FA005",),
        (kept("/etc/sudoers.d/zz-fleet-audit"), states.sudo_wants_password),
        ("-e", "ansible_user=root", "-e", "login=deploy"),
        machine="bookworm",
    ),
    Case(
        "bookworm-nosocket",
        ("FA103",),
        (kept("/etc/group"), kept("/etc/gshadow")),
        ("-e", "ansible_user=root", "-e", "login=guest"),
        machine="bookworm",
    ),
    Case(
        "trixie-containerd",
        ("FA201", "FA206"),
        (kept("/etc/containerd"), kept("/etc/systemd/system/docker.service.d"),
         kept("/etc/systemd/system/containerd.service.d"),
         kept("/etc/docker", "systemctl daemon-reload && systemctl restart containerd && " + states.RESTART_ENGINE)),
        ("-e", "image_store=overlay2", "-e", "images_may_vanish=true"),
        wanted="store: graphdriver",
    ),
)  # fmt: skip


def failing(inventory: Sequence[str], host: str) -> dict[str, str]:
    """The rules that fail on a host, or on which nothing could be told, and what they say."""
    words = [str(BIN / "fleet-audit"), "check", host, *inventory, "-q", "--no-record", "--report", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    (found,) = json.loads(done.stdout)["hosts"]
    return {one["rule"]: one["message"] for one in found["verdicts"] if one["status"] in ("fail", "unknown")}


def changed(out: str) -> int:
    """How many tasks of a run changed something."""
    (found,) = re.findall(r"changed=(\d+)", out)
    return int(found)


def proved(case: Case, lab: Lab, folder: Path) -> None:
    """One case, from broken to mended."""
    inventory = ["-i", str(lab.inventory)]
    if case.wanted:
        (folder / "host_vars").mkdir(parents=True)
        (folder / "hosts.yml").write_text(f"all: {{hosts: {{{case.host}: {{}}}}}}\n")
        (folder / "host_vars" / f"{case.host}.yml").write_text(f"audit_policy: {{wanted: {{{case.wanted}}}}}\n")
        inventory += ["-i", str(folder)]
    worker = lab.workers[case.machine or case.host]
    arguments = (*inventory, "--limit", case.host, "--tags", ",".join(case.rules), *case.arguments)
    with ExitStack() as stack:
        for one in case.breaks:
            stack.enter_context(one(worker))
        before = failing(inventory, case.host)
        assert set(case.rules) <= set(before), before
        foretold = play("remediate.yml", *arguments, "--check", "--diff")
        assert foretold.returncode == 0, foretold.stdout
        assert changed(foretold.stdout) > 0
        assert case.shows in foretold.stdout, "what holds no credentials is shown"
        assert failing(inventory, case.host).keys() == before.keys(), "a check changes nothing"
        done = play("remediate.yml", *arguments)
        assert done.returncode == 0, done.stdout
        assert changed(done.stdout) > 0
        if case.owner:
            worker.sh(case.owner)
        after = failing(inventory, case.host)
        assert not set(case.rules) & set(after), (after, done.stdout)
        again = play("remediate.yml", *arguments)
        assert again.returncode == 0, again.stdout
        assert changed(again.stdout) == 0, again.stdout
        worker.sh(case.holds)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, BaseException | None]:
    """What came of each case. Ansible mostly waits, so machines are mended side by side; those of one, in turn."""
    lab = Lab.current()
    assert lab is not None
    turns: dict[str, threading.Lock] = {case.machine or case.host: threading.Lock() for case in CASES}

    def tried(case: Case) -> BaseException | None:
        with turns[case.machine or case.host]:
            try:
                proved(case, lab, tmp_path_factory.mktemp("policy") / "of")
            except BaseException as error:
                return error
        return None

    longest_first = sorted(CASES, key=lambda case: -len(case.rules))
    with lab.alone(), ThreadPoolExecutor(4) as pool:
        return dict(zip(longest_first, pool.map(tried, longest_first), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "+".join(case.rules))
def test_a_remedy(case: Case, lab: Lab, outcomes: dict[Case, BaseException | None]) -> None:
    """Broken: found. `--check --diff` foretells and changes nothing. Mended: clean. Again: nothing is to be done."""
    del lab
    if (error := outcomes[case]) is not None:
        raise error
