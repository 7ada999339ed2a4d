"""Everything that the hosts of one run share, and the way to one of them, through jump hosts where it leads so."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import paramiko

from audit.model import Fleet, Host, Outcome
from audit.wire import dial
from audit.wire.clocks import Clock, Watchdog
from audit.wire.failures import FOREIGN, WireError, from_foreign
from audit.wire.hostkeys import HostKeyCheck
from audit.wire.identities import Identities
from audit.wire.options import Phase, WireOptions
from audit.wire.sshconfig import Route, SshConfig
from audit.wire.transport import Connection, shut

LIVES = 3
"""Times that a jump host is connected to before its hosts are given up."""


class ThroughJump:
    """A channel of a jump host's connection, as the socket of the next one.

    A channel cannot be shut down from another thread without writing to its connection, which may block; so reads
    and writes look up four times a second whether they are still wanted.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        """Take over the channel."""
        self._channel = channel
        self._ended = False
        # paramiko writes outside of its own lock: data behind a close would cost the whole connection to the jump host
        self._writing = threading.Lock()
        channel.settimeout(0.25)

    @property
    def _closed(self) -> bool:  # paramiko asks for it by this name
        return self._ended

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                return self._channel.recv(size)
        return b""

    def send(self, data: bytes) -> int:
        """As a socket's."""
        with self._writing:
            if self._ended:
                raise EOFError
            return self._channel.send(data)

    def settimeout(self, seconds: float | None) -> None:
        """It keeps its own."""

    def abort(self) -> None:
        """End every read and write within a quarter of a second."""
        self._ended = True

    def close(self) -> None:
        """Give the channel back; where the jump host has gone first, there is nobody left to give it to."""
        self._ended = True
        with self._writing, contextlib.suppress(*FOREIGN):
            self._channel.close()


