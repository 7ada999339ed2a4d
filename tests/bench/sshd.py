"""A real sshd on loopback that stands for many hosts: each 127.x.y.z is one of them, answering with recorded facts."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STUB = Path(__file__).parent / "answers" / "docker"
"""A `docker` that prints what a lab worker's printed."""


@dataclass(frozen=True)
class Farm:
    """The running sshd and what reaches it.

    Attributes:
        folder: keys, known_hosts, ssh_config and inventory.
        port: the sshd's.
        addresses: one a host.
    """

    folder: Path
    port: int
    addresses: tuple[str, ...]

    @property
    def ssh_config(self) -> Path:
        """For plain ssh and for clush."""
        return self.folder / "ssh_config"

    def inventory(self, count: int, port: int | None = None) -> Path:
        """An inventory folder of the first `count` hosts, for us and for Ansible."""
        port = port or self.port
        folder = self.folder / f"inventory-{count}-{port}"
        (folder / "group_vars").mkdir(parents=True, exist_ok=True)
        hosts = "".join(
            f"    h{number:04d}: {{ansible_host: {a}}}\n" for number, a in enumerate(self.addresses[:count])
        )
        (folder / "hosts.yml").write_text(f"builders:\n  hosts:\n{hosts}", encoding="utf-8")
        (folder / "group_vars" / "all.yml").write_text(
            f"ansible_user: root\nansible_port: {port}\n"
            f"ansible_ssh_private_key_file: {self.folder / 'key'}\n"
            f"ansible_ssh_common_args: -o UserKnownHostsFile={self.folder / 'known_hosts'}\n"
            "ansible_python_interpreter: /usr/bin/python3\n"
            "platform: linux/amd64\npool: bench\n",
            encoding="utf-8",
        )
        return folder


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def addresses(count: int) -> tuple[str, ...]:
    """Loopback addresses of their own, 127.77.0.1 onwards."""
    return tuple(f"127.77.{number // 250}.{number % 250 + 1}" for number in range(count))


@contextmanager
def farm(folder: Path, count: int, extra_ports: tuple[int, ...] = ()) -> Iterator[Farm]:
    """Run an sshd for `count` hosts until the body ends; it is ended by its own pid.

    Args:
        folder: an empty folder.
        count: how many hosts.
        extra_ports: ports of proxies in front of it; known_hosts speaks of them too.
    """
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    where = addresses(count)
    key = " ".join((folder / "host_key.pub").read_text(encoding="utf-8").split()[:2])
    lines = [f"[{address}]:{p} {key}\n" for address in where for p in (port, *extra_ports)]
    (folder / "known_hosts").write_text("".join(lines), encoding="utf-8")
    (folder / "authorized_keys").write_bytes((folder / "key.pub").read_bytes())
    bin_ = folder / "bin"
    (folder / "home").mkdir()
    shutil.copytree(STUB.parent, bin_)
    (folder / "ssh_config").write_text(
        f"Host *\n  User root\n  Port {port}\n  IdentityFile {folder / 'key'}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n  StrictHostKeyChecking yes\n  BatchMode yes\n",
        encoding="utf-8",
    )
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 0.0.0.0\nHostKey {folder / 'host_key'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nPermitRootLogin prohibit-password\n"
        f"AllowUsers root@127.0.0.0/8\nMaxStartups 4096\nLogLevel ERROR\nSubsystem sftp internal-sftp\n"
        # A home of its own: what this machine's root has in ~/.bashrc is no part of a simulated host.
        f"SetEnv HOME={folder / 'home'} PATH={bin_}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        encoding="utf-8",
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        _wait(server, port, folder)
        yield Farm(folder, port, where)
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"sshd did not start: {(folder / 'sshd.log').read_text(encoding='utf-8')}")
