"""The registry behind the proxy: the lab's own, or Debian's program started here on a loopback address.

The whole night goes to the lab's, over TLS and with its tokens. Kill experiments, and tests where no lab is up, have a
program of their own: two hundred fresh repositories would be left in the lab otherwise, and its storage is in memory.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.bench.night.stock import Shop
from tests.lab import Lab
from tests.lab.registry import SERVICE, program
from tests.lab.roles import REGISTRY_ACCOUNTS

_ACCOUNT = "live"
_RENEW_SECONDS = 120.0
"""The lab's tokens live for 300."""


@dataclass(frozen=True)
class Upstream:
    """A registry that is running.

    Attributes:
        shop: how it is reached.
        storage: the folder that it keeps everything in.
        about: for people.
        lab: whose it is; None: it was started here.
    """

    shop: Shop
    storage: Path
    about: str
    lab: Lab | None = None

    def skopeo(self, folder: Path) -> list[str]:
        """Flags with which skopeo may read there; what they name is written into the folder."""
        if self.lab is None:
            return ["--tls-verify=false"]
        certificates = folder / "certificates"
        certificates.mkdir(exist_ok=True)
        (certificates / "ca.crt").write_bytes(self.lab.ca.read_bytes())
        login = folder / "auth.json"
        login.write_text(self.lab.docker_registry.docker_config(_ACCOUNT), encoding="utf-8")
        login.chmod(0o600)
        return [f"--cert-dir={certificates}", f"--authfile={login}"]


def of_lab(lab: Lab) -> Upstream:
    """The lab's registry; it must be up, and must have a storage folder that may be read."""
    registry = lab.docker_registry
    tls = ssl.create_default_context(cafile=str(registry.ca))
    bearer = _Bearer(registry.realm, tls)
    return Upstream(Shop(registry.address, tls, bearer), registry.home / "storage", "the lab's registry", lab)


@contextlib.contextmanager
def of_own(address: str = "127.0.0.1", folder: Path | None = None) -> Iterator[Upstream]:
    """Debian's docker-registry without TLS or tokens, which are the proxy's; its storage is gone afterwards.

    Args:
        address: a free port of it is taken.
        folder: for its storage; None: in memory, where the machine has such a folder.

    Raises:
        RuntimeError: it is not there, or does not start.
    """
    if not program().exists():
        raise RuntimeError("docker-registry is not in the lab's cache: `make lab-up` fetches it")
    memory = Path("/dev/shm")
    top = folder or (memory if memory.is_dir() else Path(tempfile.gettempdir()))
    home = Path(tempfile.mkdtemp(prefix="fa-night-", dir=top))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        port = _free_port(address)
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(home / "storage"), "maxthreads": 100},
                        "delete": {"enabled": True}, "cache": {"blobdescriptor": "inmemory"}},
            "http": {"addr": f"{address}:{port}"},
        }  # fmt: skip
        (home / "config.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
        log = stack.enter_context((home / "log").open("wb"))
        process = subprocess.Popen(
            [program(), "serve", home / "config.yml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        _until_it_listens(process, address, port, home / "log")
        yield Upstream(Shop(f"{address}:{port}"), home / "storage", "Debian's docker-registry, started here")


class _Bearer:
    """Tokens of the lab's own token server for a set of repositories, kept until they are old."""

    def __init__(self, realm: str, tls: ssl.SSLContext) -> None:
        self._realm = realm
        self._tls = tls
        self._kept: dict[frozenset[str], tuple[float, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, repositories: Iterable[str]) -> str:
        wanted = frozenset(repositories)
        with self._lock:
            born, token = self._kept.get(wanted, (-_RENEW_SECONDS, ""))
            if time.monotonic() - born > _RENEW_SECONDS:
                token = self._fetch(wanted)
                self._kept[wanted] = time.monotonic(), token
            return token

    def _fetch(self, repositories: frozenset[str]) -> str:
        scopes = [("scope", f"repository:{name}:pull,push,delete") for name in sorted(repositories)]
        query = urlencode([("service", SERVICE), *scopes])
        login = base64.b64encode(f"{_ACCOUNT}:{REGISTRY_ACCOUNTS[_ACCOUNT]}".encode()).decode()
        asking = urllib.request.Request(f"{self._realm}?{query}", headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(asking, timeout=20, context=self._tls) as answer:
            return str(json.load(answer)["token"])


def _free_port(address: str) -> int:
    with socket.socket() as taken:
        taken.bind((address, 0))
        port: int = taken.getsockname()[1]
        return port


def _until_it_listens(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the registry did not start: {log.read_text(errors='replace')[-800:]}")
        time.sleep(0.02)
