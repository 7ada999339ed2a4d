"""Walks read/tables.json: what was read in source for versions that nobody here has run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.fact import Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, BuilderNode, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.image.media import DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from audit.model import StoreKind
from audit.shape import parse_how, predict

TABLES = json.loads((Path(__file__).parent / "read" / "tables.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = TABLES["rows"]
KEYS = {"row", "engine", "client", "store", "buildx", "builder", "env", "how", "expect", "note"}
TYPES = {
    ("flat", "OCI"): OCI_MANIFEST,
    ("flat", "schema2"): DOCKER_MANIFEST,
    ("index", "OCI"): OCI_INDEX,
    ("index", "schema2"): DOCKER_LIST,
}


def facts_of(row: dict[str, Any]) -> Facts:
    """A worker with these versions, and a builder called big where the row has one."""
    others = []
    if builder := row.get("builder"):
        node = BuilderNode(name="big0", status="running", buildkit=builder["buildkit"])
        loads = builder.get("default_load", False)
        others = [Builder(name="big", driver=builder["driver"], default_load=loads, nodes=(node,))]
    containerd = row["store"] == "C"
    found = (
        DockerClient(kind="docker", version=row.get("client", "29.0.0"), context="default"),
        Engine(version=row["engine"], os="linux", arch="amd64"),
        ImageStore(
            kind=StoreKind.CONTAINERD if containerd else StoreKind.GRAPHDRIVER,
            driver="overlayfs" if containerd else "overlay2",
            why="default",
            why_text="as the row says",
        ),
        Buildx(state="present" if row["buildx"] else "missing", version=row["buildx"]),
        Builders(builders=(Builder(name="default", driver="docker", selected=True), *others), selected="default"),
        BuildEnv(
            shell=tuple(
                Setting(name=name, value=value, where="login-shell") for name, value in row.get("env", {}).items()
            )
        ),
    )
    return Facts({fact.fact_name(): fact for fact in found})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['row']}-{row['engine']}-{row['buildx']}-{row['how']}")
def test_row(row: dict[str, Any]) -> None:
    """The prediction is sure, and what the row says."""
    assert set(row) <= KEYS
    push = predict(facts_of(row), parse_how(row["how"]))
    shape, expect = push.shape, dict(row["expect"])
    assert shape is not None, push.missing
    kind = expect.pop("kind")
    assert shape.kind == kind, shape
    if "media_type" in expect:
        assert shape.media_type == TYPES[kind, expect.pop("media_type")]
    if "layers" in expect:
        assert (expect.pop("layers"), shape.layers) == ("schema2", DOCKER_LAYER)
    if "attestations" in expect:
        assert shape.attestations.fate == expect.pop("attestations")
    if "children" in expect:
        roles = [child.role for child in shape.children]
        assert [roles.count("image"), roles.count("attestation")] == expect.pop("children")
    if "error" in expect:
        assert expect.pop("error") in (shape.error or "")
    if "stage" in expect:
        assert shape.stage == expect.pop("stage")
    if "builder" in expect:
        assert shape.builder == expect.pop("builder")
    assert not expect, f"the test does not look at {sorted(expect)}"


def test_the_rows_are_enough_and_marked() -> None:
    """At least 60 rows, none twice, all marked as not proved."""
    assert TABLES["proved"] is False
    assert len({json.dumps(row, sort_keys=True) for row in ROWS}) == len(ROWS) >= 60
