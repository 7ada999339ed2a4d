"""Real OpenSSH servers of our own, on loopback ports, each ended by its process id."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def keygen(path: Path, *args: str) -> Path:
    """A key pair without a passphrase (unless `args` say otherwise); returns `path`."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, *args], check=True)
    return path


@dataclass(frozen=True)
class Sshd:
    """A running server.

    Attributes:
        address: where it listens.
        port: likewise.
        user: who may log in.
        folder: its keys and files: ``client_key``, ``known_hosts``, ``authorized_keys``, ``log``.
        pid: its listener's process.
    """

    address: str
    port: int
    user: str
    folder: Path
    pid: int

    @property
    def key(self) -> str:
        """The private key that it takes."""
        return str(self.folder / "client_key")

    @property
    def known_hosts(self) -> Path:
        """A file that knows it under every loopback address."""
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def sshd(
    folder: Path, config: str = "", *, address: str = "127.0.0.1", environment: Mapping[str, str] | None = None
) -> Iterator[Sshd]:
    """Run a server while the body runs.

    Args:
        folder: for its files; made where it is not there. Keys that are there already are used.
        config: more lines for its configuration; they go before ours.
        address: to listen on; ``0.0.0.0`` stands for all of 127.0.0.0/8.
        environment: variables of its sessions.
    """
    assert SSHD is not None, "sshd is not installed"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "client_key"):
        if not (folder / name).exists():
            keygen(folder / name)
    if not (folder / "authorized_keys").exists():
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    port = free_port()
    # bash reads ~/.bashrc under sshd, unless it takes itself for a deeper shell; what stands there is not ours to test
    given = {"SHLVL": "9"} | dict(environment or {})
    variables = "".join(f' "{name}={value}"' for name, value in given.items())
    (folder / "config").write_text(
        f"""{config}
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
LogLevel VERBOSE
SetEnv{variables}
""",
        encoding="utf-8",
    )
    words = (folder / "host_key.pub").read_text(encoding="utf-8").split()
    (folder / "known_hosts").write_text(f"[127.*]:{port},127.* {words[0]} {words[1]}\n", encoding="utf-8")
    (folder / "log").touch()
    command = [SSHD, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(address.replace("0.0.0.0", "127.0.0.1"), port, server)
        yield Sshd(address.replace("0.0.0.0", "127.0.0.1"), port, getpass.getuser(), folder, server.pid)
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(address: str, port: int, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        assert server.poll() is None, "sshd ended at once; see its log"
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
