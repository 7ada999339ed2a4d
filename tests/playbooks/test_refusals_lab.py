"""What the playbooks refuse on real workers: one sentence, and nothing changed."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack

import pytest

from tests.lab import Lab, leaks, states
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


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ('NAME="Fedora Linux"\nID=fedora\nVERSION_ID=43\n', "s390x runs Fedora Linux"),
        ('NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.0\n', "s390x runs Alpine Linux"),
    ],
)
def test_another_platform(lab: Lab, system: str, words: str) -> None:
    """Neither Debian's nor Ubuntu's family: said, and no file of the system is written, whatever the rules."""
    worker = lab.workers["s390x"]
    written = "find /etc /usr /var/lib/dpkg /var/lib/apt -xdev -newercm /run/fleet-audit-lab-now"
    with states.file(worker, "/usr/lib/os-release", system), states.file(worker, "/run/fleet-audit-lab-now", ""):
        said = refused(lab, "--limit", "s390x", "--tags", "FA007,FA113,FA301,FA404,FA405")
        assert worker.sh(written).stdout == ""
    assert f"{words} with systemd, and these playbooks know Debian's and Ubuntu's families" in said
    assert "nothing was changed" in said


def test_a_clock_of_another_machine(lab: Lab) -> None:
    """A container shares its host's clock, so FA007 can be mended in none; no package is installed in vain."""
    worker = lab.workers["s390x"]
    said = refused(lab, "--limit", "s390x", "--tags", "FA007")
    assert "s390x is a container (systemd-nspawn), and its clock is its host's" in said
    told = worker.sh("timedatectl show --property CanNTP --value").stdout.strip()
    assert told == "no"


def test_a_service_that_keeps_the_clock_already_is_taken(lab: Lab) -> None:
    """FA007 on what is no container: chrony is started, not replaced; a second run changes nothing."""
    worker = lab.workers["s390x"]
    unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    with (
        states.file(worker, "/usr/local/bin/systemd-detect-virt", "#!/bin/sh\nexit 1\n", mode="755"),
        states.file(worker, "/etc/systemd/system/chrony.service", unit, after="systemctl daemon-reload"),
        states.state(worker, "true", "systemctl disable --now chrony.service"),
    ):
        for changes in (1, 0):
            done = play("remediate.yml", "-i", str(lab.inventory), "--limit", "s390x", "--tags", "FA007")
            assert done.returncode == 0, done.stdout
            assert f"changed={changes} " in done.stdout, done.stdout
        assert worker.sh("systemctl is-active chrony.service").stdout.strip() == "active"
        assert worker.sh("dpkg -s systemd-timesyncd", check=False).returncode != 0


def test_a_folder_that_is_a_link(lab: Lab) -> None:
    """What it points to is another's: neither moved nor removed."""
    worker = lab.workers["s390x"]
    with (
        states.kept(worker, "/root/.docker/cli-plugins"), states.kept(worker, "/opt/plugins"),
    ):  # fmt: skip
        worker.sh("mkdir -p /opt/plugins /root/.docker && rm -rf /root/.docker/cli-plugins")
        worker.sh("printf x >/opt/plugins/docker-buildx && ln -s /opt/plugins /root/.docker/cli-plugins")
        said = refused(lab, "--limit", "s390x", "--tags", "FA303")
        assert worker.sh("ls /opt/plugins").stdout.split() == ["docker-buildx"]
    assert "/root/.docker/cli-plugins is a link, and what it points to is left alone" in said


def test_what_the_packaged_plugin_points_to(lab: Lab) -> None:
    """A packaged plugin that is a link to the only copy there is: the copy stays, and builds go on."""
    worker = lab.workers["s390x"]
    here, there = "/usr/libexec/docker/cli-plugins/docker-buildx", "/usr/local/lib/docker/cli-plugins/docker-buildx"
    with states.kept(worker, here), states.kept(worker, there):
        worker.sh(f"mkdir -p $(dirname {there}) && mv {here} {there} && ln -s {there} {here}")
        done = play("remediate.yml", "-i", str(lab.inventory), "--limit", "s390x", "--tags", "FA302,FA303")
        assert done.returncode == 0, done.stdout
        assert "changed=0 " in done.stdout, done.stdout
        worker.sh(f"test -f {there} && test -L {here} && docker buildx version")


