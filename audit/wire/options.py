"""What a caller may set, and what it is told while the wire works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.wire.sshfp import Dns

HostKeys = Literal["strict", "accept-new", "pinned"]
Phase = Literal["resolve", "connect", "hostkey", "auth", "probe", "done"]


class Event(NamedTuple):
    """A host has begun a phase; `done` is its last one, and comes exactly once for every host.

    Attributes:
        host: the inventory's name.
        phase: what it is doing now.
        detail: for `done` the outcome and why; else empty.
    """

    host: str
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A fingerprint, and the one host whose it is.

    Attributes:
        address: of the host, as it is declared.
        port: likewise; None: not declared.
        fingerprint: ``SHA256:…``.
    """

    address: str
    port: int | None
    fingerprint: str

    def covers(self, address: str, port: int, fingerprint: str) -> bool:
        """Whether it is this host, and not its jump host or a peer, that shows this key."""
        return (address, fingerprint) == (self.address, self.fingerprint) and self.port in (None, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions:
    """How to reach the fleet. All times are seconds.

    Attributes:
        jobs: hosts at once.
        deadline: limit of the whole run; None for none.
        connect: limit from the first look-up to a verified host key.
        auth: limit of the login.
        probe: limit of the script; None: what is left of the host's.
        host: limit of everything on one host, once its turn has come; `Host.timeout` goes before it.
        host_keys: ``strict`` believes known keys, and of a host that is not known one that DNS vouches for, where
            ssh_config has VerifyHostKeyDNS yes; ``accept-new`` also writes down the key of a host never seen before;
            ``pinned`` believes only the file `known_hosts`.
        known_hosts: read instead of ssh's own files.
        trusted: a fingerprint that somebody has compared, and whose it is: that host is known by it from now on, and
            by no other one.
        dns: who is asked for SSHFP records; None: the system's name servers.
        unauthenticated: logins under way at once, per address and per jump host (sshd's MaxStartups).
        jitter: the largest pause before a connection that has to be tried again.
    """

    jobs: int = 64
    deadline: float | None = None
    connect: float = 10.0
    auth: float = 15.0
    probe: float | None = None
    host: float = 45.0
    host_keys: HostKeys = "strict"
    known_hosts: Path | None = None
    trusted: Trusted | None = None
    dns: Dns | None = None
    unauthenticated: int = 8
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what could not work.

        Raises:
            UsageError: a limit is not positive, or keys are to be pinned to no file.
        """
        for name in ("jobs", "deadline", "connect", "auth", "probe", "host", "unauthenticated"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name}: must be more than 0, not {value}")
        if self.host_keys == "pinned" and self.known_hosts is None:
            raise UsageError("--host-keys pinned: say which file holds the keys with --known-hosts")
