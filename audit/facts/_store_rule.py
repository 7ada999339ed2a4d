"""dockerd's own rule for its image store, by engine version, as one pure function.

Sources: moby v24.0.9 daemon/daemon.go:806, v28.5.2:839 (by the feature alone); docker-v29.0.0 and docker-v29.0.1
daemon/image_store_choice.go (determineImageStoreChoice), daemon/graphdriver/driver.go (HasPriorDriver),
daemon/command/daemon_linux.go (userns-remap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

from audit.model import StoreKind

StoreReason = Literal[
    "only-choice", "explicit-feature", "explicit-driver", "prior-data", "userns-remap", "default", "unknown"
]

REGISTERED = ("overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs")
"""Graph drivers that engine 29 knows on Linux."""
COUNTED = ("overlay2", "fuse-overlayfs", "btrfs", "zfs")
"""Of these, whose data counts as prior: vfs does not."""
NEWEST = Version("29.0.1")
"""Stands for engine 29 in questions about an upgrade or a reinstall: the rule has not changed from 29.0.1 to 29.7.2."""

G, C = StoreKind.GRAPHDRIVER, StoreKind.CONTAINERD


@dataclass(frozen=True)
class Inputs:
    """All that the rule looks at.

    Attributes:
        feature: ``features.containerd-snapshotter``; None: not set.
        driver: ``storage-driver``, or DOCKER_DRIVER, which wins; None: not set.
        prior: folders with data under the data-root; None: not known.
        userns_remap: whether user namespaces are remapped.
        use_graphdriver: TEST_INTEGRATION_USE_GRAPHDRIVER is not empty.
        use_snapshotter: TEST_INTEGRATION_USE_SNAPSHOTTER is not empty (before 29).
    """

    feature: bool | None = None
    driver: str | None = None
    prior: tuple[str, ...] | None = ()
    userns_remap: bool = False
    use_graphdriver: bool = False
    use_snapshotter: bool = False

    @property
    def has_prior(self) -> bool | None:
        """What HasPriorDriver would say; None: not known."""
        return None if self.prior is None else any(name in COUNTED for name in self.prior)


@dataclass(frozen=True)
class Choice:
    """What the engine would do.

    Attributes:
        kind: the store; None: it hangs on what is not known, or the engine would not start.
        why: what decides it.
        text: the same as one sentence.
        starts: False where the engine refuses to start.
    """

    kind: StoreKind | None
    why: StoreReason
    text: str
    starts: bool = True


def choose(version: Version, given: Inputs) -> Choice:
    """The store that an engine of this version takes when it starts."""
    return next(rule for floor, rule in _RULES if version >= floor)(given)


def _before_24(_: Inputs) -> Choice:
    return Choice(G, "only-choice", "engines before 24.0 have no other store")


def _by_feature(given: Inputs) -> Choice:
    if given.feature:
        return Choice(C, "explicit-feature", "features.containerd-snapshotter is true")
    if given.use_snapshotter:
        return Choice(C, "explicit-feature", "TEST_INTEGRATION_USE_SNAPSHOTTER is set")
    if given.feature is False:
        return Choice(G, "explicit-feature", "features.containerd-snapshotter is false")
    return Choice(G, "default", "graphdriver is the default before engine 29")


def _guarded(rule: Callable[[Inputs], Choice]) -> Callable[[Inputs], Choice]:
    """User namespaces first: they force the feature off, and do not stand beside an explicit true."""

    def with_guard(given: Inputs) -> Choice:
        if not given.userns_remap:
            return rule(given)
        if given.feature:
            text = "userns-remap beside features.containerd-snapshotter true: the engine does not start"
            return Choice(None, "userns-remap", text, starts=False)
        return Choice(G, "userns-remap", "userns-remap turns the containerd store off")

    return with_guard


def _explicit(given: Inputs) -> Choice | None:
    """The feature and the test switch; the driver's name can only break them."""
    if given.use_graphdriver or given.feature is False:
        word = "TEST_INTEGRATION_USE_GRAPHDRIVER is set" if given.use_graphdriver else None
        if given.driver and given.driver not in REGISTERED:
            text = f"graphdriver is asked for but {given.driver} is none: the engine does not start"
            return Choice(None, "explicit-feature", text, starts=False)
        return Choice(G, "explicit-feature", word or "features.containerd-snapshotter is false")
    if given.feature:
        return Choice(C, "explicit-feature", "features.containerd-snapshotter is true")
    return None


def _by_prior(given: Inputs) -> Choice | None:
    """Old data; None: there is none. Where it is not known, a choice without a kind."""
    if given.has_prior is None:
        return Choice(None, "unknown", "it hangs on old graphdriver data, which we may not look for")
    if not given.has_prior:
        return None
    names = ", ".join(name for name in given.prior or () if name in COUNTED)
    if given.driver and given.driver not in REGISTERED:
        text = f"{names} data lies under the data-root, but storage-driver is {given.driver}: the engine does not start"
        return Choice(None, "prior-data", text, starts=False)
    return Choice(G, "prior-data", f"{names} data lies under the data-root")


def _by_driver(given: Inputs, graph: tuple[str, ...]) -> Choice | None:
    if not given.driver:
        return None
    kind, what = (G, "a graphdriver") if given.driver in graph else (C, "a snapshotter")
    return Choice(kind, "explicit-driver", f"storage-driver is {given.driver}, {what}")


_BY_DEFAULT = Choice(C, "default", "containerd is the default of engine 29, and nothing else decides")


def _engine_29_0_0(given: Inputs) -> Choice:
    by_driver = _by_driver(given, ("vfs", "overlay2", "btrfs"))
    return _explicit(given) or by_driver or _by_prior(given) or _BY_DEFAULT


def _engine_29(given: Inputs) -> Choice:
    explicit, by_driver = _explicit(given), _by_driver(given, REGISTERED)
    if explicit:
        return explicit
    if given.has_prior is None and by_driver and by_driver.kind is G:
        return by_driver  # with old data or without: graphdriver
    return _by_prior(given) or by_driver or _BY_DEFAULT


_RULES: tuple[tuple[Version, Callable[[Inputs], Choice]], ...] = (
    (Version("29.0.1"), _guarded(_engine_29)),
    (Version("29.0.0.dev0"), _guarded(_engine_29_0_0)),
    (Version("24.0.0.dev0"), _by_feature),
    (Version("0.dev0"), _before_24),
)
"""By the oldest engine that a rule holds for, newest first."""
