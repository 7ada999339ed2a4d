"""States that real workers get into, each a context manager that puts back what was.

    with states.engine_frozen(lab.workers["amd64"]):
        ...

They nest. Where a test was killed inside one, its mark stays, and the next `up` starts the lab anew.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tests.lab import marks
from tests.lab.roles import BUILD_UNIT
from tests.lab.seed import HOST_KEYS, LOGINS
from tests.lab.shell import LabError
from tests.lab.worker import Worker

# A unit that starts too often is refused by systemd; tests restart engines all the time.
RESTART_ENGINE = "systemctl daemon-reload && systemctl reset-failed && systemctl restart docker.service"
RELOAD_UNITS = "systemctl daemon-reload"
RESTART_BUILDS = f"{RELOAD_UNITS} && systemctl reset-failed && systemctl restart {BUILD_UNIT}"

_BUILDX = "docker-buildx"
_PLUGINS = "/usr/libexec/docker/cli-plugins"
_OWN_PLUGINS = "/usr/local/lib/docker/cli-plugins"  # of the machine's owner; found before the distribution's

_KEEP = """
stash=$1 path=$2
mkdir -p "$(dirname "$stash")"
if [ -e "$path" ] || [ -L "$path" ]; then
    tar -C / -cf "$stash.tar" -- "${path#/}"
else
    while [ ! -e "$(dirname "$path")" ]; do path=$(dirname "$path"); done
    printf %s "$path" >"$stash.new"
fi
"""
_RESTORE = """
stash=$1 path=$2
if [ -e "$stash.new" ]; then
    rm -rf -- "$(cat "$stash.new")"
else
    rm -rf -- "$path" && tar -C / -xpf "$stash.tar"
