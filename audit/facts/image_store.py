"""The image store of the engine: which, why, and what would change it."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field
from audit.model import StoreKind

StoreReason = Literal[
    "only-choice", "explicit-feature", "explicit-driver", "prior-data", "userns-remap", "default", "unknown"
]


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
