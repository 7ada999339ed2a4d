"""The command: `python -m tests.lab.matrix [run | record | compare] [--station NAME ...]`."""

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
from tests.lab.matrix.case import case_of, facts_of
from tests.lab.matrix.compare import disagreements, seen, told
from tests.lab.matrix.stations import NOT_REACHABLE
from tests.lab.shell import LabError
from tests.rules import test_cases

CELLS = FIGURES / "matrix-cells.json"


def main() -> int:
    """Run, compare, tell; 1 where anything disagrees, 2 where there is no lab."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.matrix", description="The predictor, proved in the lab.")
    what = {
        "run": "build and push every cell, and compare",
        "record": "the same, and write tests/shapes/cells/",
        "compare": "compare the cells of the last run again",
    }
    parser.add_argument("verb", nargs="?", choices=what, default="run", help="; ".join(map(": ".join, what.items())))
    parser.add_argument("--station", action="append", default=[], help="only this one; may be given again")
    options = parser.parse_args()
    if options.verb == "record" and options.station:
        parser.error("record is of all stations: it removes the files of those that are gone")
    if options.verb == "compare":
        rows = json.loads(CELLS.read_text(encoding="utf-8"))
    else:
        lab = Lab.current()
        if lab is None:
            print("matrix: the lab is not up; start it with `make lab-up`", file=sys.stderr)
            return 2
        try:
            rows = observe.observed(lab, observe.stations_of(options.station), _keep)
        except LabError as error:
            print(f"matrix: {error}", file=sys.stderr)
            return 2
    if options.verb == "record":
        print(f"recorded {len(record.write(rows))} stations in {record.FOLDER}", file=sys.stderr)
    return _tell(rows)


def _keep(rows: Sequence[observe.Row]) -> None:
    """What there is so far, in full."""
    FIGURES.mkdir(exist_ok=True)
    CELLS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(len(row['cells']) for row in rows)} cells so far", file=sys.stderr)


def _tell(rows: Sequence[observe.Row]) -> int:
    table: list[tuple[object, ...]] = []
    found: list[dict[str, Any]] = []
    for row in rows:
        facts = test_cases.facts_of(facts_of(row["facts"]))
        cases = [case_of(cell) for cell in row["cells"]]
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
