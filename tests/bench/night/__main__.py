"""The real night, rehearsed: `python -m tests.bench.night [--scale 0.1] [--kills 20] [--speed 15] [--only PHASE …]`.

Every phase has a repository of its own. ``cold``, ``unread`` and ``attested`` go through all injuries and the limit of
300 requests a minute, in simulated time; ``again`` through the limit; ``kills`` through neither. The figures stand in
`.bench/night.json`; the exit status is 1 where one of them is not what is wanted.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from tests.bench.measure import publish
from tests.bench.night.peers import measured
from tests.bench.night.rehearse import KILL_SCALE, PHASES, SPEED, rehearse
from tests.bench.night.wanted import headline, table, told
from tests.lab import Lab
from tests.lab.registry import fetch

_KILLS = 200
_PEER_SETS = 3


def main() -> int:
    """Rehearse, print, write `.bench/night.json`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--scale", type=float, default=1.0, help="of the workload")
    parser.add_argument("--kills", type=int, default=_KILLS)
    parser.add_argument("--kill-scale", type=float, default=KILL_SCALE, help="of the workload, for each kill")
    parser.add_argument("--speed", type=float, default=SPEED, help="simulated seconds in a real one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*PHASES, "peers"], action="append")
    parser.add_argument("--own-registry", action="store_true", help="not the lab's, even where a lab is up")
    options = parser.parse_args()
    only = options.only or [*PHASES, "peers"]
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began:7.1f}s] {line}", file=sys.stderr, flush=True)

    fetch()
    lab = None if options.own_registry else Lab.current()
    if lab is None and not options.own_registry:
        tell("no lab is up (`make lab-up`): a docker-registry of our own takes its place, and docker pulls nothing")
    figures = rehearse(
        options.scale, kills=options.kills, kill_scale=options.kill_scale, speed=options.speed, seed=options.seed,
        only=only, lab=lab, tell=tell,
    )  # fmt: skip
    if "peers" in only:
        figures["peers"] = measured(_PEER_SETS, tell)
    return report(figures)


def report(figures: dict[str, Any]) -> int:
    """The table and the file; 1 where something has fallen short."""
    rows = table(figures)
    shown = [
        [
            row.what,
            f"{row.found:,}" if isinstance(row.found, int) else row.found,
            row.wanted,
            "SHORT" if row.short else "",
        ]
        for row in [*rows, *told(figures)]
    ]
    workload = figures["workload"]
    title = f"a night of {workload['tags']} tags from {workload['images']} images ({workload['picked']})"
    publish("night", title, shown, ["what", "found", "wanted", ""], headline(figures) | {"details": figures})
    short = [row.what for row in rows if row.short]
    for line in short:
        print(f"  fallen short: {line}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
