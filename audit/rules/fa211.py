"""fstab mounts data disks by UUID or label, not by device name."""

from __future__ import annotations

from audit.facts.disks import Disks
from audit.model import Severity
from audit.rule import Result, Rule, fail, ok

rule = Rule(
    id="FA211",
    title="fstab does not mount data disks by device name",
    severity=Severity.WARNING,
    why="Device names may change at a boot; the engine then starts on an empty data-root, and 29 picks another store.",
    symptom="After a reboot all images are gone, or the machine stops in emergency mode.",
    remedy="Take the UUID from `blkid` and write UUID=… in /etc/fstab instead of the device name.",
    refs=("fstab(5)",),
)


def check(disks: Disks) -> Result:
    """A warning where the engine's roots stand on such a mount, a note elsewhere; swap does not count."""
    entries = [entry for entry in disks.device_name_mounts if entry.mount.startswith("/")]
    if not entries:
        return ok(
            "no mount by device name in fstab", "/etc/fstab names no /dev/sd, nvme, vd, xvd, dasd or mmcblk mount"
        )
    roots = [fs.mount for fs in (disks.data_root, disks.containerd_root) if fs is not None]
    holding = [entry for entry in entries if any(_holds(entry.mount, mount) for mount in roots)]
    lines = tuple(f"{entry.device} on {entry.mount}" for entry in entries)
    remedy = f"`blkid {(holding or entries)[0].device}`, then write UUID=… in /etc/fstab instead of the device name."
    if holding:
        return fail("fstab mounts the engine's disk by device name", *lines, remedy=remedy)
    return fail("fstab mounts a disk by device name", *lines, remedy=remedy, severity=Severity.NOTE)


def _holds(mount: str, below: str) -> bool:
    """Whether a path on the mount point `below` stands on or under `mount`."""
    return below == mount or below.startswith(mount.rstrip("/") + "/")
