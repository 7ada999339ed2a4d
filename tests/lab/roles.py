"""Who is in the lab: the machines, the inventory's hosts on them, and what each is there to show. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BUILD_UNIT = "image-builder.service"
REGISTRY_ACCOUNTS = {
    "staging": "canary-staging-password-do-not-leak",
    "live": "canary-live-password-do-not-leak",
}
CANARIES = {
    "unit environment of ppc64le": "canary-unit-password-do-not-leak",
    "proxy in the unit of arm64": "canary-unit-proxy-do-not-leak",
    "proxy in daemon.json of s390x": "canary-daemon-proxy-do-not-leak",
    "registry password, staging": REGISTRY_ACCOUNTS["staging"],
    "registry password, live": REGISTRY_ACCOUNTS["live"],
}
"""Planted secrets: none may ever stand in a report, a log, a database or saved evidence (see `leaks`)."""

# {net} and {registry} are filled in at `up`: a lab's addresses differ from checkout to checkout.
_DAEMON_PROXY = f"http://fleet:{CANARIES['proxy in daemon.json of s390x']}@proxy.lab.invalid:3128"
_UNIT_PROXY = f"http://fleet:{CANARIES['proxy in the unit of arm64']}@proxy.lab.invalid:3128"


@dataclass(frozen=True)
class Unit:
    """How a builder's systemd unit is set up: who runs it and where its environment comes from."""

    user: str = "root"
    environment: tuple[str, ...] = ()
    drop_in: tuple[str, ...] = ()
    environment_file: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """One real worker."""

    name: str
    root: str
    role: str
    daemon: Mapping[str, Any] | None = field(default_factory=dict)  # daemon.json; None: no Docker here
    unit: Unit | None = None
    data: tuple[str, ...] = ("/var/lib/docker", "/var/lib/containerd")  # no image store can sit on an overlay mount
    disks: Mapping[str, int] = field(default_factory=dict)  # which of them: MiB of a file system of its own
    behind: str | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """The units that must be active before the worker counts as up."""
        docker = () if self.daemon is None else ("docker.service",)
        return ("ssh.service", *docker, *((BUILD_UNIT,) if self.unit else ()))


@dataclass(frozen=True)
class Host:
    """One host of the inventory: a login on a machine."""

    name: str
    group: str
    user: str = "root"
    on: str = ""  # the machine's name where it is not the host's
    role: str = ""  # what this login is, where the machine's role does not say it
    variables: Mapping[str, str | bool | int] = field(default_factory=dict)

    @property
    def machine(self) -> Machine:
        """The machine that this is a login on."""
        return next(machine for machine in MACHINES if machine.name == (self.on or self.name))


_CONTAINERD_STORE = {"features": {"containerd-snapshotter": True}}

MACHINES = (
    Machine(
        "amd64",
        "sid",
        "upgraded: newest engine, overlay2, buildx",
        unit=Unit(environment=("LANG=C.UTF-8",), drop_in=("DOCKER_BUILDKIT=1",)),
    ),
    Machine(
        "arm64",
        "sid",
        "upgraded: newest engine, overlay2, buildx",
        unit=Unit(
            user="builder",
            environment=(
                "BUILDX_NO_DEFAULT_ATTESTATIONS=1",
                f"HTTPS_PROXY={_UNIT_PROXY}",
                "NO_PROXY={net},127.0.0.0/8",
            ),
        ),
    ),
    Machine(
        "s390x",
        "trixie-buildx",
        "older engine, overlay2, buildx 0.13",
        daemon={"proxies": {"https-proxy": _DAEMON_PROXY, "no-proxy": "{net},127.0.0.0/8"}},
        unit=Unit(environment_file=("BUILDX_BUILDER=default", "DOCKER_BUILDKIT=1")),
        disks={"/var/lib/docker": 512},
    ),
    Machine(
        "ppc64le",
        "trixie-docker",
        "older engine, overlay2, no buildx: the legacy builder",
        unit=Unit(environment=(f"REGISTRY_PASSWORD={CANARIES['unit environment of ppc64le']}",)),
    ),
    Machine(
        "riscv64",
        "sid",
        "reinstalled: newest engine, containerd store",
        daemon=_CONTAINERD_STORE,
        unit=Unit(environment=("LANG=C.UTF-8",)),
    ),
    Machine(
        "trixie-containerd",
        "trixie-buildx",
        "older engine, containerd store",
        daemon=_CONTAINERD_STORE,
        disks={"/var/lib/containerd": 512},
    ),
    Machine("bookworm", "bookworm", "oldest engine, overlay2, no buildx package"),
    Machine("bastion", "trixie", "no Docker at all; the way to hidden", daemon=None, data=()),
    Machine("hidden", "trixie-buildx", "reached through bastion alone", behind="bastion"),
    Machine("podman", "trixie-podman", "podman's docker shim", daemon=None, data=("/var/lib/containers",)),
)


def _builder(arch: str, user: str = "root") -> Host:
    variables: dict[str, str | bool | int] = {
        "platform": f"linux/{arch}",
        "pool": f"linux-{arch}",
        "build_unit": BUILD_UNIT,
    }
    if arch != "amd64":
        variables["emulated"] = True
    return Host(arch, "builders", user, variables=variables)


_ODD: dict[str, str | bool | int] = {"platform": "linux/amd64"}

HOSTS = (
    _builder("amd64"),
    _builder("arm64", user="builder"),
    _builder("s390x"),
    _builder("ppc64le"),
    _builder("riscv64"),
    Host("trixie-containerd", "odd", variables=_ODD),
    Host("bookworm", "odd", variables=_ODD),
    Host(
        "bookworm-sudo",
        "odd",
        "deploy",
        "bookworm",
        "an unprivileged login with sudo -n",
        _ODD | {"ansible_become": True},
    ),
    Host(
        "bookworm-nosocket",
        "odd",
        "guest",
        "bookworm",
        "a login with no right to the Docker socket and no sudo",
        _ODD,
    ),
    Host("bastion", "odd", variables=_ODD),
    Host("hidden", "odd", variables=_ODD | {"timeout": 30}),
    Host("podman", "odd", variables=_ODD),
)
