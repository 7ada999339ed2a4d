"""Where a verdict points in the repository: the inventory's line that declares its host."""

from __future__ import annotations

from audit.model import Host, Source, Verdict
from audit.run import Run


def host_of(verdict: Verdict, run: Run) -> Host | None:
    """The host of a verdict; for a fleet verdict the first one that it speaks of."""
    names = (verdict.subject, *verdict.hosts)
    found = next((run.hosts[name] for name in names if name in run.hosts), None)
    if found is None and verdict.subject.startswith("pool:"):
        pool = verdict.subject.removeprefix("pool:")
        found = next((host for host in run.fleet.hosts if host.pool_name == pool), None)
    return found


def relative(source: Source) -> str | None:
    """The file where it is a path inside the working folder; None for any other and for the command line."""
    file = source.file.removeprefix("./")
    outside = not file or file.startswith(("/", "<", "~")) or ".." in file.split("/")
    return None if outside else file


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def uri(file: str) -> str:
    """A path as a URI reference: everything but unreserved characters and slashes is percent-encoded."""
    raw = file.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)
