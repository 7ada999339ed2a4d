"""There is room where the images are."""

from __future__ import annotations

from audit.facts.disks import Disks
from audit.facts.image_store import ImageStore
from audit.model import HostPolicy, Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell
from audit.rules._text import judge_space

rule = Rule(
    id="FA207",
    title="There is room on the disk that holds the images",
    severity=Severity.WARNING,
    why="A full disk fails every build, and the containerd store keeps each layer twice: packed and unpacked.",
    symptom="no space left on device",
    remedy="`docker builder prune -af` and `docker system prune -af` on a drained worker, or a larger disk.",
    refs=("docker/docs#23766", "moby/moby#52539"),
)


def check(store: ImageStore, disks: Disks, policy: HostPolicy) -> Result:
    """containerd's root for the containerd store, data-root for a graphdriver; an error below a third of the limit."""
    fs = disks.containerd_root if store.kind is StoreKind.CONTAINERD else disks.data_root
    if fs is None:
        return cannot_tell("the folder that holds the images was not found")
    return judge_space(fs, policy.disk_free_percent, "that holds the images")
