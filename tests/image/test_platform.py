"""Platforms: one spelling for each, and what matches what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.image.platform import Platform


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/X86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/aarch64", "darwin/arm64"),
        ("s390x", "linux/s390x"),
        ("aarch64", "linux/arm64"),
        ("armhf", "linux/arm/v7"),
        ("arm/v7", "linux/arm/v7"),
        ("aarch64/v8", "linux/arm64"),
        ("windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64"),
        ("unknown/unknown", "unknown/unknown"),
    ],
)
def test_one_spelling(text: str, spelt: str) -> None:
    """What means the same is written the same; that can be read again."""
    platform = Platform.parse(text)
    assert str(platform) == spelt
    assert Platform.parse(spelt) == platform
    assert Platform.of(platform.members()) == platform


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "li nux/amd64", "linux/amd 64", "a(/b"]
)
def test_what_is_none(text: str) -> None:
    """A sentence with an example."""
    with pytest.raises(UsageError, match="is no platform: write OS/ARCHITECTURE"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("here", "wanted", "fits"),
    [
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm/v6", "linux/arm", False),
        ("linux/amd64", "windows/amd64", False),
        ("windows(10.0.17763.1234)/amd64", "windows/amd64", True),
        ("windows(10.0.17763.1234)/amd64", "windows(10.0.17763)/amd64", True),
        ("windows(10.0.177631)/amd64", "windows(10.0.17763)/amd64", False),
        ("windows/amd64", "windows(10.0.17763)/amd64", False),
    ],
)
def test_matching(here: str, wanted: str, fits: bool) -> None:
    """Operating system, architecture and variant always count; a version where it is wanted."""
    assert Platform.parse(here).matches(Platform.parse(wanted)) is fits


def test_features_count_where_they_are_wanted() -> None:
    """os.features: what is wanted must be there."""
    rich = Platform.of({"os": "windows", "architecture": "amd64", "os.features": ["win32k", "a", 1]})
    plain = Platform.of({"os": "windows", "architecture": "amd64"})
    assert rich.os_features == ("a", "win32k")
    assert rich.matches(plain)
    assert not plain.matches(rich)


def test_nobody_runs_an_attestation() -> None:
    """unknown/unknown, and a platform that was not said, are known to be none."""
    assert not Platform.parse("unknown/unknown").known
    assert not Platform.of({}).known
    assert Platform.parse("linux/386").known


@given(st.dictionaries(st.sampled_from(["os", "architecture", "variant", "os.version", "os.features"]),
                       st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text()))))  # fmt: skip
def test_anything_in_a_descriptor_is_read(said: dict[str, object]) -> None:
    """A descriptor's platform is read whatever it holds, and reading again what was read changes nothing."""
    platform = Platform.of(said)
    assert Platform.of(platform.members()) == platform
