"""What the proxy does with one request: count it, refuse it, injure it, or pass it on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.bench.merge.counting import kind_of
from tests.bench.night import wire
from tests.bench.night.bucket import Bucket, Clock
from tests.bench.night.counts import Count
from tests.bench.night.images import ACCEPT, INDEXES
from tests.bench.night.injuries import CALM, Injuries, too_many
from tests.bench.night.stock import Shop
from tests.bench.night.tokens import Tokens, basic, challenge, refusal, wanted_of

Stage = Literal["before", "after", "answered"]
_NAME = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|tags|referrers)/(?P<name>.*)")
_NOT_PASSED = {"authorization", "connection", "content-length", "transfer-encoding", "expect", "keep-alive", "te"}
_LOCKED = b'{"details":"too many failed login attempts for username or IP address"}'
_HUNG_SECONDS = 120.0
"""Real; a client that has not given up by then never will."""


class Asked(NamedTuple):
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


class Gone(Exception):  # noqa: N818 - what became of the connection
    """The connection was ended on purpose."""


class Answers:
    """Everything that outlives a request; used in one event loop only.

    Attributes:
        clock: simulated.
        counts: by phase.
        count: of the phase that is on.
        configs: digests of blobs that are configs, so that they are counted as such.
        tokens: the token server's.
        address: where it listens.
    """

    def __init__(self, shop: Shop, *, clock: Clock, limit: tuple[float, float], tokens: Tokens) -> None:
        """`shop` is the registry behind; `limit` is requests a minute, and at once."""
        self.clock = clock
        self.counts: dict[str, Count] = {}
        self.count = Count()
        self.configs: set[str] = set()
        self.tokens = tokens
        self.address = ""
        self._limit = limit
        self._bucket = Bucket(clock, *limit)
        self._injuries = Injuries(CALM)
        self._shop = shop
        self._pool = wire.Pool(shop.address, shop.tls)
        self._hooks: dict[tuple[int, Stage], Callable[[], None]] = {}
        self._lagging: dict[tuple[str, str], float] = {}
        self._there: set[tuple[str, str]] = set()
        self._locked_until = self._down_until = 0.0

    def _came_to(self, number: int, stage: Stage) -> None:
        reached: tuple[Stage, ...] = ("after", "answered") if stage == "answered" else (stage,)
        for one in reached:
            if do := self._hooks.pop((number, one), None):
                do()

    def _counted(self, asked: Asked) -> int:
        """Its number in the phase, from 1."""
        count = self.count
        count.by_kind[asked.kind] += 1
        if asked.repository:
            count.by_repository[asked.repository] += 1
        count.came(self.clock.now())
        return count.requests

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked, number: int
    ) -> bytes:
        """The bytes of its answer.

        Raises:
            Gone: there is none; the connection is reset.
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

    def _asked(self, head: wire.Head) -> Asked:
        method, target, _ = head.line.split(" ")
        path = urlsplit(target).path
        if path == "/token":
            return Asked(method, target, head, "token", "", "")
        found = _NAME.fullmatch(path)
        repository, name = (found["repository"], found["name"]) if found else ("", "")
        return Asked(method, target, head, kind_of(method, target, self.configs), repository, name)

    async def _cut(self, writer: asyncio.StreamWriter, raw: bytes, what: str) -> None:
        self.count.injuries[what] += 1
        self.count.by_status["reset"] += 1
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(0.005)  # so that what was written is there before the reset is
        wire.reset(writer)
        raise Gone

    def _said(self, asked: Asked, status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        """An answer of the proxy's own."""
        self.count.by_status[str(status)] += 1
        kind = {"Content-Type": "application/json"}
        return wire.answer(status, kind | (headers or {}), b"" if asked.method == "HEAD" else body, length=len(body))

    def _limited(self, asked: Asked) -> bytes | None:
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

    async def _token(self, reader: asyncio.StreamReader, asked: Asked, body: bytes) -> bytes:
        if self.clock.now() < self._locked_until:
            self.count.injuries["locked"] += 1
            return self._said(asked, 429, _LOCKED)
        if self._injuries.hangs():
            self.count.injuries["token hung"] += 1
            self.count.by_status["hung"] += 1
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(reader.read(1), _HUNG_SECONDS)
            raise Gone
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

    def _refused(self, asked: Asked, body: bytes) -> bytes | None:
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

    def _late(self, asked: Asked, body: bytes) -> bytes | None:
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

    async def _passed(self, asked: Asked, body: bytes) -> tuple[int, dict[str, str], bytes, int]:
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

    async def _put(self, asked: Asked, body: bytes) -> None:
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


def _children(asked: Asked, body: bytes) -> list[str]:
    """Digests that an index names; none of what is no index."""
    if asked.head.headers.get("content-type", "") not in INDEXES:
        return []
    return [str(row["digest"]) for row in json.loads(body).get("manifests", [])]
