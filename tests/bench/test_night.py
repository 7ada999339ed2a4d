"""The night's material: its workload, its bytes, what is expected of it, and how it is judged."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measure import ROOT
from tests.bench.night.expected import expected, wrong
from tests.bench.night.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, built, named
from tests.bench.night.plan import hand_over, plan
from tests.bench.night.stock import Stocked
from tests.bench.night.wanted import KEYS, headline, table
from tests.bench.night.workload import Floor, Workload, load


@pytest.fixture(scope="module")
def whole() -> Workload:
    """All of it."""
    return load()


@pytest.fixture(scope="module")
def part(whole: Workload) -> Stocked:
    """A fiftieth, built and pushed nowhere."""
    workload = whole.scaled(0.02)
    return Stocked(workload, built(workload)[0], workload.staging)


def test_the_workload_is_what_was_counted(whole: Workload) -> None:
    """609 images, 432 tags of 262 sets, 48 of them attested, 6,265 distinct blobs of which 96 are attestations'."""
    assert (len(whole.images), len(whole.merges), len(whole.sets)) == (609, 432, 262)
    assert len({merge.tag for merge in whole.merges}) == 432
    attested = [one for one in whole.sets if any(whole.images[name].attested for name in one)]
    assert len(attested) == sum(image.attested for image in whole.images.values()) == 48
    assert len(whole.blobs) == 6265
    assert whole.floor == Floor(reads=705, mounts=6265, children=657, tags=432)
    assert (whole.floor.handed_over, whole.floor.unread) == (7354, 8059)


def test_every_linux_image_may_be_attested(whole: Workload) -> None:
    """W3 has 582 attested images, and its floor is within the 1.35 times that a night may cost then."""
    attested = whole.attesting("linux")
    assert sum(image.attested for image in attested.images.values()) == 582
    assert attested.floor.handed_over / whole.floor.handed_over == pytest.approx(1.218, abs=0.001)


def test_the_formula_of_docker_manifest(whole: Workload) -> None:
    """Two flat images of 11 blobs are 127 requests, as was measured of it; a night is a quarter of a million."""
    image = replace(next(iter(whole.images.values())), base_layers=3, own_layers=7, attested=False)
    two = {"a": replace(image, name="a"), "b": replace(image, name="b")}
    merges = (replace(whole.merges[0], sources=("a", "b")),)
    assert replace(whole, images=two, merges=merges).by_docker_manifest == 127
    assert whole.by_docker_manifest == 245_119


@pytest.mark.parametrize(("scale", "sets"), [(0.5, 132), (0.1, 26), (0.02, 5), (0.001, 1)])
def test_a_part_is_whole_sets_that_share_as_the_whole_does(whole: Workload, scale: float, sets: int) -> None:
    """So many sets, the same ones every time, with all their images and tags, and with attested ones among them."""
    one = whole.scaled(scale)
    assert one == load().scaled(scale)
    assert len(one.sets) == sets
    assert f"{sets} of 262 source sets: " in one.picked
    assert set(one.images) == {name for merge in one.merges for name in merge.sources}
    assert all(one.sets[sources] == whole.sets[sources] for sources in one.sets)
    assert any(image.attested for image in one.images.values())


def test_a_tenth_costs_about_a_tenth(whole: Workload) -> None:
    """Families are taken whole, so that few base layers are pushed for few images only."""
    assert 0.08 < whole.scaled(0.1).floor.handed_over / whole.floor.handed_over < 0.15


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_a_scale_that_is_none_is_refused(whole: Workload, scale: float) -> None:
    """Nothing, less, or more than the whole."""
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        whole.scaled(scale)


def test_blobs_are_shared_exactly_as_described(whole: Workload) -> None:
    """As many distinct digests as names, in the whole night; and the bytes are the same for the same seed only."""
    images, blobs = built(whole)
    assert len(blobs) == len(whole.blobs)
    assert {blob for image in images.values() for blob in image.blobs} == set(blobs)
    assert max(map(len, blobs.values())) < 16_000
    few = whole.scaled(0.001)
    assert built(few)[0] == built(few)[0]
    assert not set(built(few, seed=1)[1]) & set(built(few)[1])


