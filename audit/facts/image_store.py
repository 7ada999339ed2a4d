"""The image store of the engine: which, why, and what would change it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from packaging.version import Version

from audit import versions
from audit.fact import Answers, CannotTell, Fact, fact_field
from audit.facts import _applied, _daemon, _docker, _probes_docker
from audit.facts._read import Doc, garbled
from audit.facts._store_rule import COUNTED, NEWEST, Inputs, StoreReason, choose
from audit.model import Probe, StoreKind

CONTAINERD_TYPE = "io.containerd.snapshotter.v1"
"""The one driver-type of the containerd store (moby daemon/containerd/service.go)."""


class ImageStore(Fact):
    """Told by `driver-type` in DriverStatus, never by the driver's name (moby daemon/containerd/service.go)."""

    kind: StoreKind = fact_field("graphdriver or containerd")
    driver: str = fact_field("Storage driver or snapshotter, e.g. overlay2, overlayfs, native, vfs")
    driver_type: str | None = fact_field("driver-type row of DriverStatus, where there is one", default=None)
    backing_fs: str | None = fact_field("Backing Filesystem row, where there is one", default=None)
    why: StoreReason = fact_field("What decided it, by dockerd's own rule for that version")
    why_text: str = fact_field("The same as one sentence naming its evidence")
    prior_drivers: tuple[str, ...] | None = fact_field(
        "Graph drivers with data under the data-root; None: not allowed to look", default=None
    )
    snapshotter_feature: bool | None = fact_field(
        "features.containerd-snapshotter as daemon.json or flags say", default=None
    )
    userns_remap: str | None = fact_field("userns-remap as configured or seen in force; None: off", default=None)
    after_wipe: StoreKind | None = fact_field(
        "The store if the data-root were wiped under the same engine; None: cannot tell", default=None
    )
    after_upgrade: StoreKind | None = fact_field(
        "The store after an upgrade in place to engine 29; None: cannot tell, or the engine would not start",
        default=None,
    )
    after_reinstall: StoreKind | None = fact_field(
        "The store on a fresh machine with engine 29 and this daemon.json", default=None
    )

    probes: ClassVar[tuple[Probe, ...]] = (_probes_docker.DOCKER_INFO, _probes_docker.DAEMON, _probes_docker.ROOTS)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """The store is the engine's word; why, and what would change it, is dockerd's rule over its files."""
        info = _docker.info(answers)
        driver, status = info.text("Driver"), dict(info.pairs("DriverStatus"))
        driver_type = status.get("driver-type")
        if driver is None:
            raise garbled("docker info names no storage driver")
        if driver_type not in (None, CONTAINERD_TYPE):
            raise garbled(f"docker info names an unknown driver-type: {driver_type}")
        kind = StoreKind.CONTAINERD if driver_type else StoreKind.GRAPHDRIVER
        local = _docker.is_local(answers, info)
        daemon = _daemon_of(answers) if local else None
        prior = _prior(answers, info) if local else None
        given = _inputs(daemon, prior, kind, driver, remapped=_applied.remapped(info))
        version = versions.parse(info.text("ServerVersion"))
        why, text = _why(version, given, kind, known=daemon is not None)
        wiped = upgraded = reinstalled = None
        if daemon is not None and version is not None:
            wiped = choose(version, replace(given, prior=())).kind
            upgraded = choose(max(version, NEWEST), given).kind
            reinstalled = choose(max(version, NEWEST), replace(given, prior=())).kind
        return cls(
            kind=kind,
            driver=driver,
            driver_type=driver_type,
            backing_fs=status.get("Backing Filesystem"),
            why=why,
            why_text=text,
            prior_drivers=prior,
            snapshotter_feature=given.feature,
            userns_remap=(daemon.setting("userns-remap") if daemon else None)
            or ("in force" if given.userns_remap else None),
            after_wipe=wiped,
            after_upgrade=upgraded,
            after_reinstall=reinstalled,
        )


def _daemon_of(answers: Answers) -> _daemon.Daemon | None:
    """What configures the engine; None where it is not known whole."""
    try:
        daemon = _daemon.read(answers)
    except CannotTell:
        return None
    return None if daemon.state == "denied" or daemon.error is not None or daemon.hidden else daemon


def _prior(answers: Answers, info: Doc) -> tuple[str, ...] | None:
    """Folders with data under the engine's own data-root; None: not looked, or elsewhere than the engine's."""
    lines = _docker.lines(answers, "roots")
    if lines is None:
        return None
    root = _docker.root_of(lines, info)
    if root is None or root in lines.all("denied"):
        return None
    return tuple(said.partition(" ")[0] for said in lines.all("prior") if said.partition(" ")[2] == root)


def _inputs(
    daemon: _daemon.Daemon | None, prior: tuple[str, ...] | None, kind: StoreKind, driver: str, *, remapped: bool
) -> Inputs:
    """What dockerd's rule looks at; a graphdriver in use has data, whether or not we may look."""
    if prior is None and kind is StoreKind.GRAPHDRIVER and driver in COUNTED:
        prior = (driver,)
    if daemon is None:
        return Inputs(prior=prior, userns_remap=remapped)
    environment = daemon.environment
    return Inputs(
        feature=daemon.feature("containerd-snapshotter"),
        driver=environment.get("DOCKER_DRIVER") or daemon.setting("storage-driver"),
        prior=prior,
        userns_remap=remapped or bool(daemon.setting("userns-remap")),
        use_graphdriver=bool(environment.get("TEST_INTEGRATION_USE_GRAPHDRIVER")),
        use_snapshotter=bool(environment.get("TEST_INTEGRATION_USE_SNAPSHOTTER")),
    )


def _why(version: Version | None, given: Inputs, kind: StoreKind, *, known: bool) -> tuple[StoreReason, str]:
    """The rule's own reason where it agrees with what the engine does."""
    if version is None:
        return "unknown", f"the engine uses {kind}; its version cannot be read, so its rule is not known"
    choice = choose(version, given)
    if not known and choice.why not in ("only-choice", "userns-remap"):
        return "unknown", f"the engine uses {kind}; its configuration could not be read"
    if choice.kind is None and choice.starts:
        return _by_elimination(kind)
    if choice.kind is not kind:
        would = choice.text if choice.kind is None else f"{choice.text}: it would take {choice.kind}"
        return "unknown", f"the engine uses {kind}, yet {would} (changed since its start, or migrated)"
    return choice.why, choice.text


def _by_elimination(kind: StoreKind) -> tuple[StoreReason, str]:
    """Only old data could still decide, and we may not look for it: what the engine does tells whether it is there."""
    if kind is StoreKind.GRAPHDRIVER:
        return "prior-data", "old graphdriver data decides, since nothing else does (not allowed to look for it)"
    return "default", "containerd is the default of engine 29; old graphdriver data cannot be there"
