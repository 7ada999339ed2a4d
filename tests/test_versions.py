"""Version strings as distributions write them."""

from __future__ import annotations

import pytest

from audit import versions


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("28.5.2+dfsg4", "28.5.2"),
        ("24.0.7-0ubuntu4.1", "24.0.7"),
        ("v0.29.1+ds1", "0.29.1"),
        ("20.10.24+dfsg1", "20.10.24"),
        ("29.0.0-rc.1", "29.0.0-rc.1"),
        ("26.1", "26.1"),
        ("dev", "dev"),
        ("", "?"),
        (None, "?"),
    ],
)
def test_release_is_the_leading_part(text: str | None, release: str) -> None:
    """Decoration goes, Docker's own pre-release mark stays, what is no version is shown as it is."""
    assert versions.release(text) == release


@pytest.mark.parametrize(
    ("text", "floor", "expected"),
    [
        ("28.5.2+dfsg4", "28.5.2", True),
        ("0.9.1", "0.13", False),
        ("0.13.0-rc1", "0.13.0", False),
        ("29.0.0-rc.1", "29.0.0", False),
        ("dev", "1.0", None),
        ("", "1.0", None),
        (None, "1.0", None),
    ],
)
def test_at_least(text: str | None, floor: str, expected: bool | None) -> None:
    """Numbers compare as numbers, a pre-release is older than its release, no version cannot be told."""
    assert versions.at_least(text, floor) is expected


def test_within_a_range() -> None:
    """A policy's range takes decorated versions; what is no version cannot be told."""
    assert versions.within("0.29.1+ds1", ">=0.13,<0.30") is True
    assert versions.within("28.5.2+dfsg4", ">=29") is False
    assert versions.within("29.0.0-rc.1", "<29") is False  # who wants no 29 wants no candidate of it either
    assert versions.within("dev", ">=1") is None
