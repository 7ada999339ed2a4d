"""Tokens that are kept from one run to the next: for whom, where, how long, and that a stale one does no harm."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from audit.registry import Credentials
from audit.registry.challenge import Challenge
from audit.registry.vault import KeptToken, Vault
from tests.farm.registry import USER, Registry
from tests.registry.conftest import ROBOT, Dial
from tests.registry.images import digest, named, stocked

BEARER = Challenge("bearer", "https://auth.example/token", "registry.example")
TOKEN = KeptToken("do-not-show", (("team/app", ("pull", "push")),), 1300.0)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A runtime folder as systemd makes it."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    return folder


def vault(runtime: Path) -> Vault:
    """The vault in it."""
    return Vault.of({"XDG_RUNTIME_DIR": str(runtime)})


def kept(runtime: Path) -> list[Path]:
    """Every file that is there."""
    return [file for file in runtime.rglob("*") if file.is_file()]


def test_the_next_run_needs_no_token(registry: Registry, dial: Dial, runtime: Path) -> None:
    """What one client left is used by another one: one request instead of three; nothing but the owner may read it."""
    registry.auth = "bearer"
    raw = stocked(registry)
    first = dial(registry, ROBOT, vault=vault(runtime))
    assert first.manifest(named(registry)).digest == digest(raw)
    assert first.counts.by_kind == {"GET manifest": 2, "token": 1}
    assert kept(runtime) == []
    first.keep_tokens()
    assert [stat.S_IMODE(file.stat().st_mode) for file in kept(runtime)] == [0o600]
    second = dial(registry, ROBOT, vault=vault(runtime), challenges=first.challenges)
    assert second.manifest(named(registry)).digest == digest(raw)
    assert second.counts.by_kind == {"GET manifest": 1}


def test_a_stale_token_costs_two_requests_and_no_more(registry: Registry, dial: Dial, runtime: Path) -> None:
    """A registry that no longer takes what was kept is asked with a new token, and the old ones are forgotten."""
    registry.auth = "bearer"
    raw = stocked(registry)
    stocked(registry, "team/other")
    first = dial(registry, ROBOT, vault=vault(runtime))
    for rest in ("team/app:1.0", "team/other:1.0"):
        first.manifest(named(registry, rest))
    first.keep_tokens()
    registry.tokens.clear()
    second = dial(registry, ROBOT, vault=vault(runtime), challenges=first.challenges)
    assert second.manifest(named(registry)).digest == digest(raw)
    assert second.counts.by_kind == {"GET manifest": 2, "token": 1}
    second.keep_tokens()
    third = dial(registry, ROBOT, vault=vault(runtime), challenges=first.challenges)
    assert third.manifest(named(registry)).digest == digest(raw)
    assert third.counts.by_kind == {"GET manifest": 1}


@pytest.mark.parametrize("who", [Credentials(username="other", password="x"), None])
def test_a_token_is_for_one_user(runtime: Path, who: Credentials | None) -> None:
    """Another user, and nobody in particular, get none of it; neither does another token server."""
    vault(runtime).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    assert vault(runtime).get("registry.example", BEARER, ROBOT, now=1001.0) == [TOKEN]
    assert vault(runtime).get("registry.example", BEARER, who, now=1001.0) == []
    assert vault(runtime).get("registry.example:5000", BEARER, ROBOT, now=1001.0) == []
    other = BEARER._replace(realm="https://elsewhere.example/token")
    assert vault(runtime).get("registry.example", other, ROBOT, now=1001.0) == []


def test_a_login_without_a_name_keeps_nothing(runtime: Path) -> None:
    """Of an identity token nobody can tell whose it is."""
    vault(runtime).put("registry.example", BEARER, Credentials(identity_token="x"), [TOKEN], now=1000.0)
    assert kept(runtime) == []


@pytest.mark.parametrize("now", [1300.0, 5000.0, -50_000.0])
def test_a_token_ends(runtime: Path, now: float) -> None:
    """At its end, and under a clock that was set back."""
    vault(runtime).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    assert vault(runtime).get("registry.example", BEARER, ROBOT, now=now) == []


@pytest.mark.parametrize("text", [b"", b"\xff", b"{}", b"[1]", b'[["a",[],"x"]]', b"[" * 10000, b"[[1,2,3]]"])
def test_what_cannot_be_read_is_none(runtime: Path, text: bytes) -> None:
    """A file that is broken is as none."""
    vault(runtime).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    kept(runtime)[0].write_bytes(text)
    assert vault(runtime).get("registry.example", BEARER, ROBOT, now=1001.0) == []


def test_only_where_nobody_else_can_look(runtime: Path, tmp_path: Path) -> None:
    """Without a private runtime folder nothing is kept, and a file that others can read is not believed."""
    for environment in ({}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "here"}):
        Vault.of(environment).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    vault(runtime).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    (file,) = kept(tmp_path)
    file.chmod(0o644)
    assert vault(runtime).get("registry.example", BEARER, ROBOT, now=1001.0) == []
    file.chmod(0o600)
    runtime.chmod(0o755)
    assert vault(runtime).get("registry.example", BEARER, ROBOT, now=1001.0) == []
    file.unlink()
    vault(runtime).put("registry.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    assert kept(tmp_path) == []


def test_old_files_go(runtime: Path) -> None:
    """Of many registries only the newest are kept."""
    for number in range(40):
        vault(runtime).put(f"r{number}.example", BEARER, ROBOT, [TOKEN], now=1000.0)
    assert len(kept(runtime)) == 33  # the newest 32, and the one that came then
    assert json.loads(kept(runtime)[0].read_text())[0][0] == "do-not-show"
    assert USER not in " ".join(str(file) for file in kept(runtime))
