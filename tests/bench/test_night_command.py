"""How the night starts the command, kills it, and reckons what was spent twice; with a stand-in for the command."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.bench.night.command import Command, Killer, must
from tests.bench.night.kills import Experiment, Kills

STAND_IN = """
import json, os, pathlib, sys, time
said = {"argv": sys.argv[1:], "names": sorted(name for name in os.environ if name.startswith("XDG_"))}
pathlib.Path(sys.argv[sys.argv.index("--report") + 1].removeprefix("json:")).write_text(json.dumps(said))
print("sorry", file=sys.stderr)
while "--trust-journal" in sys.argv: time.sleep(0.01)
sys.exit(5)
"""


def command(folder: Path, *, trust: bool = False) -> Command:
    """Ends with 5; never where it may trust its journal."""
    program = (sys.executable, "-c", STAND_IN)
    return Command(folder / "plan", "127.0.0.1:1", folder / "home", program=program, trust_journal=trust,
                   manifests=folder / "out")  # fmt: skip


def test_a_run_says_how_it_ended_and_what_it_cost(tmp_path: Path) -> None:
    """The command line is that of an operator; every folder is private and empty at first; the report is read."""
    ran = command(tmp_path).run()
    assert (ran.code, ran.stderr) == (5, "sorry\n")
    assert 0 < ran.cpu <= ran.wall + 1
    assert 1 < ran.rss_mb < 500
    assert ran.report["argv"] == [
        "merge", "--plan", f"{tmp_path}/plan", "--plain-http", "127.0.0.1:1", "--rate", "300/min", "--connections", "6",
        "--registry-user", "night", "--manifests", f"{tmp_path}/out", "--report", f"json:{tmp_path}/home/report.json",
        "-q",
    ]  # fmt: skip
    assert ran.report["names"] == ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("home/xdg*")} <= {0o700}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    with pytest.raises(RuntimeError, match="the run ended with 5: sorry"):
        must(ran, "the run")
    assert must(ran, "the run", (0, 5)) is ran


def test_a_run_can_be_killed(tmp_path: Path) -> None:
    """By ``kill -9``, and once it is over nobody else is hit."""
    killers: list[Killer] = []

    def kill(killer: Killer) -> None:
        killers.append(killer)
        killer()

    assert command(tmp_path, trust=True).run(kill).code == -9
    assert killers[0].ended
    mine = Killer(os.getpid(), 0.0, ended=True)
    mine()


def test_what_was_spent_twice_is_reckoned_over_all_kills() -> None:
    """100 requests undisturbed; 102 and 100 with a kill are one in a hundred."""
    done = Kills(100)
    assert done.spent_twice == 0
    done.experiments = [
        Experiment("request 7, after", True, 7, 102, [], []),
        Experiment("after 3.00 s", False, 100, 100, ["_layers: one, nothing"], []),
    ]
    assert done.spent_twice == pytest.approx(0.01)
    assert (done.killed, done.identical) == (1, 1)
    figures = done.figures()
    assert (figures["kills"], figures["experiments"], figures["identical"], figures["most_twice"]) == (1, 2, 1, 2)
    assert [one["moment"] for one in figures["odd"]] == ["after 3.00 s"]
