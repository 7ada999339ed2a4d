"""What the pushes of a whole fleet will be: a row a host, and what breaks where their shapes meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit import summary
from audit.fact import Facts
from audit.image.media import OCI_MANIFEST
from audit.model import Host
from audit.rule import Member
from audit.shape import How, Prediction, predict

REFUSAL = "… is a manifest list"
"""What `docker manifest create` says of an index (docker/cli internal/registryclient/fetcher.go)."""


@dataclass(frozen=True)
class Row:
    """One host: what it is, in words of the summary, and what it will push."""

    host: Host
    engine: str
    store: str
    buildx: str
    prediction: Prediction
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """The fleet's pushes.

    Attributes:
        how: the way of building that was asked about.
        rows: in the inventory's order.
    """

    how: How
    rows: tuple[Row, ...]

    def _named(self, *kinds: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.prediction.kind in kinds)

    @property
    def indexes(self) -> tuple[Row, ...]:
        """Hosts whose push `docker manifest create` refuses."""
        return self._named("index")

    @property
    def failing(self) -> tuple[Row, ...]:
        """Hosts where the build or the push ends with an error, or leaves nothing."""
        return self._named("fails", "none")

    @property
    def unknown(self) -> tuple[Row, ...]:
        """Hosts of which it cannot be told."""
        return self._named("unknown")

    @property
    def new_manifests(self) -> tuple[Row, ...]:
        """Hosts whose flat push is an OCI manifest, which `docker manifest` before 23.0 refuses."""
        shapes = ((row, row.prediction.shape) for row in self._named("flat"))
        return tuple(row for row, shape in shapes if shape is not None and shape.media_type == OCI_MANIFEST)

    @property
    def mixed(self) -> bool:
        """Some push an index and some do not: a merge by `docker manifest create` ends at the first index."""
        return bool(self.indexes) and bool(self._named("flat"))

    @property
    def split(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Pools whose members push different things: pool -> shape in words -> hosts."""
        pools: dict[str, dict[str, list[str]]] = {}
        for row in self.rows:
            if row.prediction.kind != "unknown":
                words = " or ".join(row.prediction.possible)
                pools.setdefault(row.host.pool_name, {}).setdefault(words, []).append(row.host.name)
        return {
            pool: {words: tuple(hosts) for words, hosts in found.items()}
            for pool, found in pools.items()
            if len(found) > 1
        }

    @property
    def exit_code(self) -> int:
        """1: a push fails, or the fleet's pushes do not fit together; 3: something could not be told; else 0."""
        if self.failing or self.mixed or self.split:
            return 1
        return 3 if self.unknown else 0


def forecast(members: Sequence[Member], how: How) -> Forecast:
    """Predict one way of building on every host."""
    return Forecast(how, tuple(_row(member, how) for member in members))


def _row(member: Member, how: How) -> Row:
    prediction = member.push if how == How() else predict(member.facts, how)
    remedies = _remedies(member.facts) if prediction.kind == "index" else ()
    return Row(
        host=member.host,
        engine=summary.engine_text(member),
        store=summary.store_text(member),
        buildx=summary.buildx_text(member),
        prediction=prediction,
        remedies=remedies,
    )


def _remedies(facts: Facts) -> tuple[str, ...]:
    """What makes an index harmless, or flat: the merge first, which needs no change to any worker."""
    found = ["merge with an index-aware tool: `docker buildx imagetools create` instead of `docker manifest`"]
    flags = How(command="docker build")
    off = flags.model_copy(update={"environment": (("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),)})
    if predict(facts, off).kind == "flat":
        found.append(
            "or push flat: `--provenance=false` in the builds, or BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the unit"
        )
    return tuple(found)
