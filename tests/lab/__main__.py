"""The command: `python -m tests.lab {up,down,status,with,exec,logs,clean-cache}`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.lab import life, marks, roots
from tests.lab.place import Place
from tests.lab.registry import Registry
from tests.lab.shell import LabError, tell
from tests.lab.worker import Worker

_INCOMPLETE = 3
_ASK_ENGINE = (
    "command -v docker >/dev/null || { echo '- -'; exit; };"
    " docker --version 2>/dev/null | sed 's/podman version //p; d' | grep . && exit;"
    " timeout 10 docker info --format '{{.ServerVersion}} {{.Driver}} {{.DriverStatus}}' 2>/dev/null || echo '? ?'"
)


def main() -> int:
    """Read the command line and do it; a failure is one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="A fleet of real workers on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start the lab; what runs already is left alone")
    verbs.add_parser("down", help="stop it and remove everything but the cache")
    verbs.add_parser("status", help="who is up; exit code 3 unless all are")
    around = verbs.add_parser(
        "with", help="run a command with the lab up; stop the lab after it if it was not up before"
    )
    around.add_argument("command", nargs=argparse.REMAINDER)
    execute = verbs.add_parser("exec", help="run a command on a worker, as root")
    execute.add_argument("worker")
    execute.add_argument("command", nargs=argparse.REMAINDER, help="default: a shell")
    logs = verbs.add_parser("logs", help="a worker's console and journal, or the registry's log")
    logs.add_argument("worker", help="a worker's name, or `registry`")
    verbs.add_parser("clean-cache", help="remove the suites' root file systems")
    options = parser.parse_args()
    try:
        return _do(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; `python -m tests.lab down` removes what is there", file=sys.stderr)
        return 130


def _do(options: argparse.Namespace) -> int:
    place = Place()
    match options.verb:
        case "up":
            life.up(place)
        case "down":
            life.down(place)
        case "status":
            return _status(place)
        case "with":
            return _with(place, _command(options))
        case "exec":
            return _enter(_worker(place, options.worker), _command(options) or ["bash", "-l"])
        case "logs":
            return _logs(place, options.worker)
        case "clean-cache":
            roots.clean_cache()
    return 0


def _command(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.command
    return words[1:] if words[:1] == ["--"] else words


def _with(place: Place, command: list[str]) -> int:
    """The command's exit code; where the lab could be had and did not come up, never 0."""
    reason = life.why_not(place)
    if reason:
        tell(f"without the lab: {reason}")
        return subprocess.run(command, check=False).returncode
    was_up = life.healthy(place)
    failed = False
    try:
        try:
            life.up(place)
        except LabError as error:
            tell(f"without the lab, which did not come up: {error}")
            failed = True
        return subprocess.run(command, check=False).returncode or int(failed)
    finally:
        if not was_up:
            life.down(place)


def _worker(place: Place, name: str) -> Worker:
    net = life.current_net(place, half_made=True)
    if net is None:
        raise LabError("the lab is not up; start it with `python -m tests.lab up`")
    fleet = life.workers(place, net)
    if name not in fleet:
        raise LabError(f"no worker is called {name}; there are {', '.join(fleet)}")
    return fleet[name]


def _enter(worker: Worker, command: list[str]) -> int:
    return subprocess.run(
        worker.enter(["env", f"TERM={os.environ.get('TERM', 'dumb')}", *command]), check=False
    ).returncode


def _logs(place: Place, name: str) -> int:
    if name == "registry":
        for log in sorted((place.run / "registry").glob("*.log")):
            print(f"==> {log}\n{log.read_text(errors='replace')}")
        return 0
    worker = _worker(place, name)
    print((worker.home / "console.log").read_text(errors="replace"), flush=True)
    return _enter(worker, ["journalctl", "--no-pager", "--boot"]) if worker.group.leader() else 0


def _status(place: Place) -> int:
    net = life.current_net(place, half_made=True)
    if net is None:
        print("the lab is down")
        return _INCOMPLETE
    fleet = list(life.workers(place, net).values())
    with ThreadPoolExecutor(len(fleet)) as pool:
        ups = list(pool.map(Worker.up, fleet))
        engines = list(pool.map(_engine, fleet))
    states = marks.marks(place)
    rows = [("WORKER", "ENGINE", "STORE", "ADDRESS", "STATE", "MEMORY", "ROLE")]
    for worker, up, (engine, store) in zip(fleet, ups, engines, strict=True):
        state = ("up" if up else "down") + ("*" if worker.name in states else "")
        memory = f"{worker.memory() >> 20} MiB"
        rows.append((worker.name, engine, store, worker.address, state, memory, worker.machine.role))
    registry = Registry(place, net.host)
    answers = registry.answers()
    rows.append(("registry", "", "", registry.address, "up" if answers else "down", "", "TLS, token authentication"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name, whats in states.items():
        print(f"* {name}: in {len(whats)} state(s) that a test made")
    return 0 if all(ups) and answers else _INCOMPLETE


def _engine(worker: Worker) -> tuple[str, str]:
    try:
        version, driver, *details = [*worker.sh(_ASK_ENGINE, check=False, timeout=30).stdout.split(), "-"]
    except LabError:
        return "?", "?"
    return version, "containerd" if any("io.containerd.snapshotter" in word for word in details) else driver


if __name__ == "__main__":
    sys.exit(main())
