"""The project's command, started as an operator would, in a home of its own; and what a run of it cost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.measure import ROOT
from tests.bench.night.proxy import LOGIN

_SECONDS = 3600.0


@dataclass(frozen=True)
class Ran:
    """How a run ended.

    Attributes:
        code: exit status; -9 where it was killed.
        wall: real seconds.
        cpu: user and system seconds.
        rss_mb: the largest resident set, MiB.
        stderr: its last 3,000 characters.
        report: the JSON that it wrote; empty where it wrote none.
    """

    code: int
    wall: float
    cpu: float
    rss_mb: float
    stderr: str
    report: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Command:
    """What is run.

    Attributes:
        plan: the file.
        address: of the proxy.
        home: a folder for everything that the command keeps; made private.
        speed: of its clocks.
        rate: of its limiter.
        manifests: the folder that the builds have handed over; None: it reads them.
        trust_journal: it does not look at the tags of an unchanged night.
        program: words that stand for ``fleet-audit``; empty: the project's command with quick clocks.
    """

    plan: Path
    address: str
    home: Path
    speed: float = 1.0
    rate: str = "300/min"
    manifests: Path | None = None
    trust_journal: bool = False
    program: tuple[str, ...] = ()

    @property
    def argv(self) -> list[str]:
        """The words."""
        program = self.program or (sys.executable, "-m", "tests.bench.night.fast", f"{self.speed:g}", "--")
        more = ["--manifests", str(self.manifests)] if self.manifests else []
        more += ["--trust-journal"] if self.trust_journal else []
        return [
            *program, "merge", "--plan", str(self.plan), "--plain-http", self.address, "--rate", self.rate,
            "--connections", "6", "--registry-user", LOGIN[0], *more, "--report", f"json:{self._report}", "-q",
        ]  # fmt: skip

    @property
    def _report(self) -> Path:
        return self.home / "report.json"

    def environment(self) -> dict[str, str]:
        """Nothing of the user's own; folders are made."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        found = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        found["FLEET_AUDIT_REGISTRY_PASSWORD"] = LOGIN[1]
        for name in ("STATE_HOME", "CACHE_HOME", "CONFIG_HOME", "RUNTIME_DIR"):
            folder = self.home / name.lower()
            folder.mkdir(mode=0o700, exist_ok=True)
            found[f"XDG_{name}"] = str(folder)
        return found

    def run(self, started: Callable[[Killer], None] = lambda _killer: None) -> Ran:
        """Run it to its end, however that comes.

        Args:
            started: given the means to kill it as soon as it runs.
        """
        self._report.unlink(missing_ok=True)
        environment = self.environment()
        with (self.home / "stderr").open("wb") as err, (self.home / "stdout").open("wb") as out:
            began = time.perf_counter()
            process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=self.home
            )
            killer = Killer(process.pid, began)
            started(killer)
            code, usage = _ended(process, began)
            wall = time.perf_counter() - began
            killer.ended = True
        said = (self.home / "stderr").read_text(encoding="utf-8", errors="replace")[-3000:]
        report: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            report = json.loads(self._report.read_text(encoding="utf-8"))
        return Ran(code, wall, usage[0], usage[1], said, report)


@dataclass
class Killer:
    """May kill one run, from any thread.

    Attributes:
        pid: of its process.
        began: when, by `time.perf_counter`.
        ended: it is over; its pid may be another's.
    """

    pid: int
    began: float
    ended: bool = False

    def __call__(self) -> None:
        """``kill -9``; nothing where it is over."""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _ended(process: subprocess.Popen[bytes], began: float) -> tuple[int, tuple[float, float]]:
    """Exit code, and CPU seconds with MiB, as the kernel has them of that process."""
    most = 0.0
    while True:
        most = max(most, _resident(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, (usage.ru_utime + usage.ru_stime, most)
        if time.perf_counter() - began > _SECONDS:
            process.kill()
        time.sleep(0.005)


def _resident(pid: int) -> float:
    """The most memory that it has had, MiB: ru_maxrss would be that of whoever forked it, where that had more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(found[1]) / 1024 if found else 0.0


def must(ran: Ran, what: str, codes: Sequence[int] = (0,)) -> Ran:
    """The same run.

    Raises:
        RuntimeError: it ended with another status; the sentence has its last words.
    """
    if ran.code not in codes:
        raise RuntimeError(f"{what} ended with {ran.code}: {ran.stderr.strip()[-1500:] or 'it said nothing'}")
    return ran
