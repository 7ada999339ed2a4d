"""A plan merged: all of it right, each part once, and what it costs counted by the registry itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.batching.conftest import Night, Plan
from tests.farm.registry import Registry
from tests.image.made import digest
from tests.merging.stock import LIVE, STAGING, lacking, put_attested, put_image, tags

ARCHES = ("linux/amd64", "linux/arm64", "linux/s390x")


def kinds(registry: Registry) -> Counter[str]:
    """What was asked: by method and the kind of path."""
    found: Counter[str] = Counter()
    for one in registry.asked:
        place = "tags" if "/tags/" in one.path else "manifest" if "/manifests/" in one.path else "blob"
        found[f"{one.method} {place}"] += 1
    return found


def stocked(registry: Registry, *names: str) -> dict[str, list[str]]:
    """Images of three architectures under each name; riscv64 beside them, attested. A plan's tags and sources."""
    found: dict[str, list[str]] = {}
    for name in names:
        rows = [digest(put_image(registry, f"{name}-{arch[6:]}", arch, note=name)) for arch in ARCHES]
        rows.append(digest(put_attested(registry, f"{name}-riscv64", "linux/riscv64", note=name)))
        found[name] = rows
    return found


def report(place: Path) -> dict[str, Any]:
    """A JSON report."""
    body: dict[str, Any] = json.loads(place.read_text())
    return body


def test_every_tag_is_right_and_each_part_was_asked_for_once(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path
) -> None:
    """A cold batch costs a GET a manifest, a POST a distinct blob, a PUT a child and a PUT a tag: nothing else."""
    merges = stocked(registry, "one", "two")
    merges["also-one"] = merges["one"]
    told = night(registry, "--plan", plan(registry, merges), "--report", f"json:{tmp_path / 'out.json'}", "-q")
    assert told.code == 0, told.err
    assert set(tags(registry)) == {"one", "two", "also-one"}
    assert tags(registry)["one"] == tags(registry)["also-one"]
    assert lacking(registry) == []
    manifests = 2 * (3 + 3)  # three flat images; an index, its image and its attestation
    configs = 3  # what a flat image is for stands in its config; both names have the same ones
    distinct = len(registry.blobs[LIVE])
    assert kinds(registry) == {
        "GET tags": 1, "GET manifest": manifests, "GET blob": configs, "POST blob": distinct,
        "PUT manifest": 2 * 5 + 3,
    }  # fmt: skip
    body = report(tmp_path / "out.json")
    assert {row["state"] for row in body["tags"]} == {"done"}
    assert sum(body["requests"].values()) == len(registry.asked)
    spent = [sum(row["requests"].values()) for row in body["tags"]]
    assert sum(spent) == len(registry.asked), "each request is booked with one tag"
    assert spent[2] == 1, "what shares its sources costs its own PUT"
    assert body["pulls"] == manifests


def test_an_unchanged_night_costs_a_head_a_tag(registry: Registry, night: Night, plan: Plan) -> None:
    """The same command again asks for each tag once and writes nothing; trusted, it asks for nothing at all."""
    file = plan(registry, stocked(registry, "one", "two", "three"))
    assert night(registry, "--plan", file).code == 0
    registry.asked.clear()
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert kinds(registry) == {"HEAD manifest": 3}
    assert "3 unchanged" in told.out
    registry.asked.clear()
    assert night(registry, "--plan", file, "--trust-journal").code == 0
    assert registry.asked == []


def test_a_changed_source_is_merged_again_and_the_rest_is_left(registry: Registry, night: Night, plan: Plan) -> None:
    """Of a plan by tags, what was pushed anew is merged; its old blobs stand there and are not mounted again."""
    stocked(registry, "one", "two")
    names = {name: [f"{name}-{arch[6:]}" for arch in ARCHES] for name in ("one", "two")}
    file = plan(registry, names)
    assert night(registry, "--plan", file).code == 0
    before = tags(registry)
    put_image(registry, "one-amd64", "linux/amd64", note="anew")
    registry.asked.clear()
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert tags(registry)["two"] == before["two"]
    assert tags(registry)["one"] != before["one"]
    assert lacking(registry) == []
    seen = kinds(registry)
    assert seen["PUT manifest"] == 2, "the new child and the tag"
    assert seen["POST blob"] == 1, "its layer; the config is the same"
    assert seen["GET manifest"] == 1, "the others' bytes are kept"


def test_what_the_registry_has_lost_is_named_and_only_that_is_mounted(
    registry: Registry, night: Night, plan: Plan
) -> None:
    """A child goes first where its blobs are believed to stand; what is missing is mounted, and the child put again."""
    merges = stocked(registry, "one")
    file = plan(registry, merges)
    assert night(registry, "--plan", file).code == 0
    lost = next(iter(registry.blobs[LIVE]))
    children = [key for key in registry.manifests if key[0] == LIVE]
    for key in children:
        del registry.manifests[key]
    del registry.blobs[LIVE][lost]
    registry.asked.clear()
    told = night(registry, "--plan", file)
    assert told.code == 0, told.err
    assert lacking(registry) == []
    assert kinds(registry)["POST blob"] == 1
    assert len(tags(registry)) == 1


