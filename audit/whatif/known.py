"""What `whatif` alone needs to know of versions, beside `audit/shape/known.py`."""

from __future__ import annotations

from packaging.version import Version

API_NEWEST = (
    (Version("19.03.0"), "1.40"),
    (Version("20.10.0"), "1.41"),
    (Version("23.0.0"), "1.42"),
    (Version("24.0.0"), "1.43"),
    (Version("25.0.0"), "1.44"),
    (Version("26.0.0"), "1.45"),
    (Version("27.0.0"), "1.46"),
    (Version("27.2.0"), "1.47"),
    (Version("28.0.0"), "1.48"),
    (Version("28.1.0"), "1.49"),
    (Version("28.2.0"), "1.50"),
    (Version("28.3.0"), "1.51"),
    (Version("29.0.0"), "1.52"),
    (Version("29.2.0"), "1.53"),
    (Version("29.3.0"), "1.54"),
    (Version("29.6.0"), "1.55"),
)
"""The newest API of an engine, and of the client of the same version (moby api/common.go DefaultVersion, from 28
daemon/config/config.go MaxAPIVersion, read at the tags v19.03.15 to docker-v29.7.2)."""

MIN_API_KEY_SINCE = Version("25.0.0")
"""daemon.json knows min-api-version from here on (moby v25.0.0 daemon/config/config.go)."""

MIN_API_LEAST = "1.24"
"""The oldest API that min-api-version may name (moby v25.0.0 and docker-v29.7.2, ValidateMinAPIVersion)."""

NO_SNAPSHOTTERS = ("overlay2", "vfs", "aufs", "devicemapper", "overlay")
"""Graph drivers whose names no snapshotter has; the containerd store refuses them (moby daemon/daemon.go,
`configured driver %q not available`)."""

GRAPHDRIVERS_ONCE = ("aufs", "devicemapper", "overlay")
"""Graph drivers of older engines: aufs until 23, devicemapper and overlay until 24."""

PRIORITY = ("overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs")
"""The order in which an engine tries graph drivers (moby daemon/graphdriver/driver_linux.go)."""


def newest_api(version: Version) -> str | None:
    """The newest API of an engine or a client of this version; None: older than any we know."""
    return next((api for since, api in reversed(API_NEWEST) if version >= since), None)
