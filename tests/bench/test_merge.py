"""The requests that the bench is about, held in the ordinary suite: of the whole command, by our own engine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from audit.cli.app import run
from audit.registry import Client, Credentials, Options
from tests.bench.merge.counting import Tally, kind_of
from tests.bench.merge.sources import CASES, Case, Pushed, Pusher
from tests.bench.merge.wanted import MOST_REQUESTS, fallen_short
from tests.farm.registry import PASSWORD, USER, Registry, basic, serving

BY_KEY = {case.key: case for case in CASES}
COLD = {
    "two_flat": {"GET manifest": 3, "token": 1, "GET config": 2, "POST mount": 19, "PUT manifest": 3},
    "two_attested": {"GET manifest": 7, "token": 1, "POST mount": 23, "PUT manifest": 5},
    "five_mixed": {"GET manifest": 8, "token": 1, "GET config": 4, "POST mount": 242, "PUT manifest": 7},
    "same_repository": {"GET manifest": 3, "token": 1, "GET config": 2, "PUT manifest": 1},
    "two_flat_by_tag": {"GET manifest": 3, "token": 1, "GET config": 2, "POST mount": 19, "PUT manifest": 3},
}
"""The protocol's floor, and the one request that is refused before anybody knows how the registry wants to be asked."""
REPEAT = {"two_flat_by_tag": {"HEAD manifest": 3}}
"""Else one HEAD: a digest stands for itself, but a source's tag may have moved."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """One with a token server; everything that a user has on this machine is empty, but for the login."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder))
    monkeypatch.chdir(tmp_path)
    with serving(Registry(auth="bearer")) as one:
        login = {"auths": {one.address: {"auth": basic()}}}
        (tmp_path / "DOCKER_CONFIG" / "config.json").write_text(json.dumps(login), encoding="utf-8")
        yield one


def pushed(registry: Registry, case: Case) -> tuple[list[Pushed], set[str]]:
    """The sources of a case, pushed; and which blobs are configs."""
    credentials = {registry.address: Credentials(username=USER, password=PASSWORD)}
    plain = frozenset({registry.address})
    tally = Tally()
    with Client(Options(plain_http=plain, credentials=credentials, environment={})) as client:
        return Pusher(client, tally, registry.address).push(case), tally.configs


def merged(registry: Registry, case: Case, sources: list[Pushed], configs: set[str]) -> dict[str, int]:
    """What the whole command asks for, by kind."""
    registry.asked.clear()
    repository, tag = case.target("test")
    target = f"{registry.address}/{repository}:{tag}"
    flags = ["merge", "--engine", "registry", "-q", "--plain-http", registry.address, "-t", target]
    assert run([*flags, *case.references(sources, registry.address)]) == 0
    said = [f"{one.path}?{urlencode(one.query, doseq=True)}" for one in registry.asked]
    kinds = [kind_of(one.method, text, configs) for one, text in zip(registry.asked, said, strict=True)]
    assert not any(one.body for one, kind in zip(registry.asked, kinds, strict=True) if kind.endswith("upload"))
    return dict(Counter("token" if "/token" in kind else kind for kind in kinds))


@pytest.mark.parametrize("key", list(COLD))
def test_a_merge_asks_for_no_more_than_it_must(
    registry: Registry, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """Cold: the protocol's floor; again: one HEAD, and the same line on stdout."""
    case = BY_KEY[key]
    sources, configs = pushed(registry, case)
    assert merged(registry, case, sources, configs) == COLD[key]
    first = capsys.readouterr().out
    assert merged(registry, case, sources, configs) == REPEAT.get(key, {"HEAD manifest": 1})
    assert capsys.readouterr().out == first
    assert "@sha256:" in first
    assert sum(COLD[key].values()) <= MOST_REQUESTS.get(f"{key}_cold", 1000)


def test_what_is_asked_for_is_what_is_wanted() -> None:
    """28, 36 and 1, so that nobody loosens the bench and the test alike without seeing it."""
    assert (MOST_REQUESTS["two_flat_cold"], MOST_REQUESTS["two_attested_cold"]) == (28, 36)
    assert {MOST_REQUESTS[f"{key}_repeat"] for key in ("two_flat", "two_attested", "five_mixed")} == {1}


def test_the_bench_says_what_fell_short() -> None:
    """Counts count as failures, seconds are told; a peer that makes no index is none to be measured by."""
    mine = {"requests": 29, "bytes_through_controller": 0, "seconds": 1.0, "seconds_with_round_trip": 1.0}
    peer = {"seconds": 1.5, "seconds_with_round_trip": 3.0, "digest": "sha256:00"}
    copier = {"seconds": 0.1, "seconds_with_round_trip": 0.1, "note": "copies"}
    row: dict[str, dict[str, Any]] = {"ours": mine, "peer": peer, "copier": copier, "absent": {"not_available": "no"}}
    assert fallen_short({"two_flat_cold": row}, "ours") == [
        ("two_flat_cold: 29 requests, where 28 are wanted", True),
        ("two_flat_cold: seconds is 0.67 of peer's, where 0.5 is wanted", False),
    ]
    assert fallen_short({"two_flat_cold": {"ours": {"refused": "no"}}}, "ours") == [("two_flat_cold: not merged", True)]
