"""The lab as tests see it."""

from __future__ import annotations

import base64
import contextlib
import shlex
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from tests.lab import life, served
from tests.lab.net import Net
from tests.lab.place import Place, locked
from tests.lab.registry import Registry
from tests.lab.roles import CANARIES, HOSTS, REGISTRY_ACCOUNTS, Host
from tests.lab.seed import SPOOL
from tests.lab.shell import run, wait_for
from tests.lab.worker import Worker

_BUILD_SECONDS = 120


@dataclass(frozen=True)
class Built:
    """How a job of the build service ended."""

    tag: str
    ok: bool
    log: str


@dataclass(frozen=True)
class Login:
    """One host of the inventory."""

    host: Host
    worker: Worker
    ssh_config: Path

    def ssh(self, command: str, *, timeout: float = 60, stdin: str | bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run a command by OpenSSH as the inventory says, whatever its outcome (255: the connection's)."""
        argv = ["ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", self.host.name, command]
        return run(argv, check=False, timeout=timeout, stdin=stdin)


class Lab:
    """A running lab."""

    def __init__(self, place: Place, net: Net) -> None:
        """Use `current` or `ensure`."""
        self.place = place
        self.inventory: Path = place.inventory
        self.ssh_config: Path = place.keys / "ssh_config"
        self.workers: dict[str, Worker] = life.workers(place, net)
        self.hosts = {host.name: Login(host, self.workers[host.machine.name], self.ssh_config) for host in HOSTS}
        self.docker_registry = Registry(place, net.host)
        self.credentials: dict[str, str] = dict(REGISTRY_ACCOUNTS)

    @staticmethod
    def why_not() -> str | None:
        """Say in a sentence why the lab cannot run here, or None; changes nothing."""
        return life.why_not()

    @classmethod
    def current(cls) -> Lab | None:
        """The lab that runs for this checkout, if one does."""
        place = Place()
        net = life.current_net(place)
        if net is None:
            return None
        lab = cls(place, net)
        return lab if all(worker.group.populated() for worker in lab.workers.values()) else None

    @classmethod
    def ensure(cls) -> Lab:
        """The running lab, started if need be."""
        place = Place()
        life.up(place)
        net = life.current_net(place)
        assert net is not None
        return cls(place, net)

    @property
    def registry(self) -> str:
        """The registry's address, as it stands at the beginning of an image's reference."""
        return self.docker_registry.address

    @property
    def ca(self) -> Path:
        """The certificate of the CA that the registry and its token server are signed by."""
        return self.docker_registry.ca

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lab against the other processes of a parallel test run, which must do so too."""
        with locked(self.place.home / "tests.lock", "another test that has the lab"):
            yield

    def wait_until(self, clean: Callable[[Worker], bool], names: Iterable[str], seconds: float = 60) -> None:
        """Wait until a test has left nothing on any of these workers, which are asked all at once."""
        workers = [self.workers[name] for name in names]
        with ThreadPoolExecutor(len(workers)) as pool:
            waiting = [
                pool.submit(wait_for, f"nothing of ours on {one.name}", partial(clean, one), seconds) for one in workers
            ]
        for one in waiting:
            one.result()

    def served(self, name: str, account: str = "live") -> served.Served:
        """What the registry serves as NAME:TAG or NAME@DIGEST."""
        return served.manifest(self.docker_registry, name, account)

    def scratch(self, worker: Worker, note: str = "") -> str:
        """Make a folder on a worker with a small image to build, different each time; return its path."""
        folder = f"/var/tmp/{uuid.uuid4().hex[:12]}"
        worker.write(f"{folder}/Dockerfile", "FROM scratch\nCOPY content /content\nLABEL note=lab\n")
        worker.write(f"{folder}/content", note or folder)
        return folder

    def build(self, worker: Worker, repository: str, tag: str = "latest", platform: str = "") -> Built:
        """Build and push a small image through a builder's own service, and wait for the end of it."""
        job = uuid.uuid4().hex[:12]
        reference = f"{self.registry}/{repository}:{tag}"
        lines = [f"tag={reference}", f"context={self.scratch(worker)}", f"platform={platform}", ""]
        worker.write(f"{SPOOL}/{job}.new", "\n".join(lines))
        worker.sh(f"mv {SPOOL}/{job}.new {SPOOL}/{job}.job")

        def ended() -> bool:
            return worker.sh(f"ls {SPOOL}/{job}.done {SPOOL}/{job}.failed", check=False).stdout != ""

        wait_for(f"{worker.name} to build {reference}", ended, _BUILD_SECONDS)
        ok = worker.sh(f"test -e {SPOOL}/{job}.done", check=False).returncode == 0
        return Built(reference, ok, worker.read(f"{SPOOL}/{job}.log"))

    def forget(self, worker: Worker, references: Iterable[str]) -> None:
        """Remove images from a worker, so that a test leaves nothing behind."""
        worker.sh(f"docker image rm --force {shlex.join(references)}", check=False)


def leaks(text: str | bytes) -> list[str]:
    """The planted secrets that stand in a text, plain, percent-encoded or in base64 as registries' auths are."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    auths = {name: base64.b64encode(f"{name}:{word}".encode()).decode() for name, word in REGISTRY_ACCOUNTS.items()}
    found = [name for name, word in CANARIES.items() if word in said or quote(word, safe="") in said]
    return found + [f"registry auth, {name}" for name, word in auths.items() if word in said]
