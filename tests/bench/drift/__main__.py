"""Remembering and comparing 1,000 workers over 200 checks, and what 400 cost: seconds, and bytes on the disk.

    python -m tests.bench.drift [--hosts 1000] [--runs 200] [--folder DIR]

Recording is measured from two values in memory to the end of the transaction, as `check` does it after its report;
drift in processor seconds from the verb's first line to its last, the median of five. Beside it stands the whole
command, of which interpreter and libraries take most, whatever the fleet's size. The page is a whole command. All on
the database as it is after `--runs` checks. The database's size is that of its file once it is closed. Growth is what
twice as many checks cost over what so many did, in processor seconds of recording or in bytes, whichever is larger: 2
is linear. What drift costs does not depend on how many checks there are (`drift_growth`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.cli.drift import drift
from audit.store import Database, History
from tests.bench.drift.workers import Workers
from tests.bench.measure import cost, median, publish

COMMAND = (sys.executable, "-m", "audit")
LAST = 20
"""Checks at the end whose median is what recording one costs."""

LIMITS = {"record_seconds": 2.0, "drift_seconds": 1.0, "db_mb": 200.0, "html_mb": 3.0, "growth": 2.2}
"""What the issue asks for; of growth, linear with room for the noise of a shared machine."""


@dataclass
class Recorded:
    """What recording cost so far.

    Attributes:
        seconds: of each check, in order.
        cpu: seconds of the processor, likewise.
        sizes: of the closed database in bytes, by number of checks.
    """

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)

    def growth(self, runs: int) -> tuple[float, float]:
        """Cost of twice as many checks over that of so many, in seconds of the processor and in bytes."""
        half, whole = sum(self.cpu[:runs]), sum(self.cpu[: 2 * runs])
        return whole / half, self.sizes[2 * runs] / self.sizes[runs]


def record(place: Path, fleet: Workers, runs: int, so_far: Recorded) -> None:
    """Record so many checks more, each with its evidence."""
    with Database.open(place, create=True) as database:
        history = History(database)
        for number in range(runs):
            snapshot, saved = fleet.check()
            start, cpu = time.perf_counter(), time.process_time()
            history.record(snapshot, saved, exit_code=1)
            so_far.seconds.append(time.perf_counter() - start)
            so_far.cpu.append(time.process_time() - cpu)
            if number % 20 == 19:
                print(f"{len(so_far.seconds)} checks, {so_far.seconds[-1]:.2f} s", file=sys.stderr)
    so_far.sizes[len(so_far.seconds)] = size(place)


def size(place: Path) -> int:
    """Bytes of a database's files."""
    return sum(file.stat().st_size for file in place.parent.glob(f"{place.name}*"))


def measure(folder: Path, hosts: int, runs: int, rounds: int = 5) -> dict[str, Any]:
    """Everything.

    Args:
        folder: empty; for the database and the page.
        hosts: workers.
        runs: checks; twice as many are recorded.
        rounds: of drift.
    """
    place, page = folder / "history.db", folder / "page.html"
    fleet, so_far = Workers(hosts), Recorded()
    env = {"FLEET_AUDIT_DB": str(place), "FLEET_AUDIT_INVENTORY": ""}
    record(place, fleet, runs, so_far)
    accept = (0, 1, 3)
    oldest = first(place, runs)
    near = [cost((*COMMAND, "drift"), env=env, accept=accept) for _ in range(rounds)]
    far = [cost((*COMMAND, "drift", "--since", oldest), env=env, accept=accept) for _ in range(rounds)]
    verb, verb_far = drifted(place, None, rounds), drifted(place, oldest, rounds)
    html = cost((*COMMAND, "report", "--report", f"html:{page}"), env=env)
    record(place, fleet, runs, so_far)
    later = drifted(place, None, rounds)
    return {
        "hosts": hosts,
        "runs": runs,
        "record_seconds": round(statistics.median(so_far.seconds[:runs][-LAST:]), 3),
        "drift_seconds": round(verb, 3),
        "drift_oldest_seconds": round(verb_far, 3),
        "drift_command_seconds": round(median(near, "wall"), 3),
        "drift_oldest_command_seconds": round(median(far, "wall"), 3),
        "drift_rss_mb": round(median(near, "rss_mb"), 1),
        "db_mb": round(so_far.sizes[runs] / 1e6, 2),
        "db_mb_twice": round(so_far.sizes[2 * runs] / 1e6, 2),
        "html_mb": round(page.stat().st_size / 1e6, 3),
        "html_seconds": round(html.wall, 2),
        "growth": round(max(so_far.growth(runs)), 3),
        "growth_parts": {name: round(one, 3) for name, one in zip(("cpu", "bytes"), so_far.growth(runs), strict=True)},
        "drift_growth": round(later / verb, 3),
    }


def drifted(place: Path, since: str | None, rounds: int) -> float:
    """The median processor seconds of the verb `drift` in this process, its report thrown away."""
    seconds = []
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        for _ in range(rounds + 1):
            start = time.process_time()
            drift(since=since, db=str(place))
            seconds.append(time.process_time() - start)
    return statistics.median(seconds[1:])  # the first one loads what the verb needs


def first(place: Path, runs: int) -> str:
    """The id of the oldest check: a baseline of long ago."""
    with Database.open(place, create=False) as database:
        return History(database).runs(runs)[-1].id


def main() -> int:
    """Measure, print, write `.bench/drift.json`; 1 where a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the database is made; a temporary one on the disk otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fa-drift-", dir=options.folder) as folder:
        figures = measure(Path(folder), options.hosts, options.runs)
    rows: list[list[object]] = [
        [name, figures[name], limit, "" if figures[name] < limit else "over"] for name, limit in LIMITS.items()
    ]
    rows += [[name, figures[name], None, ""] for name in figures if name not in LIMITS]
    title = f"{options.hosts} workers, {options.runs} checks"
    publish("drift", title, rows, ["figure", "measured", "limit", ""], figures)
    return int(any(figures[name] >= limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
