"""Runs the cells of stations and takes down what there is to see: facts, exit codes, digests, what is served."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from audit.fact import Fact, Facts, all_probes, read_facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.image.arrived import Arrived, BadManifest
from audit.model import Host, HostEvidence
from audit.wire.answers import evidence
from audit.wire.script import build_script
from audit.wire.transport import Printed
from tests.lab import Lab
from tests.lab.matrix import session
from tests.lab.matrix.stations import STATIONS, Station, station

KINDS: tuple[type[Fact], ...] = (DockerClient, Engine, ImageStore, Buildx, Builders, BuildEnv)
"""The facts that a prediction reads."""

EMBEDDED = {"28.5.2": "0.25.2", "26.1.5": "0.13.2"}
"""BuildKit in an engine (moby's vendor.mod). Debian's build of it tells no version: a bridge's node has none."""

MOST = 40
"""Cells of one session; the lab is held as long."""
AT_ONCE = 3

Row = dict[str, Any]
Piece = tuple[Station, tuple[str, ...], int]


def observed(
    lab: Lab, wanted: Sequence[tuple[Station, tuple[str, ...]]], on_round: Callable[[list[Row]], None] | None = None
) -> list[Row]:
    """One row a station, in the given order: its facts and its cells.

    Stations of different workers run side by side, one a worker at a time; the lab is held for each such round.

    Args:
        on_round: told after each round all that there is so far.
    """
    if any("@SCANNER@" in line for _, lines in wanted for line in lines):
        with lab.alone():
            session.make_scanner(lab)
    pieces = [
        (at, lines[start : start + MOST], start) for at, lines in wanted for start in range(0, max(len(lines), 1), MOST)
    ]
    done: dict[str, Row] = {}
    while pieces:
        batch: list[Piece] = []
        for one in list(pieces):
            if one[0].worker not in {other[0].worker for other in batch}:
                batch.append(one)
                pieces.remove(one)
        with lab.alone():
            found = round_of(lab, batch)
        for row in found:
            done.setdefault(row["station"], {**row, "cells": []})["cells"] += row["cells"]
        if on_round is not None:
            on_round([done[at.name] for at, _ in wanted if at.name in done])
    return [done[at.name] for at, _ in wanted]


def round_of(lab: Lab, batch: Sequence[Piece]) -> list[Row]:
    """Pieces of different workers, side by side, and whatever they left on the workers taken away.

    The caller holds the lab.
    """
    with ExitStack() as stack:
        engines = sorted({at.other.on for at, _, _ in batch if at.other})
        for name in sorted({at.worker for at, _, _ in batch} | set(engines)):
            stack.callback(session.forget, lab, lab.workers[name])
        bridges = {name: stack.enter_context(session.bridge(lab.workers[name])) for name in engines}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda piece: _piece(lab, bridges, *piece), batch))


def _piece(lab: Lab, bridges: dict[str, session.Bridge], at: Station, lines: tuple[str, ...], start: int) -> Row:
    run, mark = f"{start}.{session.nonce()[:8]}", session.nonce()
    host = Host(name=at.name, address="127.0.0.1")
    script = build_script(all_probes(), host, mark).encode()
    begun = time.time()
    rows = list(session.enter(lab, at, lines, script, run, bridges.get(at.other.on) if at.other else None))
    head = next(row for row in rows if "facts" in row)
    printed = Printed(data=head["facts"].encode(), started=begun, complete=True, status=0)
    seen = evidence(host, all_probes(), printed, mark, host_key=None, seconds=0.0)
    cells = []
    for row in rows:
        if "number" in row:
            number = row["number"]
            reference = f"{session.REPOSITORY}:{session.tag(at, number, run)}"
            cells.append({**row, "line": lines[number], "arrived": _arrived(lab, reference)})
    facts, adjusted = _facts(seen, host, at)
    return {
        "station": at.name,
        "worker": at.worker,
        "driver": at.other.driver if at.other else "docker",
        "bridge": bool(at.other),
        "adjusted": adjusted,
        "outcome": seen.outcome.value,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "facts": {name: fact.model_dump(mode="json", exclude_defaults=True) for name, fact in facts.items()},
        "cells": cells,
    }


def _facts(seen: HostEvidence, host: Host, at: Station) -> tuple[Facts, list[str]]:
    """The facts that a prediction reads, and what is known of the station beyond what the worker can tell."""
    read = read_facts(seen, host)
    facts: dict[str, Any] = {kind.fact_name(): read[kind.fact_name()] for kind in KINDS}
    builders, adjusted = facts["builders"], []
    if at.other is not None and isinstance(builders, Builders):
        engine = EMBEDDED[_engine_of(at.other.on)]
        load = "default-load=true" in at.other.options
        changed = []
        for builder in builders.builders:
            if builder.name == at.other.name:
                nodes = tuple(node.model_copy(update={"buildkit": engine}) for node in builder.nodes)
                adjusted.append(f"builder {builder.name}: BuildKit {engine} of the engine behind the bridge")
                if builder.default_load is None:
                    adjusted.append(f"builder {builder.name}: default-load {load}")
                changed.append(builder.model_copy(update={"nodes": nodes, "default_load": load}))
            else:
                changed.append(builder)
        facts["builders"] = builders.model_copy(update={"builders": tuple(changed)})
    return Facts(facts), adjusted


def _engine_of(worker: str) -> str:
    return {"riscv64": "28.5.2", "trixie-containerd": "26.1.5"}[worker]


def _arrived(lab: Lab, reference: str) -> Row | None:
    """What the registry serves under a tag, as the project reads it; None where there is nothing."""
    repository = reference.rpartition(":")[0]
    try:
        served = lab.served(reference)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.NOT_FOUND:
            return None
        raise
    children = {}
    for entry in served.body.get("manifests", []):
        children[entry["digest"]] = lab.served(f"{repository}@{entry['digest']}").raw
    try:
        arrived = Arrived.of(served.media_type, served.raw, children)
    except BadManifest as error:
        return {"bad": str(error)}
    return arrived.model_dump(mode="json")


def stations_of(names: Sequence[str]) -> list[tuple[Station, tuple[str, ...]]]:
    """Stations by name with all their lines; all of them where none is named.

    Raises:
        LabError: there is none of that name.
    """
    return [(one, one.lines) for one in (map(station, names) if names else STATIONS)]
