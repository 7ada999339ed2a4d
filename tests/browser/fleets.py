"""Fleets to look at: the lab's recorded one, a thousand hosts made of it, and a story with drift and history."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

from audit import flow
from audit.model import Severity
from audit.reports import html
from audit.run import Run, SavedRun

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"
DAY = 86400.0
_BYTES = re.compile(r"\b\d{9,}\b")
_HEX = re.compile(r"\b[0-9a-f]{12,}\b")
_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@cache
def lab() -> Run:
    """The lab's fleet as it was recorded."""
    return flow.judged(SavedRun.parse(RECORDED.read_text(encoding="utf-8"), str(RECORDED)))


@cache
def many(hosts: int) -> Run:
    """So many hosts: copies of the recorded ones, each with free space, ids, times and keys of its own."""
    document = json.loads(RECORDED.read_text(encoding="utf-8"))
    declared, evidence = document["fleet"]["hosts"], document["evidence"]["hosts"]
    dice = random.Random(7)
    new_hosts: list[dict[str, Any]] = []
    new_evidence: dict[str, Any] = {}
    for number in range(hosts):
        host = declared[number % len(declared)]
        name = f"{host['name']}-{number:04}"
        new_hosts.append({**host, "name": name, "address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"})
        new_evidence[name] = json.loads(_another(json.dumps(evidence[host["name"]]), dice))
    document["fleet"]["hosts"] = new_hosts
    document["evidence"]["hosts"] = new_evidence
    return flow.judged(SavedRun.parse(json.dumps(document), "a thousand hosts"))


def _another(text: str, dice: random.Random) -> str:
    text = _BYTES.sub(lambda found: found[0][:2] + "".join(dice.choice("0123456789") for _ in found[0][2:]), text)
    text = _HEX.sub(lambda found: "".join(dice.choice("0123456789abcdef") for _ in found[0]), text)
    return _KEY.sub(lambda _: "SHA256:" + "".join(dice.choice(_LETTERS) for _ in range(43)), text)


def points(run: Run, checks: int = 30) -> list[html.Point]:
    """A history that ends with this run: an upgrade on its way, one host out of reach now and then."""
    last = html.point_of(run)
    found = []
    for number in range(checks):
        late = number // 6
        found.append(
            html.Point(
                at=last.at - DAY * (checks - number),
                findings={Severity.ERROR: number % 3, Severity.WARNING: 8 - late, Severity.NOTE: 30 + number % 5},
                engines={"26.1.5": 6 - late, "28.5.2": 2 + late, "20.10.24": 2, "?": 2},
                stores={"overlay2": 9 - late, "containerd/overlayfs": late, "?": 3},
                reached=12 - (number % 7 == 3),
                hosts=12,
            )
        )
    return [*found, last]


def changes(run: Run) -> list[html.TimelineEntry]:
    """A reinstalled worker with what follows from it, and two smaller things."""
    now = run.when.timestamp()
    return [
        html.TimelineEntry(
            at=now - 3600,
            host="riscv64",
            kind="reinstalled",
            title="riscv64 was reinstalled: its machine-id and its host key are new",
            detail="machine-id `bab392f66e91` is now `11f0c2a7d0e3`",
            consequences=(
                "the image store is containerd/overlayfs, it was overlay2",
                "a plain push leaves an OCI index, it was flat",
                "`docker manifest create` with this worker's image will fail",
            ),
        ),
        html.TimelineEntry(
            at=now - DAY, host="ppc64le", kind="buildx", title="buildx is missing", detail="0.13.1 is gone"
        ),
        html.TimelineEntry(at=now - 2 * DAY, host="old-1", kind="vanished", title="old-1 left the inventory"),
    ]


def story() -> str:
    """The lab's page with drift and history."""
    run = lab()
    return "".join(html.page(run, timeline=changes(run), since="baseline spring", history=points(run)))
