"""A small night against Debian's docker-registry: filled, merged by hand, read by others, compared byte for byte."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.night.content import content, differences
from tests.bench.night.expected import check_parts, check_tags, expected, with_http
from tests.bench.night.images import DOCKER_LIST, OCI_INDEX
from tests.bench.night.proxy import LOGIN, Proxy, proxying
from tests.bench.night.stock import Shop, Stocked, stock
from tests.bench.night.upstream import Upstream, of_own
from tests.bench.night.workload import load
from tests.lab.registry import fetch
from tests.lab.shell import LabError

LEAST_A_SECOND = 150
"""Over 400 were measured on a quiet machine with two cores; the tests share theirs."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A registry program of this machine's own Debian; skipped with the reason where there is none."""
    try:
        fetch()
    except (LabError, OSError) as error:
        pytest.skip(f"docker-registry cannot be had here: {str(error).splitlines()[-1]}")
    with of_own() as one:
        yield one


@pytest.fixture(scope="module")
def stocked(upstream: Upstream) -> Stocked:
    """A hundredth of the night in its staging repository."""
    return stock(upstream.shop, load().scaled(0.01))


def merged(shop: Shop, stocked: Stocked, target: str, *, without: str = "") -> None:
    """What the night should do, done by hand: mounts, children, tags; all but one blob of them."""
    connection = shop.connect()

    def ask(method: str, path: str, body: bytes = b"", media_type: str = "") -> int:
        connection.request(method, f"/v2/{target}/{path}", body, {"Content-Type": media_type} if media_type else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    for image in stocked.images.values():
        for digest in set(image.blobs) - {without}:
            assert ask("POST", f"blobs/uploads/?mount={digest}&from={stocked.repository}") == 201
        for child in image.children:
            wanted = (201, 400) if without else (201,)
            assert ask("PUT", f"manifests/{child.digest}", child.raw, child.media_type) in wanted
    for merge in stocked.workload.merges:
        rows: list[dict[str, Any]] = []
        for name in merge.sources:
            image = stocked.images[name]
            system = {"os": image.image.os, "architecture": image.image.architecture}
            rows += json.loads(image.top.raw)["manifests"] if image.proof else [image.manifest.row(platform=system)]
        media_type = DOCKER_LIST if all("docker" in row["mediaType"] for row in rows) else OCI_INDEX
        raw = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": rows}).encode()
        assert ask("PUT", f"manifests/{merge.tag}", raw, media_type) in ((201, 400) if without else (201,))
    connection.close()


def test_a_registry_is_filled_with_every_blob_and_manifest(upstream: Upstream, stocked: Stocked) -> None:
    """What its staging tags stand for is what was told; layers that are shared are pushed once."""
    connection = upstream.shop.connect()
    connection.request("GET", f"/v2/{stocked.repository}/tags/list")
    tags = json.loads(connection.getresponse().read())["tags"]
    connection.close()
    assert sorted(tags) == sorted(stocked.digests)
    held = content(upstream.storage, stocked.repository)
    assert sum(path.startswith("_layers/") for path in held) == len(stocked.workload.blobs)
    assert {held[f"_manifests/tags/{name}/current/link"] for name in tags} == set(stocked.digests.values())
    assert stocked.puts == len(stocked.workload.blobs) + sum(
        len(one.children) for one in stocked.images.values()
    ) + len(tags)


def test_a_registry_that_refuses_is_told_of(upstream: Upstream, stocked: Stocked) -> None:
    """In its own words, and the filling ends."""
    with pytest.raises(RuntimeError, match="could not be filled: POST /v2/UPPER/case"):
        stock(upstream.shop, stocked.workload.scaled(0.4), "UPPER/case")


def test_a_night_that_is_right_is_found_right(upstream: Upstream, stocked: Stocked) -> None:
    """Every tag by its children, every child and blob by its digest; and twice the same is the same on the disk."""
    for target in ("live/one", "live/two"):
        merged(upstream.shop, stocked, target)
    wanted = expected(stocked)
    with with_http(upstream.shop, "live/one") as read:
        assert check_tags(wanted, read) == {}
    assert check_parts(upstream.shop, "live/one", wanted.values()) == {}
    one, two = (content(upstream.storage, f"live/{name}") for name in ("one", "two"))
    assert differences(one, two) == []
    assert len(one) > 2 * len(wanted)


def test_a_night_that_is_not_right_is_found_out(upstream: Upstream, stocked: Stocked) -> None:
    """A blob that was left out is missing, with its image and its tags; and the disk differs in just these."""
    left_out = next(iter(stocked.images.values())).blobs[-1]
    merged(upstream.shop, stocked, "live/whole")
    merged(upstream.shop, stocked, "live/less", without=left_out)
    with with_http(upstream.shop, "live/less") as read:
        wrong = check_tags(expected(stocked), read)
    assert wrong
    assert all("was answered 404" in why for why in wrong.values())
    assert check_parts(upstream.shop, "live/less", expected(stocked).values())
    whole, less = (content(upstream.storage, f"live/{name}") for name in ("whole", "less"))
    found = differences(whole, less, 100)
    assert any(left_out.partition(":")[2] in line for line in found)
    assert all(line.endswith(", nothing") for line in found)


def test_bytes_that_changed_on_the_disk_are_seen(upstream: Upstream, stocked: Stocked) -> None:
    """A digest is only a name there: what stands behind it is read."""
    merged(upstream.shop, stocked, "live/changed")
    before = content(upstream.storage, "live/changed")
    link = next(line for path, line in before.items() if path.startswith("_manifests/revisions"))
    digits = link.partition(" ")[0].partition(":")[2]
    file = Path(upstream.storage, "docker/registry/v2/blobs/sha256", digits[:2], digits, "data")
    raw = file.read_bytes()
    try:
        file.write_bytes(raw + b" ")
        assert len(differences(before, content(upstream.storage, "live/changed"))) == 1
    finally:
        file.write_bytes(raw)
    assert differences(before, content(upstream.storage, "live/changed")) == []


def test_the_proxy_is_fast_enough_for_a_night(upstream: Upstream, stocked: Stocked) -> None:
    """So many mounts a second over six connections, through the real registry, each of them counted."""
    with proxying(upstream.shop, per_minute=1e9, burst=1e9) as proxy:
        token = str((proxy.tokens.issue(LOGIN, [
            "repository:live/fast:pull,push", f"repository:{stocked.repository}:pull",
        ]) or {})["token"])  # fmt: skip
        digests = sorted({blob for image in stocked.images.values() for blob in image.blobs})
        count = proxy.phase("fast")
        began = time.perf_counter()
        statuses = mounted(proxy, token, stocked.repository, digests)
        rate = len(digests) / (time.perf_counter() - began)
    assert set(statuses) == {201}
    assert count.by_kind == {"POST mount": len(digests)}
    assert (count.connections, count.faults) == (6, [])
    assert rate > LEAST_A_SECOND


def mounted(proxy: Proxy, token: str, source: str, digests: list[str]) -> list[int]:
    """Statuses."""
    statuses: list[int] = []

    def work(mine: list[str]) -> None:
        connection = http.client.HTTPConnection(proxy.address, timeout=30)
        for digest in mine:
            path = f"/v2/live/fast/blobs/uploads/?mount={digest}&from={source}"
            connection.request("POST", path, b"", {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=work, args=(digests[number::6],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return statuses
