"""What the playbooks refuse on real workers: one sentence, and nothing changed."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.lab import Lab, states
from tests.lab.shell import wait_for
from tests.playbooks.repack import source_of
from tests.playbooks.test_playbooks import play

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120), pytest.mark.xdist_group("lab")]
READ_ONLY = ("mount --bind /etc /etc && mount -o remount,ro,bind /etc", "umount --lazy /etc")


LOCK = "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(90)"

HELD = """python3 - <<'E'
import fcntl
try:
    fcntl.lockf(open('/var/lib/dpkg/lock-frontend', 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    raise SystemExit(0)
raise SystemExit(1)
E"""


def refused(lab: Lab, *arguments: str) -> str:
    """The output of a remedy that must fail and change nothing, on one line."""
    done = play("remediate.yml", "-i", str(lab.inventory), *arguments)
    assert done.returncode != 0, done.stdout
    assert re.search(r"changed=0 .*failed=1", done.stdout), done.stdout
    return " ".join(done.stdout.split())


def test_an_unprivileged_login(lab: Lab) -> None:
    """No sudo: what sudo says, and which rule is to be mended first."""
    said = refused(lab, "--limit", "bookworm-nosocket", "--tags", "FA104")
    assert "bookworm-nosocket: nothing was changed, since the login cannot work as root" in said
    assert "FA005" in said


def test_a_read_only_file_system(lab: Lab) -> None:
    """Found before anything is written."""
    with states.state(lab.workers["s390x"], *READ_ONLY):
        said = refused(lab, "--limit", "s390x", "--tags", "FA404")
    assert "the file system of /etc is read-only" in said


def test_a_daemon_json_that_is_none(lab: Lab) -> None:
    """What its writer meant is not guessed, and the file stays as it is."""
    worker = lab.workers["s390x"]
    with states.daemon_json(worker, "not json", restart=False):
        said = refused(lab, "--limit", "s390x", "--tags", "FA113")
        assert worker.read("/etc/docker/daemon.json") == "not json"
    assert "is not a JSON object; mend it by hand first" in said


def test_a_store_is_not_flipped_while_images_would_vanish(lab: Lab) -> None:
    """There are images: refused with their number; a store that is none is refused, too."""
    worker = lab.workers["s390x"]
    with states.state(
        worker, "printf 'FROM scratch\\nLABEL a=b\\n' | docker build -q -t keep:1 -", "docker rmi keep:1"
    ):
        said = refused(lab, "--limit", "s390x", "--tags", "FA201", "-e", "image_store=containerd")
    assert re.search(r"[1-9]\d* images and \d+ containers are in the store overlay2, and would not be seen", said)
    assert "say which store is wanted" in refused(lab, "--limit", "s390x", "--tags", "FA201")


def test_a_lock_of_another_apt(lab: Lab) -> None:
    """Waited for as long as was said, then told; the plugin's package is still there."""
    worker = lab.workers["s390x"]
    hold = f"systemd-run --unit fleet-audit-lab-lock python3 -c {shlex.quote(LOCK)}"
    with states.buildx_hidden(worker), states.state(worker, hold, "systemctl stop fleet-audit-lab-lock"):
        wait_for("the lock to be held", lambda: worker.sh(HELD, check=False).returncode == 0, 20)
        said = refused(lab, "--limit", "s390x", "--tags", "FA302", "-e", "apt_lock_timeout=1")
        worker.sh("dpkg-query -s docker-buildx | grep -q '^Status: install ok installed'")
    assert "cannot be installed on s390x: apt says" in said
    assert "lock" in said


def test_no_package_source(lab: Lab) -> None:
    """No network: what apt says, and what to see to."""
    worker = lab.workers["s390x"]
    gone = "dpkg --force-all -r docker-buildx >/dev/null"
    with source_of(worker, "docker-buildx"), states.state(worker, gone, "true"):
        worker.sh("rm -f /etc/apt/sources.list && apt-get update -q")
        said = refused(lab, "--limit", "s390x", "--tags", "FA301")
    assert "docker-buildx cannot be installed on s390x: apt says" in said
    assert "see to its package source and network" in said


@pytest.mark.parametrize(("host", "root"), [("trixie-containerd", "/var/lib/containerd"), ("s390x", "/var/lib/docker")])
def test_the_guard_watches_where_the_images_are(lab: Lab, host: str, root: str) -> None:
    """FA207's timer is there and runs; the guard looks at the disk of the store that the engine really has."""
    worker = lab.workers[host]
    undo = (
        "systemctl disable --now fleet-audit-prune.timer; rm -f /usr/local/sbin/fleet-audit-prune"
        " /etc/systemd/system/fleet-audit-prune.*; systemctl daemon-reload"
    )
    with states.state(worker, "true", undo):
        done = play("remediate.yml", "-i", str(lab.inventory), "--limit", host, "--tags", "FA207")
        assert done.returncode == 0, done.stdout
        assert worker.sh("systemctl is-active fleet-audit-prune.timer").stdout.strip() == "active"
        worker.sh("systemd-analyze verify /etc/systemd/system/fleet-audit-prune.timer")
        assert f"of the disk of {root} is free: pruning" in worker.sh("fleet-audit-prune 101").stdout
        assert worker.sh("fleet-audit-prune 0").stdout == ""
