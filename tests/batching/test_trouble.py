"""What goes wrong in a night: each thing has one clear outcome, nothing is lost, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from audit.batching import Guard
from audit.store.tables import VERSION_TABLE
from tests.batching.conftest import Hasty, Night, Plan
from tests.batching.test_night import kinds, report, stocked
from tests.farm.registry import PASSWORD, USER, Registry, serving
from tests.farm.spoilers import answers, fails
from tests.image.made import digest
from tests.merging.stock import LIVE, STAGING, lacking, put_image, tags
from tests.store.test_disk import disk, needs_root

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def login() -> Iterator[None]:
    """The farm's account, in the environment."""
    os.environ["FLEET_AUDIT_REGISTRY_PASSWORD"] = PASSWORD
    try:
        yield
    finally:
        del os.environ["FLEET_AUDIT_REGISTRY_PASSWORD"]


def test_a_tag_that_cannot_go_on_is_parked_and_comes_back(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path
) -> None:
    """While one repository's uploads fail, the rest goes on; at the end the parked one is merged without a hand."""
    merges = {"live/app:one": stocked(registry, "one")["one"], "live/other:two": stocked(registry, "two")["two"]}
    registry.spoil("POST", r"/v2/live/other/", answers(503), times=12)
    out = tmp_path / "out.json"
    told = night(registry, "--plan", plan(registry, merges), "--connections", "1", "--report", f"json:{out}")
    assert told.code == 0, told.err
    rows = {row["tag"].rpartition("/")[2]: row for row in report(out)["tags"]}
    assert rows["other:two"]["attempts"] == 2
    assert [one["kind"] for one in rows["other:two"]["errors"]] == ["server"]
    assert rows["app:one"]["attempts"] == 1
    assert lacking(registry, "live/other") == []


def test_a_registry_that_is_down_for_ten_minutes_costs_no_tag(
    registry: Registry, night: Night, plan: Plan, hasty: Hasty
) -> None:
    """Nothing is lost, and it is asked only now and then while it is down."""
    began = hasty.clock()
    refused: list[float] = []

    def down(handler: object) -> None:
        refused.append(hasty.clock())
        if hasty.clock() - began > 600:
            registry.spoilt.clear()
        answers(503)(handler)  # type: ignore[arg-type]  # the handler of the farm's registry

    file = plan(registry, stocked(registry, "one", "two", "three"))
    registry.spoil("*", r"/v2/", down)
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert lacking(registry) == []
    assert len(tags(registry)) == 3
    assert len(refused) < 100


def test_where_the_account_may_not_write_only_that_repository_is_given_up(night: Night, plan: Plan) -> None:
    """The first refusal ends it for all tags there, with the right that is missing; the others are merged."""
    with serving(Registry(auth="bearer")) as registry:
        registry.grants = {"*": {"pull", "push"}, "live/closed": {"pull"}}
        stocked(registry, *"abcdef")
        rows = {f"live/closed:{name}": [f"{name}-amd64"] for name in "abcde"} | {"live/app:f": ["f-amd64"]}
        with login():
            told = night(registry, "--plan", plan(registry, rows), "--registry-user", USER, "--connections", "1")
        assert told.code == 5
        assert set(tags(registry)) == {"f"}
        writes = [one for one in registry.asked if one.method != "GET" and "live/closed" in one.path]
        assert len(writes) <= 6, "one mount and the copy that was tried instead, each with other tokens"
        assert "live/closed" in told.out
        assert "5 failed" in told.out


def test_a_source_that_is_not_there_fails_its_tag_alone(registry: Registry, night: Night, plan: Plan) -> None:
    """It is named, with the tag that waits for it; the others are merged."""
    merges = stocked(registry, "one") | {"two": ["two-amd64"]}
    told = night(registry, "--plan", plan(registry, merges))
    assert told.code == 5
    assert set(tags(registry)) == {"one"}
    assert "two-amd64" in told.out
    put_image(registry, "two-amd64", "linux/amd64")
    assert night(registry, "--plan", plan(registry, merges)).code == 0
    assert set(tags(registry)) == {"one", "two"}


