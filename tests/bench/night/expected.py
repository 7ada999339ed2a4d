"""What a night must leave, worked out without a line of the project's own; and readers who look whether it has."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.bench.night.images import ACCEPT, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, named
from tests.bench.night.stock import Shop, Stocked
from tests.bench.night.workload import Image

_AT_ONCE = 4


@dataclass(frozen=True)
class Child:
    """One entry of an index.

    Attributes:
        digest: of the manifest.
        media_type, size: as its descriptor must have them.
        platform: ``os/architecture``, and Windows' version after a space; of an attestation ``unknown/unknown``.
        attests: the digest of the image that it is about; empty of an image.
    """

    digest: str
    media_type: str
    size: int
    platform: str
    attests: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Child:
        """As an index has it."""
        platform = row.get("platform") or {}
        said = f"{platform.get('os')}/{platform.get('architecture')}"
        marks = row.get("annotations") or {}
        attests = marks.get("vnd.docker.reference.digest", "")
        if attests and marks.get("vnd.docker.reference.type") != "attestation-manifest":
            attests = f"{attests}, of another type"
        version = platform.get("os.version", "")
        return cls(row["digest"], row["mediaType"], row["size"], f"{said} {version}".strip(), attests)


@dataclass(frozen=True)
class Wanted:
    """What a tag must stand for: the children in the order of the sources, each attestation right after its image."""

    media_type: str
    children: tuple[Child, ...]


def expected(stocked: Stocked) -> dict[str, Wanted]:
    """By tag. All sources of Docker's type make a Docker list, else it is an OCI index."""
    return {merge.tag: _wanted(stocked, merge.sources) for merge in stocked.workload.merges}


def _wanted(stocked: Stocked, sources: Sequence[str]) -> Wanted:
    children = []
    for name in sources:
        built = stocked.images[name]
        one, image = built.manifest, built.image
        children.append(Child(one.digest, one.media_type, len(one.raw), _platform(image)))
        if (proof := built.proof) is not None:
            children.append(Child(proof.digest, proof.media_type, len(proof.raw), "unknown/unknown", one.digest))
    docker = all(child.media_type == DOCKER_MANIFEST for child in children)
    return Wanted(DOCKER_LIST if docker else OCI_INDEX, tuple(children))


def _platform(image: Image) -> str:
    return f"{image.platform} {image.os_version}".strip()


def wrong(raw: bytes, wanted: Wanted) -> str:
    """Why an index is not what is wanted; empty where it is."""
    body = json.loads(raw)
    if body.get("mediaType") != wanted.media_type:
        return f"it is {body.get('mediaType')}, where {wanted.media_type} is wanted"
    found = tuple(Child.of(row) for row in body["manifests"])
    if found == wanted.children:
        return ""
    for number, (one, other) in enumerate(zip(found, wanted.children, strict=False), 1):
        if one != other:
            return f"its entry {number} is {one}, where {other} is wanted"
    return f"it has {len(found)} entries, where {len(wanted.children)} are wanted"


# ------------------------------------------------------------------- readers


def with_skopeo(reference: str, flags: Sequence[str]) -> Callable[[str], bytes]:
    """A reader of ``reference:tag`` by the skopeo program, one process a tag.

    Args:
        reference: ``registry/repository``.
        flags: how that registry is to be trusted, and who we are to it.
    """
    skopeo = shutil.which("skopeo") or "skopeo"

    def read(tag: str) -> bytes:
        argv = [skopeo, "inspect", "--raw", *flags, f"docker://{reference}:{tag}"]
        done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip()[-300:])
        return done.stdout

    return read


@contextlib.contextmanager
def with_http(shop: Shop, repository: str) -> Iterator[Callable[[str], bytes]]:
    """A reader by Python's own http client."""
    with _Reader(shop, repository) as reader:
        yield lambda tag: reader.get(f"manifests/{tag}")


def check_tags(wanted: Mapping[str, Wanted], read: Callable[[str], bytes]) -> dict[str, str]:
    """What is wrong, by tag; empty where every tag is right."""

    def one(tag: str) -> str:
        try:
            return wrong(read(tag), wanted[tag])
        except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            return f"it cannot be read: {error}"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(wanted, pool.map(one, wanted), strict=True))
    return {tag: why for tag, why in found.items() if why}


def check_parts(shop: Shop, repository: str, wanted: Iterable[Wanted]) -> dict[str, str]:
    """Every child's manifest and every blob is served there, and has its digest; what is not, and why."""
    children = {child.digest for one in wanted for child in one.children}
    wrongs: dict[str, str] = {}
    blobs: set[str] = set()

    def one(reader: _Reader, kind: str, digest: str) -> bytes:
        try:
            raw = reader.get(f"{kind}/{digest}")
        except (RuntimeError, OSError) as error:
            wrongs[digest] = str(error)
            return b""
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
            wrongs[digest] = f"{len(raw)} other bytes are served"
            return b""
        return raw

    with _Reader(shop, repository) as reader, ThreadPoolExecutor(_AT_ONCE) as pool:
        for raw in pool.map(lambda digest: one(reader, "manifests", digest), children):
            if raw:
                blobs.update(named(raw))
        for _ in pool.map(lambda digest: one(reader, "blobs", digest), blobs):
            pass
    return wrongs


class _Reader:
    """Reads what a repository serves; a connection for every thread."""

    def __init__(self, shop: Shop, repository: str) -> None:
        self._shop = shop
        self._repository = repository
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._all:
            connection.close()

    def get(self, what: str) -> bytes:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._shop.connect()
            self._all.append(connection)
        headers = {"Accept": ACCEPT}
        if bearer := self._shop.bearer([self._repository]):
            headers["Authorization"] = f"Bearer {bearer}"
        connection.request("GET", f"/v2/{self._repository}/{what}", headers=headers)
        answer = connection.getresponse()
        raw: bytes = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{what} was answered {answer.status}: {raw[:200]!r}")
        return raw
