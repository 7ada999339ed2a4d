"""A large fleet that lives: the lab's recorded workers, many times over, each with small drifts from check to check.

    fleet = Workers(1000, seed=1)
    snapshot, saved = fleet.check()     the next day's: as `History.record` takes them

What always moves (clock, free space, uptime, images) moves on every worker in every check, in the facts and in the
evidence alike. What is stable changes on one worker in five hundred: another engine, buildx, kernel, or a reinstall
with the other store. One in a hundred is not reached, and is back the next time. The same seed gives the same life.
"""

from __future__ import annotations

import copy
import json
import random
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from audit.run import Run, SavedRun
from audit.snapshot import Snapshot

RECORDED = Path(__file__).parent.parent.parent / "recorded" / "lab-fleet.json"
DAY = 86400.0
DARK = 1 / 100
"""How many workers are not reached by a check."""

STORE = "riscv64"
"""The recorded worker of the other image store."""


@cache
def recorded() -> tuple[dict[str, Any], dict[str, Any]]:
    """The recorded check as JSON: as a snapshot, and as a saved run."""
    text = RECORDED.read_text(encoding="utf-8")
    saved = SavedRun.parse(text, RECORDED.name)
    run = Run.of(saved.fleet, saved.evidence, saved.tool_version)
    return Snapshot.of(run, inventory=("bench",)).model_dump(mode="json"), saved.model_dump(mode="json")


@dataclass
class Worker:
    """One worker as it is now.

    Attributes:
        name: its own.
        row: of a snapshot.
        verdicts: on it.
        evidence: as a saved run has it.
        declared: as the fleet has it.
        images: in its store.
        free: KiB on its disk.
        dark: it does not answer this time.
    """

    name: str
    row: dict[str, Any]
    verdicts: list[dict[str, Any]]
    evidence: dict[str, Any]
    declared: dict[str, Any]
    images: int
    free: int
    dark: bool = False


