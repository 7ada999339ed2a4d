"""`whatif` against the lab's real engines: what it says of a change, and what the change then really does."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.cli.app import run
from audit.fact import Facts
from audit.facts.image_store import ImageStore
from audit.flow import fleet_of, gather, judged
from audit.model import Host, Unknown
from audit.whatif.changes import parse_changes
from audit.whatif.then import facts_then
from audit.wire import WireOptions
from tests.lab import Lab, Worker, states

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180, func_only=True), pytest.mark.xdist_group("lab")]

ERROR = "invalid user index: -1"
FIELDS = (
    "kind",
    "driver",
    "driver_type",
    "why",
    "prior_drivers",
    "snapshotter_feature",
    "after_wipe",
    "after_reinstall",
)


@pytest.fixture
def asked(lab: Lab) -> Callable[[str], tuple[Host, Facts]]:
    """Facts of one worker, read now."""

    def read(name: str) -> tuple[Host, Facts]:
        seen = judged(gather(fleet_of([name], [lab.inventory]), WireOptions()))
        return seen.fleet.hosts[0], seen.facts[name]

    return read


def store_of(facts: Facts) -> dict[str, object]:
    """The fields of the store that a change decides."""
    store = facts[ImageStore]
    assert not isinstance(store, Unknown), store
    return {field: getattr(store, field) for field in FIELDS}


@pytest.mark.parametrize(("name", "value"), [("s390x", True), ("riscv64", False)])
def test_the_store_then_is_the_store_that_comes(
    lab: Lab, asked: Callable[[str], tuple[Host, Facts]], name: str, value: bool
) -> None:
    """Predict the store after features.containerd-snapshotter is changed, change it, and find that very store."""
    host, now = asked(name)
    changes = parse_changes([f"features.containerd-snapshotter={str(value).lower()}"])
    then = facts_then(now, changes, host)
    assert store_of(then.facts) != store_of(now)
    worker = lab.workers[name]
    was = store_of(now)["prior_drivers"]
    assert isinstance(was, tuple)
    # a graphdriver leaves its folder behind, and with it a prior driver: it was not there before, so it goes again
    leftover = "true" if "overlay2" in was else "rm -rf /var/lib/docker/overlay2 /var/lib/docker/image/overlay2"
    with (
        states.state(worker, "true", leftover),
        states.daemon_json(worker, {"features": {"containerd-snapshotter": value}}, restart=True),
    ):
        _, after = asked(name)
    assert store_of(after) == store_of(then.facts)
    assert asked(name)[1][ImageStore] == now[ImageStore]


def test_the_store_after_a_wipe_is_the_one_that_comes(lab: Lab, asked: Callable[[str], tuple[Host, Facts]]) -> None:
    """An empty data-root under the same engine: overlay2 again before engine 29, as foretold."""
    host, now = asked("hidden")
    then = facts_then(now, parse_changes(["wipe=true", "data-root=/var/lib/docker-wiped"]), host)
    worker = lab.workers["hidden"]
    with (
        states.state(worker, "true", "rm -rf /var/lib/docker/wiped"),
        states.daemon_json(worker, {"data-root": "/var/lib/docker/wiped"}, restart=True),
    ):
        _, after = asked("hidden")
    wanted, found = store_of(then.facts), store_of(after)
    assert (found["kind"], found["driver"]) == (wanted["kind"], wanted["driver"])


def test_an_engine_that_refuses_is_foretold(lab: Lab, asked: Callable[[str], tuple[Host, Facts]]) -> None:
    """A graph driver that nobody knows: foretold as a refusal, and the engine really does not start, with the name."""
    host, now = asked("trixie-containerd")
    settings = {"storage-driver": "nosuch", "features": {"containerd-snapshotter": False}}
    then = facts_then(now, parse_changes(["storage-driver=nosuch", "features.containerd-snapshotter=false"]), host)
    worker = lab.workers["trixie-containerd"]
    with (
        states.state(worker, "true", states.RESTART_ENGINE),
        states.daemon_json(worker, settings, restart=False),
    ):
        refused = worker.sh(states.RESTART_ENGINE, check=False)
        journal = worker.sh("journalctl --unit docker.service --lines 40 --no-pager").stdout
        worker.sh("systemctl stop docker.socket docker.service")
    assert refused.returncode != 0
    assert "nosuch" in journal
    assert then.refuses is not None
    assert "nosuch" in then.refuses


@pytest.fixture
def build(lab: Lab) -> Callable[[str, str], tuple[int, str]]:
    """Build a Dockerfile on a worker, in a folder with a passwd, a group and a file; its exit code and its words."""

    def built(name: str, dockerfile: str) -> tuple[int, str]:
        worker: Worker = lab.workers[name]
        folder = lab.scratch(worker)
        files = {
            "Dockerfile": dockerfile,
            "passwd": "root:x:0:0::/:/x\nbuilder:x:1234:1235::/:/x\n",
            "group": "root:x:0:\nbuilder:x:1235:\n",
        }
        for file, content in files.items():
            worker.write(f"{folder}/{file}", content)
        quoted = shlex.quote(folder)
        done = worker.sh(f"docker build -t whatif:proof {quoted}", check=False)
        worker.sh(f"rm -rf {quoted}")
        lab.forget(worker, ["whatif:proof"])
        return done.returncode, done.stdout + done.stderr

    return built


BASE = "FROM scratch\nCOPY passwd group /etc/\n"
LINES = {
    "user": (f"{BASE}COPY --link --chown=builder content /content\n", True),
    "group": (f"{BASE}COPY --link --chown=1234:builder content /content\n", True),
    "add": (f"{BASE}ADD --chown=:builder --link content /content\n", True),
    "variable": (f"{BASE}ARG WHO=builder\nCOPY --link --chown=$WHO content /content\n", True),
    "numbers": (f"{BASE}COPY --link --chown=1234:1235 content /content\n", False),
    "root": (f"{BASE}COPY --link --chown=root:root content /content\n", False),
    "not linked": (f"{BASE}COPY --link=false --chown=builder content /content\n", False),
    "mode": (f"{BASE}COPY --link --chmod=644 --chown=builder content /content\n", False),
    "unset": (f"{BASE}COPY --link --chown=$WHO content /content\n", False),
    "too large": (f"{BASE}COPY --link --chown=2147483648 content /content\n", True),
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", ["riscv64", "trixie-containerd", "amd64"])
def test_a_link_with_a_name(
    lab: Lab,
    build: Callable[[str, str], tuple[int, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    line: str,
) -> None:
    """Each line is built for real and judged by `whatif`; both fail on the containerd store, with the same words."""
    dockerfile, fails = LINES[line]
    (tmp_path / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    code = run(["whatif", "-q", "-i", str(lab.inventory), name, "--dockerfile", str(tmp_path)])
    foretold = capsys.readouterr().out
    built, words = build(name, dockerfile)
    if line == "too large":
        assert (ERROR in foretold) == (ERROR in words)
        return
    contains = fails and name != "amd64"
    assert (built != 0, ERROR in words) == (contains, contains)
    assert (code, ERROR in foretold) == (int(contains), contains)
