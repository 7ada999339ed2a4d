"""The cells as case files, so that the predictor is tested where no lab is: `tests/shapes/cells/STATION.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.matrix.case import Case, cases_of, facts_of

ELSEWHERE = "not in the lab"
"""How a file says that its versions were built from source: the lab cannot run them again."""
FOLDER = Path(__file__).resolve().parents[2] / "shapes" / "cells"


def file_of(row: Mapping[str, Any]) -> Case:
    """One station: what proved it, its facts once, and its cells in the order of its lines."""
    found: Case = {"about": about(row), "proved": proved(row)}
    if row["adjusted"]:
        found["adjusted"] = row["adjusted"]
    return found | {"facts": facts_of(row["facts"]), "cells": cases_of(row)}


def about(row: Mapping[str, Any]) -> str:
    """The station in a sentence."""
    facts = row["facts"]
    buildx = facts["buildx"]
    plugin = buildx["version"] if buildx.get("state") == "present" else buildx.get("state", "unknown")
    store = facts["image_store"]["kind"]
    client, engine = facts["docker_client"]["version"], facts["engine"]["version"]
    parts = [f"client {client}", f"engine {engine} on the {store} store", f"buildx {plugin}"]
    if row["bridge"]:
        parts.append(f"a builder of the driver {row['driver']}, bridged to an engine's BuildKit")
    return f"{', '.join(parts[:-1])} and {parts[-1]}."


def proved(row: Mapping[str, Any]) -> str:
    """What it was proved with, and when (UTC)."""
    buildx = row["facts"]["buildx"].get("version")
    parts = [f"engine {row['facts']['engine']['version']}", f"buildx {buildx}" if buildx else "no buildx", row["date"]]
    return ", ".join(parts)


def write(rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write one file a station and remove those of stations that are gone; what was proved elsewhere stays."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = {FOLDER / f"{row['station']}.json": file_of(row) for row in rows}
    for file, content in files.items():
        file.write_text(_text(content), encoding="utf-8")
    for old in set(FOLDER.glob("*.json")) - set(files):
        if ELSEWHERE not in json.loads(old.read_text(encoding="utf-8"))["proved"]:
            old.unlink()
    return sorted(files)


def _text(content: Case) -> str:
    """A cell a line: hundreds of cells stay readable, and a difference shows as one line."""
    cells = ",\n".join(f"  {json.dumps(cell, ensure_ascii=False)}" for cell in content["cells"])
    head = json.dumps({key: value for key, value in content.items() if key != "cells"}, indent=1, ensure_ascii=False)
    return f'{head.removesuffix("}").rstrip()},\n "cells": [\n{cells}\n ]\n}}\n'