def test_a_locked_account_is_left_alone(night: Night, plan: Plan, hasty: Hasty) -> None:
    """It is asked once, and not by a second command in that time either; when the lock has ended all is merged."""
    with serving(Registry(auth="bearer", public=True)) as registry:
        registry.grants = {"*": {"pull", "push"}}
        file = plan(registry, stocked(registry, "one", "two"))
        locked = fails(401, "UNAUTHORIZED", "too many failed login attempts for username or IP address")
        registry.spoil("GET", r"^/token", locked, times=1)
        with login():
            told = night(registry, "--plan", file, "--registry-user", USER, "--patience", "0s")
            assert told.code == 5
            said = " ".join(told.out.split())
            assert said.startswith("parked 2 tags: "), "one cause, told once"
            assert "the registry has locked this login" in said
            assert "do not log in for 15 minutes" in said
            again = night(registry, "--plan", file, "--registry-user", USER, "--patience", "0s")
            assert again.code == 5
            assert sum(one.path == "/token" for one in registry.asked) == 1
            hasty.sleep(900)
            told = night(registry, "--plan", file, "--registry-user", USER)
        assert told.code == 0, told.out
        assert lacking(registry) == []


def test_an_index_whose_children_are_slow_to_show_is_put_again(registry: Registry, night: Night, plan: Plan) -> None:
    """What was just taken is only waited for: nothing is pushed twice but the tag."""
    merges = stocked(registry, "one")
    some = merges["one"][0]
    lag = fails(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", some)
    registry.spoil("PUT", r"/manifests/one$", lag, times=1)
    told = night(registry, "--plan", plan(registry, merges))
    assert told.code == 0, told.err
    seen = kinds(registry)
    assert seen["PUT manifest"] == 5 + 2
    assert seen["POST blob"] == len(registry.blobs[LIVE])


def test_a_token_that_ends_in_the_middle_is_replaced(night: Night, plan: Plan) -> None:
    """A 401 in mid-flight costs one token and no tag."""
    with serving(Registry(auth="bearer", public=True)) as registry:
        registry.grants = {"*": {"pull", "push"}}
        merges = stocked(registry, "one", "two")
        expired = answers(401, **{"WWW_Authenticate": f'Bearer realm="http://{registry.address}/token",'
                                  'service="little",error="invalid_token"'})  # fmt: skip
        registry.spoil("POST", r"/uploads/", expired, times=1)
        with login():
            told = night(registry, "--plan", plan(registry, merges), "--registry-user", USER)
        assert told.code == 0, told.err
        assert sum(one.path == "/token" for one in registry.asked) == 2
        assert lacking(registry) == []


def test_a_second_batch_waits_for_nobody(registry: Registry, night: Night, plan: Plan, tmp_path: Path) -> None:
    """It is refused with the name and process of the one that runs, and merges nothing."""
    file = plan(registry, stocked(registry, "one"))
    with Guard(tmp_path / "xdg_state_home" / "fleet-audit" / "merge.lock", {"plan": "other.yml"}):
        told = night(registry, "--plan", file)
    assert told.code == 5
    assert f"another batch is running (other.yml, process {os.getpid()})" in told.err
    assert registry.asked == []
    assert night(registry, "--plan", file).code == 0


@pytest.mark.parametrize("hours", [-48, 48])
def test_a_clock_that_jumps_does_no_harm(
    registry: Registry, night: Night, plan: Plan, hasty: Hasty, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Two days back or ahead between two nights: every tag is right, and nothing is written twice."""
    file = plan(registry, stocked(registry, "one", "two"))
    assert night(registry, "--plan", file).code == 0
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    registry.asked.clear()
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert kinds(registry)["PUT manifest"] == 0
    assert lacking(registry) == []


def test_what_was_cut_off_goes_on_where_it_stopped(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path
) -> None:
    """A real process is killed while it merges; the same command ends it, and asks for little twice."""
    file = plan(registry, stocked(registry, *"abcdefgh"))
    held: list[int] = []

    def kill(handler: object) -> None:
        held.append(1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        answers(503)(handler)  # type: ignore[arg-type]  # nobody reads it any more

    registry.spoil("PUT", r"/v2/live/app/manifests/d", kill, times=1)
    words = ["merge", "--plan", str(file), "--plain-http", registry.address, "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "audit", *words], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}
    )
    process.wait(60)
    assert held
    assert process.returncode == -signal.SIGKILL
    first = len(registry.asked)
    done = len(tags(registry))
    assert 0 < done < 8, "it was killed in the middle"
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert "going on with run" in told.err
    assert lacking(registry) == []
    assert len(tags(registry)) == 8
    put = [one.path for one in registry.asked if one.method == "PUT"]
    assert len(put) <= 8 * 6 + 6, "what was in flight at that moment may be sent twice"
    mounted = [one.query["mount"][0] for one in registry.asked if one.method == "POST"]
    assert len(mounted) <= len(set(mounted)) + 6
    assert first < len(registry.asked)


def test_a_signal_ends_it_in_order(registry: Registry, night: Night, plan: Plan, tmp_path: Path) -> None:
    """SIGTERM: what is done is done and noted, the report is written, the exit code is 143, and the rest follows."""
    file = plan(registry, stocked(registry, *"abcdefgh"))
    out = tmp_path / "out.json"

    def end(handler: object) -> None:
        process.send_signal(signal.SIGTERM)
        answers(503)(handler)  # type: ignore[arg-type]  # the handler of the farm's registry

    registry.spoil("PUT", r"/v2/live/app/manifests/c", end, times=1)
    words = ["merge", "--plan", str(file), "--plain-http", registry.address, "--report", f"json:{out}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "audit", *words], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.wait(60) == 143
    states = {row["tag"]: row["state"] for row in report(out)["tags"]}
    assert "left" in states.values() or "parked" in states.values()
    assert report(out)["stopped"]
    assert lacking(registry) == []
    assert night(registry, "--plan", file).code == 0
    assert len(tags(registry)) == 8


def test_every_read_of_a_repository_of_another_account_is_told(registry: Registry, night: Night, plan: Plan) -> None:
    """An index that names what staging has lost is the tag's failure, with what to push again."""
    merges = stocked(registry, "one", "two")
    gone = digest(put_image(registry, "gone", "linux/amd64", note="gone"))
    del registry.manifests[(STAGING, gone)]
    merges["three"] = [gone]
    told = night(registry, "--plan", plan(registry, merges))
    assert told.code == 5
    assert set(tags(registry)) == {"one", "two"}
    assert gone in told.out


@needs_root
def test_a_disk_that_is_full_in_the_middle_stops_it_and_the_same_command_goes_on(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No tag is written that the journal could not note; after space was made nothing is missing.

    Many more tags than connections: those on their way are noted already, and may be written yet.
    """
    names = [f"t{number:02}" for number in range(40)]
    file = plan(registry, stocked(registry, *names))
    with disk(tmp_path / "small", "16m") as folder:
        monkeypatch.setenv("XDG_STATE_HOME", str(folder))

        def fill(handler: object) -> None:
            with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            answers(503)(handler)  # type: ignore[arg-type]  # the handler of the farm's registry

        registry.spoil("PUT", r"/v2/live/app/manifests/t", fill, times=1)
        told = night(registry, "--plan", file)
        assert told.code == 5
        assert "is full; free space, and run the same command: it goes on where it stopped" in told.err
        assert told.err.count("\n") == 1
        assert len(tags(registry)) < len(names)
        assert lacking(registry) == []
        (folder / "ballast").unlink()
        told = night(registry, "--plan", file)
        assert told.code == 0, told.err
        assert len(tags(registry)) == len(names)
        assert lacking(registry) == []


@pytest.mark.parametrize("harm", ["garbage", "newer", "cut"])
def test_a_journal_that_cannot_be_used_is_told_before_anything_is_sent(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path, harm: str
) -> None:
    """Exit code 2, one sentence with the file's path, and no request."""
    file = plan(registry, stocked(registry, "one"))
    assert night(registry, "--plan", file).code == 0
    place = tmp_path / "xdg_state_home" / "fleet-audit" / "history.db"
    raw = place.read_bytes()
    if harm == "newer":
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    else:
        place.write_bytes(b"not a database at all, but a text\n" * 100 if harm == "garbage" else raw[:5000])
    registry.asked.clear()
    told = night(registry, "--plan", file)
    assert told.code == 2
    assert str(place) in told.err
    assert told.err.count("\n") == 1
    assert registry.asked == []


def test_pulls_that_do_not_suffice_are_not_begun_and_writing_goes_on(
    registry: Registry, night: Night, plan: Plan, hasty: Hasty
) -> None:
    """With two pulls left, a merge of four sources reads none; one whose manifests are at hand is written."""
    merges = stocked(registry, "one", "two")
    assert night(registry, "--plan", plan(registry, {"first": merges["one"]}, name="first.json")).code == 0

    def told(handler: object) -> None:
        registry.spoilt.clear()
        answers(404, ratelimit_limit="100;w=21600", ratelimit_remaining="2;w=21600")(handler)  # type: ignore[arg-type]  # the handler of the farm's registry

    registry.spoil("HEAD", r"/manifests/", told, times=1)
    registry.asked.clear()
    file = plan(registry, {"first": merges["one"], "second": merges["one"], "third": merges["two"]})
    said = night(registry, "--plan", file, "--patience", "0s", "--connections", "1")
    assert said.code == 5
    assert set(tags(registry)) == {"first", "second"}
    assert "2 pulls are left there, and 4 are needed" in " ".join(said.out.split())
    assert kinds(registry)["GET manifest"] == 0
    hasty.sleep(6 * 3600 + 1)
    assert night(registry, "--plan", file).code == 0
    assert lacking(registry) == []