def members(layer: bytes) -> list[str]:
    """Names in an archive."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return tar.getnames()


def test_an_image_is_one_that_a_daemon_could_pull(part: Stocked) -> None:
    """Layers are gzipped archives whose plain digests the config names; Windows' config has its version."""
    whole = load().images
    windows = next(image for image in whole.values() if image.os == "windows")
    images, blobs = built(replace(part.workload, images=part.workload.images | {windows.name: windows}))
    assert windows.os_version
    for image in images.values():
        config, *layers = [blobs[digest] for digest in named(image.manifest.raw)]
        said = json.loads(config)
        plain = [gzip.decompress(layer) for layer in layers]
        assert said["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in plain]
        assert f"{said['os']}/{said['architecture']}" == image.image.platform
        assert said.get("os.version", "") == image.image.os_version
        assert all(len(members(one)) == 1 for one in plain)


def test_an_attested_image_is_an_index_with_its_attestation(part: Stocked) -> None:
    """OCI throughout; the attestation names its image in its annotations, and has two blobs of its own."""
    image = next(one for one in part.images.values() if one.proof)
    index = json.loads(image.top.raw)
    assert image.proof is not None
    assert [row["digest"] for row in index["manifests"]] == [image.manifest.digest, image.proof.digest]
    assert index["manifests"][1]["annotations"]["vnd.docker.reference.digest"] == image.manifest.digest
    assert len(list(named(image.proof.raw))) == 2
    assert len(image.blobs) == image.image.base_layers + image.image.own_layers + 3


def test_three_windows_releases_are_told_apart(whole: Workload) -> None:
    """In the plan too, since they stand in one tag with one operating system and architecture."""
    merge = next(one for one in whole.merges if one.tag == "windows-all-mingw")
    told = [whole.images[name].told for name in merge.sources]
    assert told == [
        "windows(10.0.26100.7171)/amd64",
        "windows(10.0.20348.4405)/amd64",
        "windows(10.0.17763.8146)/amd64",
    ]


def test_the_plan_names_every_source_by_digest(part: Stocked) -> None:
    """One entry a tag, or one a set with all its tags."""
    workload = part.workload
    each = json.loads(plan(part, "127.0.0.1:1", distinct=False))["merges"]
    assert [entry["tags"] for entry in each] == [[f"127.0.0.1:1/live/opam:{one.tag}"] for one in workload.merges]
    sets = json.loads(plan(part, "127.0.0.1:1", "live/other"))["merges"]
    assert len(sets) == len(workload.sets)
    first, merge = each[0]["sources"][0], workload.merges[0].sources[0]
    assert first == {
        "image": f"127.0.0.1:1/staging/opam@{part.digests[merge]}", "platform": workload.images[merge].platform
    }  # fmt: skip


def test_what_the_builds_hand_over_is_a_layout_of_manifests(part: Stocked, tmp_path: Path) -> None:
    """Every manifest under its digest, children of indexes too, and no blob of an image."""
    folder = hand_over(part, tmp_path / "out")
    index = json.loads((folder / "index.json").read_text())
    assert {row["digest"] for row in index["manifests"]} == set(part.digests.values())
    files = {f"sha256:{file.name}": file.read_bytes() for file in (folder / "blobs/sha256").iterdir()}
    assert all(f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest for digest, raw in files.items())
    assert set(files) == {one.digest for image in part.images.values() for one in image.manifests}


def _index(part: Stocked, tag: str) -> dict[str, Any]:
    """As any tool would write it."""
    want = expected(part)[tag]
    rows = []
    for child in want.children:
        platform, _, version = child.platform.partition(" ")
        system, _, architecture = platform.partition("/")
        row: dict[str, Any] = {"mediaType": child.media_type, "digest": child.digest, "size": child.size}
        row["platform"] = {"os": system, "architecture": architecture} | ({"os.version": version} if version else {})
        if child.attests:
            row["annotations"] = {"vnd.docker.reference.digest": child.attests,
                                  "vnd.docker.reference.type": "attestation-manifest"}  # fmt: skip
        rows.append(row)
    return {"schemaVersion": 2, "mediaType": want.media_type, "manifests": rows}


def test_what_is_expected_of_a_tag(part: Stocked) -> None:
    """Children in the plan's order, each attestation after its image; all of Docker's type make a Docker list."""
    kinds: Counter[str] = Counter()
    for merge in part.workload.merges:
        want = expected(part)[merge.tag]
        kinds[want.media_type] += 1
        images = [child.digest for child in want.children if not child.attests]
        assert images == [part.images[name].manifest.digest for name in merge.sources]
        assert (want.media_type == DOCKER_LIST) == all(one.media_type == DOCKER_MANIFEST for one in want.children)
        assert wrong(json.dumps(_index(part, merge.tag)).encode(), want) == ""
    assert set(kinds) == {DOCKER_LIST, OCI_INDEX}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body["manifests"].reverse(), "its entry 1 is"),
        (lambda body: body["manifests"].pop(), "entries, where"),
        (lambda body: body["manifests"][0]["platform"].update(architecture="arm"), "its entry 1 is"),
        (lambda body: body["manifests"][-1].pop("annotations"), "is wanted"),
        (lambda body: body.update(mediaType=DOCKER_LIST), "it is application/vnd.docker"),
    ],
)
def test_an_index_that_is_not_right_is_seen(part: Stocked, change: Any, said: str) -> None:
    """Another order, a child too few, another platform, an attestation without its mark, another type."""
    sets = [merge for merge in part.workload.merges if len(merge.sources) > 1]
    tag, sources = sets[0].tag, sets[0].sources
    attested = replace(part.images[sources[-1]].image, attested=True)
    images = part.images | built(replace(part.workload, images={sources[-1]: attested}))[0]
    part = replace(part, images=images)
    body = _index(part, tag)
    change(body)
    assert said in wrong(json.dumps(body).encode(), expected(part)[tag])


