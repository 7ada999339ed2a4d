"""dockerd's rule for its image store, row by row (moby daemon/image_store_choice.go)."""

from __future__ import annotations

import pytest

from audit import versions
from audit.facts._store_rule import Inputs, StoreReason, choose
from audit.model import StoreKind

G, C = StoreKind.GRAPHDRIVER, StoreKind.CONTAINERD
OLD = Inputs(prior=("overlay2",))

ROWS: tuple[tuple[str, Inputs, StoreKind | None, StoreReason], ...] = (
    # before 24.0 nothing else exists
    ("19.03.15", Inputs(feature=True), G, "only-choice"),
    ("23.0.6", Inputs(), G, "only-choice"),
    # 24.0 to 28: by the feature alone
    ("24.0.9", Inputs(), G, "default"),
    ("24.0.0-rc.1", Inputs(feature=True), C, "explicit-feature"),
    ("28.5.2+dfsg4", Inputs(feature=True, prior=("overlay2",)), C, "explicit-feature"),
    ("28.5.2", Inputs(feature=False), G, "explicit-feature"),
    ("28.5.2", Inputs(use_snapshotter=True), C, "explicit-feature"),
    ("28.5.2", Inputs(feature=True, userns_remap=True), C, "explicit-feature"),
    ("28.5.2", Inputs(driver="vfs", prior=None), G, "default"),
    # 29.0.0: the driver's name before old data; fewer names count
    ("29.0.0", OLD, G, "prior-data"),
    ("29.0.0", Inputs(driver="overlayfs", prior=("overlay2",)), C, "explicit-driver"),
    ("29.0.0", Inputs(driver="overlay2"), G, "explicit-driver"),
    ("29.0.0", Inputs(driver="zfs"), C, "explicit-driver"),
    ("29.0.0-rc.2", Inputs(), C, "default"),
    # 29.0.1 and newer
    ("29.0.1", Inputs(), C, "default"),
    ("29.7.2", OLD, G, "prior-data"),
    ("29.7.2", Inputs(prior=("vfs",)), C, "default"),
    ("29.7.2", Inputs(prior=("aufs", "devicemapper")), C, "default"),
    ("29.7.2", Inputs(prior=None), None, "unknown"),
    ("29.7.2", Inputs(prior=None, driver="overlay2"), G, "explicit-driver"),
    ("29.7.2", Inputs(prior=None, feature=True), C, "explicit-feature"),
    ("29.7.2", Inputs(feature=True, prior=("overlay2",)), C, "explicit-feature"),
    ("29.7.2", Inputs(feature=False), G, "explicit-feature"),
    ("29.7.2", Inputs(use_graphdriver=True, feature=True), G, "explicit-feature"),
    ("29.7.2", Inputs(use_snapshotter=True, prior=("overlay2",)), G, "prior-data"),
    ("29.7.2", Inputs(driver="zfs"), G, "explicit-driver"),
    ("29.7.2", Inputs(driver="overlayfs"), C, "explicit-driver"),
    ("29.7.2", Inputs(driver="stargz", feature=True), C, "explicit-feature"),
    ("29.7.2", Inputs(driver="overlay2", feature=False), G, "explicit-feature"),
    # 29 and user namespaces
    ("29.7.2", Inputs(userns_remap=True), G, "userns-remap"),
    ("29.7.2", Inputs(userns_remap=True, prior=None), G, "userns-remap"),
)


@pytest.mark.parametrize(("version", "given", "kind", "why"), ROWS)
def test_rows(version: str, given: Inputs, kind: StoreKind | None, why: StoreReason) -> None:
    """Engine, what it finds, what it takes and why; it starts in all of these."""
    parsed = versions.parse(version)
    assert parsed is not None
    choice = choose(parsed, given)
    assert (choice.kind, choice.why, choice.starts) == (kind, why, True)
    assert choice.text


@pytest.mark.parametrize(
    "given",
    [
        Inputs(feature=True, userns_remap=True),
        Inputs(driver="overlayfs", prior=("overlay2",)),
        Inputs(driver="overlayfs", feature=False),
        Inputs(driver="nonesuch", use_graphdriver=True),
    ],
)
def test_engine_29_that_would_not_start(given: Inputs) -> None:
    """Combinations that engine 29 refuses."""
    parsed = versions.parse("29.1.0")
    assert parsed is not None
    choice = choose(parsed, given)
    assert choice.kind is None
    assert not choice.starts
    assert "does not start" in choice.text