fi
rm -f -- "$stash.new" "$stash.tar"
"""


@contextlib.contextmanager
def state(worker: Worker, do: str, undo: str) -> Iterator[None]:
    """Any state: a shell command into it and one out of it."""
    with marks.marked(worker.place, worker.name, do):
        try:
            worker.sh(do)
            yield
        finally:
            worker.sh(undo)


@contextlib.contextmanager
def kept(worker: Worker, path: str, after: str = "") -> Iterator[None]:
    """Whatever happens to `path` inside, it is put back, or taken away where it was not there; then `after` runs."""
    names = shlex.join([f"/run/fleet-audit-lab/{uuid.uuid4().hex}", path])
    with state(worker, f"set -eu -- {names}\n{_KEEP}", f"set -eu -- {names}\n{_RESTORE}\n{after}"):
        yield


@contextlib.contextmanager
def file(
    worker: Worker, path: str, content: str | bytes, *, mode: str = "644", owner: str = "root", after: str = ""
) -> Iterator[None]:
    """Another file at `path`; `after` runs once it is there and once it is gone (say, `RESTART_ENGINE`)."""
    with kept(worker, path, after):
        worker.write(path, content, mode, owner)
        if after:
            worker.sh(after)
        yield


@contextlib.contextmanager
def without(worker: Worker, path: str) -> Iterator[None]:
    """As if there were nothing at `path`."""
    with kept(worker, path):
        worker.sh(f"rm -rf -- {shlex.quote(path)}")
        yield


# --- the engine ---


@contextlib.contextmanager
def engine_frozen(worker: Worker) -> Iterator[None]:
    """Dockerd hangs: its socket takes connections and nobody answers."""
    to_engine = '"$(systemctl show --property MainPID --value docker.service)"'
    with state(worker, f"kill -STOP {to_engine}", f"kill -CONT {to_engine}"):
        yield


@contextlib.contextmanager
def engine_stopped(worker: Worker) -> Iterator[None]:
    """Dockerd is down, and no socket starts it."""
    units = "docker.socket docker.service"
    with state(worker, f"systemctl stop {units}", f"systemctl reset-failed && systemctl start {units}"):
        yield


@contextlib.contextmanager
def daemon_json(worker: Worker, changes: Mapping[str, Any] | str, *, restart: bool) -> Iterator[None]:
    """Keys of daemon.json changed, or its whole text replaced; without `restart` the engine does not know yet."""
    path = "/etc/docker/daemon.json"
    content = (
        changes if isinstance(changes, str) else json.dumps(json.loads(worker.read(path)) | dict(changes), indent=2)
    )
    with file(worker, path, content, after=RESTART_ENGINE if restart else ""):
        yield


@contextlib.contextmanager
def tcp_socket(worker: Worker, port: int = 2375) -> Iterator[None]:
    """The engine listens on TCP without TLS as well."""
    command = worker.sh("systemctl cat docker.service | sed -n 's/^ExecStart=//p' | tail -n 1").stdout.strip()
    # Without an explicit --tls=false the engine holds its start up for 15 seconds.
    lines = ["[Service]", "ExecStart=", f"ExecStart={command} -H tcp://0.0.0.0:{port} --tls=false", ""]
    with file(worker, "/etc/systemd/system/docker.service.d/tcp.conf", "\n".join(lines), after=RESTART_ENGINE):
        yield


# --- disks ---


@contextlib.contextmanager
def disk_full(worker: Worker, folder: str = "/var/lib/docker") -> Iterator[None]:
    """No byte is left on the file system of a folder; only where it has a small one of its own (`Machine.disks`)."""
    filler = f"{_own_disk(worker, folder)}/filler"
    free = f"$(df --output=avail -B1M {folder} | tail -n 1)"
    fill = f"fallocate -l $(({free} - 2))M {filler} && {{ cat /dev/zero >>{filler} 2>/dev/null; sync -f {folder}; }}"
    with state(worker, fill, f"rm -f {filler}"):
        yield


@contextlib.contextmanager
def inodes_full(worker: Worker, folder: str = "/var/lib/docker") -> Iterator[None]:
    """No inode is left on the file system of a folder; only where it has a small one of its own (`Machine.disks`)."""
    filler = f"{_own_disk(worker, folder)}/filler"
    fill = f"mkdir {filler} && cd {filler} && i=0 && while : 2>/dev/null >$i; do i=$((i+1)); done"
    with state(worker, f"bash -c {shlex.quote(fill)}; true", f"rm -rf {filler}"):
        yield


@contextlib.contextmanager
def tmp_full(worker: Worker) -> Iterator[None]:
    """/tmp is a full tmpfs."""
    full = "mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp && { cat /dev/zero >/tmp/filler 2>/dev/null; true; }"
    with state(worker, full, "umount --lazy /tmp"):
        yield


@contextlib.contextmanager
def tmp_noexec(worker: Worker) -> Iterator[None]:
    """Nothing in /tmp can be executed."""
    with state(worker, "mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp", "umount --lazy /tmp"):
        yield


def _own_disk(worker: Worker, folder: str) -> str:
    if folder not in worker.machine.disks:
        raise LabError(f"{folder} of {worker.name} has no file system of its own; give it one in roles.py (disks)")
    return folder


# --- buildx ---


@contextlib.contextmanager
def buildx_hidden(worker: Worker) -> Iterator[None]:
    """No buildx, though its package is there."""
    with without(worker, f"{_PLUGINS}/{_BUILDX}"):
        yield


@contextlib.contextmanager
def buildx_broken(worker: Worker) -> Iterator[None]:
    """A buildx that is found first and cannot be executed: a download that went wrong."""
    with file(worker, f"{_OWN_PLUGINS}/{_BUILDX}", "\x7fELF cut short", mode="755"):
        yield


@contextlib.contextmanager
def buildx_shadowed(worker: Worker, user: str = "root", version: str = "v0.12.1") -> Iterator[None]:
    """A second buildx in a user's home, found before the package's; it does the same and calls itself `version`."""
    told = {"SchemaVersion": "0.1.0", "Vendor": "Docker Inc.", "Version": version, "ShortDescription": "Docker Buildx"}
    script = f"""#!/bin/sh
case "$*" in
docker-cli-plugin-metadata) echo '{json.dumps(told)}' ;;
*version*) echo 'github.com/docker/buildx {version} 0000000' ;;
*) exec {_PLUGINS}/{_BUILDX} "$@" ;;
esac
"""
    path = f"{LOGINS[user][1]}/.docker/cli-plugins/{_BUILDX}"
    with file(worker, path, script, mode="755", owner=user):
        yield


# --- the environment of builds ---


@contextlib.contextmanager
def unit_environment(worker: Worker, restart: bool = True, **variables: str) -> Iterator[None]:
    """Variables of the build unit set by a drop-in; without `restart` the running service does not have them yet."""
    lines = ["[Service]", *(f'Environment="{name}={value}"' for name, value in variables.items()), ""]
    path = f"/etc/systemd/system/{BUILD_UNIT}.d/zz-test.conf"
    with file(worker, path, "\n".join(lines), after=RESTART_BUILDS if restart else RELOAD_UNITS):
        yield


@contextlib.contextmanager
def etc_environment(worker: Worker, **variables: str) -> Iterator[None]:
    """Variables of every login set in /etc/environment."""
    content = "".join(f"{name}={value}\n" for name, value in variables.items())
    with file(worker, "/etc/environment", content):
        yield


@contextlib.contextmanager
def docker_config(worker: Worker, content: str, user: str = "root") -> Iterator[None]:
    """Another ~/.docker/config.json of a user; see also `Registry.docker_config`."""
    with file(worker, f"{LOGINS[user][1]}/.docker/config.json", content, mode="600", owner=user):
        yield


# --- logins ---


@contextlib.contextmanager
def sudo_wants_password(worker: Worker, user: str = "deploy") -> Iterator[None]:
    """A user's sudo asks for a password, which `sudo -n` refuses to."""
    with file(worker, f"/etc/sudoers.d/{user}", f"{user} ALL=(ALL:ALL) ALL\n", mode="440"):
        yield


