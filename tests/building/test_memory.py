"""An earlier build counts only where its inputs are the same and the registry still has it under its tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.building.memory import Remembered, pinned, recall, remember
from audit.kept import Kept
from audit.plan import BuildStep, parse_request
from audit.plan.model import Work
from audit.shape import Shape

DIGEST = f"sha256:{1:064d}"
NOTE = Remembered(inputs="sha256:in", digest=DIGEST, media_type="m", shape="flat (OCI)", host="w1")


def step() -> BuildStep:
    """One platform; only its names matter here."""
    from audit.engines.build import Command, Read

    command = Command(argv=("docker",))
    work = Work(
        host="w1", engine="buildx", builder="b", build=command, push=command, read=Read(how="push-line"),
        shape=Shape(kind="flat"), why="",
    )  # fmt: skip
    return BuildStep(platform="linux/arm64", staging="r.example/s:1-arm64", work=work, inputs="sha256:i")


@pytest.mark.parametrize(
    ("inputs", "standing", "exact", "why"),
    [
        ("sha256:other", DIGEST, True, "its inputs differ"),
        ("sha256:in", None, True, "nothing stands under"),
        ("sha256:in", f"sha256:{2:064d}", True, "something else now"),
        ("sha256:in", DIGEST, False, "names no commit"),
    ],
)
def test_why_it_is_built_again(tmp_path: Path, inputs: str, standing: str | None, exact: bool, why: str) -> None:
    """Each reason is a clause; only where there is none is it left."""
    kept = Kept(tmp_path / "kept")
    assert recall(kept, step(), "sha256:in", DIGEST, exact=True) == "nothing is known of an earlier build"
    remember(kept, step(), NOTE)
    assert recall(kept, step(), "sha256:in", DIGEST, exact=True) == NOTE
    found = recall(kept, step(), inputs, standing, exact=exact)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"inputs": 3}', "\ud800".encode("utf-8", "replace").decode()])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    """Whatever stands in the cache: it is built again."""
    kept = Kept(tmp_path / "kept")
    remember(kept, step(), NOTE)
    for place in (tmp_path / "kept/names").iterdir():
        place.write_text(text)
    assert recall(kept, step(), "sha256:in", DIGEST, exact=True) == "what was noted of an earlier build cannot be read"


@pytest.mark.parametrize(
    ("context", "exact"),
    [
        (".", True),
        ("https://e.org/x.git", False),
        ("https://e.org/x.git#main:dir", False),
        (f"https://e.org/x.git#{'a' * 40}", True),
        (f"https://e.org/x.git#{'a' * 40}:dir", True),
    ],
)
def test_a_folder_or_a_commit_says_what_is_built(context: str, exact: bool) -> None:
    """A branch may have moved since."""
    request = parse_request(context, platforms=["amd64"], staging="r.example/s:1")
    assert pinned(request) is exact
