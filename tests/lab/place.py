"""Where this checkout's lab lives: its folders, its lock, and the tag that keeps it apart from other checkouts'."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.shell import LabError, tell, wait_for

PROJECT = Path(__file__).resolve().parents[2]
_LOCK_SECONDS = 15 * 60


def cache_folder() -> Path:
    """The folder of root file systems that every lab of this machine shares."""
    return Path(os.environ.get("FLEET_AUDIT_LAB_CACHE") or "/var/cache/fleet-audit-lab")


@dataclass(frozen=True)
class Place:
    """The folders of one checkout's lab."""

    project: Path = PROJECT

    @property
    def tag(self) -> str:
        """Six hex digits of the checkout's path: part of every kernel object's name, so that no two labs collide."""
        return hashlib.sha256(str(self.project).encode()).hexdigest()[:6]

    @property
    def prefix(self) -> str:
        """How the names of this lab's bridge, links and network namespaces begin (a link's name has 15 letters)."""
        return f"fl{self.tag}"

    @property
    def home(self) -> Path:
        """Everything that the lab writes outside the cache."""
        return self.project / ".lab"

    @property
    def run(self) -> Path:
        """One folder a worker and one for the registry; gone after `down`."""
        return self.home / "run"

    @property
    def inventory(self) -> Path:
        """The ready inventory; only sources that Ansible should read stand here."""
        return self.home / "inventory"

    @property
    def keys(self) -> Path:
        """Key pair, known_hosts, ssh_config, CA: what the inventory points to."""
        return self.home / "keys"

    def prepare(self) -> None:
        """Make the folder, closed to others: private keys and credentials lie in it."""
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o700)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this checkout's lab alone, so that two `up`s cannot meet."""
        self.prepare()
        with locked(self.home / "lock", f"another `python -m tests.lab` at work in {self.project}"):
            yield

    def read_state(self) -> dict[str, Any]:
        """What the last `up` or `down` wrote; empty where there was none or its file is unreadable."""
        try:
            state = json.loads((self.home / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace the state in one step."""
        fresh = self.home / "state.json.new"
        fresh.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
        fresh.replace(self.home / "state.json")


@contextlib.contextmanager
def locked(path: Path, holder: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel drops it with the process, so a crash leaves none behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not taken():
            tell(f"waiting for {holder}")
            try:
                wait_for(holder, taken, _LOCK_SECONDS, every=0.5)
            except LabError as late:
                raise LabError(f"{late}; see who holds {path} with `fuser {path}`") from late
        yield
