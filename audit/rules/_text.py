"""What several rules say in the same words: sizes, file systems, an engine that refuses its client."""

from __future__ import annotations

from audit.facts.disks import FileSystem
from audit.model import Severity, Unknown
from audit.rule import Result, cannot_tell, fail, ok


def size(count: int) -> str:
    """Bytes for people, e.g. ``4.2 GiB``."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def space(fs: FileSystem) -> str:
    """One evidence line: the path, what it is on, and how much is free there."""
    free = f"{size(fs.free)} of {size(fs.size)} free ({fs.free_percent:.1f} %)"
    return f"{fs.path}: {fs.device} on {fs.mount}, {free}"


def inodes(fs: FileSystem) -> str:
    """One evidence line: the path, what it is on, and how many inodes are free there."""
    free = f"{fs.inodes_free} of {fs.inodes} inodes free ({fs.inodes_free_percent:.1f} %)"
    return f"{fs.path}: {fs.device} on {fs.mount}, {free}"


def judge_space(fs: FileSystem, limit: float, where: str) -> Result:
    """Free bytes against a limit in percent: below it the rule's severity, below a third of it an error."""
    if fs.size <= 0:
        return cannot_tell(f"the size of the disk {where} is not known", space(fs))
    if fs.free_percent < limit / 3:
        message = f"less than {limit / 3:.3g} % of the disk {where} is free"
        return fail(message, space(fs), severity=Severity.ERROR)
    if fs.free_percent < limit:
        return fail(f"less than {limit:g} % of the disk {where} is free", space(fs))
    return ok(f"at least {limit:g} % of the disk {where} is free", space(fs))


def refusal(engine: Unknown) -> str | None:
    """The engine's own words where it answers but does not speak the client's API version."""
    return engine.detail if "supported API version is" in engine.detail else None
