"""Walks the cases beside this file: facts of one worker, and what a plain build and push there leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Reason, StoreKind, Unknown
from audit.shape import Command, Push, boolean, default_push
from tests.rules.test_cases import facts_of

CASES = sorted(Path(__file__).parent.glob("*.json"))
COMMANDS: tuple[Command, ...] = get_args(Command)


def predicted(case: dict[str, Any]) -> Push:
    """The prediction for a case."""
    command: Command = case.get("command", "docker build")
    assert command in COMMANDS
    return default_push(facts_of(case["facts"]), command)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    """Kind and builder as expected, each expected part in a reason of its own, in that order."""
    case = json.loads(file.read_text(encoding="utf-8"))
    assert set(case) <= {"about", "facts", "command", "expect"}
    assert case["about"].endswith("."), "`about` is a sentence"
    expect = case["expect"]
    assert set(expect) <= {"kind", "builder", "reasons", "missing"}
    push = predicted(case)
    assert (push.kind, push.builder) == (expect["kind"], expect.get("builder")), push
    rest = iter(push.reasons)
    for part in expect.get("reasons", ()):
        assert any(part in reason for reason in rest), f"{part!r} is not there, or not in this order: {push.reasons}"
    assert len(push.missing) == (push.kind == "unknown")
    for part in expect.get("missing", ()):
        assert part in push.missing[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [(text, True) for text in ("1", "t", "T", "TRUE", "true", "True")]
    + [(text, False) for text in ("0", "f", "F", "FALSE", "false", "False")]
    + [(text, None) for text in ("", "yes", "on", "TrUe", " 1", "2", "no")],
)
def test_boolean_is_gos(text: str, value: bool | None) -> None:
    """What strconv.ParseBool takes, and nothing else."""
    assert boolean(text) is value


# ---------------------------------------------------------------- properties over whatever workers may say

DARK = st.just(Unknown(reason=Reason.TIMEOUT, detail="8 s are over"))
VERSIONS = st.sampled_from(
    ["19.03.15", "20.10.24+dfsg1", "23.0.0", "23.0.5", "24.0.9", "26.1.5", "28.5.2+dfsg4", "29.7.2"]
)
PLUGINS = st.sampled_from(["0.9.1", "0.10.0", "0.10.4", "0.11.2", "0.12.0", "0.13.1", "0.29.1+ds1", "0.36.1", "dev"])
NAMES = (
    "DOCKER_BUILDKIT",
    "BUILDX_NO_DEFAULT_ATTESTATIONS",
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT",
    "BUILDX_NO_DEFAULT_LOAD",
)
VALUES = st.sampled_from(["", "0", "1", "true", "yes"])
SETTINGS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(
    lambda told: tuple(Setting(name=name, value=value, where="unit") for name, value in told.items())
)
STORES = st.builds(
    ImageStore,
    kind=st.sampled_from(StoreKind),
    driver=st.just("overlayfs"),
    why=st.just("unknown"),
    why_text=st.just("not told"),
)
CLIENTS = st.builds(DockerClient, kind=st.just("docker"), version=VERSIONS, context=st.just("default"))
LISTED = st.builds(
    Builders,
    builders=st.lists(
        st.builds(
            Builder,
            name=st.sampled_from(["default", "big"]),
            driver=st.sampled_from(["docker", "docker-container", "cloud"]),
            default_load=st.none() | st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    selected=st.none() | st.sampled_from(["default", "big"]),
)
KINDS: tuple[type[Fact], ...] = (BuildEnv, Builders, Buildx, DockerClient, Engine, ImageStore)
FACTS = st.builds(
    lambda *found: Facts({fact.fact_name(): value for fact, value in zip(KINDS, found, strict=True)}),
    DARK | st.builds(BuildEnv, shell=SETTINGS),
    DARK | LISTED,
    DARK | st.builds(Buildx, state=st.sampled_from(["present", "missing", "broken"]), version=st.none() | PLUGINS),
    DARK | CLIENTS,
    DARK | st.builds(Engine, version=VERSIONS),
    DARK | STORES,
)


@given(facts=FACTS, command=st.sampled_from(COMMANDS))
def test_every_worker_has_one_prediction(facts: Facts, command: Command) -> None:
    """Nothing raises; what is unknown says why; what is known gives its reasons and its builder."""
    push = default_push(facts, command)
    assert (push.kind == "unknown") == bool(push.missing)
    if push.kind != "unknown":
        assert push.reasons
        assert (push.kind == "fails") or push.builder is not None


@given(facts=FACTS, command=st.sampled_from(COMMANDS), dark=st.sampled_from(KINDS))
def test_knowing_less_never_changes_the_answer(facts: Facts, command: Command, dark: type[Any]) -> None:
    """A fact that is taken away leaves the prediction as it was, or makes it unknown: nothing is guessed."""
    taken: Unknown = Unknown(reason=Reason.TIMEOUT)
    less = Facts({**dict(facts), dark.fact_name(): taken})
    before, after = default_push(facts, command), default_push(less, command)
    assert after.kind in (before.kind, "unknown")
    assert before.kind != "unknown" or after.kind == "unknown"


@given(facts=FACTS, command=st.sampled_from(COMMANDS))
def test_only_the_containerd_store_leaves_an_index(facts: Facts, command: Command) -> None:
    """And only through buildx."""
    push = default_push(facts, command)
    if push.kind == "index":
        store = facts[ImageStore]
        assert isinstance(store, ImageStore)
        assert store.kind is StoreKind.CONTAINERD
        assert push.builder == "buildx"
