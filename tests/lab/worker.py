"""One worker: made, booted, entered."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.cgroups import Group
from tests.lab.net import Net
from tests.lab.place import Place
from tests.lab.roles import Machine
from tests.lab.roots import ROOTS, overlay
from tests.lab.shell import CommandError, LabError, run, wait_for

_BOOT_SECONDS = 120
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NSPAWN = (
    "systemd-nspawn",
    "--boot",
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--capability=all",
    "--system-call-filter=add_key keyctl bpf",
)
_ENVIRONMENT = {
    "PATH": _PATH,
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # newer systemd refuses to boot on version 1
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",  # dockerd writes ip_forward
}


class Worker:
    """A handle on one machine of a lab."""

    def __init__(self, place: Place, machine: Machine, address: str) -> None:
        """Name it; it need not run yet."""
        self.place = place
        self.machine = machine
        self.name = machine.name
        self.address = address
        self.home = place.run / machine.name
        self.group = Group.of(place, machine.name)

    # --- life ---

    def boot(self, net: Net, seed: bytes) -> None:
        """Start it from its root and its seed; `wait` says when it is up."""
        for folder in ("upper", "work", "root", "data"):
            (self.home / folder).mkdir(parents=True)
        (self.home / "seed.tar").write_bytes(seed)
        script = self.home / "boot"
        script.write_text("\n".join(["set -eu", *map(shlex.join, self._steps(net)), ""]))
        # Every mount is made in a mount namespace of the worker's own, and ends with it.
        argv = ["unshare", "--mount", "--propagation", "private", "sh", str(script)]
        self.group.create().spawn(argv, self.home / "console.log", cwd=Path("/"), env=_ENVIRONMENT)

    def _steps(self, net: Net) -> Iterator[Sequence[str]]:
        root = self.home / "root"
        lower = [layer.path for layer in ROOTS[self.machine.root].chain()]
        yield overlay(lower, self.home / "upper", self.home / "work", root)
        tar = ["tar", "-x", "-p", "--numeric-owner", "--no-overwrite-dir"]
        yield [*tar, "-f", str(self.home / "seed.tar"), "-C", str(root)]
        binds = []
        for target in self.machine.data:
            folder = self.home / "data" / Path(target).name
            yield ["mkdir", "-p", str(folder)]
            if target in self.machine.disks:
                image = f"{folder}.ext4"
                yield ["truncate", "-s", f"{self.machine.disks[target]}M", image]
                yield ["mkfs.ext4", "-q", "-N", "16384", "-m", "0", image]
                yield ["mount", "-o", "loop", image, str(folder)]
            binds.append(f"--bind={folder}:{target}")
        namespace = net.namespace(self.machine)
        names = [f"--machine={namespace}", f"--hostname={self.name}"]
        yield [
            "exec",
            *_NSPAWN,
            f"--directory={root}",
            *names,
            f"--network-namespace-path=/run/netns/{namespace}",
            *binds,
        ]

    def wait(self) -> None:
        """Wait until its services are up.

        Raises:
            LabError: they were not in time, or the worker ended; the end of its console is in the message.
        """
        try:
            wait_for(f"{self.name} to boot", self._up_or_dead, _BOOT_SECONDS, every=0.25)
        except LabError as late:
            console = (self.home / "console.log").read_text(errors="replace").splitlines()[-12:]
            raise LabError("\n".join([f"{late}; the end of its console:", *console])) from late

    def _up_or_dead(self) -> bool:
        if not self.group.populated() and (self.home / "console.log").exists():
            # Between spawning and entering the group it may look dead for a moment; its log tells.
            if (self.home / "console.log").stat().st_size:
                raise LabError(f"{self.name} ended while it booted")
            return False
        return self.up()

    def up(self) -> bool:
        """Whether its services are active."""
        if self.group.leader() is None:
            return False
        with contextlib.suppress(LabError):
            return self.run(["systemctl", "is-active", "--quiet", *self.machine.services], timeout=20).returncode == 0
        return False

    # --- use ---

    @property
    def pid(self) -> int:
        """The process that is number one inside."""
        leader = self.group.leader()
        if leader is None:
            raise LabError(f"{self.name} is not running; start the lab with `python -m tests.lab up`")
        return leader

    def enter(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` inside, as root."""
        environment = ["env", "-i", f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8"]
        return ["nsenter", "--target", str(self.pid), "--all", *environment, *argv]

    def run(
        self, argv: Sequence[str], *, stdin: str | bytes = b"", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside as root, whatever its outcome."""
        return run(self.enter(argv), stdin=stdin, timeout=timeout, check=False)

    def sh(
        self,
        command: str,
        *,
        check: bool = True,
        user: str = "root",
        stdin: str | bytes = b"",
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command inside; as a user, in that user's login environment.

        Raises:
            CommandError: it failed and `check` was wanted.
        """
        argv = ["sh", "-c", command] if user == "root" else ["runuser", "-l", user, "-c", command]
        done = self.run(argv, stdin=stdin, timeout=timeout)
        if check and done.returncode != 0:
            raise CommandError([f"{self.name}:", command], done.returncode, done.stderr or done.stdout)
        return done

    def read(self, path: str) -> str:
        """The text of a file inside."""
        return self.sh(f"cat {shlex.quote(path)}").stdout

    def write(self, path: str, content: str | bytes, mode: str = "644", owner: str = "root") -> None:
        """Write a file inside for good; `states.file` takes it back."""
        target = shlex.quote(path)
        group = "$(id -g " + shlex.quote(owner) + ")"
        self.sh(
            f"mkdir -p $(dirname {target}) && rm -f {target} && cat >{target}"
            f" && chmod {mode} {target} && chown {owner}:{group} {target}",
            stdin=content,
        )

    def memory(self) -> int:
        """The private memory of all its processes, in bytes."""
        total = 0
        for pid in self.group.pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1]) * 1024
        return total
