"""Base images come first, whatever the plan's order."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from audit.batch import Unit, units
from audit.batch.order import base_first
from audit.batch.reading import read_plan
from tests.batch.fleet import BASES, blobs_of, fleet


def unit(name: str) -> Unit:
    """A unit of one source."""
    (found,) = units(read_plan(f"live/x:{name}: ['staging/x:{name}']\n", "x").entries)
    return found


def names(ordered: tuple[Unit, ...]) -> list[str]:
    """The first tag of each."""
    return [str(one.tags[0].tag) for one in ordered]


def test_a_night_cut_short_has_its_base_images() -> None:
    """After as many units as there are bases, these stand, with every shared blob, however the plan is shuffled."""
    made = fleet()
    blobs = blobs_of(made)
    for seed in range(20):
        shuffled = list(made)
        random.Random(seed).shuffle(shuffled)
        first = base_first(shuffled, blobs)[: len(BASES)]
        assert sorted(names(first)) == sorted(f"{base}-opam" for base in BASES)
        placed = {digest for one in first for digest in blobs[one.key]}
        assert all("base" not in digest or digest in placed for one in made for digest in blobs[one.key])


def test_what_shares_all_goes_before_what_has_blobs_of_its_own() -> None:
    """A unit made of others' images alone needs nothing new once these are there; ties keep the plan's order."""
    a, b, c, d, e = (unit(name) for name in "abcde")
    blobs = {a.key: ["1", "a"], b.key: ["1", "b"], c.key: ["1"], d.key: ["d"], e.key: ["e"]}
    assert names(base_first((d, a, b, c, e), blobs)) == ["a", "c", "d", "b", "e"]
    assert names(base_first((e, d), blobs)) == ["e", "d"]


def test_a_chain_is_built_up() -> None:
    """A base stands before what is built on it, and that before what is built on that, whatever has the most layers."""
    base, middle, one, two, alone = (unit(name) for name in ("base", "middle", "one", "two", "alone"))
    low, mid = [f"low{n}" for n in range(5)], [f"mid{n}" for n in range(3)]
    blobs = {
        one.key: [*low, *mid, "one1", "one2", "one-config"], two.key: [*low, *mid, "two1", "two2", "two-config"],
        middle.key: [*low, *mid, "middle-config"], base.key: [*low, "base-config"], alone.key: ["alone-config"],
    }  # fmt: skip
    assert names(base_first((alone, two, one, middle, base), blobs)) == ["base", "middle", "alone", "two", "one"]


def test_unknown_blobs_keep_their_place() -> None:
    """Units of which no blobs are known stand among the rest, in the plan's order."""
    made = fleet()
    assert base_first(made, {}) == made
    assert base_first((), {}) == ()


@given(st.lists(st.sets(st.integers(0, 12).map(str)), max_size=12))
def test_every_unit_stands_once(sets: list[set[str]]) -> None:
    """Whatever is shared: the same units, each once; and once all shared blobs are there, no later unit brings one."""
    made = tuple(unit(f"u{number}") for number in range(len(sets)))
    blobs = {one.key: found for one, found in zip(made, sets, strict=True)}
    ordered = base_first(made, blobs)
    assert sorted(names(ordered)) == sorted(names(made))
    assert ordered == base_first(made, blobs)
    uses = {digest: sum(digest in found for found in sets) for found in sets for digest in found}
    brings, seen = [], set[str]()
    for one in ordered:
        brings.append(any(uses[digest] > 1 and digest not in seen for digest in blobs[one.key]))
        seen |= blobs[one.key]
    assert brings == sorted(brings, reverse=True)
