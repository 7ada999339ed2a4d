"""The lab's network: one bridge, and a network namespace and a veth pair a worker; the machine forwards nothing.

    machine ---- bridge (first half of the /24) ---- every worker
                                                       bastion ---- veth (second half) ---- hidden

The machine has an `unreachable` route for the second half, so what sits behind the bastion can be reached through it
alone, and no packet for it strays to the machine's own gateway.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path

from tests.lab.place import Place, locked
from tests.lab.roles import MACHINES, Machine
from tests.lab.shell import LabError, run

_FIRST_WORKER = 10


class Net:
    """The addresses and the kernel objects of one lab."""

    def __init__(self, place: Place, subnet: ipaddress.IPv4Network) -> None:
        """A /24 of the lab's own; see `choose`."""
        self.place = place
        self.subnet = subnet
        self.front, self.back = subnet.subnets()

    @property
    def bridge(self) -> str:
        """The bridge's name."""
        return self.place.prefix

    @property
    def host(self) -> str:
        """The machine's own address on the bridge; the registry listens there."""
        return str(self.front[1])

    def namespace(self, machine: Machine) -> str:
        """The name of a worker's network namespace."""
        return f"{self.place.prefix}-{machine.name}"

    def address(self, machine: Machine) -> str:
        """A worker's address: fixed by its place in the list of machines."""
        half = self.back if machine.behind else self.front
        return str(half[_FIRST_WORKER + MACHINES.index(machine)])

    def inner(self) -> str:
        """The address of a jump worker on its inner side."""
        return str(self.back[1])

    def up(self) -> None:
        """Make the bridge, the namespaces and the links between them."""
        _ip(
            [
                f"link add {self.bridge} type bridge",
                f"addr add {self.host}/{self.front.prefixlen} dev {self.bridge}",
                f"link set {self.bridge} up",
                f"route add unreachable {self.back}",
                *(f"netns add {self.namespace(machine)}" for machine in MACHINES),
            ]
        )
        front = [machine for machine in MACHINES if not machine.behind]
        links: list[str] = []
        for machine in front:
            veth = f"{self.place.prefix}-{MACHINES.index(machine)}"
            links.append(f"link add {veth} type veth peer name eth0 netns {self.namespace(machine)}")
            links.append(f"link set {veth} master {self.bridge} up")
        _ip(links)
        for machine in front:
            self._inside(machine, "eth0", f"{self.address(machine)}/{self.front.prefixlen}")
        for machine in MACHINES:
            if machine.behind:
                jump = next(other for other in MACHINES if other.name == machine.behind)
                near, far = self.namespace(jump), self.namespace(machine)
                _ip([f"link add eth1 netns {near} type veth peer name eth0 netns {far}"])
                self._inside(jump, "eth1", f"{self.inner()}/{self.back.prefixlen}")
                self._inside(machine, "eth0", f"{self.address(machine)}/{self.back.prefixlen}")
                _ip([f"route add default via {self.inner()}"], self.namespace(machine))

    def _inside(self, machine: Machine, link: str, address: str) -> None:
        lines = ["link set lo up", f"addr add {address} dev {link}", f"link set {link} up"]
        _ip(lines, self.namespace(machine))

    def down(self) -> None:
        """Remove all of it, however much of it there is."""
        remove_links(self.place)
        if str(self.back) in _routes("unreachable"):
            _ip([f"route del unreachable {self.back}"])


def remove_links(place: Place) -> None:
    """Remove the namespaces, links and bridge that bear this checkout's tag; needs no record of them."""
    mine = (f"{place.prefix}-", place.prefix)
    spaces = [row["name"] for row in _rows("netns", "list") if row["name"].startswith(mine[0])]
    _ip([f"netns del {name}" for name in spaces])
    for row in _rows("link", "show"):
        name = str(row["ifname"])
        if name == mine[1] or name.startswith(mine[0]):
            # Deleting a namespace takes its veth pair along, a moment later: gone already is as good.
            with contextlib.suppress(LabError):
                _ip([f"link del {name}"])


def choose(place: Place, wanted: str | None) -> Net:
    """Take a /24 that nothing on this machine uses: the one used before, or one derived from the tag."""
    with locked(place_lock(), "another checkout's lab choosing its network"):
        taken = [
            ipaddress.ip_network(route, strict=False)
            for route in _routes("unicast") | _routes("local") | _routes("unreachable")
            if route != "default" and ":" not in route
        ]
        start = int(place.tag, 16)
        derived = (f"10.{1 + number // 256 % 254}.{number % 256}.0/24" for number in range(start, start + 4096))
        for candidate in [*([wanted] if wanted else []), *derived]:
            subnet = ipaddress.IPv4Network(candidate)
            if not any(subnet.overlaps(other) for other in taken):
                net = Net(place, subnet)
                net.up()
                return net
    raise LabError("no free /24 below 10.0.0.0/8 on this machine; stop another lab with `python -m tests.lab down`")


def place_lock() -> Path:
    """The lock that all checkouts of this machine share while one chooses its network."""
    return Path("/run/lock/fleet-audit-lab.lock")


def _ip(lines: Sequence[str], namespace: str | None = None) -> None:
    if lines:
        inside = ["-netns", namespace] if namespace else []
        run(["ip", *inside, "-batch", "-"], stdin="\n".join(lines) + "\n")


def _rows(*words: str) -> list[dict[str, str]]:
    said = run(["ip", "-json", *words]).stdout
    rows: list[dict[str, str]] = json.loads(said) if said.strip() else []
    return rows


def _routes(kind: str) -> set[str]:
    return {str(row["dst"]) for row in _rows("-4", "route", "show", "table", "all", "type", kind) if "dst" in row}
