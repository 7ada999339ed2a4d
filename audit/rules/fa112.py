"""The engine's API is not on the network without TLS."""

from __future__ import annotations

from audit.facts.sockets import Sockets, TcpListener
from audit.model import Severity
from audit.rule import Result, Rule, cannot_tell, fail, ok

rule = Rule(
    id="FA112",
    title="The engine's API is not on the network without TLS",
    severity=Severity.ERROR,
    why="Whoever reaches that port is root on the worker, and can put anything into the images that it pushes.",
    symptom="[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption (in the engine's log).",
    remedy="Drop the tcp:// host from dockerd's flags and daemon.json; use ssh:// contexts, or tlsverify with a CA.",
    refs=("docs.docker.com/engine/security/protect-access",),
)


def check(sockets: Sockets) -> Result:
    """On the network it is an error, on loopback every local account is still root."""
    if not sockets.tcp:
        return ok("the engine listens on no TCP port", "no TCP listener of dockerd")
    lines = tuple(_line(one) for one in sockets.tcp)
    if any(one.tls_verify is False and not one.loopback for one in sockets.tcp):
        return fail("the engine's API is on the network without TLS client certificates", *lines)
    if any(one.tls_verify is None for one in sockets.tcp):
        return cannot_tell("whether the TCP port of the engine asks for a certificate is not known", *lines)
    if any(one.tls_verify is False for one in sockets.tcp):
        return fail("the engine's API is on a local TCP port without TLS", *lines, severity=Severity.WARNING)
    return ok("the engine's TCP port asks for a client certificate", *lines)


def _line(one: TcpListener) -> str:
    asks = {True: "client certificate wanted", False: "no client certificate", None: "TLS not known"}[one.tls_verify]
    return f"{one.address}: {asks}" + (f" ({one.source})" if one.source else "")