@dataclass
class Workers:
    """The fleet.

    Attributes:
        many: how many workers.
        seed: of all that happens.
        changes: how many of them change something stable from one check to the next.
    """

    many: int
    seed: int = 1
    changes: float = 1 / 500
    day: int = 0
    changed: list[str] = field(default_factory=list)
    """Who changed something stable before the last check."""

    def __post_init__(self) -> None:
        """Make every worker."""
        self._random = random.Random(self.seed)
        snapshot, saved = recorded()
        self._at = snapshot["at"]
        self._rest = [row for row in snapshot["verdicts"] if row["subject"] not in saved["evidence"]["hosts"]]
        self.workers = [self._worker(number, snapshot, saved) for number in range(self.many)]

    def _worker(self, number: int, snapshot: dict[str, Any], saved: dict[str, Any]) -> Worker:
        base = snapshot["hosts"][number % len(snapshot["hosts"])]
        old, name = base["name"], f"{base['name']}-{number:04}"
        row = copy.deepcopy(base) | {"name": name, "address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        row["groups"] = [*row["groups"], f"site-{number % 7}"]
        evidence = copy.deepcopy(saved["evidence"]["hosts"][old])
        declared = next(host for host in saved["fleet"]["hosts"] if host["name"] == old)
        worker = Worker(
            name=name,
            row=row,
            verdicts=[
                {**verdict, "subject": name, "message": _renamed(verdict["message"], old, name)}
                for verdict in snapshot["verdicts"]
                if verdict["subject"] == old
            ],
            evidence=evidence,
            declared={**declared, "name": name, "address": row["address"], "groups": row["groups"]},
            images=self._random.randrange(5, 400),
            free=self._random.randrange(20_000_000, 200_000_000),
        )
        self._identify(worker)
        return worker

    def _identify(self, worker: Worker) -> None:
        """Another machine: machine-id, host key and engine id of its own, in facts and evidence."""
        facts, answers = worker.row["facts"], worker.evidence["answers"]
        whole, key, engine = (f"{self._random.getrandbits(bits):0{bits // 4}x}" for bits in (256, 172, 128))
        if facts["machine"].get("machine_id"):
            facts["machine"]["machine_id"] = whole[:12]
            _edit(answers, "host", r"(?m)^machine-id [0-9a-f]+", f"machine-id {whole}")
        facts["reach"]["host_key"] = worker.evidence["host_key"] = f"SHA256:{key}"
        if facts["engine"].get("engine_id"):
            facts["engine"]["engine_id"] = engine
            _edit(answers, "docker-info", r'"ID":"[0-9a-f-]+"', f'"ID":"{engine}"')

    # ---------------------------------------------------------------- a day

    def check(self) -> tuple[dict[str, Any], str]:
        """The next check: `audit.snapshot.Snapshot` as JSON, and `audit.run.SavedRun` as JSON text."""
        self.day += 1
        self.changed = []
        at = self._at + self.day * DAY
        for worker in self.workers:
            worker.dark = self.day > 1 and self._random.random() < DARK
            if self.day > 1 and self._random.random() < self.changes:
                self._change(worker)
                self.changed.append(worker.name)
            self._move(worker, at)
        base, saved = recorded()
        snapshot = {
            **base,
            "at": at,
            "complete": not any(worker.dark for worker in self.workers),
            "hosts": [_row(worker) for worker in self.workers],
            "verdicts": [verdict for worker in self.workers for verdict in _verdicts(worker)] + self._rest,
        }
        evidence = {
            **saved["evidence"],
            "started": _moment(at - 30),
            "finished": _moment(at),
            "hosts": {worker.name: _evidence(worker) for worker in self.workers},
        }
        fleet = {**saved["fleet"], "hosts": [worker.declared for worker in self.workers]}
        return snapshot, json.dumps({**saved, "fleet": fleet, "evidence": evidence}, separators=(",", ":"))

    def _move(self, worker: Worker, at: float) -> None:
        """What always moves."""
        chance = self._random
        facts, evidence = worker.row["facts"], worker.evidence
        answers = evidence["answers"]
        worker.images = max(0, worker.images + chance.randrange(-3, 5))
        worker.free += chance.randrange(-500_000, 500_000)
        evidence["started"], evidence["seconds"] = at - 20 + chance.random(), round(1 + 3 * chance.random(), 3)
        facts["reach"]["seconds"] = evidence["seconds"]
        if "offset_seconds" in facts["clock"]:
            facts["clock"]["offset_seconds"] = round(chance.uniform(-0.2, 0.2), 3)
        if "wire-clock" in answers:
            answers["wire-clock"]["stdout"] = f"{evidence['started'] + 0.02:.9f}"
        uptime = 6000 + self.day * DAY + chance.random()
        _edit(answers, "host", r"(?m)^uptime .*", f"uptime {uptime:.2f} {uptime * 1.9:.2f}")
        if facts["engine"].get("images") is not None:
            facts["engine"]["images"] = worker.images
            _edit(answers, "docker-info", r'"Images":\d+', f'"Images":{worker.images}')
            _edit(answers, "docker-info", r'"SystemTime":"[^"]*"', f'"SystemTime":"{_moment(at)}"')
        for root in ("data_root", "containerd_root"):
            if facts["disks"].get(root):
                facts["disks"][root]["free"] = worker.free * 1024
        _edit(answers, "roots", r"(?m)^(/dev/\S+ +ext4 +\d+ +\d+) +\d+ ", rf"\g<1> {worker.free} ")

    def _change(self, worker: Worker) -> None:
        """Something stable, as it happens to machines."""
        chance, facts = self._random, worker.row["facts"]
        what = chance.choice(("engine", "buildx", "kernel", "reinstall"))
        if what == "engine" and "version" in facts["engine"]:
            version = f"28.{chance.randrange(2, 9)}.{chance.randrange(9)}"
            facts["engine"]["version"] = facts["docker_client"]["version"] = version
            _edit(worker.evidence["answers"], "docker-version", r'"Version":"[^"]*"', f'"Version":"{version}"')
        elif what == "buildx" and facts["buildx"].get("version"):
            facts["buildx"]["version"] = f"0.{chance.randrange(20, 37)}.{chance.randrange(3)}"
        elif what == "reinstall" and facts["image_store"].get("kind") == "graphdriver":
            other = next(row for row in recorded()[0]["hosts"] if row["name"] == STORE)
            facts["image_store"] = copy.deepcopy(other["facts"]["image_store"])
            worker.row["pushes"] = "index"
            self._identify(worker)
        else:
            facts["machine"]["kernel"] = f"6.{chance.randrange(10, 20)}.{chance.randrange(90)}"
        turned = chance.choice(worker.verdicts)
        turned["status"] = "pass" if turned["status"] == "fail" else "fail"


def _renamed(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new, text)


def _edit(answers: dict[str, Any], probe: str, pattern: str, new: str) -> None:
    answer = answers.get(probe)
    if answer is not None and "stdout" in answer:
        answer["stdout"] = re.sub(pattern, new, answer["stdout"], count=2 if probe == "roots" else 1)


_SAID = "no answer in 45 s"


def _row(worker: Worker) -> dict[str, Any]:
    if not worker.dark:
        return copy.deepcopy(worker.row)
    dark = {"unknown": "timeout", "detail": _SAID}
    facts = {name: values if name == "reach" else dark for name, values in worker.row["facts"].items()}
    return {**copy.deepcopy(worker.row), "outcome": "timeout", "detail": _SAID, "facts": facts, "pushes": ""}


def _verdicts(worker: Worker) -> list[dict[str, Any]]:
    if not worker.dark:
        return [dict(verdict) for verdict in worker.verdicts]
    return [{**verdict, "status": "unknown", "message": _SAID, "evidence": []} for verdict in worker.verdicts]


def _evidence(worker: Worker) -> dict[str, Any]:
    if not worker.dark:
        return worker.evidence
    return {**worker.evidence, "outcome": "timeout", "detail": _SAID, "phase": "probe", "answers": {}}


def _moment(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
