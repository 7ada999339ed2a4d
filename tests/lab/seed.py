"""What makes a worker out of a root: the files that it gets before its first boot, as one archive."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from tests.lab import pki
from tests.lab.net import Net
from tests.lab.place import Place
from tests.lab.registry import Registry
from tests.lab.roles import BUILD_UNIT, Machine, Unit
from tests.lab.roots import ROOTS

SPOOL = "/var/spool/image-builder"
LOGINS = {
    "root": (0, "/root"),
    "builder": (1001, "/home/builder"),
    "deploy": (1002, "/home/deploy"),
    "guest": (1003, "/home/guest"),
}
"""The accounts that the roots' recipe makes: number and home."""
HOST_KEYS = ("ed25519", "ecdsa")
_CA = "usr/local/share/ca-certificates/fleet-audit-lab.crt"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


class Seed:
    """An archive in the making."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._raw = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._raw, mode="w")  # noqa: SIM115 -- closed by `finish`

    def file(self, path: str, content: str | bytes, mode: int = 0o644, owner: int = 0) -> None:
        """A file; folders above it that the root lacks become root's, 0755."""
        raw = content.encode() if isinstance(content, str) else content
        info = self._entry(path, mode, owner)
        info.size = len(raw)
        self._tar.addfile(info, io.BytesIO(raw))

    def folder(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """A folder with an owner of its own."""
        info = self._entry(path, mode, owner)
        info.type = tarfile.DIRTYPE
        self._tar.addfile(info)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        info = self._entry(path, 0o777, 0)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(info)

    def finish(self) -> bytes:
        """The archive."""
        self._tar.close()
        return self._raw.getvalue()

    @staticmethod
    def _entry(path: str, mode: int, owner: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path.lstrip("/"))
        info.mode, info.uid, info.gid = mode, owner, owner
        return info


def seed(machine: Machine, net: Net, registry: Registry, login_key: str, ca: str) -> tuple[bytes, list[str]]:
    """The archive of a worker, and the public lines of the host keys in it."""
    archive = Seed()
    host_keys = _identity(archive, machine, net.place)
    for user, (number, home) in LOGINS.items():
        archive.folder(f"{home}/.ssh", 0o700, number)
        archive.file(f"{home}/.ssh/authorized_keys", f"{login_key}\n", 0o600, number)
        if machine.unit and machine.unit.user == user:
            archive.folder(f"{home}/.docker", 0o700, number)
            archive.file(f"{home}/.docker/config.json", registry.docker_config("staging"), 0o600, number)
    archive.file("etc/sudoers.d/deploy", "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
    # What update-ca-certificates would do, without its second of work on every worker.
    bundle = ROOTS[machine.root].find(_BUNDLE).read_text()
    archive.file(_CA, ca)
    archive.file(_BUNDLE, bundle + ca)
    archive.link("etc/ssl/certs/fleet-audit-lab.pem", f"/{_CA}")
    if machine.daemon is not None:
        archive.file("etc/docker/daemon.json", _filled(json.dumps(machine.daemon, indent=2), net) + "\n")
    if machine.unit:
        _build_unit(archive, machine.unit, net)
    return archive.finish(), host_keys


def _identity(archive: Seed, machine: Machine, place: Place) -> list[str]:
    name = machine.name
    archive.file("etc/hostname", f"{name}\n")
    archive.file("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n")
    archive.file("etc/resolv.conf", "# No name server in the lab.\n")
    archive.file("etc/machine-id", hashlib.sha256(f"{place.tag} {name}".encode()).hexdigest()[:32] + "\n", 0o444)
    archive.link("etc/systemd/system/console-getty.service", "/dev/null")  # nobody sits at this console
    lines = []
    for kind in HOST_KEYS:
        file = place.run / name / f"ssh_host_{kind}_key"
        lines.append(pki.ssh_key(file, f"root@{name}", kind=kind))
        archive.file(f"etc/ssh/{file.name}", file.read_bytes(), 0o600)
        archive.file(f"etc/ssh/{file.name}.pub", lines[-1] + "\n")
    return lines


def _build_unit(archive: Seed, unit: Unit, net: Net) -> None:
    number, _ = LOGINS[unit.user]
    environment = [f"Environment={line}" for line in unit.environment]
    if unit.environment_file:
        environment.append("EnvironmentFile=/etc/default/image-builder")
        archive.file("etc/default/image-builder", "".join(f"{line}\n" for line in unit.environment_file))
    lines = [
        "[Unit]",
        "Description=Builds and pushes the images that are put into its spool",
        "Wants=docker.service",
        "After=docker.service",
        "",
        "[Service]",
        "Type=exec",
        "ExecStart=/usr/local/sbin/image-builder",
        f"User={unit.user}",
        *environment,
        "Restart=on-failure",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ]
    home = f"etc/systemd/system/{BUILD_UNIT}"
    archive.file(home, _filled("\n".join(lines), net))
    archive.link(f"etc/systemd/system/multi-user.target.wants/{BUILD_UNIT}", f"../{BUILD_UNIT}")
    if unit.drop_in:
        drop_in = "".join(f"Environment={line}\n" for line in unit.drop_in)
        archive.file(f"{home}.d/environment.conf", f"[Service]\n{drop_in}")
    spooler = Path(__file__).parent / "files" / "image-builder"
    archive.file("usr/local/sbin/image-builder", spooler.read_bytes(), 0o755)
    archive.folder(SPOOL, 0o755, number)


def _filled(text: str, net: Net) -> str:
    return text.replace("{net}", str(net.subnet))
