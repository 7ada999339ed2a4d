"""The command: `python -m tests.lab.matrix [run | compare | record] [--station NAME ...]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from audit.shape import parse_how, predict
from tests.bench.measure import FIGURES, publish
from tests.lab import Lab
from tests.lab.matrix import observe, record
from tests.lab.matrix.case import cases_of, facts_of
from tests.lab.matrix.compare import disagreements, seen, told
from tests.lab.matrix.stations import NOT_REACHABLE, STATIONS
from tests.lab.shell import LabError
from tests.rules import test_cases

CELLS = FIGURES / "matrix-cells.json"


def main() -> int:
    """Run, compare, tell; 1 where anything disagrees, 2 where there is no lab."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.matrix", description="The predictor, proved in the lab.")
    what = {
        "run": "build and push every cell, and compare",
        "compare": "compare the cells of the last run again",
        "record": "the same, and write them to tests/shapes/cells/",
    }
    parser.add_argument("verb", nargs="?", choices=what, default="run", help="; ".join(map(": ".join, what.items())))
    parser.add_argument("--station", action="append", default=[], help="run only this one, and keep the others' cells")
    options = parser.parse_args()
    try:
        rows = _run(options.station) if options.verb == "run" else _last()
    except LabError as error:
        print(f"matrix: {error}", file=sys.stderr)
        return 2
    if options.verb == "record":
        missing = {one.name for one in STATIONS} - {row["station"] for row in rows}
        if missing:
            print(f"matrix: the last run lacks {', '.join(sorted(missing))}; run `make matrix` first", file=sys.stderr)
            return 2
        print(f"recorded {len(record.write(rows))} stations in {record.FOLDER}", file=sys.stderr)
    return _tell(rows)


def _run(names: Sequence[str]) -> list[observe.Row]:
    lab = Lab.current()
    if lab is None:
        raise LabError("the lab is not up; start it with `make lab-up`")
    others = [] if not names else [row for row in _last() if row["station"] not in names]

    def keep(rows: Sequence[observe.Row]) -> None:
        """What there is so far, in full."""
        FIGURES.mkdir(exist_ok=True)
        CELLS.write_text(json.dumps(_ordered([*others, *rows]), indent=1) + "\n", encoding="utf-8")
        print(f"{sum(len(row['cells']) for row in rows)} cells so far", file=sys.stderr)

    return _ordered([*others, *observe.observed(lab, observe.stations_of(names), keep)])


def _last() -> list[observe.Row]:
    try:
        rows: list[observe.Row] = json.loads(CELLS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LabError(f"there is no whole {CELLS.name} of a last run; run `make matrix` first") from None
    return rows


def _ordered(rows: Sequence[observe.Row]) -> list[observe.Row]:
    """In the order of the stations; those of stations that are gone are left out."""
    found = {row["station"]: row for row in rows}
    return [found[one.name] for one in STATIONS if one.name in found]


def _tell(rows: Sequence[observe.Row]) -> int:
    table: list[tuple[object, ...]] = []
    found: list[dict[str, Any]] = []
    for row in rows:
        facts = test_cases.facts_of(facts_of(row["facts"]))
        cases = cases_of(row)
        parted = [(case, why) for case in cases if (why := disagreements(facts, case))]
        table.append((row["station"], row["driver"], len(cases) - len(parted), len(cases)))
        found += [
            {
                "station": row["station"],
                "line": case["how"],
                "predicted": told(predict(facts, parse_how(case["how"]))),
                "observed": seen(case),
                "differences": list(why),
            }
            for case, why in parted
        ]
    total = sum(len(row["cells"]) for row in rows)
    for one in found:
        print(f"\n{one['station']}: {one['line']}\n  predicted {one['predicted']}\n  observed  {one['observed']}")
        print(*(f"  - {why}" for why in one["differences"]), sep="\n")
    figures = {
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "agreed": total - len(found),
        "total": total,
        "stations": len(rows),
        "disagreements": found,
        "not_reachable": [{"what": what, "why": why} for what, why in NOT_REACHABLE],
    }
    title = f"{total - len(found)} of {total} cells agree with what was predicted"
    publish("matrix", title, table, ("station", "driver", "agreed", "cells"), figures)
    return 1 if found or not total else 0


if __name__ == "__main__":
    sys.exit(main())
