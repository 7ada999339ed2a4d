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
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

from tests.bench.merge.counting import kind_of
from tests.bench.night import wire
from tests.bench.night.bucket import Bucket, Clock
from tests.bench.night.counts import Count
from tests.bench.night.images import ACCEPT, INDEXES
from tests.bench.night.injuries import CALM, Injuries, Wounds, too_many
from tests.bench.night.stock import Shop
from tests.bench.night.tokens import Tokens, basic, challenge, refusal, wanted_of

T = TypeVar("T")
Stage = Literal["before", "after", "answered"]
LOGIN = ("night", "night-password")
_NAME = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|tags|referrers)/(?P<name>.*)")
_NOT_PASSED = {"authorization", "connection", "content-length", "transfer-encoding", "expect", "keep-alive", "te"}
_LOCKED = b'{"details":"too many failed login attempts for username or IP address"}'
_HUNG_SECONDS = 120.0
"""Real; a client that has not given up by then never will."""


class _Asked(NamedTuple):
    """A request, read as far as its head."""

    method: str
    target: str
    head: wire.Head
    kind: str
    repository: str
    name: str

    @property
    def puts(self) -> bool:
        """Whether it puts a manifest."""
        return self.kind == "PUT manifest"

    @property
    def tags(self) -> bool:
        """Whether it puts one by tag."""
        return self.puts and not self.name.startswith("sha256:")


class _Gone(Exception):  # noqa: N818 - what became of the connection
    """The connection was ended on purpose."""


