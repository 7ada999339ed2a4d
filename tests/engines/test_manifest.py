"""The engine manifest: what it is able to do, why not, what it would run, and its private store."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from audit.engines.merge import SCRATCH, Confirm, MergeHost, Run, all_engines
from audit.engines.merge.manifest import FORETELL, PUSH, spelt
from audit.image.annotation import Annotation
from audit.image.reference import Reference
from tests.engines.steps import LIVE, STAGING, attested, image, step

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
OCI = image("linux/riscv64", oci=True)
PROVED = attested("linux/riscv64")
FAR = Reference.parse("other.example/live/app:1.0")


def host(client: str | None = "28.5.2+dfsg4", why: str = "") -> MergeHost:
    """A merge host without buildx."""
    return MergeHost(name="m1", client=client, why=why)


def test_two_flat_images() -> None:
    """One look at the list, one push a tag, and a look at every tag; sources by digest, once each."""
    tags = [LIVE, Reference.parse("registry.example/live/app:latest")]
    done = step([ARM64, AMD64, ARM64], tags=tags)
    able = all_engines()["manifest"].able(done, host())
    assert able.ok
    assert "under another digest" in able.warnings[0]
    look, *pushes, first, second = all_engines()["manifest"].actions(done, host())
    sources = tuple(str(STAGING.at(one.digest)) for one in (ARM64, AMD64))
    assert isinstance(look, Run)
    assert look.argv == ("sh", "-c", FORETELL, "sh", SCRATCH, str(tags[0]), *sources)
    assert (look.gives, look.changes) == ("list", False)
    assert [run.argv for run in pushes if isinstance(run, Run)] == [
        ("sh", "-c", PUSH, "sh", SCRATCH, str(tag), *sources) for tag in tags
    ]
    assert [one.target for one in (first, second) if isinstance(one, Confirm)] == tags


REFUSED = {
    "an index among the sources": (
        step([AMD64, PROVED]),
        host(),
        "`docker manifest create` says of registry.example/staging/app:x-2 that it is a manifest list",
    ),
    "another registry": (step([AMD64], tags=[FAR]), host(), "cannot bring images from registry.example to other"),
    "no docker": (step([AMD64]), host(None), "there is no docker client on m1"),
    "podman": (step([AMD64]), host(None, "what is called docker on m1 is podman"), "is podman"),
    "an old client": (
        step([OCI], tags=[STAGING]),
        host("20.10.24"),
        "client 20.10.24 on m1 does not read registry.example/staging/app:x-1, an OCI manifest",
    ),
    "two types": (step([AMD64, OCI]), host(), "the images are of two types"),
    "annotations": (step([OCI], annotations=Annotation.parse("a=b")), host(), "it writes no annotations"),
    "a copy": (step([AMD64], prefer_index=False), host(), "the single image shall be copied as it is"),
    "an old client that would write a manifest anew": (
        step([AMD64]),
        host("20.10.24"),
        f"{STAGING.at(AMD64.digest)} would get another digest",
    ),
}
"""What it cannot -> the step, the host, and what it says."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_cannot(case: str) -> None:
    """It says why, before anything is asked of a registry."""
    done, at, why = REFUSED[case]
    able = all_engines()["manifest"].able(done, at)
    assert not able.ok
    assert why in able.why


def test_an_old_client_where_nothing_is_written_anew() -> None:
    """Within one repository no child is pushed, and what docker itself has pushed comes back as it is."""
    engine = all_engines()["manifest"]
    assert engine.able(step([AMD64], tags=[STAGING]), host("20.10.24")).ok
    by_docker = AMD64.__class__(AMD64.media_type, spelt(AMD64.raw), AMD64.platform)
    assert by_docker.raw != AMD64.raw
    assert engine.able(step([by_docker]), host("20.10.24")).ok
    assert engine.able(step([OCI, image("linux/amd64", oci=True)]), host("23.0.0")).ok


DOCKER = """#!/bin/sh
# Stands for docker where its store is looked at; the real ones are asked in the lab.
case $2 in
create) [ -z "$FAIL" ] || { echo "$4 is a manifest list" >&2; exit 1; }
        mkdir -p "$DOCKER_CONFIG/manifests" && echo "$*" >"$DOCKER_CONFIG/manifests/list"; echo "Created" ;;
inspect) ls -A "$DOCKER_CONFIG/" >&2; cat "$DOCKER_CONFIG/config.json" >&2; cat "$DOCKER_CONFIG/manifests/list" ;;
esac
"""


def looked(folder: Path, *, home: bool, fail: str = "") -> subprocess.CompletedProcess[str]:
    """Run the look in a shell, with a configuration in the home folder or elsewhere."""
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(DOCKER)
    (folder / "bin/docker").chmod(0o755)
    (folder / "store").mkdir()
    own = folder / (".docker" if home else "config folder")
    for name in ("manifests/stale_list", "contexts"):
        (own / name).mkdir(parents=True)
    (own / "config.json").write_text("credentials\n")
    (own / ".token_seed").write_text("x")
    where = {"HOME": str(folder)} if home else {"DOCKER_CONFIG": str(own)}
    return subprocess.run(
        ["/bin/sh", "-c", FORETELL, "sh", str(folder / "store"), "T", "A", "B"],
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "FAIL": fail, **where},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("home", [True, False])
def test_the_private_store(tmp_path: Path, home: bool) -> None:
    """All of the client's configuration is linked into it, but not the lists of earlier merges."""
    done = looked(tmp_path, home=home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == [".token_seed", "config.json", "contexts", "manifests", "credentials"]
    *text, digest = done.stdout.splitlines()
    assert text == ["manifest create T A B"]
    assert digest == f"sha256:{hashlib.sha256(text[0].encode()).hexdigest()}"
    assert (tmp_path / "store/config.json").is_symlink()


def test_a_failure_is_the_client_s_own(tmp_path: Path) -> None:
    """Its words and its exit status come back, and nothing on stdout."""
    done = looked(tmp_path, home=True, fail="yes")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "A is a manifest list\n")


def test_what_is_written_anew() -> None:
    """Three blanks, known members only; a second time changes nothing."""
    raw = json.dumps({"schemaVersion": 2, "config": {"digest": "d", "size": 1, "x": 2}, "layers": []}).encode()
    lines = ["{", '   "schemaVersion": 2,', '   "config": {', '      "size": 1,', '      "digest": "d"', "   },"]
    assert spelt(raw).decode().split("\n") == [*lines, '   "layers": []', "}"]
    assert spelt(spelt(raw)) == spelt(raw)
