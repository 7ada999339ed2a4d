"""The order of work: what many images share is brought first, by the smallest image that has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from audit.batch.model import Unit


def base_first(units: Sequence[Unit], blobs: Mapping[str, Collection[str]]) -> tuple[Unit, ...]:
    """Base images first, so that what is built on them finds their blobs there, and a night cut short has them.

    First come the units that bring a blob which others share and no unit before them brings: those whose blobs most
    others share before those that few share, and a base before what is built on it. Then those that share all that they
    have, and then the rest; all that is alike keeps the plan's order. No roles are asked for: a base image is known by
    having little but what others have too.

    Args:
        units: in the plan's order.
        blobs: digests of all blobs of a unit's images, by its key; a unit that is not there is one of the rest.

    Returns:
        The same units, each once; in time it is linear in the blobs, but for sorting the units.
    """
    own = [frozenset(blobs.get(unit.key, ())) for unit in units]
    uses = Counter(digest for digests in own for digest in digests)
    shared = [sum(uses[digest] > 1 for digest in digests) for digests in own]
    # A base has little of its own (a config for each architecture), and of two such the base shares less. What has
    # nothing of its own is made of others' images, so these are looked at before it.
    smallest = sorted(
        range(len(units)),
        key=lambda place: (shared[place] == len(own[place]), len(own[place]) - shared[place], shared[place]),
    )
    wanted = {digest: count for digest, count in uses.items() if count > 1}
    most = {place: max(wanted[digest] for digest in fresh) for place, fresh in _fresh(smallest, own, wanted)}
    bringing = [place for place, _ in _fresh(sorted(most, key=lambda place: -most[place]), own, wanted)]
    first = set(bringing)
    rest = [place for place in range(len(units)) if place not in first]
    rest.sort(key=lambda place: not own[place] or shared[place] < len(own[place]))
    return tuple(units[place] for place in (*bringing, *rest))


def _fresh(
    places: Sequence[int], own: Sequence[Collection[str]], wanted: Mapping[str, int]
) -> Iterator[tuple[int, list[str]]]:
    """Those of these units that bring a shared blob which none before them brings, with these blobs."""
    seen: set[str] = set()
    for place in places:
        fresh = [digest for digest in own[place] if digest in wanted and digest not in seen]
        if fresh:
            seen.update(fresh)
            yield place, fresh
