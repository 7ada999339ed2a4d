"""The lab's life: up, down, and whether it can be had here at all."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import platform
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import inventory, marks, pki, registry, roots
from tests.lab.cgroups import Group, unified_root
from tests.lab.net import Net, choose, remove_links
from tests.lab.place import Place
from tests.lab.roles import MACHINES
from tests.lab.seed import seed
from tests.lab.shell import LabError, find, run, tell
from tests.lab.worker import Worker

_PROGRAMS = {  # what is needed, and the Debian package that has it; none of these packages starts a service
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "mkfs.ext4": "e2fsprogs",
    "nsenter": "util-linux",
    "mount": "mount",
}
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}


def why_not(place: Place | None = None) -> str | None:
    """Say in a sentence why the lab cannot run here, or None; changes nothing."""
    place = place or Place()
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"the lab needs Linux on x86_64, and this is {platform.system()} on {platform.machine()}"
    if os.geteuid() != 0:
        return "the lab needs root: it makes network namespaces and mounts"
    if platform.freedesktop_os_release().get("ID") != "debian":
        return "the lab needs Debian: it installs Debian's packages and boots Debian's suites"
    held = int(_status("CapEff"), 16)
    lacking = [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    if lacking:
        return f"the lab needs {', '.join(lacking)}, which this process lacks (an unprivileged container?)"
    group = unified_root()
    if group is None or not os.access(group / "cgroup.procs", os.W_OK):
        return "the lab needs a writable cgroup2 hierarchy, and none is mounted here"
    if "overlay" not in Path("/proc/filesystems").read_text() and not find("modprobe"):
        return "the lab needs overlay mounts, which this kernel lacks"
    if re.search(r"[^\w./@+-]", str(place.project)):
        return f"the checkout's path, {place.project}, has letters that mount options cannot bear; use a plain one"
    kind = run(["stat", "--file-system", "--format=%T", place.project]).stdout.strip()
    if kind in {"overlayfs", "tmpfs", "ramfs"}:
        return f"the checkout lies on {kind}, where no overlay's upper folder and no image store can be; use a disk"
    if find("ip"):
        trial = "ip link add lab0 type bridge && ip link add lab1 type veth peer name lab2"
        if run(["unshare", "--net", "sh", "-c", trial], check=False).returncode != 0:
            return "the lab needs bridge and veth network devices, which this kernel does not give"
    return None


def _status(field: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def workers(place: Place, net: Net) -> dict[str, Worker]:
    """A handle on every machine, running or not."""
    return {machine.name: Worker(place, machine, net.address(machine)) for machine in MACHINES}


def up(place: Place) -> None:
    """Start whatever is not running; a lab that is wholly up is left as it is.

    Raises:
        LabError: it cannot run here, or a part of it did not come up.
    """
    reason = why_not(place)
    if reason:
        raise LabError(reason)
    with place.lock():
        state = place.read_state()
        if healthy(place):
            tell(f"the lab is up already ({state['subnet']}); its inventory is {place.inventory}")
            return
        install_packages()
        roots.build_roots()
        registry.fetch()
        _clean(place)
        # Claimed before anything is made, so that a later `down` knows what to look for.
        net = choose(place, state.get("subnet"))
        place.write_state({"subnet": str(net.subnet), "complete": False})
        _start(place, net)
        place.write_state({"subnet": str(net.subnet), "complete": True, "version": version()})
        tell(f"the lab is up; its inventory is {place.inventory}")


def _start(place: Place, net: Net) -> None:
    place.keys.mkdir(parents=True)
    authority = pki.Authority("fleet-audit lab CA")
    (place.keys / "ca.crt").write_text(authority.pem)
    authority.issue(place.keys / "registry", net.host)
    login = pki.ssh_key(place.keys / "id_ed25519", "fleet-audit-lab")
    Group.of(place).create()
    hub = registry.Registry(place, net.host)
    hub.start()
    known: dict[str, list[str]] = {}

    def boot(worker: Worker) -> None:
        archive, known[worker.address] = seed(worker.machine, net, hub, login, authority.pem)
        worker.boot(net, archive)
        worker.wait()
        tell(f"  {worker.name} is up at {worker.address}")

    fleet = workers(place, net)
    tell(f"booting {len(fleet)} workers in {net.subnet}")
    with ThreadPoolExecutor(len(fleet)) as pool:
        list(pool.map(boot, fleet.values()))
    for worker in fleet.values():
        if worker.machine.behind:
            # So that what is hidden can push to the registry, whose network does not know the way back.
            fleet[worker.machine.behind].sh(
                "sysctl -q -w net.ipv4.ip_forward=1 && iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE"
            )
    hub.wait()
    inventory.write(place, net, known)


def down(place: Place) -> None:
    """Stop and remove everything that `up` made, but for the cache; a half-made or crashed lab likewise."""
    with place.lock():
        _clean(place)
        place.write_state({key: value for key, value in place.read_state().items() if key == "subnet"})
        tell("the lab is down")


def _clean(place: Place) -> None:
    group = Group.of(place)
    group.kill()
    group.remove()
    if find("ip"):
        subnet = place.read_state().get("subnet")
        remove_links(place)
        if subnet:
            Net(place, ipaddress.IPv4Network(subnet)).down()
    for folder in (place.run, place.inventory, place.keys):
        if folder.exists():
            run(["rm", "-rf", "--one-file-system", folder], timeout=300)


def current_net(place: Place, *, half_made: bool = False) -> Net | None:
    """The network of the lab that the last `up` completed, or began; None after `down`."""
    state = place.read_state()
    begun = "complete" in state if half_made else state.get("complete")
    return Net(place, ipaddress.IPv4Network(state["subnet"])) if begun else None


def healthy(place: Place) -> bool:
    """Whether a whole lab of this very version runs."""
    net = current_net(place)
    if net is None or place.read_state().get("version") != version():
        return False
    if not registry.Registry(place, net.host).answers():
        return False
    left = marks.left_behind(place)
    if left:
        tell(f"starting anew: a test was ended before it could put back {', '.join(left)}")
        return False
    with ThreadPoolExecutor() as pool:
        return all(pool.map(Worker.up, workers(place, net).values()))


def version() -> str:
    """Changes with the code that shapes a lab, so that `up` after an update starts anew."""
    shaping = ["cgroups", "inventory", "life", "net", "pki", "registry", "roles", "roots", "seed", "tokens", "worker"]
    files = [Path(__file__).with_name(f"{name}.py") for name in shaping]
    files.append(Path(__file__).parent / "files" / "image-builder")
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


def install_packages() -> None:
    """Install the Debian packages of the programs that are missing."""
    missing = sorted({package for program, package in _PROGRAMS.items() if not find(program)})
    if missing:
        install(missing)


def install(packages: Sequence[str]) -> None:
    """Install Debian packages.

    Raises:
        LabError: they cannot be had.
    """
    tell(f"installing {', '.join(packages)}")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with contextlib.suppress(LabError):  # the package lists may be missing or old: ask for them, then again
        run(command, timeout=900)
        return
    run(["apt-get", "update", "-q"], timeout=600)
    run(command, timeout=900)
