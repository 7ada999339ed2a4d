"""Killed at a random moment, and run again: is everything as if nothing had happened, and what was asked for twice?"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.night.answers import Stage
from tests.bench.night.command import Command, Killer, must
from tests.bench.night.content import content, differences
from tests.bench.night.plan import plan
from tests.bench.night.proxy import Proxy
from tests.bench.night.stock import Stocked

_STAGES: tuple[Stage, ...] = ("before", "after", "answered")
_BY_TIME = 4
"""Every so many experiments are killed at a moment of the clock, which may lie before the first request."""


@dataclass(frozen=True)
class Experiment:
    """One kill, and what came of it.

    Attributes:
        moment: in words.
        killed: False where the run was over first.
        before: requests until the kill.
        requests: of both runs together.
        differs: paths in which the content differs from the undisturbed one.
        dangling: tags that pointed at an index with a missing child.
    """

    moment: str
    killed: bool
    before: int
    requests: int
    differs: list[str]
    dangling: list[str]


@dataclass
class Kills:
    """All of them.

    Attributes:
        undisturbed: requests of a run that nobody kills.
        experiments: in their order.
    """

    undisturbed: int
    experiments: list[Experiment] = field(default_factory=list)

    @property
    def identical(self) -> int:
        """Experiments after which the registry held the same to the byte."""
        return sum(not one.differs for one in self.experiments)

    @property
    def killed(self) -> int:
        """Experiments in which the run was still under way."""
        return sum(one.killed for one in self.experiments)

    @property
    def spent_twice(self) -> float:
        """The share of requests that an undisturbed run would not have made, over all experiments."""
        whole = self.undisturbed * len(self.experiments)
        return sum(one.requests - self.undisturbed for one in self.experiments) / whole if whole else 0.0

    def figures(self) -> dict[str, Any]:
        """For a file: the totals, and each experiment that differs or spent more than 2 % twice."""
        odd = [one for one in self.experiments
               if one.differs or one.dangling or one.requests > 1.02 * self.undisturbed + 1]  # fmt: skip
        return {
            "undisturbed": self.undisturbed, "kills": self.killed, "experiments": len(self.experiments),
            "identical": self.identical, "spent_twice": round(self.spent_twice, 5),
            "most_twice": max((one.requests - self.undisturbed for one in self.experiments), default=0),
            "odd": [asdict(one) for one in odd[:20]],
        }  # fmt: skip


def kills(
    proxy: Proxy,
    stocked: Stocked,
    storage: Path,
    command: Command,
    *,
    count: int,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _line: None,
) -> Kills:
    """Run once undisturbed, then kill, run again, and compare, so many times; each in a repository of its own.

    Args:
        proxy: in front of the registry; it should not limit, since nothing is learnt from waiting here.
        stocked: the sources.
        storage: of the registry behind.
        command: whose home is the folder for all homes; its plan is made anew for each target.
        count: of kills.
        seed: of their moments.
        tell: told how far it is.

    Raises:
        RuntimeError: a run that nobody killed did not end well.
    """
    folder = command.home
    folder.mkdir(mode=0o700, exist_ok=True)
    trial = _Trial(proxy, stocked, storage, command, folder)
    calm = proxy.phase("undisturbed")
    ran = must(trial.of("calm").run(), "the undisturbed run")
    expected = content(storage, trial.target("calm"))
    done = Kills(calm.requests)
    draw = random.Random(f"kills {seed}")
    for number in range(count):
        name = f"kill-{number}"
        seen = proxy.phase(name)
        by_time = number % _BY_TIME == _BY_TIME - 1
        place, stage = draw.randint(1, calm.requests), draw.choice(_STAGES)
        seconds = draw.uniform(0, ran.wall * 0.95)
        if by_time:
            moment, kill = f"after {seconds:.2f} s", partial(_later, seconds)
        else:
            moment, kill = f"request {place}, {stage}", partial(proxy.at, place, stage)
        first = trial.of(name).run(kill)
        if first.code != -9:
            must(first, f"{name}, before it could be killed")
        before = seen.requests
        must(trial.of(name).run(), f"{name}, {moment}, run again")
        found = content(storage, trial.target(name))
        done.experiments.append(
            Experiment(moment, first.code == -9, before, seen.requests, differences(expected, found), seen.dangling)
        )
        trial.clean(name)
        if (number + 1) % 10 == 0:
            tell(f"{number + 1} of {count} kills, {done.identical} identical, {done.spent_twice:.2%} spent twice")
    return done


def _later(seconds: float, killer: Killer) -> None:
    timer = threading.Timer(seconds, killer)
    timer.daemon = True
    timer.start()


@dataclass(frozen=True)
class _Trial:
    proxy: Proxy
    stocked: Stocked
    storage: Path
    command: Command
    folder: Path

    def target(self, name: str) -> str:
        return f"{self.stocked.workload.target}-{name}"

    def of(self, name: str) -> Command:
        """The command for one target, with a home of its own."""
        file = self.folder / f"{name}.json"
        file.write_text(plan(self.stocked, self.proxy.address, self.target(name)), encoding="utf-8")
        return replace(self.command, plan=file, home=self.folder / name)

    def clean(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.rmtree(self.storage / "docker/registry/v2/repositories" / self.target(name), ignore_errors=True)
