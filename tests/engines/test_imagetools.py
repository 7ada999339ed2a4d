"""The engine imagetools: what it is able to do, why not, and exactly what it would run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from audit.engines.merge import SCRATCH, MergeHost, MergeStep, Run, all_engines
from audit.engines.merge._clients import imagetools_notes
from audit.engines.merge.imagetools import CREATE, FORETELL, INSPECT, METADATA
from audit.image.annotation import Annotation
from audit.image.reference import Reference
from tests.engines.steps import LIVE, STAGING, attested, image, step

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
PROVED = attested("linux/riscv64")
NOTED = attested("linux/riscv64", annotations={"a": "b"})
WIN_17, WIN_20 = image("windows(10.0.17763.1)/amd64"), image("windows(10.0.20348.1)/amd64")
INDEX_NOTE = Annotation.parse("index:a=b")
ENTRY_NOTE = Annotation.parse("manifest-descriptor:c=d")


def host(buildx: str | None = "0.29.1", name: str | None = "m1") -> MergeHost:
    """A merge host."""
    return MergeHost(name=name, client="28.5.2", buildx=buildx)


def words(done: MergeStep, at: MergeHost) -> list[str]:
    """The arguments of the one program that changes something."""
    runs = [action for action in all_engines()["imagetools"].actions(done, at) if isinstance(action, Run)]
    (made,) = [run for run in runs if run.gives == "nothing"]
    assert made.argv[: len(CREATE)] == CREATE
    return list(made.argv[len(CREATE) :])


ABLE = {
    "two flat images": (step([AMD64, ARM64]), "0.11.2", ["--tag=T", "S@0", "S@1"]),
    "a flat image and an attested one": (step([AMD64, PROVED]), "0.13.1+ds1", ["--tag=T", "S@0", "S@1"]),
    "an only index is copied": (step([PROVED]), "0.13.1", ["--tag=T", "S@0"]),
    "an only image is wrapped": (step([AMD64]), "0.13.1", ["--tag=T", "S@0"]),
    "an only image is copied": (
        step([AMD64], prefer_index=False),
        "0.15.0",
        ["--tag=T", "--prefer-index=false", "S@0"],
    ),
    "one image twice": (step([AMD64, AMD64]), "0.29.1", ["--tag=T", "S@0", "S@0"]),
    "an annotation of the index": (
        step([AMD64, PROVED], annotations=INDEX_NOTE),
        "0.12.0",
        ["--tag=T", "--annotation=index:a=b", "S@0", "S@1"],
    ),
    "attestations left behind": (
        step([AMD64, PROVED], attest="drop"),
        "0.29.1",
        ["--tag=T", "S@0", f"S@{json.loads(PROVED.raw)['manifests'][0]['digest']}"],
    ),
}
"""What it can -> the step, a version of buildx, its arguments; T the tag, S@N the source of that number."""


@pytest.mark.parametrize("case", ABLE)
def test_what_it_can(case: str) -> None:
    """Sources go by digest in their order, and flags only where the version knows them."""
    done, version, wanted = ABLE[case]
    assert all_engines()["imagetools"].able(done, host(version)).ok
    names = {"T": str(LIVE)} | {f"S@{n}": str(one.reference) for n, one in enumerate(done.sources)}
    found = words(done, host(version))
    assert [word.replace(str(STAGING.tagged("x")).removesuffix(":x"), "S") for word in found] == [
        word.replace("=T", f"={LIVE}") if word.startswith("--tag") else names.get(word, word).replace(
            str(STAGING).removesuffix(":x"), "S") for word in wanted
    ]  # fmt: skip


REFUSED = {
    "no buildx": (step([AMD64]), None, "there is no buildx on m1"),
    "before 0.11": (step([AMD64]), "0.10.5", "buildx 0.10.5 on m1 writes a wrong type (0.11 needed)"),
    "no version": (step([AMD64]), "dev", "the version of buildx on m1 cannot be read"),
    "no annotations yet": (step([PROVED], annotations=INDEX_NOTE), "0.11.2", "has no --annotation (0.12 has)"),
    "no copies yet": (step([AMD64], prefer_index=False), "0.14.1", "wraps a single image (0.15 can copy it as it is)"),
    "Windows releases": (
        step([WIN_17, WIN_20]),
        "0.36.1",
        "neither os.version nor os.features of windows(10.0.17763.1)/amd64, windows(10.0.20348.1)/amd64",
    ),
    "an attestation shall go, and its image has annotations": (
        step([AMD64, NOTED], attest="drop"),
        "0.36.1",
        "it keeps every entry of an index, where 1 shall be left out",
    ),
    "a digest given another platform by two sources": (
        step([attested("windows(10.0.17763.1)/amd64"), image("windows(10.0.17763.1)/amd64", oci=True)]),
        "0.36.1",
        "neither os.version nor os.features",
    ),
}
"""What it cannot -> the step, a version of buildx, and what it says."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_cannot(case: str) -> None:
    """It says why, before anything is asked of a registry."""
    done, version, why = REFUSED[case]
    able = all_engines()["imagetools"].able(done, host(version))
    assert not able.ok
    assert why in able.why


