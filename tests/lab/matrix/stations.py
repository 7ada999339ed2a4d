"""The stations: one worker in one state, and which command lines it is asked. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lab.matrix import lines as L  # noqa: N812 - read as a table: L.SWITCH, L.PLATFORM
from tests.lab.shell import LabError

Client = Literal["own", "20.10", "26.1", "28.5"]
Plugin = Literal["own", "0.13", "0.29", "hidden", "broken"]


@dataclass(frozen=True)
class Other:
    """A builder beside the engine's own.

    Attributes:
        driver: buildx's driver.
        on: the worker whose engine's BuildKit it talks to; only the containerd store has its exporters.
        options: driver options.
        selected: `docker buildx use` was said.
    """

    driver: Literal["remote", "docker-container"]
    on: str
    options: tuple[str, ...] = ()
    selected: bool = False
    name: str = "other"


@dataclass(frozen=True)
class Station:
    """One worker in one state.

    Attributes:
        client: the `docker` in its place: the worker's own, or another suite's of that version.
        buildx: the plugin in its place likewise; hidden: none; broken: it cannot be executed.
        config: what config.json holds beside the registry's credentials.
        lines: what is asked there.
    """

    name: str
    worker: str
    lines: tuple[str, ...]
    client: Client = "own"
    buildx: Plugin = "own"
    other: Other | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


_BASE = (*L.PLAIN, *L.SWITCH, *L.BUILDER)
_CONTAINERD = (
    *_BASE, *L.SWITCH_MORE, *L.BUILDER_SWITCH, *L.PROVENANCE, *L.PROVENANCE_MORE, *L.SBOM_OFF, *L.SBOM, *L.SWITCH_FLAG,
    *L.BY_BUILD, *L.LOAD, *L.OUTPUT, *L.OUTPUT_MORE, *L.PLATFORM, *L.TWO, *L.TWO_MORE, *L.CHOSEN, *L.CHOSEN_TWO,
    *L.NO_LOAD, *L.BUILDX, *L.BAKE, *L.LEGACY_WITH_BUILDX,
)  # fmt: skip
_GRAPH = (
    *_BASE, *L.SWITCH_MORE, *L.BUILDER_SWITCH, *L.PROVENANCE, *L.PROVENANCE_MORE, *L.SBOM_OFF, *L.SBOM_REFUSED,
    *L.SWITCH_FLAG, *L.BY_BUILD, *L.LOAD, *L.OUTPUT, *L.OUTPUT_MORE, *L.PLATFORM, *L.TWO, *L.CHOSEN, *L.NO_LOAD,
    *L.BUILDX, *L.BAKE, *L.LEGACY_WITH_BUILDX,
)  # fmt: skip
_FEW = (
    *_BASE, *L.PROVENANCE[:3], *L.BY_BUILD[:3], *L.LOAD, *L.OUTPUT[:3], *L.PLATFORM[:1], *L.TWO, *L.CHOSEN[:2],
    *L.NO_LOAD[:1], *L.BUILDX[:2], *L.BAKE[:2],
)  # fmt: skip
_NONE = (*_BASE, *L.UNKNOWN_FLAGS)
_OLD = (*_BASE, *L.UNKNOWN_FLAGS, *L.OLD)
_DRIVER = (*L.PLAIN, *L.OTHER, *L.OTHER_MORE)
_APART = (*_DRIVER, *L.ELSEWHERE)

STATIONS = (
    Station("engine28-containerd", "riscv64", _CONTAINERD),
    Station("engine28-overlay2", "amd64", _GRAPH),
    Station("engine26-containerd", "trixie-containerd", _CONTAINERD),
    Station("engine26-overlay2", "s390x", _GRAPH),
    Station("engine26-overlay2-no-buildx", "ppc64le", _NONE),
    Station("engine20", "bookworm", _OLD),
    # Without the plugin, or with one that does not run.
    Station("engine28-containerd-no-buildx", "riscv64", _NONE, buildx="hidden"),
    Station("engine28-overlay2-no-buildx", "amd64", _NONE, buildx="hidden"),
    Station("engine26-containerd-no-buildx", "trixie-containerd", _NONE, buildx="hidden"),
    Station("engine28-containerd-broken-buildx", "riscv64", (*_BASE, *L.BUILDX[:1]), buildx="broken"),
    Station("engine26-overlay2-broken-buildx", "s390x", (*_BASE, *L.BUILDX[:1]), buildx="broken"),
    # The other suite's plugin.
    Station("engine28-containerd-buildx013", "riscv64", _FEW, buildx="0.13"),
    Station("engine28-overlay2-buildx013", "amd64", _FEW, buildx="0.13"),
    Station("engine26-containerd-buildx029", "trixie-containerd", _FEW, buildx="0.29"),
    Station("engine26-overlay2-buildx029", "s390x", _FEW, buildx="0.29"),
    Station("engine20-buildx013", "bookworm", (*L.PLAIN, *L.BUILDER, *L.BUILDX, *L.BAKE), buildx="0.13"),
    Station("engine20-buildx029", "bookworm", (*L.PLAIN, *L.BUILDER, *L.BUILDX, *L.BAKE), buildx="0.29"),
    # The other suite's client.
    Station("client20-engine28-containerd", "riscv64", _OLD, client="20.10", buildx="hidden"),
    Station("client20-engine28-overlay2", "amd64", _OLD, client="20.10", buildx="hidden"),
    Station("client20-engine26-containerd", "trixie-containerd", _OLD, client="20.10", buildx="hidden"),
    Station("client28-engine26-containerd", "trixie-containerd", (*_BASE, *L.CHOSEN, *L.BUILDX[:2]), client="28.5"),
    Station("client28-engine20", "bookworm", (*_BASE, *L.UNKNOWN_FLAGS), client="28.5"),
    Station("client28-engine20-buildx029", "bookworm", _FEW, client="28.5", buildx="0.29"),
    Station("client26-engine28-containerd", "riscv64", (*_BASE, *L.CHOSEN, *L.BUILDX[:2]), client="26.1"),
    # Other drivers: BuildKit of an engine on the containerd store, reached through the bridge.
    Station("remote-engine28-containerd", "riscv64", _DRIVER, other=Other("remote", "riscv64")),
    Station("remote-engine28-overlay2", "amd64", _APART, other=Other("remote", "riscv64")),
    Station("remote-engine26-containerd", "trixie-containerd", _DRIVER, other=Other("remote", "trixie-containerd")),
    Station("remote-engine26-overlay2", "s390x", _APART, other=Other("remote", "trixie-containerd")),
    Station(
        "remote-old-buildkit", "amd64", (*L.OTHER[:8], *L.OTHER[14:17]), other=Other("remote", "trixie-containerd")
    ),
    Station("container-engine28-containerd", "riscv64", _DRIVER, other=Other("docker-container", "riscv64")),
    Station("container-engine28-overlay2", "amd64", _APART, other=Other("docker-container", "riscv64")),
    Station(
        "container-engine26-containerd", "trixie-containerd", L.OTHER,
        other=Other("docker-container", "trixie-containerd"),
    ),
    Station("selected-containerd", "riscv64", L.SELECTED, other=Other("remote", "riscv64", selected=True)),
    Station("selected-overlay2", "amd64", L.SELECTED, other=Other("remote", "riscv64", selected=True)),
    Station(
        "selected-containerd-buildx013", "trixie-containerd", L.SELECTED,
        other=Other("remote", "trixie-containerd", selected=True),
    ),
    Station(
        "default-load-containerd", "riscv64", L.LOADER, other=Other("remote", "riscv64", ("default-load=true",))
    ),
    Station(
        "default-load-overlay2", "amd64", L.LOADER,
        other=Other("docker-container", "riscv64", ("default-load=true",)),
    ),
    # config.json's alias, as `docker buildx install` writes it.
    Station("alias-containerd", "riscv64", L.ALIAS, config={"aliases": {"builder": "buildx"}}),
    Station("alias-overlay2-buildx013", "s390x", L.ALIAS, config={"aliases": {"builder": "buildx"}}),
    Station(
        "alias-no-buildx", "amd64", L.ALIAS[:3], buildx="hidden", config={"aliases": {"builder": "buildx"}}
    ),
    Station(
        "alias-selected", "riscv64", L.ALIAS,
        other=Other("remote", "riscv64", selected=True), config={"aliases": {"builder": "buildx"}},
    ),
)  # fmt: skip
"""In order; those of one worker run one after the other, those of different workers side by side."""

NOT_REACHABLE: tuple[tuple[str, str], ...] = (
    ("engines 19.03 and 23.0 to 25.0, 27, 29", "Debian's suites give 20.10.24, 26.1.5 and 28.5.2 only"),
    ("buildx older than 0.13.1, 0.14 to 0.28, 0.30 and newer", "Debian's suites give 0.13.1 and 0.29.1 only"),
    ("BuildKit 0.31 and newer", "no engine here has it: OCI types and OCI artifacts by default are not seen"),
    (
        "driver docker-container with a BuildKit of its own",
        "no suite of Debian packages buildkitd and no other registry of images is reached: the real driver runs a "
        "container whose buildctl leads to an engine's BuildKit (cells marked bridge)",
    ),
    ("driver docker-container or remote with the BuildKit of an overlay2 engine", "it has the exporter `moby` alone"),
    ("driver kubernetes", "there is no cluster in the lab"),
    ("driver cloud", "it is a service of Docker's, with a buildx of its own"),
    ("the default SBOM generator", "docker/buildkit-syft-scanner is on Docker Hub: one of the lab's own stands for it"),
    ("builders with several nodes", "the machines of the lab are of one architecture"),
    ("Windows engines", "the lab is Linux"),
)
"""What, and why."""


def station(name: str) -> Station:
    """By name.

    Raises:
        LabError: there is none of that name.
    """
    found = next((one for one in STATIONS if one.name == name), None)
    if found is None:
        raise LabError(f"no station is called {name}; there are {', '.join(one.name for one in STATIONS)}")
    return found
