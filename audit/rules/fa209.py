"""There are free inodes under both roots."""

from __future__ import annotations

from audit.facts.disks import Disks
from audit.model import HostPolicy, Severity
from audit.rule import Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._text import inodes

rule = Rule(
    id="FA209",
    title="There are free inodes under both of the engine's roots",
    severity=Severity.WARNING,
    why="Layers are many small files: a disk can run out of inodes with half of its bytes free.",
    symptom="no space left on device, while `df -h` shows room; `df -i` shows 100 %.",
    remedy="`docker builder prune -af` and `docker system prune -af`; make the next file system with more inodes.",
    refs=("df(1) -i",),
)


def check(disks: Disks, policy: HostPolicy) -> Result:
    """File systems that do not count inodes (btrfs) are left out."""
    roots = [fs for fs in (disks.data_root, disks.containerd_root) if fs is not None]
    if not roots:
        return cannot_tell("neither data-root nor containerd's root was found")
    counted = [fs for fs in roots if fs.inodes > 0]
    if not counted:
        return not_applicable("the file systems do not count inodes")
    limit = policy.inodes_free_percent
    lines = tuple(inodes(fs) for fs in counted)
    least = min(fs.inodes_free_percent for fs in counted)
    if least < limit / 3:
        message = f"less than {limit / 3:.3g} % of the inodes are free"
        return fail(message, *lines, severity=Severity.ERROR)
    if least < limit:
        return fail(f"less than {limit:g} % of the inodes are free", *lines)
    return ok(f"at least {limit:g} % of the inodes are free", *lines)