class Proxy:
    """What a harness may ask of it, from any thread; everything else happens in its loop."""

    def __init__(
        self, shop: Shop, *, host: str, clock: Clock, per_minute: float, burst: float, token_seconds: float
    ) -> None:
        """Use `proxying`."""
        self.clock = clock
        self.counts: dict[str, Count] = {}
        self.count = Count()
        self.configs: set[str] = set()
        self.tokens = Tokens(dict([LOGIN]), token_seconds)
        self.address = ""
        self._host, self._port = host, 0
        self._limit = per_minute, burst
        self._bucket = Bucket(clock, per_minute, burst)
        self._injuries = Injuries(CALM)
        self._shop = shop
        self._pool = wire.Pool(shop.address, shop.tls)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._hooks: dict[tuple[int, Stage], Callable[[], None]] = {}
        self._lagging: dict[tuple[str, str], float] = {}
        self._there: set[tuple[str, str]] = set()
        self._locked_until = self._down_until = 0.0

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
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, _Gone):
            pass  # the client has gone, or we have; asyncio would print that it was cancelled
        finally:
            self._open.discard(writer)
            writer.close()

    def _came_to(self, number: int, stage: Stage) -> None:
        reached: tuple[Stage, ...] = ("after", "answered") if stage == "answered" else (stage,)
        for one in reached:
            if do := self._hooks.pop((number, one), None):
                do()

    # ------------------------------------------------------------------- one request

    def _counted(self, asked: _Asked) -> int:
        """Its number in the phase, from 1."""
        count = self.count
        count.by_kind[asked.kind] += 1
        if asked.repository:
            count.by_repository[asked.repository] += 1
        count.last = self.clock.now()
        count.first = count.last if count.first is None else count.first
        return count.requests

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: _Asked, number: int
    ) -> bytes:
        """The bytes of its answer.

        Raises:
            _Gone: there is none; the connection is reset.
        """
        self._came_to(number, "before")
        if asked.puts and self._injuries.cuts_request():
            await reader.readexactly(asked.head.length // 2)
            await self._cut(writer, b"", "request cut")
        body = await wire.read_body(reader, asked.head)
        refused = self._limited(asked)
        if refused is None:
            refused = await self._token(reader, asked, body) if asked.kind == "token" else self._refused(asked, body)
        if refused is not None:
            return refused
        status, headers, got, length = await self._passed(asked, body)
        if asked.puts and status == 201:
            await self._put(asked, body)
        self._came_to(number, "after")
        raw = wire.answer(status, headers, b"" if asked.method == "HEAD" else got, length=length)
        if self._injuries.cuts_answer():
            await self._cut(writer, raw[: len(raw) - len(got) // 2 if got else len(raw) // 2], "answer cut")
        self.count.by_status[str(status)] += 1
        return raw

    def _asked(self, head: wire.Head) -> _Asked:
        method, target, _ = head.line.split(" ")
        path = urlsplit(target).path
        if path == "/token":
            return _Asked(method, target, head, "token", "", "")
        found = _NAME.fullmatch(path)
        repository, name = (found["repository"], found["name"]) if found else ("", "")
        return _Asked(method, target, head, kind_of(method, target, self.configs), repository, name)

    async def _cut(self, writer: asyncio.StreamWriter, raw: bytes, what: str) -> None:
        self.count.injuries[what] += 1
        self.count.by_status["reset"] += 1
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(0.005)  # so that what was written is there before the reset is
        wire.reset(writer)
        raise _Gone

    def _said(self, asked: _Asked, status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        """An answer of the proxy's own."""
        self.count.by_status[str(status)] += 1
        kind = {"Content-Type": "application/json"}
        return wire.answer(status, kind | (headers or {}), b"" if asked.method == "HEAD" else body, length=len(body))

    def _limited(self, asked: _Asked) -> bytes | None:
        """Out of order, or over the limit; token calls are of the same limit, as Docker Hub's are."""
        if self.clock.now() < self._down_until:
            self.count.injuries["down"] += 1
            return self._said(asked, 503, refusal("UNAVAILABLE", "service unavailable"))
        wait = self._bucket.take()
        if wait:
            self.count.injuries["over the limit"] += 1
            made = too_many("seconds", wait + 0.5)
            assert not isinstance(made, bytes)
            return self._said(asked, 429, made[1], made[0])
        return None

    # ------------------------------------------------------------------- the token server

    async def _token(self, reader: asyncio.StreamReader, asked: _Asked, body: bytes) -> bytes:
        if self.clock.now() < self._locked_until:
            self.count.injuries["locked"] += 1
            return self._said(asked, 429, _LOCKED)
        if self._injuries.hangs():
            self.count.injuries["token hung"] += 1
            self.count.by_status["hung"] += 1
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(reader.read(1), _HUNG_SECONDS)
            raise _Gone
        form = parse_qs(body.decode(errors="replace")) if asked.method == "POST" else {}
        given = form or parse_qs(urlsplit(asked.target).query)
        login = (form.get("username", [""])[0], form.get("password", [""])[0]) if form else basic(
            asked.head.headers.get("authorization", ""))  # fmt: skip
        found = self.tokens.issue(login, given.get("scope", []))
        if found is None:
            return self._said(asked, 401, refusal("UNAUTHORIZED", "incorrect username or password"))
        self.count.issued += 1
        return self._said(asked, 200, json.dumps(found).encode())

    # ------------------------------------------------------------------- the registry

    def _refused(self, asked: _Asked, body: bytes) -> bytes | None:
        """What the proxy answers itself; None: it is the registry's."""
        injury = self._injuries.once()
        if injury == "expired":
            self.count.injuries["tokens expired"] += 1
            self.tokens.forget()
        elif injury is not None:
            self.count.injuries[f"429 {injury}"] += 1
            made = too_many(injury, self._injuries.wounds.asked)
            if isinstance(made, bytes):
                self.count.by_status["429"] += 1
                return made
            return self._said(asked, 429, made[1], made[0])
        if status := self._injuries.broken():
            self.count.injuries[str(status)] += 1
            return self._said(asked, status, b"upstream is not well\n", {"Content-Type": "text/plain"})
        source = parse_qs(urlsplit(asked.target).query).get("from", [""])[0]
        wanted = wanted_of(asked.method, asked.repository, source) if asked.repository else []
        judged = self.tokens.judge(asked.head.headers.get("authorization", ""), wanted)
        if judged != "may":
            said = challenge(f"http://{self.address}/token", wanted, judged)
            return self._said(
                asked, 401, refusal("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": said}
            )
        return self._late(asked, body)

    def _late(self, asked: _Asked, body: bytes) -> bytes | None:
        """What was put a moment ago is not there yet."""
        if not self._lagging or "manifest" not in asked.kind:
            return None
        if not asked.puts:
            if not self._lags(asked.repository, asked.name):
                return None
            self.count.injuries["lag seen"] += 1
            return self._said(asked, 404, refusal("MANIFEST_UNKNOWN", "manifest unknown"))
        missing = [digest for digest in _children(asked, body) if self._lags(asked.repository, digest)]
        if not missing:
            return None
        self.count.injuries["lag seen"] += 1
        rows = [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": digest}
                for digest in missing]  # fmt: skip
        return self._said(asked, 400, json.dumps({"errors": rows}).encode())

    def _lags(self, repository: str, name: str) -> bool:
        return self._lagging.get((repository, name), 0.0) > self.clock.now()

    async def _passed(self, asked: _Asked, body: bytes) -> tuple[int, dict[str, str], bytes, int]:
        """What the registry answers; 502 and a fault where it does not."""
        headers = {name: value for name, value in asked.head.headers.items() if name not in _NOT_PASSED}
        headers["X-Forwarded-Proto"] = "http"  # so that it names our own address in its Location
        if asked.repository:
            source = parse_qs(urlsplit(asked.target).query).get("from", [])
            if bearer := self._shop.bearer([asked.repository, *source]):
                headers["Authorization"] = f"Bearer {bearer}"
        try:
            status, said, got, length = await self._pool.ask(asked.method, asked.target, headers, body)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.count.faults.append(f"{asked.kind}: {error!r}")
            return 502, {}, b"", 0
        if status in (401, 403) or status >= 500:
            self.count.faults.append(f"{asked.kind} {asked.target}: the registry behind answered {status}")
        return status, {name: value for name, value in said.items() if name not in _NOT_PASSED}, got, length

    async def _put(self, asked: _Asked, body: bytes) -> None:
        """A manifest was taken: it may lag, and no child of a tag's index may be missing."""
        self.count.puts += 1
        if self._injuries.lags():
            self.count.injuries["lag"] += 1
            self._lagging[(asked.repository, asked.name)] = self.clock.now() + self._injuries.wounds.lag_seconds
        if not asked.tags:
            return
        for digest in _children(asked, body):
            if (asked.repository, digest) in self._there:
                continue
            bearer = self._shop.bearer([asked.repository])
            headers = {"Host": self.address, "Accept": ACCEPT} | (
                {"Authorization": f"Bearer {bearer}"} if bearer else {}
            )
            status, *_ = await self._pool.ask("HEAD", f"/v2/{asked.repository}/manifests/{digest}", headers, b"")
            if status == 200:
                self._there.add((asked.repository, digest))
            else:
                self.count.dangling.append(f"{asked.repository}:{asked.name} {digest}")


def _children(asked: _Asked, body: bytes) -> list[str]:
    """Digests that an index names; none of what is no index."""
    if asked.head.headers.get("content-type", "") not in INDEXES:
        return []
    return [str(row["digest"]) for row in json.loads(body).get("manifests", [])]


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
    proxy = Proxy(
        shop, host=host, clock=Clock(speed), per_minute=per_minute, burst=burst, token_seconds=token_seconds
    )  # fmt: skip
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
