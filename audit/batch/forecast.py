"""What a batch will ask of the registries, told before anything is sent; what Docker's clients would ask, beside it.

Exact where every manifest is at hand. An image whose manifest is not is taken for a flat one with as many blobs as
those that are have in the mean; then all of it is "about", and the forecast says of how many images that was assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field, computed_field

from audit.batch._counting import ASSUMED_BLOBS, Counting, Part, Stood
from audit.batch._images import Shelf
from audit.batch.model import Unit
from audit.batch.peers import Cost, Peer, docker_manifest, imagetools, minutes_at
from audit.image.reference import Reference
from audit.value import SCHEMA_VERSION, Model

__all__ = ["ASSUMED_BLOBS", "KINDS", "BatchForecast", "Stood", "foretell"]

KINDS = (
    "token", "HEAD manifest", "GET manifest", "GET blob", "GET tags", "POST mount", "POST upload", "PUT upload",
    "PUT manifest",
)  # fmt: skip
"""Kinds of requests, in the order in which they are told."""


class BatchForecast(Model):
    """What is to be expected where everything goes well.

    Attributes:
        units, tags: that are to be looked at; `unchanged` of the tags stand right already.
        by_kind: requests, by `KINDS`; those of no number are left out.
        by_registry: the same requests by registry, tokens too.
        pulls: manifests read with 200, as Docker Hub counts them.
        minutes: at the rates, the slowest registry's; a full bucket (one minute's worth) is there at the beginning.
        rates: requests a minute, by registry; one that is not there is not limited.
        bytes: of blobs that go through this machine, since they stand in another registry.
        images: distinct images and attestations of what changes.
        assumed: of them, those whose manifest is not at hand.
        assumed_blobs: what was taken for the number of each one's blobs.
        peers: the same work done by Docker's clients.
    """

    kind: Literal["merge-forecast"] = "merge-forecast"
    schema_version: Literal[1] = SCHEMA_VERSION
    units: int
    tags: int
    unchanged: int
    by_kind: dict[str, int] = Field(description="Requests by kind")
    by_registry: dict[str, int]
    pulls: int
    minutes: float
    rates: dict[str, float] = Field(default_factory=dict)
    bytes: int = 0
    images: int = 0
    assumed: int = 0
    assumed_blobs: float = 0
    peers: tuple[Peer, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to have a property in the document
    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.by_kind.values())

    @computed_field  # type: ignore[prop-decorator]  # likewise
    @property
    def exact(self) -> bool:
        """Nothing was assumed."""
        return not self.assumed


def foretell(
    units: Sequence[Unit],
    *,
    known: Callable[[str], bytes | None] = lambda _digest: None,
    present: Callable[[str, str], bool] = lambda _repository, _digest: False,
    stood: Mapping[str, Stood] | None = None,
    last: Callable[[Reference], str | None] = lambda _source: None,
    rates: Mapping[str, float] | None = None,
    referrers: bool = False,
) -> BatchForecast:
    """Count what these units will ask of the registries.

    Args:
        units: in the order of work.
        known: manifests and configs at hand, by digest.
        present: whether a blob or manifest is believed to stand in a repository (``registry/repository``).
        stood: tag, whole (``str``), -> what it stands for. A tag that stands for what its unit would make costs a HEAD.
        last: what a source's tag stood for when it was last seen: a HEAD then, where these bytes are at hand.
        rates: requests a minute, by registry.
        referrers: the registries have the API for referrers, which imagetools asks for.
    """
    counting = Counting(Shelf(known), present, stood or {}, last)
    for unit in units:
        counting.unit(unit)
    mean = counting.mean
    counting.assume()
    rates = dict(rates or {})
    counting.tokens(rates)
    by_registry: Counter[str] = Counter()
    for (registry, _), count in counting.counts.items():
        by_registry[registry] += count
    by_kind = {kind: sum(n for (_, one), n in counting.counts.items() if one == kind) for kind in KINDS}
    return BatchForecast(
        units=len(units),
        tags=sum(len(unit.tags) for unit in units),
        unchanged=counting.unchanged,
        by_kind={kind: count for kind, count in by_kind.items() if count},
        by_registry=dict(by_registry),
        pulls=by_kind["GET manifest"],
        minutes=max((minutes_at(by_registry[one], rate) for one, rate in rates.items()), default=0.0),
        rates={one: rate for one, rate in rates.items() if one in by_registry},
        bytes=counting.bytes,
        images=len(counting.images) + len(counting.guessed),
        assumed=len(counting.guessed),
        assumed_blobs=mean if counting.guessed else 0,
        peers=tuple(_peers(counting.works, mean, counting.fresh, rates, referrers=referrers)),
    )


def _peers(
    parts: Sequence[Part], mean: float, fresh: float, rates: Mapping[str, float], *, referrers: bool
) -> Iterator[Peer]:
    """Docker's two clients, the newer one as it is now and as it was while it mounted."""
    nested = sum(part.work.tags for part in parts if part.nested)
    far = sum(part.work.tags for part in parts if part.far and not part.nested)
    whole = [(part, part.whole(mean, fresh)) for part in parts]
    why = ["it refuses a source that is an index"] * bool(nested)
    why += ["it refuses a source in another registry"] * bool(far)
    costs = {part.registry: Cost() for part in parts}
    for part, work in whole:
        if not part.nested and not part.far:
            costs[part.registry] += docker_manifest(work)
    yield _peer("docker manifest", costs, rates, nested + far, "; ".join(why))
    for name, mounts in (("imagetools up to 0.32", True), ("imagetools since 0.33", False)):
        costs = {part.registry: Cost() for part in parts}
        for part, work in whole:
            costs[part.registry] += imagetools(work, mounts=mounts and not part.far, referrers=referrers)
        yield _peer(name, costs, rates, 0, "")


def _peer(name: str, costs: Mapping[str, Cost], rates: Mapping[str, float], cannot: int, why: str) -> Peer:
    total = sum(costs.values(), Cost())
    minutes = max((minutes_at(costs[one].requests, rate) for one, rate in rates.items() if one in costs), default=0.0)
    requests, pulls = round(total.requests), round(total.pulls)
    return Peer(name=name, requests=requests, pulls=pulls, minutes=minutes, cannot=cannot, why=why)
