"""The storage driver shares layers and has a future."""

from __future__ import annotations

from audit.facts.image_store import ImageStore
from audit.model import Severity
from audit.rule import Result, Rule, fail, ok

rule = Rule(
    id="FA210",
    title="The storage driver shares layers and is still supported",
    severity=Severity.WARNING,
    why="vfs and native copy every layer whole; aufs, overlay and devicemapper are gone from newer engines.",
    symptom="Builds are slow and the disk fills far faster than on the peers; or the upgraded engine does not start.",
    remedy="Put the root on ext4 or xfs (ftype=1) and take overlay2, or overlayfs with the containerd store.",
    refs=("moby daemon/daemon.go (falls back to native)", "docker/cli docs/deprecated.md"),
)

COPIES = {"vfs", "native"}
REMOVED = {"aufs": "24.0", "overlay": "24.0", "devicemapper": "25.0"}


def check(store: ImageStore) -> Result:
    """By the driver's name, in both stores."""
    evidence = (f"driver {store.driver} on {store.backing_fs or 'an unnamed file system'}", store.why_text)
    if store.driver in COPIES:
        return fail(f"driver {store.driver} copies every layer whole", *evidence)
    if store.driver in REMOVED:
        return fail(f"driver {store.driver} is gone from engine {REMOVED[store.driver]} on", *evidence)
    return ok(f"driver {store.driver} shares layers", *evidence)
