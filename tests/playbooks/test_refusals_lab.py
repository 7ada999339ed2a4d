"""What the playbooks refuse on real workers: one sentence, and nothing changed."""

from __future__ import annotations

import re

import pytest

from tests.lab import Lab, states
from tests.playbooks.test_playbooks import play

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120), pytest.mark.xdist_group("lab")]
READ_ONLY = ("mount --bind /etc /etc && mount -o remount,ro,bind /etc", "umount --lazy /etc")


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
    assert re.search(r"[1-9]\d* images are in the store overlay2, and would not be seen after the change", said)
    assert "say which store is wanted" in refused(lab, "--limit", "s390x", "--tags", "FA201")