def test_a_tag_that_somebody_else_moved_is_told_and_not_written(registry: Registry, night: Night, plan: Plan) -> None:
    """It stays as it is, with exit code 5; the others are merged; --force writes it."""
    file = plan(registry, stocked(registry, "one", "two"))
    assert night(registry, "--plan", file).code == 0
    theirs = digest(put_image(registry, "one", "linux/amd64", note="theirs", repository=LIVE))
    told = night(registry, "--plan", file)
    assert told.code == 5
    assert tags(registry)["one"] == theirs
    assert "somebody else has moved it" in told.out
    assert theirs in told.out
    assert night(registry, "--plan", file, "--force").code == 0
    assert tags(registry)["one"] != theirs


def test_a_run_is_taken_back(registry: Registry, night: Night, plan: Plan, tmp_path: Path) -> None:
    """Each tag stands again for what it stood for; one that was new is told, and what was moved since is left."""
    stocked(registry, "one", "two", "three")
    names = {name: [f"{name}-amd64", f"{name}-arm64"] for name in ("one", "two")}
    assert night(registry, "--plan", plan(registry, names)).code == 0
    before = tags(registry)
    for name in ("one", "two"):
        put_image(registry, f"{name}-amd64", "linux/amd64", note="anew")
    names["three"] = ["three-amd64"]
    out = tmp_path / "out.json"
    assert night(registry, "--plan", plan(registry, names), "--report", f"json:{out}").code == 0
    theirs = digest(put_image(registry, "two", "linux/amd64", note="theirs", repository=LIVE))
    told = night(registry, "--rollback", report(out)["run"])
    assert told.code == 5
    assert tags(registry)["one"] == before["one"]
    assert tags(registry)["two"] == theirs
    assert "did not stand before that run" in told.out
    told = night(registry, "--rollback", "2026-01-01T00-00-00-0000")
    assert told.code == 2
    assert report(out)["run"] in told.err, "the runs that there are"


def test_nothing_is_sent_by_a_dry_run(registry: Registry, night: Night, plan: Plan) -> None:
    """The forecast asks no registry, and names what Docker's own tools would cost."""
    told = night(registry, "--plan", plan(registry, stocked(registry, "one")), "--dry-run")
    assert told.code == 0, told.err
    assert registry.asked == []
    assert "docker manifest" in told.out
    assert "imagetools" in told.out


def test_only_some_tags(registry: Registry, night: Night, plan: Plan) -> None:
    """--only takes patterns; one that means nothing is an error that names it; --since leaves out what is fresh."""
    file = plan(registry, stocked(registry, "one", "two", "onto"))
    assert night(registry, "--plan", file, "--only", "on*").code == 0
    assert set(tags(registry)) == {"one", "onto"}
    told = night(registry, "--plan", file, "--only", "tow")
    assert told.code == 2
    assert "--only tow: no tag of" in told.err
    registry.asked.clear()
    assert night(registry, "--plan", file, "--since", "1h").code == 0
    assert set(tags(registry)) == {"one", "onto", "two"}
    assert not any("one" in one.path for one in registry.asked if "/manifests/" in one.path and LIVE in one.path)
    told = night(registry, "--plan", file, "--since", "1h")
    assert told.code == 2
    assert "nothing is to be done" in told.err


def test_manifests_that_builds_handed_over_are_not_asked_for(
    registry: Registry, night: Night, plan: Plan, tmp_path: Path
) -> None:
    """With --manifests no source is read: only mounts and PUTs are sent."""
    merges = stocked(registry, "one")
    folder = tmp_path / "layout" / "blobs" / "sha256"
    folder.mkdir(parents=True)
    for (repository, name), (_, raw) in registry.manifests.items():
        if repository == STAGING and name.startswith("sha256:"):
            (folder / name[7:]).write_bytes(raw)
    for raw in registry.blobs[STAGING].values():
        (folder / digest(raw)[7:]).write_bytes(raw)
    told = night(registry, "--plan", plan(registry, merges), "--manifests", tmp_path / "layout")
    assert told.code == 0, told.err
    assert kinds(registry)["GET manifest"] == 0
    assert lacking(registry) == []
    assert set(tags(registry)) == {"one"}


def test_two_registries_in_one_plan(registry: Registry, far: Registry, night: Night, tmp_path: Path) -> None:
    """A tag in another registry than its sources gets its blobs streamed; the other tags are mounted as ever."""
    merges = stocked(registry, "one")
    sources = [f"{registry.address}/{STAGING}@{one}" for one in merges["one"]]
    rows = [{"tags": [f"{far.address}/live/app:one", f"{registry.address}/live/app:one"], "sources": sources}]
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"version": 1, "merges": rows}))
    told = night(registry, "--plan", file, "--plain-http", far.address)
    assert told.code == 0, told.err
    assert tags(far) == tags(registry)
    assert lacking(far) == []


def test_status_tells_how_the_last_one_ended(registry: Registry, night: Night, plan: Plan) -> None:
    """`merge --status` needs no registry; before the first batch it says that there was none."""
    told = night(registry, "--status")
    assert told.code == 2
    assert "no batch has run here yet" in told.err
    file = plan(registry, stocked(registry, "one"))
    assert night(registry, "--plan", file).code == 0
    registry.asked.clear()
    told = night(registry, "--status")
    assert told.code == 0, told.err
    assert "night.json" in told.out
    assert registry.asked == []


@pytest.mark.parametrize("flag", ["--tag", "--merge-host", "--annotation"])
def test_flags_of_a_single_merge_are_refused(registry: Registry, night: Night, plan: Plan, flag: str) -> None:
    """What the plan says for each entry cannot be said for all of them."""
    told = night(registry, "--plan", plan(registry, stocked(registry, "one")), flag, "a/b:c")
    assert told.code == 2
    assert f"{flag} goes with a single merge" in told.err
