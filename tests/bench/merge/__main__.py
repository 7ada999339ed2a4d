"""The same sources merged by us and by the peers, against one counting TLS registry with token authentication.

    python -m tests.bench.merge [--rounds 2] [--round-trip 0.02] [--buildx FILE …] [--case KEY …]

Requests, tokens, connections and bytes are counted by the registry's front and are exact. Seconds are the medians of a
whole command, from its start to its end, with the registry on this machine, and once more with every byte delayed by
a round trip, as a registry elsewhere would; client, front and registry share this machine's processors. Every tag is
looked up on the registry's disk afterwards: a tool that does not leave what it should ends the bench.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.registry import Client, Credentials, Options, Tls
from tests.bench.measure import publish
from tests.bench.merge import place as places
from tests.bench.merge.disk import Disk
from tests.bench.merge.place import REGISTRY, Place
from tests.bench.merge.sources import CASES, Case, Pushed, Pusher
from tests.bench.merge.tools import Job, Tool, environment, fetch_peers, forget_blobs, ours, peers
from tests.bench.merge.wanted import fallen_short

_SECONDS = 120
_NOT_HERE, _FAR = "not_available", "seconds_with_round_trip"


@dataclass(frozen=True)
class Spent:
    """One run: what the front counted, and how long it took."""

    figures: dict[str, Any]
    digest: str


class Refused(Exception):  # noqa: N818 - what the tool did
    """The tool does not merge these sources; its last line says why."""


def main() -> int:
    """Measure, print, write `.bench/merge.json`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2, help="of every tool on this machine")
    parser.add_argument("--round-trip", type=float, default=0.02, help="seconds, for the second set of wall times")
    parser.add_argument("--buildx", type=Path, action="append", default=[], help="another buildx program to measure")
    parser.add_argument("--case", choices=[case.key for case in CASES], action="append")
    options = parser.parse_args()
    absent = json.loads(places.enter("tests.bench.merge", sys.argv[1:], lambda: json.dumps(fetch_peers())))
    cases = [case for case in CASES if not options.case or case.key in options.case]
    tools = [ours(), *peers(absent, options.buildx)]
    with tempfile.TemporaryDirectory(prefix="fa-merge-", dir="/tmp") as folder:
        places.furnish(Path(folder))
        near = measure(Path(folder) / "near", 0.0, options.rounds, cases, tools)
        far = measure(Path(folder) / "far", options.round_trip, 1, cases, tools)
    for key, row in near.items():
        for name, figures in row.items():
            if "seconds" in figures:
                figures[_FAR] = far[key][name]["seconds"]
    return report(near, options, tools)


def measure(
    folder: Path, round_trip: float, rounds: int, cases: Sequence[Case], tools: Sequence[Tool]
) -> dict[str, dict[str, Any]]:
    """Every case cold and repeated; the contenders take turns, round by round. Case -> tool -> figures."""
    folder.mkdir()
    found: dict[str, dict[str, Any]] = {}
    with places.serving(folder, places.registry_program(), round_trip) as place:
        with Client(_options(place)) as client:
            pusher = Pusher(client, place.tally)
            pushed = {case.key: pusher.push(case) for case in cases}
        for case in cases:
            runs: dict[str, list[tuple[Spent, Spent]]] = {}
            why: dict[str, dict[str, str]] = {}
            for number in range(rounds):
                for position, tool in enumerate(tools):
                    if tool.why_not:
                        why[tool.name] = {_NOT_HERE: tool.why_not}
                    elif tool.name not in why:
                        try:
                            pair = _twice(place, case, pushed[case.key], tool, f"{number}-{position}")
                        except Refused as said:
                            why[tool.name] = {"refused": str(said)}
                        else:
                            runs.setdefault(tool.name, []).append(pair)
            _agree(case, runs, tools)
            for which, words in enumerate(("cold", "repeat")):
                spent = {name: _median([pair[which] for pair in pairs]) for name, pairs in runs.items()}
                found[f"{case.key}_{words}"] = {tool.name: spent.get(tool.name) or why[tool.name] for tool in tools}
            print(f"{case.about}, {round_trip * 1000:.0f} ms away: done", file=sys.stderr)
    return found


def _options(place: Place) -> Options:
    credentials = Credentials(username=places.ACCOUNT, password=places.PASSWORD)
    return Options(tls={"*": Tls(ca_file=place.ca)}, credentials={REGISTRY: credentials}, environment={})


def _twice(place: Place, case: Case, pushed: Sequence[Pushed], tool: Tool, name: str) -> tuple[Spent, Spent]:
    """Cold, with a home and a target that nobody has used; then the same command once more."""
    repository, tag = case.target(f"r{name}")
    forget_blobs()
    with tempfile.TemporaryDirectory(dir=place.folder) as home:
        env = environment(Path(home), place)
        job = Job(place, case.references(pushed), f"{REGISTRY}/{repository}:{tag}")
        pair = [_once(place, case, pushed, tool, job, env) for _ in range(2)]
    return pair[0], pair[1]


