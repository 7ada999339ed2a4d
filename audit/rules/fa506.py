"""The pools of the fleet push one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit.model import Severity
from audit.rule import Finding, FleetView, Member, Rule, cannot_tell, fail, not_applicable, ok
from audit.rules._peers import NO_POOL, Spread, spread

rule = Rule(
    id="FA506",
    title="The pools of the fleet push one shape",
    severity=Severity.ERROR,
    why="A multi-platform tag takes one image of each pool: as soon as one of them is an index, `docker manifest "
    "create` refuses the whole tag.",
    symptom="docker.io/… is a manifest list",
    remedy="Merge with an index-aware tool (`docker buildx imagetools create`, buildx 0.13 or newer), or align the "
    "pools: the same store, or BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the build units of those that push an index.",
    refs=("tunbury.org 2026-06-16 docker-29-manifest-lists", "docker/buildx#1509"),
)


def check_fleet(view: FleetView) -> list[Finding]:
    """Where the policy declares every shape that is there, the mix is meant, and only worth a warning."""
    pools = {name: spread(members, _kind) for name, members in view.pools().items() if name != NO_POOL}
    pools = {name: pool for name, pool in pools.items() if pool.total}
    if len(pools) < 2:
        return [Finding("fleet", not_applicable("there are no two pools that build"))]
    members = [member for member in view.members if member.host.pool_name in pools]
    seen = spread(members, _kind)
    lines = tuple(_by_shape(pools))
    flat, index = (seen.values.get(kind, ()) for kind in ("flat", "index"))
    if flat and index:
        mixed = ", ".join(name for name, pool in pools.items() if "index" in pool.values)
        meant = all(member.policy.wanted.push == member.push.kind for member in members if _pushes(member))
        message = (
            f"some pools push flat images, others an index ({mixed}): `docker manifest create` of both says "
            f'"… is a manifest list"{seen.gap}'
        )
        result = fail(message, *lines, severity=Severity.WARNING if meant else None)
        return [Finding("fleet", result, index if len(index) <= len(flat) else flat)]
    told = sum(bool({"flat", "index"} & set(pool.values)) for pool in pools.values())
    if told < 2:
        return [Finding("fleet", cannot_tell(f"only {told} of {len(pools)} pools could tell what they push", *lines))]
    shape = "an index, which only an index-aware tool merges" if index else "flat images"
    return [Finding("fleet", ok(f"every pool that could tell pushes {shape}{seen.gap}", *lines))]


def _by_shape(pools: Mapping[str, Spread]) -> Iterator[str]:
    """A line a shape, the index first: ``index: linux-riscv64``."""
    named: dict[str, list[str]] = {}
    for name, pool in pools.items():
        named.setdefault(" and ".join(pool.values) or "could not tell", []).append(
            name + (pool.gap if pool.values else "")
        )
    for shape in sorted(named, key=lambda text: ("index" not in text, text)):
        yield f"{shape}: {', '.join(named[shape])}"


def _kind(member: Member) -> str | None:
    return None if member.push.kind == "unknown" else member.push.kind


def _pushes(member: Member) -> bool:
    return member.push.kind in ("flat", "index")
