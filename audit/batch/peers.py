"""What the two clients of Docker would ask of the registry for the same merges, by formulas that were measured.

They were found by counting at a registry of our own with token authentication (docker CLI 28.2.2; buildx 0.36.1, and
the same with its mounts repaired, as up to 0.32.1). Letters: S sources, M manifests that are to stand in the target (an
attestation is one), Σb their blobs counted for each of them, B the distinct ones, K tags, R images without an
attestation, r requests for referrers (2 where the registry has no API for them, else 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.value import Model


@dataclass(frozen=True)
class Work:
    """One merge into one repository, as these formulas need it.

    Attributes:
        sources: S.
        flat: of them, those that are single images.
        children: M.
        children_there: of them, those that stand in the target already.
        references: Σb.
        blobs: B.
        blobs_there: of them, those that stand in the target already.
        bare: R.
        tags: K.
        unchanged: the tags stand for this very index.
    """

    sources: int
    flat: int
    children: int
    references: float
    blobs: float
    children_there: int = 0
    blobs_there: float = 0
    bare: int = 0
    tags: int = 1
    unchanged: bool = False


class Cost(Model):
    """Of one merge or of many.

    Attributes:
        requests: tokens and pings too.
        pulls: manifests read with 200, which Docker Hub counts.
    """

    requests: float = 0
    pulls: float = 0

    def __add__(self, other: Cost) -> Cost:
        """Both."""
        return Cost(requests=self.requests + other.requests, pulls=self.pulls + other.pulls)


class Peer(Model):
    """One of them beside us.

    Attributes:
        name: for people.
        requests: for all that it can merge.
        pulls: likewise.
        minutes: at the same rate.
        cannot: tags that it cannot make.
        why: one sentence where there are some.
    """

    name: str
    requests: int
    pulls: int
    minutes: float
    cannot: int = 0
    why: str = ""


def docker_manifest(work: Work) -> Cost:
    """``docker manifest create`` and ``push``, once a tag: it knows nothing of what is there.

    4S + 5Σb + 3M + 3 a tag: 2S + 2Σb + M + 1 requests, and for most of them a ping or a token on a new connection.
    """
    once = 4 * work.sources + 5 * work.references + 3 * work.children + 3
    return Cost(requests=work.tags * once, pulls=work.tags * work.sources)


def imagetools(work: Work, *, mounts: bool, referrers: bool = False) -> Cost:
    """``docker buildx imagetools create`` with all tags of one repository at once.

    2S + S(flat) + R·r + M(2 GET, HEAD, PUT, r) + blobs + 2K, and 2S + 3 for who it is. A blob that is there costs a
    HEAD, another one HEAD and mount, or HEAD, GET, POST and PUT.

    Args:
        work: the merge.
        mounts: up to 0.32.1; since 0.33 its mounts between repositories find no candidate, so all is moved.
        referrers: the registry has the API for them.
    """
    r = 1 if referrers else 2
    fresh = work.blobs - work.blobs_there
    read = 2 * work.sources + work.flat + work.bare * r + work.children * (3 + r)
    moved = work.blobs_there + fresh * (2 if mounts else 4)
    if work.unchanged:  # every child and tag is found by HEAD; nothing is pushed, so no token for it either
        return Cost(requests=read + moved + work.tags + 2 * work.sources + 1, pulls=work.sources + 2 * work.children)
    pushed = work.children - work.children_there + 2 * work.tags
    return Cost(
        requests=read + moved + pushed + 2 * work.sources + 3, pulls=work.sources + 2 * work.children
    )  # fmt: skip


def minutes_at(requests: float, rate: float) -> float:
    """Minutes that requests take at a rate a minute, the first minute's worth of them being free: a full bucket."""
    return max(0.0, (requests - rate) / rate) if rate > 0 else 0.0