def test_in_one_repository_it_is_told_everything() -> None:
    """Whole descriptors give what no reference can: releases of Windows, and an attestation left out of an index."""
    windows = step([WIN_17, WIN_20], tags=[STAGING])
    dropped = step([AMD64, NOTED], tags=[STAGING], attest="drop", annotations=ENTRY_NOTE)
    for here in (windows, dropped):
        assert all_engines()["imagetools"].able(here, host()).ok
        _, *given = words(here, host())
        rows = [json.loads(word) for word in given]
        assert rows == json.loads(here.merged.raw)["manifests"]
    two_places = step([WIN_17, WIN_20], tags=[STAGING, LIVE])
    assert not all_engines()["imagetools"].able(two_places, host()).ok


def test_first_it_looks_then_it_pushes_then_it_reads_back() -> None:
    """A dry run of the same words with a digest to compare, the merge, and the digest of every tag; on that host."""
    tags = [LIVE, Reference.parse("registry.example/live/app:latest")]
    done = step([AMD64, PROVED], tags=tags)
    look, made, *read = [run for run in all_engines()["imagetools"].actions(done, host()) if isinstance(run, Run)]
    assert look.argv == ("sh", "-c", FORETELL, "sh", *CREATE, "--dry-run", *made.argv[len(CREATE) :])
    assert (look.gives, look.changes, made.changes) == ("foretold", False, True)
    assert [run.argv for run in read] == [(*INSPECT, str(tag)) for tag in tags]
    assert {run.gives for run in read} == {"digest"}
    assert {run.host for run in (look, made, *read)} == {"m1"}


def test_versions_that_move_too_much_are_told() -> None:
    """0.29 to 0.31 copy indexes again and again, and 0.33 and newer mount nothing; 0.32 and old ones are fine."""
    engine = all_engines()["imagetools"]
    mixed, flat, here = step([AMD64, PROVED]), step([AMD64, ARM64]), step([AMD64, PROVED], tags=[STAGING])
    for version, notes in (
        ("0.13.1", (0, 0, 0)), ("0.28.0", (0, 0, 0)), ("0.29.1+ds1", (1, 0, 1)), ("0.31.1", (1, 0, 1)),
        ("0.32.1", (0, 0, 0)), ("0.33.0", (1, 1, 0)), ("0.36.1", (1, 1, 0)),
    ):  # fmt: skip
        found = [len(engine.able(one, host(version)).warnings) for one in (mixed, flat, here)]
        assert tuple(found) == notes, version
    assert "copied whole once for each of its children" in engine.able(mixed, host("0.29.1")).warnings[0]
    assert "every layer goes down to it and up again" in engine.able(mixed, host("0.36.1")).warnings[0]
    assert not list(imagetools_notes(None, "m1", indexes=True, across=True))


def test_a_host_that_could_not_be_asked() -> None:
    """The reason is the host's own."""
    able = all_engines()["imagetools"].able(step([AMD64]), MergeHost(name="m1", why="m1 could not be asked: timeout"))
    assert (able.ok, able.why) == (False, "m1 could not be asked: timeout")


def test_from_0_32_on_the_tool_notes_the_digest() -> None:
    """One program in a private folder instead of two, and none that reads the tags back."""
    done = step([AMD64, PROVED])
    old, new = (all_engines()["imagetools"].actions(done, host(version)) for version in ("0.31.1", "0.32.0"))
    look, made = new
    assert (look, len(old)) == (old[0], 3)
    assert isinstance(made, Run)
    assert isinstance(old[1], Run)
    assert made.argv == ("sh", "-c", METADATA, "sh", SCRATCH, str(LIVE), *old[1].argv)
    assert (made.gives, made.changes) == ("digest", True)


NOTED_DIGEST, READ_DIGEST = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
DOCKER = f"""#!/bin/sh
# Stands for a buildx that the lab does not have: it notes what it is told to, and answers `inspect`.
case $3 in
create)
    for word; do case $word in --metadata-file=*) printf '%s' "$NOTES" >"${{word#*=}}" ;; esac; done
    exit "$EXIT" ;;
inspect) printf {READ_DIGEST} ;;
esac
"""


@pytest.mark.parametrize(
    ("notes", "ends", "wanted"),
    [
        ({"containerimage.descriptor": {"mediaType": "m", "digest": NOTED_DIGEST, "size": 1}}, 0, NOTED_DIGEST),
        ({"image.name": "a", "containerimage.descriptor": {"digest": NOTED_DIGEST}}, 0, NOTED_DIGEST),
        ({"image.name": "a"}, 0, READ_DIGEST),
        ({}, 3, None),
    ],
)
def test_what_it_noted(tmp_path: Path, notes: dict[str, object], ends: int, wanted: str | None) -> None:
    """The digest of the descriptor in its metadata, else the one read back; its failure is a failure."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", METADATA, "sh", str(tmp_path), "T", *CREATE, "--tag=T", "S"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTES": json.dumps(notes, indent=2), "EXIT": str(ends)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (ends, f"{wanted}\n" if wanted else "")
