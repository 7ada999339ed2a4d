"""The proxy between a night and its registry: it counts, limits and injures, and lets no tag point at nothing unseen.

    with proxying(upstream, speed=20) as proxy:
        proxy.phase("cold", Wounds(span=7000))
        ...                                      # a client works with `proxy.address`, by http, with `LOGIN`
        proxy.count.requests, proxy.count.minutes

One event loop in a thread of its own serves everything: registry and token server stand at one address.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from tests.bench.night import wire
from tests.bench.night.answers import Answers, Gone, Stage
from tests.bench.night.bucket import Bucket, Clock
from tests.bench.night.counts import Count
from tests.bench.night.injuries import CALM, Injuries, Wounds
from tests.bench.night.stock import Shop
from tests.bench.night.tokens import Tokens

T = TypeVar("T")
LOGIN = ("night", "night-password")


class Proxy(Answers):
    """What a harness may ask of it, from any thread; everything else happens in its loop."""

    def __init__(self, shop: Shop, host: str, *, clock: Clock, limit: tuple[float, float], tokens: Tokens) -> None:
        """Use `proxying`."""
        super().__init__(shop, clock=clock, limit=limit, tokens=tokens)
        self._host, self._port = host, 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    # ------------------------------------------------------------------- for the harness

    def phase(self, name: str, wounds: Wounds = CALM, *, seed: int = 0) -> Count:
        """Begin to count anew, with a full bucket and these injuries; what is counted stays in `counts`."""

        def begin() -> Count:
            self.count = self.counts[name] = Count()
            self._bucket = Bucket(self.clock, *self._limit)
            self._injuries = Injuries(wounds, seed)
            self._hooks.clear()
            return self.count

        return self._in_loop(begin)

    def at(self, number: int, stage: Stage, do: Callable[[], None]) -> None:
        """When the phase's request of this number (from 1) comes to a stage, call `do` from the loop, once.

        The stages are before it is passed on, after the registry has answered it, and once the client has the answer.
        What the proxy answers itself comes to the first of them, and to the other two at once.
        """
        self._in_loop(lambda: self._hooks.__setitem__((number, stage), do))

    def down(self, seconds: float, how: Literal["refused", "503"] = "refused") -> None:
        """Be out of order for simulated seconds: nobody listens and open connections are reset, or 503."""

        def fall() -> None:
            self._down_until = self.clock.now() + seconds
            if how == "refused" and self._server is not None:
                self._server.close()
                self._server = None
                for writer in list(self._open):
                    wire.reset(writer)
                self._loop.call_later(self.clock.real(seconds), lambda: self._loop.create_task(self._listen()))

        self._in_loop(fall)

    def lock(self, seconds: float) -> None:
        """The account is locked for simulated seconds: every token call is answered so, right credentials or not."""
        self._in_loop(lambda: setattr(self, "_locked_until", self.clock.now() + seconds))

    def unlock(self) -> None:
        """Before that time."""
        self._in_loop(lambda: setattr(self, "_locked_until", 0.0))

    def forget_tokens(self) -> None:
        """Every token that is out is worth nothing from now on."""
        self._in_loop(self.tokens.forget)

    def _in_loop(self, do: Callable[[], T]) -> T:
        async def done() -> T:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    # ------------------------------------------------------------------- connections

    def run(self, ready: threading.Event) -> None:
        """Serve until `stop`; the thread's own function."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()
        if self._server is not None:
            self._server.close()
        self._pool.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        for writer in self._open:
            writer.transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def stop(self) -> None:
        """End it; from another thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=wire.LIMIT, backlog=128)
        self._port = self._server.sockets[0].getsockname()[1]
        self.address = f"{self._host}:{self._port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        first = True
        try:
            while True:
                head = await wire.read_head(reader)
                self.count.connections += first
                first = False
                number = self._counted(asked := self._asked(head))
                raw = await self._answered(reader, writer, asked, number)
                writer.write(raw)
                await writer.drain()
                self._came_to(number, "answered")
                if head.last or b"connection: close" in raw[:300].lower() or raw.startswith(b"HTTP/1.0"):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, Gone):
            pass  # the client has gone, or we have; asyncio would print that it was cancelled
        finally:
            self._open.discard(writer)
            writer.close()


@contextlib.contextmanager
def proxying(
    shop: Shop,
    *,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    per_minute: float = 300.0,
    burst: float = 300.0,
    token_seconds: float = 300.0,
) -> Iterator[Proxy]:
    """Serve in front of a registry, at a free port of `host`.

    Args:
        shop: the registry.
        host: a loopback address.
        speed: simulated seconds in a real one; the limit and every wait are in simulated time.
        per_minute, burst: the limit.
        token_seconds: real; a token's time.
    """
    tokens = Tokens(dict([LOGIN]), token_seconds)
    proxy = Proxy(shop, host, clock=Clock(speed), limit=(per_minute, burst), tokens=tokens)
    ready = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(ready,), name="night-proxy", daemon=True)
    thread.start()
    if not ready.wait(20):
        raise RuntimeError(f"the proxy could not listen on {host}")
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(20)