def _once(
    place: Place, case: Case, pushed: Sequence[Pushed], tool: Tool, job: Job, env: dict[str, str]
) -> Spent:  # fmt: skip
    tally = place.tally
    tally.clear()
    before, start = _cpu(), time.perf_counter()
    done = subprocess.run(
        tool.command(job), env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True,
        timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    seconds, cpu = time.perf_counter() - start, _cpu() - before
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        if case.all_flat and tool.name.startswith("fleet-audit"):
            raise RuntimeError(f"{tool.name}, {case.about}: {done.stderr[-1500:]}")
        raise Refused(said[:300])
    repository, _, tag = job.target.removeprefix(f"{REGISTRY}/").rpartition(":")
    digest = ""
    if tool.makes_index:
        disk = Disk(place.storage)
        digest = disk.digest(repository, tag) or ""
        if not digest:
            raise RuntimeError(f"{tool.name} ended well, but left no {job.target}")
        if wrong := disk.wrong(repository, digest, pushed, attested=tool.keeps_attestations):
            raise RuntimeError(f"{tool.name} left a wrong {job.target}, {case.about}: {wrong}")
    figures: dict[str, Any] = {
        "requests": tally.by_kind.total(),
        "by_kind": dict(sorted(tally.by_kind.items())),
        "tokens": tally.by_kind["token"],
        "unauthorized": tally.refused,
        "connections": tally.connections,
        "bytes_through_controller": tally.blob_bytes,
        "config_bytes_read": tally.config_bytes,
        "seconds": seconds,
        "cpu_seconds": cpu,
    }
    return Spent(figures, digest)


def _cpu() -> float:
    """Of every child that has ended; the registry and its front are none."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _agree(case: Case, runs: dict[str, list[tuple[Spent, Spent]]], tools: Sequence[Tool]) -> None:
    """Ours and every imagetools leave one and the same digest."""
    digests = {
        name: {spent.digest for pair in pairs for spent in pair}
        for name, pairs in runs.items()
        if name.startswith(("fleet-audit", "imagetools"))
    }
    if len(set().union(*digests.values())) > 1:
        raise RuntimeError(f"{case.about}: the digests differ: {digests}")


def _median(runs: Sequence[Spent]) -> dict[str, Any]:
    """Counts of the middle run by requests; the median of the seconds."""
    ordered = sorted(runs, key=lambda one: one.figures["requests"])
    middle = ordered[len(ordered) // 2]
    seconds, cpu = (statistics.median(one.figures[what] for one in runs) for what in ("seconds", "cpu_seconds"))
    digest = {"digest": middle.digest} if middle.digest else {"note": "copies the images; makes no index"}
    return middle.figures | {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)} | digest


def report(found: dict[str, dict[str, Any]], options: argparse.Namespace, tools: Sequence[Tool]) -> int:
    """The table, the file, and what was wanted; 1 where a count is not what it should be."""
    rows: list[list[object]] = []
    refused: list[str] = []
    abouts = {f"{case.key}_{words}": f"{case.about}, {words}" for case in CASES for words in ("cold", "repeat")}
    for key, row in found.items():
        mine = row[tools[0].name]
        about = abouts[key]
        for name, figures in row.items():
            if "refused" in figures and key.endswith("cold"):
                refused.append(f"{name}, {abouts[key].removesuffix(', cold')}: {figures['refused'][-100:]}")
            if "seconds" not in figures:
                continue
            rows.append([
                about, name, figures["requests"], figures["tokens"], figures["connections"],
                f"{figures['bytes_through_controller'] / 1e6:.2f}", f"{figures['cpu_seconds']:.2f}",
                f"{figures['seconds']:.2f}", f"{figures[_FAR]:.2f}",
                *(_ratio(figures, mine, what) for what in ("requests", "seconds", _FAR)),
            ])  # fmt: skip
            about = ""
    absent = {tool.name: tool.why_not for tool in tools if tool.why_not}
    milliseconds = round(options.round_trip * 1000)
    short = fallen_short(found, tools[0].name)
    publish(
        "merge",
        f"merging, {options.rounds} rounds (medians); x: over ours",
        rows,
        ["case", "tool", "requests", "tokens", "conns", "blob MB", "cpu s", "s", f"s at {milliseconds} ms",
         "x requests", "x s", f"x s at {milliseconds} ms"],
        {"rounds": options.rounds, "round_trip_ms": milliseconds, _NOT_HERE: absent, "cases": found,
         "fallen_short": [line for line, _ in short]},
    )  # fmt: skip
    for line in refused:
        print(f"  refused: {line}")
    for name, why in absent.items():
        print(f"  {_NOT_HERE}: {name}: {why}")
    for line, _ in short:
        print(f"  fallen short: {line}")
    return 1 if any(counted for _, counted in short) else 0


def _ratio(figures: dict[str, Any], mine: dict[str, Any], what: str) -> str:
    return f"{figures[what] / mine[what]:.2f}" if mine.get(what) else "-"


if __name__ == "__main__":
    sys.exit(main())
