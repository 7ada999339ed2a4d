"""A connection before there is SSH on it: names, addresses, proxy commands."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

from audit.model import Outcome
from audit.wire.clocks import Clock
from audit.wire.failures import WireError, errno_text
from audit.wire.sshconfig import Route

STAGGER = 0.25
"""Seconds before the next address is tried beside the one that has not answered yet."""

Address = tuple[int, Any]


def resolve(name: str, port: int, clock: Clock) -> list[Address]:
    """The addresses of a name, IPv6 and IPv4 by turns.

    The system's resolver cannot be interrupted, so a name (not a literal address) is looked up in a thread of its
    own, which is left to itself when the clock ends.

    Raises:
        WireError: the name does not resolve, or not in time.
    """
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return _addresses(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags))
    except (socket.gaierror, UnicodeError):
        pass
    found: list[Any] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        done.set()

    threading.Thread(target=look_up, name=f"resolve {name}", daemon=True).start()
    if not done.wait(min(clock.left, threading.TIMEOUT_MAX)):
        raise clock.failure(f"the name {name} was not resolved", "resolve")
    if isinstance(found[0], Exception):
        why = found[0].strerror if isinstance(found[0], OSError) and found[0].strerror else "it is no valid name"
        raise WireError(Outcome.UNREACHABLE, f"the name {name} does not resolve: {why}", "resolve")
    return _addresses(found[0])


def _addresses(found: list[Any]) -> list[Address]:
    six = [(info[0], info[4]) for info in found if info[0] == socket.AF_INET6]
    four = [(info[0], info[4]) for info in found if info[0] == socket.AF_INET]
    order = (six, four) if found and found[0][0] == socket.AF_INET6 else (four, six)
    return [
        address for turn in range(max(len(six), len(four))) for group in order for address in group[turn : turn + 1]
    ]


def connect(addresses: Sequence[Address], clock: Clock, stopped: threading.Event) -> socket.socket:
    """The first TCP connection that comes about.

    Raises:
        WireError: none did; the detail says why for the last address that told.
    """
    waiting = list(addresses)
    why = "no address"
    next_start = 0.0
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as open_sockets:
        while (waiting or selector.get_map()) and not clock.over and not stopped.is_set():
            now = time.monotonic()
            if waiting and (now >= next_start or not selector.get_map()):
                next_start = now + STAGGER
                family, address = waiting.pop(0)
                try:
                    started = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
                    open_sockets.callback(started.close)
                    error = started.connect_ex(address)
                except OSError as failed:
                    why, next_start = errno_text(failed.errno or 0), 0.0
                    continue
                if error == 0:
                    return _keep(started, open_sockets)
                if error != 115:  # EINPROGRESS
                    why, next_start = errno_text(error), 0.0
                    continue
                selector.register(started, selectors.EVENT_WRITE)
            pause = min(clock.left, STAGGER)
            for key, _ in selector.select(pause):
                tried = key.fileobj
                assert isinstance(tried, socket.socket)
                selector.unregister(tried)
                error = tried.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error == 0:
                    return _keep(tried, open_sockets)
                why, next_start = errno_text(error), 0.0
        if stopped.is_set():
            raise WireError(Outcome.NOT_ASKED, "interrupted", "connect")
        if clock.over:
            why = f"no answer within {clock.seconds:g} s (the {clock.name} limit)"
        raise WireError(Outcome.UNREACHABLE, why, "connect")


def _keep(connected: socket.socket, others: contextlib.ExitStack) -> socket.socket:
    mine = socket.socket(fileno=connected.detach())
    others.close()
    mine.setblocking(True)
    mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # jump hosts may be idle for long
    mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    return mine


class Proxied:
    """A socket whose other end is the standard input and output of a ProxyCommand."""

    def __init__(self, route: Route) -> None:
        """Start the command, in a process group of its own.

        Raises:
            OSError: no process could be started.
        """
        self.socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own ProxyCommand, run as ssh runs it
                ["/bin/sh", "-c", f"exec {route.proxy_command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self.socket.close()
            raise
        finally:
            theirs.close()

    def close(self) -> None:
        """End the command with everything that it started."""
        self.socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5.0)
