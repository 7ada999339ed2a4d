"""Walks the cases beside this file: facts of one worker, and what a plain build and push there leaves."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from audit.errors import UsageError
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Reason, StoreKind, Unknown
from audit.shape import Command, How, Prediction, Shape, boolean, known, parse_how, predict
from audit.shape.how import Output
from tests.rules.test_cases import facts_of

CASES = sorted(Path(__file__).parent.glob("*.json"))
WORDS = (
    "docker", "build", "buildx", "bake", "push", "&&", "--push", "--load", "--provenance=false", "--platform", "a,b",
    "-t", "X=1", "--output", "type=image", "--set", "*.platform=x", "--builder", "big", ".", "-", "--", "'", "--sbom",
    "true",
)  # fmt: skip
COMMANDS: tuple[Command, ...] = get_args(Command)


def predicted(case: dict[str, Any]) -> Prediction:
    """The prediction for a case."""
    command: Command = case.get("command", "docker build")
    assert command in COMMANDS
    return predict(facts_of(case["facts"]), How(command=command))


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
    assert bool(push.missing) == (len(push.shapes) != 1)
    assert push.missing or push.kind != "unknown"
    for part in expect.get("missing", ()):
        assert any(part in why for why in push.missing), push.missing


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


LINES = st.sampled_from(
    [
        "docker build",
        "docker build --provenance=false",
        "docker build --push",
        "docker build --platform linux/amd64,linux/arm64 --load",
        "docker build && docker push --platform linux/arm64",
        "DOCKER_BUILDKIT=0 docker build",
        "docker buildx build",
        "docker buildx build --push --sbom=true",
        "docker buildx build --builder big --load",
        "docker buildx build --output type=image,push=true,oci-mediatypes=false",
        "docker buildx bake --push",
    ]
).map(parse_how)


def bare(push: Prediction) -> set[Shape]:
    """The possible shapes without their reasoning."""
    return {shape.model_copy(update={"steps": ()}) for shape in push.shapes}


@settings(deadline=None)  # a worker of which little is known is looked at in hundreds of readings
@given(facts=FACTS, how=LINES)
def test_every_worker_has_one_prediction(facts: Facts, how: How) -> None:
    """Nothing raises; what is not sure says why; each shape gives its reasons and its builder."""
    push = predict(facts, how)
    assert bool(push.missing) == (len(push.shapes) != 1)
    assert len(bare(push)) == len(push.shapes)
    for shape in push.shapes:
        assert shape.steps
        assert shape.kind == "fails" or shape.builder is not None
        assert (shape.kind == "fails") == (shape.stage is not None) == (shape.error is not None)
        assert (shape.kind in ("flat", "index")) == (shape.media_type is not None) == (shape.digests is not None)
        assert (shape.kind == "index") == bool(shape.children)
        assert Shape.model_validate_json(shape.model_dump_json()) == shape


@settings(deadline=None)  # likewise
@given(facts=FACTS, how=LINES, dark=st.sampled_from(KINDS))
def test_knowing_less_only_adds_shapes(facts: Facts, how: How, dark: type[Any]) -> None:
    """A fact that is taken away leaves every shape possible that was: nothing is guessed away."""
    taken: Unknown = Unknown(reason=Reason.TIMEOUT)
    less = Facts({**dict(facts), dark.fact_name(): taken})
    before, after = predict(facts, how), predict(less, how)
    assert after.missing or bare(before) == bare(after)
    assert bare(before) <= bare(after) or not after.shapes


@settings(deadline=None)  # a worker of which little is known is looked at in hundreds of readings
@given(facts=FACTS, how=LINES)
def test_only_what_can_keep_them_leaves_an_index(facts: Facts, how: How) -> None:
    """An index comes through buildx alone, and from the docker driver only on the containerd store."""
    for shape in predict(facts, how).shapes:
        if shape.kind == "index":
            assert shape.builder == "buildx"
            assert shape.manifest is not None


@given(st.text(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_line_is_read_or_refused(line: str) -> None:
    """A line is a way of building or a UsageError of one line; what is read, predicts."""
    how = None
    with contextlib.suppress(UsageError):
        how = parse_how(line)
    assert how is None or predict(Facts({}), how).missing


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "give a build command"),
        ("docker run x", "'docker run x' is no build command"),
        ("podman build .", "is no build command"),
        ("docker build --provenence=false", "did you mean --provenance?"),
        ("docker build --platform", "--platform lacks its value"),
        ("docker build | cat", "joins commands"),
        ("docker build 'x", "no closing quotation"),
        ("docker build --push=maybe", "is no boolean"),
        ("docker build --attest mode=max", "names no type"),
        ("docker build --provenance=true --attest type=provenance", "the same attestation"),
        ("docker build && make deploy", "only `docker push` may follow"),
        ("docker build && docker push --force x", "--force is no flag of `docker push`"),
        ("docker build -o dest=x,push=true", "names no type"),
        ("x" * 30_000, "too many"),
    ],
)
def test_a_wrong_line_is_told(line: str, said: str) -> None:
    """What is wrong with a line, in a sentence."""
    with pytest.raises(UsageError, match="--how") as caught:
        parse_how(line)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("docker build", How()),
        ("docker image build -t x:y .", How(flags=("tag",))),
        ("env A=b docker build", How(environment=(("A", "b"),))),
        ("docker buildx --builder big build .", How(command="docker buildx build", builder="big", flags=("builder",))),
        ("docker --context far build .", How(environment=(("DOCKER_CONTEXT", "far"),))),
        ("docker build -qf D . && docker push -q x", How(flags=("quiet", "file"), docker_push=True)),
        (
            "docker build --platform linux/amd64,linux/arm64 --platform linux/s390x",
            How(platforms=("linux/amd64", "linux/arm64", "linux/s390x"), flags=("platform",)),
        ),
        (
            "docker build -o type=registry",
            How(
                outputs=(Output(type="image", attributes=(("push", "true"),), text="--output type=registry"),),
                flags=("output",),
            ),
        ),
        (
            "docker buildx bake --set *.platform=linux/arm64 web",
            How(command="docker buildx bake", platforms=("linux/arm64",), flags=("set",)),
        ),
    ],
)
def test_lines(line: str, how: How) -> None:
    """What is read out of a line."""
    assert parse_how(line) == how


def test_the_table_is_whole() -> None:
    """Every row has its source, ends after it begins, and is asked for by its name somewhere in the predictor."""
    code = "".join(file.read_text(encoding="utf-8") for file in Path(known.__file__).parent.glob("*.py"))
    for name, row in known.KNOWN.items():
        assert row.source
        assert row.text
        assert row.until is None or Version(row.until) > Version(row.since)
        assert code.count(f'"{name}"') > 1, f"{name} is a row that nobody asks for"
    assert list(known.EMBEDDED) == sorted(known.EMBEDDED)


def test_versions_newer_than_known_are_answered_and_said_so() -> None:
    """Tomorrow's engine is answered as today's newest, and the answer says that it is assumed."""
    case = json.loads((Path(__file__).parent / "row09_containerd_default.json").read_text(encoding="utf-8"))
    facts = dict(facts_of(case["facts"]))
    today = facts["engine"].model_copy(update={"version": known.NEWEST["engine"]})
    tomorrow = today.model_copy(update={"version": "31.0.0"})
    now, then = (predict(Facts({**facts, "engine": engine})) for engine in (today, tomorrow))
    assert bare(now) == bare(then)
    assert now.assumed == ()
    assert then.assumed == ("the engine 31.0.0 is newer than any we know: answered as 29.7.2",)


def test_a_thousand_hosts_take_less_than_a_second() -> None:
    """Predicting a fleet of 1,000 known workers, no two alike, costs under a second of one core."""
    facts = [
        facts_of(json.loads(file.read_text(encoding="utf-8"))["facts"]) for file in CASES if "dark" not in file.stem
    ]
    known_ones = [one for one in facts if len(predict(one).shapes) == 1]
    begin = time.process_time()
    for number in range(1000):
        predict(known_ones[number % len(known_ones)])
    assert time.process_time() - begin < 1.0
