"""The data-root's file system is the one that holds the images."""

from __future__ import annotations

from audit.facts.disks import Disks
from audit.facts.image_store import ImageStore
from audit.model import Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._text import space

rule = Rule(
    id="FA206",
    title="The data-root's file system is the one that holds the images",
    severity=Severity.WARNING,
    why="The containerd store keeps images under containerd's root, whatever data-root says: a pruner that "
    "watches data-root watches the wrong disk.",
    symptom="no space left on device, while the data disk is nearly empty and the pruner never runs.",
    remedy="Bind-mount the data disk on containerd's root as well (with RequiresMountsFor), or move containerd's root.",
    refs=("docker/cli#6645", "moby/moby#50517"),
)


def check(store: ImageStore, disks: Disks) -> Result:
    """Only the containerd store parts the two."""
    if store.kind is not StoreKind.CONTAINERD:
        return not_applicable("a graphdriver keeps its images under data-root")
    if disks.same_file_system is None or disks.data_root is None or disks.containerd_root is None:
        return cannot_tell(
            "which file systems data-root and containerd's root are on is not known",
            f"containerd's root: {disks.containerd_root_path or '?'} ({disks.containerd_root_source or 'not found'})",
        )
    evidence = (
        f"data-root {space(disks.data_root)}",
        f"containerd's root {space(disks.containerd_root)}",
        f"containerd's root as told by: {disks.containerd_root_source or '?'}",
    )
    if disks.same_file_system:
        return ok("data-root and containerd's root are on one file system", *evidence)
    path, data = disks.containerd_root.path, disks.data_root.mount
    return fail(
        "the images are on another file system than data-root",
        *evidence,
        remedy=f"Give containerd a folder of the data disk ({data}): `root = …` in /etc/containerd/config.toml, or "
        f"a bind mount on {path} with RequiresMountsFor={path} in containerd.service; and let the pruner watch {path}.",
    )
