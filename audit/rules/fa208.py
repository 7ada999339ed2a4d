"""There is room on the engine's other root."""

from __future__ import annotations

from audit.facts.disks import Disks
from audit.facts.image_store import ImageStore
from audit.model import HostPolicy, Severity, StoreKind
from audit.rule import Result, Rule, cannot_tell, not_applicable
from audit.rules._text import judge_space

rule = Rule(
    id="FA208",
    title="There is room on the disk of the engine's other root",
    severity=Severity.WARNING,
    why="The root without the images still holds volumes, container logs and the state of both daemons.",
    symptom="no space left on device from a build, though the images' disk has room.",
    remedy="Find what grows there (`du -xh --max-depth=2`): mostly container logs or the hidden data of an old store.",
    refs=("docker/docs#24010",),
)


def check(store: ImageStore, disks: Disks, policy: HostPolicy) -> Result:
    """The one that FA207 does not look at, where it is on a disk of its own."""
    containerd = store.kind is StoreKind.CONTAINERD
    fs = disks.data_root if containerd else disks.containerd_root
    what = "of data-root" if containerd else "of containerd's root"
    if disks.same_file_system:
        return not_applicable("both roots are on one file system, see FA207")
    if fs is None:
        if containerd:
            return cannot_tell("the data-root was not found")
        return not_applicable("there is no containerd root")
    if disks.same_file_system is None:
        return cannot_tell("whether both roots are on one file system is not known")
    return judge_space(fs, policy.disk_free_percent, what)