def figures(**changed: Any) -> dict[str, Any]:
    """Of a whole night as it should be."""
    workload = {"tags": 432, "floor_handed_over": 7354, "whole_floor": 7354, "whole": True}
    cold = {"tags_right": 432, "tags": 432, "requests": 7500, "minutes": 24.9, "rss_mb": 149, "cpu_seconds": 59.0,
            "parts_wrong": {}, "code": 0, "readers": {"skopeo": {"right": 432}, "docker": {"wrong": {}}}}  # fmt: skip
    night: dict[str, Any] = {
        "workload": workload, "cold": cold, "again": {"requests": 432, "puts": 0}, "again_trusted": {"requests": 0},
        "attested": {"requests": 9000, "tags": 432, "tags_right": 432, "parts_wrong": {}, "code": 0},
        "kills": {"kills": 200, "experiments": 200, "identical": 200, "spent_twice": 0.01}, "dangling_seen": 0,
    }  # fmt: skip
    for path, value in changed.items():
        phase, _, name = path.partition("__")
        if name:
            night[phase][name] = value
        else:
            night[phase] = value
    return night


def test_a_night_as_wanted_falls_short_of_nothing() -> None:
    """And its headline has every key that is asked for."""
    assert [row.what for row in table(figures()) if row.short] == []
    assert headline(figures())["requests_attested_over_cold"] == 1.2
    assert set(headline(figures())) == set(KEYS)
    assert None not in headline(figures()).values()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"cold__tags_right": 431}, "cold: tags right at the first command"),
        ({"cold__requests": 7601}, "cold: requests, handed over by the builds"),
        ({"cold__minutes": 25.1}, "cold: simulated minutes at 300 a minute"),
        ({"cold__rss_mb": 151}, "cold: memory, MiB"),
        ({"cold__cpu_seconds": 61.0}, "cold: CPU seconds"),
        ({"cold__code": 5}, "cold: exit status"),
        ({"cold__readers": {"skopeo": {"right": 400}}}, "cold: tags right for skopeo"),
        ({"again__requests": 433}, "again: requests"),
        ({"again__puts": 1}, "again: PUTs"),
        ({"attested__requests": 10_200}, "attested: requests over cold"),
        ({"kills__identical": 199}, "kills: identical afterwards"),
        ({"kills__spent_twice": 0.021}, "kills: share of requests spent twice"),
        ({"dangling_seen": 1}, "tags that ever pointed at a missing child"),
    ],
)
def test_what_falls_short_is_named(changed: dict[str, Any], what: str) -> None:
    """Each figure by itself."""
    assert [row.what for row in table(figures(**changed)) if row.short] == [what]


def test_phases_that_have_not_been_run_are_not_judged() -> None:
    """Their keys are there, and None."""
    night = {"workload": figures()["workload"], "dangling_seen": 0}
    assert not any(row.short for row in table(night))
    assert headline(night)["requests_cold"] is None


def test_the_command_is_quickened_where_it_waits_and_not_where_it_counts() -> None:
    """Sleeps and clocks of a Retry, and the limits of Options, of whoever is made afterwards; in another process."""
    lines = [
        "import time", "from tests.bench.night.fast import quicken", "quicken(20)",
        "from audit.registry import Options, Retry", "began = time.monotonic()", "Retry().sleep(2.0)",
        "slept = time.monotonic() - began", "one, two = Options(), Options(connect=7.0)",
        "print(0.1 <= slept < 1.5, abs(Retry().clock() / 20 - time.monotonic()) < 1, Retry().tries)",
        "print(one.connect, one.idle, one.answer, two.connect, one.retry.sleep is Retry().sleep)",
    ]  # fmt: skip
    argv = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True", "True", "6", "1.5", "1.5", "3.0", "7.0", "True"], done.stderr
