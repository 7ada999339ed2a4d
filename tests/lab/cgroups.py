"""Control groups: the kernel's own record of which processes are this lab's.

Every process that the lab starts enters a group of the lab before it does anything else, so "is it ours" never rests
on a name or on a pid that may have been reused, and nothing is lost when `up` is killed half-way.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.lab.place import Place
from tests.lab.shell import LabError, wait_for

_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


def _mounts() -> Iterator[tuple[Path, str, str]]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        yield Path(where), kind, options


def unified_root() -> Path | None:
    """Where the version 2 hierarchy is mounted: on its own, or beside version 1 in hybrid set-ups."""
    return next((where for where, kind, _ in _mounts() if kind == "cgroup2"), None)


class Group:
    """One control group of the version 2 hierarchy."""

    def __init__(self, path: Path) -> None:
        """Name a group; `create` makes it."""
        self.path = path

    @classmethod
    def of(cls, place: Place, *below: str) -> Group:
        """The group of a checkout's lab, or one below it."""
        root = unified_root()
        if root is None:
            raise LabError("no cgroup2 hierarchy is mounted here; mount one, e.g. on /sys/fs/cgroup/unified")
        return cls(root.joinpath(f"fleet-audit-lab-{place.tag}", *below))

    def create(self) -> Group:
        """Make the group; one of the lab's own passes on every controller that it was given (the root is not ours)."""
        self.path.mkdir(parents=True, exist_ok=True)
        parent = self.path.parent
        if parent == unified_root():
            return self
        for controller in (parent / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # a controller that cannot be had here is no reason to stop
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        return self

    def pids(self) -> list[int]:
        """Every process in the group and below."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):  # unlike glob, it minds no group that goes away while we look
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in Path(folder, "cgroup.procs").read_text().split() if pid != "0"]
        return found

    def leader(self) -> int | None:
        """The process in the group that is number one of its own process namespace: a worker's systemd."""
        for pid in self.pids():
            with contextlib.suppress(OSError, StopIteration):
                status = Path(f"/proc/{pid}/status").read_text().splitlines()
                numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
                if len(numbers) == 2 and numbers[-1] == "1":
                    return pid
        return None

    def populated(self) -> bool:
        """Whether any process is left in it."""
        with contextlib.suppress(OSError):
            return "populated 1" in (self.path / "cgroup.events").read_text()
        return False

    def spawn(self, argv: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str]) -> None:
        """Start a program in the group that outlives us; what it says goes to `log`."""
        with log.open("ab") as out:
            subprocess.run(
                ["setsid", "--fork", "/bin/sh", "-c", _ENTER, str(self.path), *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env),
                check=True,
            )

    def kill(self) -> None:
        """End every process in the group and below, and wait until they are gone."""
        if not self.path.is_dir():
            return
        switch = self.path / "cgroup.kill"  # in one step, so that nothing can fork away; Linux 5.14 and newer
        if switch.exists():
            switch.write_text("1")

        def gone() -> bool:
            if not switch.exists():
                for pid in self.pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            return not self.populated()

        wait_for(f"the processes in {self.path} to end", gone, 30)

    def remove(self) -> None:
        """Remove the emptied group, and its twin that nspawn makes in systemd's own version 1 hierarchy."""
        root = unified_root()
        assert root is not None
        twins = [where for where, kind, options in _mounts() if kind == "cgroup" and "name=systemd" in options]
        for top in [self.path, *(twin / self.path.relative_to(root) for twin in twins)]:
            for folder, _, _ in os.walk(top, topdown=False):
                wait_for(f"{folder} to be empty", functools.partial(_rmdir, folder), 10)


def _rmdir(folder: str) -> bool:
    try:
        Path(folder).rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
