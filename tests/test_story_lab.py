"""The story that `make demo` tells, as a test: what it says is what happens."""

from __future__ import annotations

import pytest

from tests.lab import Lab, leaks
from tests.story import PLATFORMS, Story


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("lab")
def test_the_story(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Five builds, an old merge that fails, two engines with one digest, one that declines, and the pulls."""
    story = Story(lab, "test")
    story.tell()
    out = capsys.readouterr().out
    assert set(story.built) == set(PLATFORMS)
    assert set(story.merged) == {"registry", "imagetools"}
    assert out.count("is a manifest list") >= 2
    assert out.count("$ docker pull") == out.count("$ skopeo") == len(PLATFORMS)
    assert leaks(out) == []
