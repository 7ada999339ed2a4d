"""A way of building as the words of a probe's command, and what a probe will not run."""

from __future__ import annotations

import pytest

from audit.errors import UsageError
from audit.probe.ways import LINES, way_of
from audit.shape import How, parse_how


@pytest.mark.parametrize(
    ("line", "text", "pushes"),
    [
        ("docker build", "docker build && docker push", False),
        ("docker build -t a/b:c --no-cache --progress plain .", "docker build && docker push", False),
        ("docker buildx build --push -t a/b .", "docker buildx build --push", True),
        ("DOCKER_BUILDKIT=0 docker build .", "DOCKER_BUILDKIT=0 docker build && docker push", False),
        (
            "docker buildx build --builder big --provenance=mode=max --sbom=true --platform linux/arm64 --load",
            "docker buildx build --builder=big --provenance=mode=max --sbom=true --platform=linux/arm64 --load"
            " && docker push",
            False,
        ),
        ("docker build --attest type=sbom", "docker build --attest=type=sbom && docker push", False),
        ("docker build -o type=registry,name=x/y", "docker build --output=type=image,push=true", True),
        (
            "docker build --build-arg BUILDKIT_MULTI_PLATFORM=1 --build-arg A=b",
            "docker build --build-arg=BUILDKIT_MULTI_PLATFORM=1 && docker push",
            False,
        ),
        (
            "docker build && docker push --platform linux/amd64 a/b",
            "docker build && docker push --platform linux/amd64",
            False,
        ),
    ],
)
def test_a_line_becomes_words(line: str, text: str, pushes: bool) -> None:
    """What changes the shape is carried over, the context, tag and files are left out."""
    way = way_of(parse_how(line))
    assert (way.text, way.pushes) == (text, pushes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("docker buildx bake", "bake reads its targets"),
        ("docker build --output type=local,dest=/etc", "--output type=local,dest=/etc does not leave an image"),
        ("docker build --output /etc", "does not leave an image"),
        ("docker build --output type=docker,dest=/root/x.tar", "does not leave an image"),
        ("docker build --cache-to type=local,dest=/x", "--cache-to"),
        ("docker build --secret id=x,src=/etc/shadow", "--secret"),
        ("docker build --ssh default", "--ssh"),
        ("docker build --build-context x=/etc", "--build-context"),
        ("docker build --allow security.insecure", "--allow"),
        ("DOCKER_HOST=tcp://elsewhere docker build", "DOCKER_HOST leads away"),
        ("docker --context elsewhere build", "DOCKER_CONTEXT leads away"),
        ("LD_PRELOAD=/x docker build", "LD_PRELOAD is no variable of a build"),
        ("rm -rf /", "no build command"),
        ('docker build --output \'"type=image","compression=a,b"\'', "a comma or a quote"),
    ],
)
def test_what_would_leave_more_than_an_image_is_refused(line: str, words: str) -> None:
    """A probe writes one image and nothing else; the sentence names what it will not do."""
    with pytest.raises(UsageError, match="--how") as refused:
        way_of(parse_how(line))
    assert words in str(refused.value)


def test_flags_that_are_dropped_are_dropped_from_the_prediction_too() -> None:
    """The legacy builder refuses --progress: a probe does not use it, and so must not foretell that."""
    how = parse_how("DOCKER_BUILDKIT=0 docker build --progress plain")
    assert "progress" in how.flags
    assert "progress" not in way_of(how).how.flags


def test_every_usual_way_can_be_run() -> None:
    """The list of --all-ways: distinct, and each is one that a probe may run; the first is the plain one."""
    texts = [way_of(parse_how(line)).text for line in LINES]
    assert len(set(texts)) == len(texts)
    assert way_of(parse_how(LINES[0])).how == way_of(How()).how