SECRET = "canary-planted-do-not-leak"
PLANTED = {
    "/etc/default/fleet-audit-builds": f"HTTPS_PROXY=http://fleet:{SECRET}@proxy.lab.invalid:3128\n",
    "/etc/containerd/config.toml": "version = 2\n"
    f'[plugins."io.containerd.grpc.v1.cri".registry.configs.y.auth]\npassword = "{SECRET}"\n',
    "/etc/systemd/system/docker.service.d/tcp.conf": "[Service]\nExecStart=\n"
    f"ExecStart=/usr/sbin/dockerd -H fd:// -H tcp://127.0.0.1:2375 --tls=false\n"
    f'Environment="HTTPS_PROXY=http://fleet:{SECRET}@proxy.lab.invalid:3128"\n',
}
"""What a difference would show; the worker's daemon.json has a proxy's password anyway."""


@pytest.mark.timeout(240)
def test_no_difference_shows_a_secret(lab: Lab) -> None:
    """With --diff, foretold and done: of files with credentials in them no more than the keys."""
    worker = lab.workers["s390x"]
    again = (
        "rm -rf /var/lib/docker/containerd-root; systemctl daemon-reload; systemctl restart containerd.service;"
        f" {states.RESTART_ENGINE}; {states.RESTART_BUILDS}"
    )
    asked = (
        "-i", str(lab.inventory), "--limit", "s390x", "--tags", "FA112,FA206,FA208,FA404",
        "-e", "images_may_vanish=true", "--diff", "-v",
    )  # fmt: skip
    with ExitStack() as stack:
        for path, after in (("/etc/docker", again),
                            ("/etc/systemd/system/containerd.service.d", "systemctl daemon-reload"),
                            ("/etc/systemd/system/image-builder.service.d", "")):  # fmt: skip
            stack.enter_context(states.kept(worker, path, after))
        for path, text in PLANTED.items():
            stack.enter_context(states.file(worker, path, text, after="systemctl daemon-reload"))
        foretold = play("remediate.yml", *asked, "--check")
        done = play("remediate.yml", *asked)
    for run in (foretold, done):
        assert run.returncode == 0, run.stdout
        assert leaks(run.stdout + run.stderr) == []
        assert SECRET not in run.stdout + run.stderr
        assert "daemon.json: log-driver, log-opts will be another; no difference is shown" in run.stdout
        for path in PLANTED:
            assert f"no difference of {path} is shown" in run.stdout


def test_a_read_only_file_system(lab: Lab) -> None:
    """Found before anything is written."""
    with states.state(lab.workers["s390x"], *READ_ONLY):
        said = refused(lab, "--limit", "s390x", "--tags", "FA404")
    assert "the file system of /etc is read-only" in said


def test_a_daemon_json_that_is_none(lab: Lab) -> None:
    """What its writer meant is not guessed, and the file stays as it is."""
    worker = lab.workers["s390x"]
    with states.daemon_json(worker, "not json", restart=False):
        said = refused(lab, "--limit", "s390x", "--tags", "FA208")
        kept = refused(lab, "--limit", "s390x", "--tags", "FA113")
        assert worker.read("/etc/docker/daemon.json") == "not json"
    assert "is not a JSON object; mend it by hand first" in said
    assert "the engine would not start with /etc/docker/daemon.json, and nothing was changed" in kept


def test_a_store_is_not_flipped_while_images_would_vanish(lab: Lab) -> None:
    """Images, or a volume alone: refused with their numbers, as a moved root is; no choice is refused, too."""
    worker = lab.workers["s390x"]
    flip = ("--limit", "s390x", "--tags", "FA201", "-e", "image_store=containerd")
    with states.state(
        worker, "printf 'FROM scratch\\nLABEL a=b\\n' | docker build -q -t keep:1 -", "docker rmi keep:1"
    ):
        said = refused(lab, *flip)
    assert re.search(r"[1-9]\d* images and \d+ containers are in the store overlay2, and would not be seen", said)
    # The volume alone must be what it is refused for, and what other tests built there nobody needs any more.
    worker.sh("docker ps -aq | xargs -r docker rm -f; docker images -aq | xargs -r docker rmi -f")
    with states.state(worker, "docker volume create keep", "docker volume rm keep"):
        said = refused(lab, *flip)
        moved = refused(lab, "--limit", "s390x", "--tags", "FA206", "-e", "data_root=/srv/docker")
    assert "0 images and 0 containers are in the store overlay2" in said
    assert "1 volumes would be nobody's" in said
    assert "0 images, 0 containers and 1 volumes are in the old place" in moved
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
