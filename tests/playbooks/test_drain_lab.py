"""A worker taken out of service and put back, while its build service works."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import BUILD_UNIT, Lab, Worker, states
from tests.lab.seed import SPOOL
from tests.lab.shell import wait_for
from tests.playbooks.test_playbooks import play
from tests.playbooks.test_remedies_lab import OURS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]


def state(worker: Worker) -> tuple[str, ...]:
    """What systemd has the build unit at, now and at a boot."""
    return tuple(
        worker.sh(f"systemctl {word} {BUILD_UNIT} || true").stdout.strip() for word in ("is-active", "is-enabled")
    )


@contextmanager
def building(lab: Lab, worker: Worker, seconds: int) -> Iterator[str]:
    """A job of the build service that takes its time, seen at it; its name, which is its repository's, too."""
    name = f"drain-{uuid.uuid4().hex[:8]}"
    folder, tag = f"/var/tmp/{name}", f"{lab.registry}/staging/{name}:1"
    sleep = json.dumps(["/busybox", "sleep", str(seconds)])
    gone = f"rm -rf {SPOOL}/{name}.* {folder}; docker rmi --force {tag}; docker builder prune --all --force"
    with states.state(worker, f"mkdir {folder} && cp /bin/busybox {folder}", gone):
        worker.write(f"{folder}/Dockerfile", f"FROM scratch\nCOPY busybox /busybox\nRUN {sleep}\nLABEL of={name}\n")
        worker.write(f"{SPOOL}/{name}.new", f"tag={tag}\ncontext={folder}\n")
        worker.sh(f"mv {SPOOL}/{name}.new {SPOOL}/{name}.job")
        seen = f"pgrep -xf {shlex.quote(f'/busybox sleep {seconds}')}"
        wait_for("the build's step to run", lambda: worker.sh(seen, check=False).returncode == 0, 40)
        yield name


def test_a_running_build_ends_before_its_worker_is_out(lab: Lab) -> None:
    """Too little time: said, nothing stopped. Enough: the image is built, pushed, then the unit stops; back: it builds.

    By force what builds is ended. A check changes nothing, and a second run finds nothing to do. What is mended
    meanwhile leaves it out, and what only a running service tells is refused.
    """
    worker = lab.workers["s390x"]
    limit = ("-i", str(lab.inventory), "--limit", "s390x", "-e", "drain_interval=1")
    try:
        with building(lab, worker, 25) as name:
            foretold = play("drain.yml", *limit, "--check")
            assert "changed=1 " in foretold.stdout, foretold.stdout
            hasty = play("drain.yml", *limit, "-e", "drain_minutes=0.02")
            assert state(worker) == ("active", "enabled")
            assert worker.sh(f"ls {SPOOL}/{name}.job", check=False).returncode == 0, "it must still build"
            assert hasty.returncode != 0
            said = " ".join(hasty.stdout.split())
            assert "s390x still builds after 0.02 minutes, and nothing was stopped: a step of a build (process" in said
            assert "docker build (process" in said

            out = play("drain.yml", *limit)
            assert out.returncode == 0, out.stdout
            assert state(worker) == ("inactive", "disabled")
            assert worker.sh(f"ls {SPOOL}/{name}.done", check=False).returncode == 0, worker.read(f"{SPOOL}/{name}.log")
            assert lab.served(f"staging/{name}:1", "staging").media_type, "it was pushed before the unit stopped"
            again = play("drain.yml", *limit)
            assert "changed=0 " in again.stdout, again.stdout
            with states.kept(worker, OURS[0]), states.kept(worker, OURS[1], "systemctl daemon-reload"):
                mended = play("remediate.yml", *limit, "--tags", "FA404")
                assert mended.returncode == 0, mended.stdout
                assert "changed=0 " not in mended.stdout
                assert state(worker) == ("inactive", "disabled"), "a remedy puts nobody back into service"
            blind = play("remediate.yml", *limit, "--tags", "FA401")
            assert blind.returncode != 0
            assert "does not run, so what its builds get cannot be read" in " ".join(blind.stdout.split())
        back = play("drain.yml", *limit, "-e", "drain=back")
        assert back.returncode == 0, back.stdout
        assert state(worker) == ("active", "enabled")

        with building(lab, worker, 99) as name:
            forced = play("drain.yml", *limit, "-e", "drain_minutes=0", "-e", "drain_force=true")
            assert forced.returncode == 0, forced.stdout
            assert state(worker) == ("inactive", "disabled")
            assert worker.sh(f"ls {SPOOL}/{name}.done", check=False).returncode != 0
    finally:
        play("drain.yml", *limit, "-e", "drain=back")
    assert state(worker) == ("active", "enabled")
