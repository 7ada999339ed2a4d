"""Ranges of host names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.inventory.ranges import RangeError, expand, host_names


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("w[1:3]", ["w1", "w2", "w3"]),
        ("w[01:03].x", ["w01.x", "w02.x", "w03.x"]),
        ("w[a:c]", ["wa", "wb", "wc"]),
        ("w[Y:Z]", ["wY", "wZ"]),
        ("w[0:10:5]", ["w0", "w5", "w10"]),
        ("w[:2]", ["w0", "w1", "w2"]),
        ("w[8:11]", ["w8", "w9", "w10", "w11"]),
        ("[a:b][1:2]", ["a1", "a2", "b1", "b2"]),
        ("plain", ["plain"]),
    ],
)
def test_known_ranges(pattern: str, names: list[str]) -> None:
    """Ranges expand as Ansible's documentation says."""
    assert expand(pattern) == names


@given(first=st.integers(0, 500), count=st.integers(1, 200), step=st.integers(1, 9), width=st.integers(1, 6))
def test_numbers_count_and_round_trip(first: int, count: int, step: int, width: int) -> None:
    """A range has as many names as it says, all different, and each holds its number."""
    last = first + (count - 1) * step
    begin, end = str(first).zfill(width), str(last).zfill(width)
    if begin.startswith("0") and len(begin) > 1 and len(begin) != len(end):
        with pytest.raises(RangeError, match="different lengths"):
            expand(f"w[{begin}:{end}:{step}]x")
        return
    names = expand(f"w[{begin}:{end}:{step}]x")
    assert len(names) == len(set(names)) == count
    assert [int(name[1:-1]) for name in names] == list(range(first, last + 1, step))


@given(st.text(alphabet="w[]:019afZ-.", max_size=14))
def test_any_text_expands_or_is_refused_by_name(text: str) -> None:
    """No text makes anything but names or a RangeError."""
    try:
        names, port = host_names(text)
    except RangeError:
        return
    assert names
    assert len(names) == len(set(names))
    assert port is None or 0 < port < 65536
