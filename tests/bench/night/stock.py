"""Fill a registry with a night's images, as the builds would have done before the merges begin."""

from __future__ import annotations

import http.client
import queue
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from tests.bench.night.images import Built, Manifest, built
from tests.bench.night.workload import Workload

_THREADS = 4
_SECONDS = 60.0


@dataclass(frozen=True)
class Shop:
    """A registry to be filled, reached without any proxy.

    Attributes:
        address: ``host:port``.
        tls: where it speaks https.
        bearer: gives a token that may push to these repositories; empty where none is needed.
    """

    address: str
    tls: ssl.SSLContext | None = None
    bearer: Callable[[Iterable[str]], str] = field(default=lambda _repositories: "")

    def connect(self) -> http.client.HTTPConnection:
        """One connection, kept alive by its user."""
        if self.tls is None:
            return http.client.HTTPConnection(self.address, timeout=_SECONDS)
        return http.client.HTTPSConnection(self.address, timeout=_SECONDS, context=self.tls)


@dataclass(frozen=True)
class Stocked:
    """A night's images, pushed.

    Attributes:
        workload: whose they are.
        images: by name.
        repository: where they stand, without the registry.
        puts: manifests and blobs that were pushed.
    """

    workload: Workload
    images: dict[str, Built]
    repository: str
    puts: int = 0

    @property
    def digests(self) -> dict[str, str]:
        """What every staging tag stands for."""
        return {name: one.top.digest for name, one in self.images.items()}


def stock(shop: Shop, workload: Workload, repository: str = "", *, seed: int = 0, threads: int = _THREADS) -> Stocked:
    """Push every blob, then every manifest, then the tags; each distinct one once.

    Args:
        shop: the registry.
        workload: what is pushed.
        repository: where; empty: the workload's own staging repository.
        seed: of the bytes.
        threads: each with a connection of its own.

    Raises:
        RuntimeError: the registry took something not; the sentence has its words.
    """
    repository = repository or workload.staging
    images, blobs = built(workload, seed)
    children = {one.digest: one for image in images.values() for one in image.children}
    bearer = shop.bearer([repository])
    with _Crew(shop, bearer, threads) as crew:
        crew.do([_blob(repository, digest, raw) for digest, raw in blobs.items()])
        crew.do([_manifest(repository, one, digest) for digest, one in children.items()])
        crew.do([_manifest(repository, image.top, name) for name, image in images.items()])
    return Stocked(workload, images, repository, len(blobs) + len(children) + len(images))


# ------------------------------------------------------------------- what is done

_Task = Callable[["_Hand"], None]


def _blob(repository: str, digest: str, raw: bytes) -> _Task:
    def push(hand: _Hand) -> None:
        place = hand.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", "", 202)
        parts = urlsplit(place)
        query = "&".join(part for part in (parts.query, urlencode({"digest": digest})) if part)
        hand.ask("PUT", f"{parts.path}?{query}", raw, "application/octet-stream", 201)

    return push


def _manifest(repository: str, one: Manifest, name: str) -> _Task:
    def push(hand: _Hand) -> None:
        hand.ask("PUT", f"/v2/{repository}/manifests/{name}", one.raw, one.media_type, 201)

    return push


class _Hand:
    """One thread's connection."""

    def __init__(self, shop: Shop, bearer: str) -> None:
        self._headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._connection = shop.connect()

    def ask(self, method: str, path: str, body: bytes, media_type: str, wanted: int) -> str:
        """Its Location."""
        headers = self._headers | ({"Content-Type": media_type} if media_type else {})
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {said[:300]!r}")
        return answer.headers.get("Location", "")

    def close(self) -> None:
        self._connection.close()


class _Crew:
    """Threads that share their tasks; the first failure ends the work, and is raised."""

    def __init__(self, shop: Shop, bearer: str, threads: int) -> None:
        self._hands = [_Hand(shop, bearer) for _ in range(threads)]

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.close()

    def do(self, tasks: Iterable[_Task]) -> None:
        waiting: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        failed: list[BaseException] = []

        def work(hand: _Hand) -> None:
            try:
                while not failed:
                    waiting.get_nowait()(hand)
            except queue.Empty:
                return
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                failed.append(error)

        workers = [threading.Thread(target=work, args=(hand,), name="stock") for hand in self._hands]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failed:
            raise RuntimeError(f"the registry could not be filled: {failed[0]}") from failed[0]
