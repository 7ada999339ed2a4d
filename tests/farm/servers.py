"""A farm of SSH servers on loopback addresses, each with a behaviour of its own, all on one thread."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from audit.model import Host

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""A server that does not speak SSH, or not for long."""
Exec = Callable[["asyncssh.SSHServerProcess[bytes]", bytes], Awaitable[None]]
"""What a server makes of the script that it was sent."""

_net = itertools.count(os.getpid() % 200 + 20)


@dataclass(frozen=True)
class Behaviour:
    """How one server behaves.

    Attributes:
        raw: instead of SSH.
        run: instead of a shell; None refuses to run anything.
        login: ``yes``, ``no``, ``password`` (takes no keys), ``never`` (does not say), ``reset`` (hangs up).
        known: what known_hosts says of its key: ``yes``, ``no``, ``other``, ``revoked``, ``authority``.
        host: more for its `Host`.
    """

    raw: Raw | None = None
    run: Exec | None = None
    login: str = "yes"
    known: str = "yes"
    host: dict[str, Any] = field(default_factory=dict)


class _Server(asyncssh.SSHServer):
    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._behaviour = Behaviour()

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._behaviour = self._farm.at(conn.get_extra_info("sockname")[0])

    async def begin_auth(self, username: str) -> bool:
        if self._behaviour.login == "never":
            await asyncio.sleep(3600)
        if self._behaviour.login == "reset":
            self._connection.abort()
        return True

    def public_key_auth_supported(self) -> bool:
        return self._behaviour.login != "password"

    def password_auth_supported(self) -> bool:
        return self._behaviour.login == "password"

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._farm.logins += 1
        return self._behaviour.login == "yes" and key.public_data == self._farm.client_key.public_data

    def session_requested(self) -> bool | asyncssh.SSHServerProcess[bytes]:
        run = self._behaviour.run
        if run is None:
            return False

        async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
            with contextlib.suppress(asyncssh.Error, ConnectionError, BrokenPipeError):
                await run(process, await process.stdin.read())

        return asyncssh.SSHServerProcess(serve, None, 3, False)


class Farm:
    """Servers on one port of many addresses; `add` one, then ask it.

    Args:
        folder: for the keys and known_hosts.
    """

    def __init__(self, folder: Path) -> None:
        """Start the thread; nobody listens yet."""
        self.folder = folder
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = folder / "key"
        self.client_key.write_private_key(self.key_file)
        self.key_file.chmod(0o600)
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.touch()
        self.logins = 0
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._other_key = asyncssh.generate_private_key("ssh-ed25519")
        self._behaviours: dict[str, Behaviour] = {}
        self._numbers = itertools.count(1)
        self._net = next(_net) % 250 + 2
        self._closing: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="farm", daemon=True)
        self._thread.start()
        self.port = self._call(self._listen())
        self.raw_port = self._call(self._listen_raw())

    def at(self, address: str) -> Behaviour:
        """How the server at that address behaves."""
        return self._behaviours[address]

    def add(self, name: str, behaviour: Behaviour) -> Host:
        """One more server, as a host of an inventory."""
        number = next(self._numbers)
        address = f"127.{self._net}.{number // 250}.{number % 250 + 1}"
        self._behaviours[address] = behaviour
        port = self.port if behaviour.raw is None else self.raw_port
        shown = self._other_key if behaviour.known == "other" else self._host_key
        marker = {"revoked": "@revoked ", "authority": "@cert-authority "}.get(behaviour.known, "")
        if behaviour.known != "no":
            line = f"{marker}[{address}]:{port} {shown.export_public_key().decode().strip()}\n"
            with self.known_hosts.open("a", encoding="utf-8") as file:
                file.write(line)
        options: dict[str, Any] = {"user": "tester", "key_file": str(self.key_file)}
        return Host(name=name, address=address, port=port, **(options | behaviour.host))

    def close(self) -> None:
        """End every server and the thread."""

        async def end() -> None:
            for server in self._closing:
                server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> int:
        server = await asyncssh.listen(
            "0.0.0.0",
            0,
            server_factory=lambda: _Server(self),
            server_host_keys=[self._host_key],
            encoding=None,
            line_editor=False,
            login_timeout=3600,
            backlog=1024,
            allow_scp=False,
            agent_forwarding=False,
        )
        self._closing.append(server)
        return server.get_port()

    async def _listen_raw(self) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behaviour = self._behaviours.get(writer.get_extra_info("sockname")[0])
            try:
                if behaviour is not None and behaviour.raw is not None:
                    await behaviour.raw(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
        server = await asyncio.start_server(serve, sock=listener)
        self._closing.append(server)
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def farm(folder: Path) -> Iterator[Farm]:
    """A farm while the body runs."""
    servers = Farm(folder)
    try:
        yield servers
    finally:
        servers.close()