@dataclass
class _Jump:
    """One jump host, connected to by the first who needs it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    connection: Connection | None = None
    failure: WireError | None = None
    lives: int = LIVES
    below: list[Callable[[], None]] = field(default_factory=list)


class Network:
    """What the hosts of one run share: configuration, keys, jump hosts, the watchdog; and how to end it all."""

    def __init__(self, fleet: Fleet, options: WireOptions) -> None:
        """Nothing is read or connected to before it is needed."""
        self.options = options
        self.config = SshConfig()
        self.check = HostKeyCheck(options.host_keys, options.known_hosts, options.trusted, options.dns)
        self.identities = Identities()
        self.watchdog = Watchdog()
        self.stopped = threading.Event()
        self._declared = {host.name: host for host in fleet.hosts}
        self._lock = threading.Lock()
        self._aborts: dict[int, Callable[[], None]] = {}
        self._logged_in: set[int] = set()
        self._jumps: dict[tuple[object, ...], _Jump] = {}

    def gate(self, route: Route) -> str:
        """Of whom not too many unauthenticated connections are to be asked at once."""
        if route.proxy_jump:
            return "jump " + ",".join(route.proxy_jump)
        return route.hostname.lower()

    def connect(
        self, route: Route, clock: Clock, entered: Callable[[Phase], None], *, label: str = ""
    ) -> tuple[Connection, Callable[[], None]]:
        """Connect and check the host key, but do not log in.

        Args:
            route: where to.
            clock: the connect limit.
            entered: told every phase as it begins.
            label: names a jump host.

        Returns:
            The connection, and what closes it and all that was opened for it.

        Raises:
            WireError: it did not come about.
        """
        with contextlib.ExitStack() as opened:
            try:
                sock, abort = self._socket(route, clock, entered, opened)
            except FOREIGN as error:
                raise from_foreign(error, "connect") from error
            connection = Connection(sock, abort, label)
            opened.callback(connection.close)
            self._watch(abort, opened)
            alarm = self.watchdog.arm(clock, abort)
            try:
                entered("hostkey")
                connection.agree(route, self.check, clock)
            except WireError as failure:
                raise self._in_time(failure, clock, "the server did not agree on keys") from failure
            finally:
                self.watchdog.disarm(alarm)
            return connection, opened.pop_all().close

    def connect_patiently(
        self, route: Route, whole: Clock, entered: Callable[[Phase], None]
    ) -> tuple[Connection, Callable[[], None]]:
        """Connect, and once more where the server hung up before anything was asked of it (MaxStartups)."""
        try:
            return self.connect(route, Clock(self.options.connect, "connect", whole), entered)
        except WireError as failure:
            pause = random.uniform(0.2, 1.0) * self.options.jitter  # noqa: S311 - nobody gains by guessing it
            if not failure.again or self.stopped.wait(min(whole.left, pause)):
                raise
        return self.connect(route, Clock(self.options.connect, "connect", whole), entered)

    def log_in(self, connection: Connection, route: Route, clock: Clock) -> None:
        """Log in on a connection.

        Raises:
            WireError: refused, or not in time.
        """
        alarm = self.watchdog.arm(clock, connection.abort)
        try:
            connection.log_in(route.user, *self.identities.candidates(route), clock)
            self._logged_in.add(id(connection.abort))
        except WireError as failure:
            raise self._in_time(failure, clock, f"the login as {route.user} did not end") from failure
        finally:
            self.watchdog.disarm(alarm)

    def _in_time(self, failure: WireError, clock: Clock, what: str) -> WireError:
        """What really ended a connection: a stop and the watchdog both look like a lost connection."""
        if self.stopped.is_set():
            return WireError(Outcome.NOT_ASKED, "interrupted", failure.phase)
        if clock.over and failure.outcome is Outcome.UNREACHABLE:
            return clock.failure(what, failure.phase)
        return failure

    def _watch(self, abort: Callable[[], None], opened: contextlib.ExitStack) -> None:
        with self._lock:
            self._aborts[id(abort)] = abort
        opened.callback(self._aborts.pop, id(abort), None)
        opened.callback(self._logged_in.discard, id(abort))
        if self.stopped.is_set():
            abort()

    def _socket(
        self, route: Route, clock: Clock, entered: Callable[[Phase], None], opened: contextlib.ExitStack
    ) -> tuple[Any, Callable[[], None]]:
        if route.proxy_jump:
            entered("connect")
            return self._through_jump(route, clock)
        if route.proxy_command is not None:
            entered("connect")
            proxied = dial.Proxied(route)
            opened.callback(proxied.close)
            return proxied.socket, shut(proxied.socket)
        addresses = dial.resolve(route.hostname, route.port, clock)
        entered("connect")
        sock: socket.socket = dial.connect(addresses, clock, self.stopped)
        opened.callback(sock.close)
        return sock, shut(sock)

    def _through_jump(self, route: Route, clock: Clock) -> tuple[Any, Callable[[], None]]:
        hop = _name(route)
        self._refuse_rings(route)
        connection = self._jump(route, clock)
        try:
            channel = connection.transport.open_channel(
                "direct-tcpip", (route.hostname, route.port), ("127.0.0.1", 0), timeout=clock.left
            )
        except paramiko.ChannelException as error:
            message = f"jump host {hop} cannot connect to {route.hostname}:{route.port}: {error.text or 'refused'}"
            raise WireError(Outcome.UNREACHABLE, message, "connect") from None
        except FOREIGN as error:
            if clock.over:
                raise clock.failure(f"jump host {hop} gave no connection", "connect") from None
            raise WireError(Outcome.UNREACHABLE, f"jump host {hop}: the connection was lost", "connect") from error
        through = ThroughJump(channel)
        return through, through.abort

    def _jump(self, route: Route, clock: Clock) -> Connection:
        with self._lock:
            jump = self._jumps.setdefault(_key(route), _Jump())
        if not jump.turn.acquire(timeout=min(clock.left, threading.TIMEOUT_MAX)):
            raise clock.failure(f"jump host {_name(route)} was not connected", "connect")
        try:
            if jump.connection is not None and jump.connection.alive:
                return jump.connection
            if jump.failure is None and jump.lives == 0:
                message = f"jump host {_name(route)}: its connection was lost {LIVES} times"
                jump.failure = WireError(Outcome.UNREACHABLE, message, "connect")
            if jump.failure is not None:
                raise jump.failure
            jump.lives -= 1
            try:
                jump.connection = self._open_jump(route, jump)
            except WireError as failure:
                message = f"jump host {_name(route)}: {failure.detail}"
                jump.failure = WireError(failure.outcome, message, failure.phase)
                raise jump.failure from None
            return jump.connection
        finally:
            jump.turn.release()

    def _open_jump(self, route: Route, jump: _Jump) -> Connection:
        hop = self._hop(route)
        limit = Clock(self.options.connect, "connect")
        connection, close = self.connect(hop, limit, lambda _: None, label=str(hop))
        jump.below.append(close)
        self.log_in(connection, hop, Clock(self.options.auth, "auth"))
        return connection

    def _refuse_rings(self, route: Route) -> None:
        """Before anybody waits for anybody: hosts that jump through each other would wait for ever."""
        seen = set()
        while route.proxy_jump:
            if _key(route) in seen:
                message = f"ProxyJump leads round in a ring: {_name(route)} is behind itself"
                raise WireError(Outcome.NOT_ASKED, message, "resolve")
            seen.add(_key(route))
            route = self._hop(route)

    def _hop(self, route: Route) -> Route:
        """The last hop: as the inventory declares it, where it does, else as ssh's files say."""
        user, name, port = _jump_spec(route.proxy_jump[-1])
        declared: Host | None = self._declared.get(name)
        if declared is not None:
            update: dict[str, Any] = {"user": user or declared.user, "port": port or declared.port}
            hop = self.config.route(declared.model_copy(update=update))
        else:
            hop = self.config.lookup(name, route.config_args, port=port, user=user)
            # ssh would not offer the target's own key to the jump host; here it comes last
            keys = route.lent_files or route.identity_files[: route.wanted_first]
            extra = tuple(key for key in keys if key not in hop.identity_files)
            hop = replace(hop, identity_files=hop.identity_files + extra, lent_files=keys)
        if len(route.proxy_jump) > 1:
            hop = replace(hop, proxy_jump=route.proxy_jump[:-1], proxy_command=None)
        return hop

    def abort(self, *, spare_logged_in: bool = False) -> None:
        """End every connection at once; what runs on them ends by itself then.

        Args:
            spare_logged_in: only those on which nobody is logged in yet; none is made any more.
        """
        self.stopped.set()
        with self._lock:
            spared = self._logged_in if spare_logged_in else set()
            aborts = [abort for number, abort in self._aborts.items() if number not in spared]
        for abort in aborts:
            abort()

    def close(self) -> None:
        """Hang up on jump hosts and agents, end the watchdog."""
        with self._lock:
            jumps = list(self._jumps.values())
        for jump in jumps:
            for close in reversed(jump.below):
                with contextlib.suppress(Exception):
                    close()
        self.identities.close()
        self.watchdog.close()


def _key(route: Route) -> tuple[object, ...]:
    """Of the jump host that a route leads through."""
    return (route.proxy_jump, route.config_args)


def _name(route: Route) -> str:
    """Of that jump host, for people."""
    user, name, port = _jump_spec(route.proxy_jump[-1])
    if ":" in name:
        name = f"[{name}]"
    return (f"{user}@" if user else "") + name + (f":{port}" if port else "")


def _jump_spec(spec: str) -> tuple[str | None, str, int | None]:
    """``[ssh://][user@]host[:port]`` in its parts; IPv6 addresses stand in brackets."""
    spec = spec.removeprefix("ssh://").rstrip("/")
    user, at, rest = spec.rpartition("@")
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|(.+)", rest)
    if found is None:
        return None, rest, None
    name = found[1] or found[3] or found[5] or ""
    port = found[2] or found[4]
    return (user if at else None), name, int(port) if port else None
