"""A TCP proxy that makes every byte late, to count round trips on a machine that cannot delay its own network."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class _Proxy:
    def __init__(self, address: str, port: int, delay: float) -> None:
        self._to = (address, port)
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asyncio-proxy", daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._to)
        with contextlib.suppress(asyncio.CancelledError):  # asyncio would print it
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            data = b"-"
            while data:
                due, data = await late.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                with contextlib.suppress(ConnectionError, OSError):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        delivering = asyncio.ensure_future(deliver())
        data = b"-"
        while data:
            try:
                data = await reader.read(65536)
            except ConnectionError:
                data = b""
            late.put_nowait((self._loop.time() + self._delay, data))
        await delivering

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@contextlib.contextmanager
def delaying_proxy(address: str, port: int, delay: float) -> Iterator[int]:
    """The port of a proxy to there, which holds everything back for `delay` seconds in each direction."""
    proxy = _Proxy(address, port, delay)
    try:
        yield proxy.port
    finally:
        proxy.close()
