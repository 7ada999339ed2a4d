"""A TCP proxy on loopback that delays every byte by half a round trip, since the kernel here has no netem."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class _Delay:
    """Passes bytes on, each chunk `delay` seconds after it came, in order and without limiting the rate."""

    def __init__(self, delay: float, upstream: tuple[str, int]) -> None:
        self.delay = delay
        self.upstream = upstream
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def end(self) -> None:
        """Give up what is still open."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # whoever hung up wants no more
            while chunk := await source.read(65536):
                loop.call_later(self.delay, sink.write, chunk)
        loop.call_later(self.delay, sink.close)


@contextlib.contextmanager
def delaying(round_trip: float, address: str, port: int, listen: int) -> Iterator[None]:
    """Listen on `address`:`listen` and pass on to `address`:`port`, `round_trip` seconds there and back."""
    loop = asyncio.new_event_loop()
    delay = _Delay(round_trip / 2, (address, port))
    server = loop.run_until_complete(asyncio.start_server(delay.serve, address, listen))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.run_until_complete(delay.end())
        loop.close()
