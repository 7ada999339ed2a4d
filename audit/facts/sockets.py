"""Where the engine's API listens."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from audit.fact import Answers, CannotTell, Fact, fact_field
from audit.facts import _daemon, _docker, _probes_docker
from audit.facts._read import cannot_tell, no_userinfo
from audit.model import Model, Probe, Reason

_WARNED = re.compile(r"API is accessible on (?:https?|tcp)://(\S+) without")


class TcpListener(Model):
    """One TCP address of dockerd.

    Attributes:
        address: host:port as configured or seen.
        tls_verify: clients must show a certificate; None: cannot tell.
        source: the flag, file or socket table that tells it.
    """

    address: str
    tls_verify: bool | None = None
    source: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        host = self.address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
        return host.startswith("127.") or host in ("localhost", "::1")


class Sockets(Fact):
    """TCP listeners of the engine."""

    tcp: tuple[TcpListener, ...] = fact_field("Listeners", default=())

    probes: ClassVar[tuple[Probe, ...]] = (_probes_docker.DAEMON, _probes_docker.DOCKER_INFO)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """What dockerd's arguments, daemon.json and docker.socket say, and what `docker info` warns of."""
        daemon = _daemon.read(answers)
        if daemon.hidden:
            raise cannot_tell(Reason.DENIED, "dockerd's arguments may not be read")
        if daemon.state == "denied":
            raise cannot_tell(Reason.DENIED, f"{daemon.path} may not be read")
        if daemon.error is not None:
            raise cannot_tell(Reason.GARBLED, f"{daemon.path}: {daemon.error}")
        configured = daemon.config.texts("hosts") if daemon.config else ()
        if not daemon.running and not any(_is_tcp(host) for host in configured):
            raise cannot_tell(Reason.ABSENT, "no dockerd runs here")
        tls = _verifies(daemon)
        note = "" if daemon.running else " (not running)"
        found: dict[str, TcpListener] = {}
        for host, source in (
            *((host, "dockerd --host") for host in daemon.values("--host")),
            *((host, f"{daemon.path} hosts{note}") for host in configured),
        ):
            if _is_tcp(host):
                address = _address(host)
                found.setdefault(address, TcpListener(address=address, tls_verify=tls, source=source))
        for said, path in daemon.listens:
            if said and not said.startswith(("/", "@", "%", "vsock:")):
                address = f"0.0.0.0:{said}" if said.isdigit() else no_userinfo(said)
                found.setdefault(address, TcpListener(address=address, tls_verify=tls, source=path))
        for address in _warned(answers):
            source = found[address].source if address in found else "docker info"
            found[address] = TcpListener(address=address, tls_verify=False, source=source)
        return cls(tcp=tuple(found.values()))


def _is_tcp(host: str) -> bool:
    return host.startswith(("tcp://", "http://", "https://"))


def _address(host: str) -> str:
    """Without scheme and userinfo; dockerd completes an empty one so."""
    return no_userinfo(host).partition("://")[2].removeprefix("***@").rstrip("/") or "localhost:2375"


def _verifies(daemon: _daemon.Daemon) -> bool:
    """Whether clients must show a certificate; ``tls`` alone encrypts, and lets everybody in."""
    said = daemon.flag("--tlsverify")
    if said is not None:
        return said.lower() in _daemon.TRUE
    return daemon.config.flag("tlsverify") if daemon.config else False


def _warned(answers: Answers) -> tuple[str, ...]:
    """Addresses that the engine itself says are open to everybody."""
    try:
        warnings = _docker.info(answers).texts("Warnings")
    except CannotTell:
        return ()
    return tuple(found[1] for warning in warnings if (found := _WARNED.search(warning)))
