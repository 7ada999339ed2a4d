"""What Docker's own clients ask of a registry for some of a night's tags: counted as in tests/bench/merge.

    python -m tests.bench.night.peers FILE [--sets 3]

Started by the night as a program of its own, since it takes place in namespaces of its own, under a real host name:
on a loopback address, and with a port in its name, Docker's clients would not mount.
"""

from __future__ import annotations

import argparse
import base64
import json
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.bench.measure import ROOT
from tests.bench.merge import place as places
from tests.bench.merge.disk import Disk
from tests.bench.merge.place import REGISTRY, TOKENS, Place
from tests.bench.merge.tools import Job, Tool, environment, forget_blobs, peers
from tests.bench.night.expected import expected, wrong
from tests.bench.night.stock import Shop, Stocked, stock
from tests.bench.night.workload import Workload, load
from tests.lab.registry import fetch

_SECONDS = 300
_TARGET = "live/opam"


def measured(sets: int, tell: Any = lambda _line: None) -> dict[str, Any]:
    """The figures, from a process of its own; empty with the reason where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="fa-peers-") as folder:
        file = Path(folder) / "peers.json"
        argv = [sys.executable, "-m", "tests.bench.night.peers", str(file), "--sets", str(sets)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode:
            return {"why": (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]}
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        tell(f"peers: {', '.join(found['tools'])}")
        return found


def main() -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sets", type=int, default=3)
    options = parser.parse_args()
    places.enter("tests.bench.night.peers", sys.argv[1:], _furnished)
    workload = _part(load(), options.sets)
    tools = [tool for tool in peers({"crane": "not asked", "skopeo": "not asked"})
             if tool.name.startswith(("docker manifest", "imagetools"))]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fa-peers-", dir="/tmp") as name:
        folder = Path(name)
        places.furnish(folder)
        with places.serving(folder, places.registry_program(), 0.0) as place:
            stocked = stock(_shop(place), workload)
            found = {tool.name: _asked(place, stocked, tool) for tool in tools}
    options.file.write_text(json.dumps({"part": workload.picked, "tools": found}, indent=2), encoding="utf-8")
    return 0


def _furnished() -> str:
    """What needs the network that is left behind."""
    fetch()
    return "entered"


def _part(whole: Workload, sets: int) -> Workload:
    """The first sets of a family with attested images, and as many of flat images only."""
    attested = whole.scaled(0.001).images.values()
    family = next(image.base.partition("/")[0] for image in attested)
    first = next(iter(whole.images.values())).base.partition("/")[0]
    chosen: list[tuple[str, ...]] = []
    for name in (family, first):
        chosen += [one for one in whole.sets if one[0].startswith(name) and len(one) > 1][:sets]
    merges, seen = [], set()
    for merge in whole.merges:
        if merge.sources in chosen and merge.sources not in seen:  # one tag of each: these tools know no more
            seen.add(merge.sources)
            merges.append(merge)
    images = {name: whole.images[name] for merge in merges for name in merge.sources}
    return Workload(images, tuple(merges), whole.staging, _TARGET, f"{len(merges)} sets of {family} and {first}")


def _shop(place: Place) -> Shop:
    tls = ssl.create_default_context(cafile=str(place.ca))
    login = base64.b64encode(f"{places.ACCOUNT}:{places.PASSWORD}".encode()).decode()

    def bearer(repositories: Iterable[str]) -> str:
        scopes = [("scope", f"repository:{name}:pull,push") for name in repositories]
        url = f"https://{TOKENS}/token?{urlencode([('service', 'bench'), *scopes])}"
        asking = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(asking, timeout=20, context=tls) as answer:
            return str(json.load(answer)["token"])

    return Shop(f"{REGISTRY}:443", tls, bearer)


def _asked(place: Place, stocked: Stocked, tool: Tool) -> dict[str, Any]:
    """Every tag that the tool can merge, one process each, into a repository of the tool's own."""
    if tool.why_not:
        return {"why": tool.why_not}
    workload = stocked.workload
    target = f"{_TARGET}-{tool.name.replace(' ', '-')}"
    manifests = tool.name.startswith("docker manifest")
    merges = [merge for merge in workload.merges
              if not (manifests and any(workload.images[name].attested for name in merge.sources))]  # fmt: skip
    part = Workload({name: workload.images[name] for merge in merges for name in merge.sources}, tuple(merges),
                    workload.staging, target)  # fmt: skip
    place.tally.configs |= {digest for image in stocked.images.values() for digest in _configs(image.manifest.raw)}
    place.tally.clear()
    forget_blobs()
    with tempfile.TemporaryDirectory(dir=place.folder) as home:
        env = {"PATH": "/usr/bin:/bin", **environment(Path(home), place)}
        for merge in merges:
            sources = [f"{REGISTRY}/{workload.staging}@{stocked.digests[name]}" for name in merge.sources]
            argv = tool.command(Job(place, sources, f"{REGISTRY}/{target}:{merge.tag}"))
            done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=_SECONDS, check=False,
                                  stdin=subprocess.DEVNULL)  # fmt: skip
            if done.returncode:
                return {"why": (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]}
    figures = {
        "tags": len(merges), "requests": place.tally.by_kind.total(), "floor": part.floor.unread,
        "by_kind": dict(sorted(place.tally.by_kind.items())), "connections": place.tally.connections,
        "blob_bytes": place.tally.blob_bytes,
    }  # fmt: skip
    if manifests:
        figures["by_formula"] = part.by_docker_manifest
        return figures
    return figures | {"as_expected": _as_expected(Disk(place.storage), target, stocked, [one.tag for one in merges])}


def _as_expected(disk: Disk, target: str, stocked: Stocked, tags: Sequence[str]) -> int:
    """How many tags stand for what our own are judged by: the expectation itself is checked so."""
    wanted = expected(stocked)
    digests = {tag: disk.digest(target, tag) for tag in tags}
    return sum(not wrong(disk.read(digest), wanted[tag]) for tag, digest in digests.items() if digest)


def _configs(manifest: bytes) -> list[str]:
    return [json.loads(manifest)["config"]["digest"]]


if __name__ == "__main__":
    sys.exit(main())
