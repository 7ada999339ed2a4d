"""A slice of the matrix on the lab's real engines; all of it is `make matrix`."""

from __future__ import annotations

import pytest

from audit.image.media import DOCKER_MANIFEST, OCI_INDEX
from tests.lab import Lab
from tests.lab.matrix import observe
from tests.lab.matrix.case import cases_of, facts_of, written
from tests.lab.matrix.compare import disagreements
from tests.lab.matrix.stations import station
from tests.rules import test_cases

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300), pytest.mark.xdist_group("lab")]

OFF = "BUILDX_NO_DEFAULT_ATTESTATIONS"
PLAIN = "docker build && docker push"
SLICE = {
    "engine28-containerd": (
        PLAIN,
        f"{OFF}=1 docker build && docker push",
        f"{OFF}= docker build && docker push",
        "docker build --platform linux/amd64,linux/riscv64 --push --provenance=false",
        "docker build && docker push --platform linux/amd64",
    ),
    "remote-engine28-overlay2": (
        PLAIN,
        "docker buildx build --builder @OTHER@ --push",
        "docker buildx build --builder @OTHER@ --load && docker push",
        "docker buildx build --builder @OTHER@ --load --provenance=true && docker push",
    ),
    "engine26-overlay2-no-buildx": (
        PLAIN,
        "DOCKER_BUILDKIT=1 docker build && docker push",
        "docker build --provenance=false && docker push",
    ),
}


def test_a_slice_of_the_matrix_is_as_predicted(lab: Lab) -> None:
    """Twelve cells on three workers: built, pushed, served, and each as predicted from facts gathered beside it."""
    rows = observe.round_of(lab, [(station(name), lines, 0) for name, lines in SLICE.items()])
    plain = {}
    for row in rows:
        assert row["outcome"] == "ok"
        facts = test_cases.facts_of(facts_of(row["facts"]))
        cases = cases_of(row)
        assert [case["how"] for case in cases] == [written(line) for line in SLICE[row["station"]]]
        assert {case["how"]: why for case in cases if (why := disagreements(facts, case))} == {}
        plain[row["station"]] = cases[0]["expect"].get("media_type")
    assert plain == {
        "engine28-containerd": OCI_INDEX,
        "remote-engine28-overlay2": DOCKER_MANIFEST,
        "engine26-overlay2-no-buildx": DOCKER_MANIFEST,
    }


def test_a_station_leaves_nothing_on_its_worker(lab: Lab) -> None:
    """Not its plugin, not its folders, not its builders, not an image: the state was the session's alone."""
    worker = lab.workers["amd64"]
    # The engine mounts its own network namespace with the first container that ever runs there.
    mounts = "mount | grep -v ' /run/docker/netns/default '"
    ours = "docker image ls --all -q | sort; docker ps --all -q | sort"
    look = f"docker buildx version; ls -A /root /root/.docker; {ours}; {mounts}"
    before = worker.sh(look).stdout
    observe.round_of(lab, [(station("container-engine28-overlay2"), (f"{PLAIN}",), 0)])
    assert worker.sh(look).stdout == before
