"""Run a command and say what it cost; write a bench's figures as a table for people and a file for programs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parent.parent.parent
FIGURES = ROOT / ".bench"


@dataclass(frozen=True)
class Cost:
    """What one process and its descendants took.

    Attributes:
        wall: seconds.
        cpu: user and system seconds of the process and of all its reaped descendants.
        rss_mb: the largest resident set of any single one of them, MiB.
        code: exit status.
        stdout: what it printed.
        stderr: the last 2,000 characters.
    """

    wall: float
    cpu: float
    rss_mb: float
    code: int
    stdout: str
    stderr: str


def cost(
    argv: Sequence[object],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    accept: Sequence[int] = (0,),
) -> Cost:
    """Run to the end and take the kernel's account of it; the output goes to files, so that nobody waits for a pipe.

    Raises:
        RuntimeError: it ended with a status that is not accepted.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in argv], stdin=given, stdout=out, stderr=err, env={**os.environ, **(env or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stderr = err.read().decode(errors="replace")[-2000:]
        if process.returncode not in accept:
            raise RuntimeError(f"{argv[0]} ended with {process.returncode}: {stderr}")
        return Cost(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            rss_mb=usage.ru_maxrss / 1024,
            code=process.returncode,
            stdout=out.read().decode(errors="replace"),
            stderr=stderr,
        )


def median(costs: Sequence[Cost], what: str) -> float:
    """The median of one figure over several runs."""
    return float(statistics.median(getattr(one, what) for one in costs))


def publish(name: str, title: str, rows: Sequence[Sequence[object]], headers: Sequence[str], figures: object) -> None:
    """Print the table and write `.bench/NAME.json`."""
    print(f"\n{title}\n")
    print(tabulate(rows, headers=headers, tablefmt="simple", floatfmt=".3g"))
    FIGURES.mkdir(exist_ok=True)
    file = FIGURES / f"{name}.json"
    file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"\nfigures: {file.relative_to(ROOT)}")