@contextlib.contextmanager
def login_shell(worker: Worker, shell: str, user: str = "root") -> Iterator[None]:
    """A user's login shell is another: /usr/bin/fish and /usr/bin/tcsh are on the workers of trixie with Docker."""
    before = worker.sh(f"getent passwd {user}").stdout.strip().rpartition(":")[2]
    worker.sh(f"test -x {shlex.quote(shell)}")
    change = "usermod --shell {} " + user
    with state(worker, change.format(shlex.quote(shell)), change.format(before)):
        yield


@contextlib.contextmanager
def chatty_login(worker: Worker, user: str = "root") -> Iterator[None]:
    """A ~/.bashrc that talks on both streams, even to programs, and a message of the day."""
    talk = "echo 'Welcome to the build farm! {\"json\": \"or so\"}'; echo 'quota: 93% used' >&2\n"
    path = f"{LOGINS[user][1]}/.bashrc"
    with file(worker, path, talk, owner=user), file(worker, "/etc/motd", "\n*** maintenance on Sunday ***\n\n"):
        yield


@contextlib.contextmanager
def busybox_shell(worker: Worker) -> Iterator[None]:
    """/bin/sh is busybox's."""
    with kept(worker, "/usr/bin/sh"):
        worker.run(["ln", "-sf", "busybox", "/usr/bin/sh"])
        yield


@contextlib.contextmanager
def host_key_replaced(worker: Worker) -> Iterator[None]:
    """The worker shows host keys that known_hosts does not have, as after a reinstallation."""
    restart = "systemctl reset-failed && systemctl restart ssh.service"
    with kept(worker, "/etc/ssh", restart):
        for kind in HOST_KEYS:
            key = f"/etc/ssh/ssh_host_{kind}_key"
            worker.sh(f"rm {key} {key}.pub && ssh-keygen -q -t {kind} -N '' -f {key}")
        worker.sh(restart)
        yield


@contextlib.contextmanager
def ssh_stopped(worker: Worker) -> Iterator[None]:
    """Connections to port 22 are refused."""
    with state(worker, "systemctl stop ssh.service", "systemctl reset-failed && systemctl start ssh.service"):
        yield


@contextlib.contextmanager
def ssh_frozen(worker: Worker) -> Iterator[None]:
    """Port 22 takes connections, and no banner ever comes."""
    to_server = '"$(systemctl show --property MainPID --value ssh.service)"'
    with state(worker, f"kill -STOP {to_server}", f"kill -CONT {to_server}"):
        yield


@contextlib.contextmanager
def ssh_dropped(worker: Worker) -> Iterator[None]:
    """Packets to port 22 vanish, as behind a firewall or with the machine off."""
    rule = "INPUT -p tcp --dport 22 -j DROP"
    with state(worker, f"iptables -I {rule}", f"iptables -D {rule}"):
        yield


@contextlib.contextmanager
def reinstalled(worker: Worker) -> Iterator[None]:
    """As after a reinstallation with a current Docker: new host keys, new machine-id, no images, containerd store."""
    identity = "rm -f /etc/machine-id && systemd-machine-id-setup"
    # The folder itself is a mount point, so what is in it is put aside within it.
    others = "find . -mindepth 1 -maxdepth 1 ! -name .before"
    stop = "systemctl stop docker.socket docker.service && cd /var/lib/docker"
    wiped = f"{stop} && mkdir .before && {others} -exec mv -t .before {{}} +"
    back = (
        f"{stop} && {others} -exec rm -rf {{}} + && find .before -mindepth 1 -maxdepth 1 -exec mv -t . {{}} +"
        f" && rmdir .before && {RESTART_ENGINE}"
    )
    with (
        host_key_replaced(worker),
        kept(worker, "/etc/machine-id"),
        state(worker, wiped, back),
        kept(worker, "/etc/docker/daemon.json"),
    ):
        worker.sh(identity)
        config = json.loads(worker.read("/etc/docker/daemon.json"))
        features = {**config.get("features", {}), "containerd-snapshotter": True}
        config = {key: value for key, value in config.items() if key != "storage-driver"} | {"features": features}
        worker.write("/etc/docker/daemon.json", json.dumps(config))
        worker.sh(RESTART_ENGINE)
        yield
