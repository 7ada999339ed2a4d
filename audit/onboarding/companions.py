"""Who is asked beside the machine: those that it is held against, and those whose images it is merged with."""

from __future__ import annotations

from audit.errors import UsageError
from audit.model import Fleet, Host
from audit.rule import Member
from audit.run import Run

MOST_PEERS = 16
"""Members of its pool that are asked: enough for a majority."""
PER_PLATFORM = 2
"""Workers of each other platform that are asked, so that one of them is fit."""


def machine(fleet: Fleet, name: str, *, like: str | None, pool: str | None) -> tuple[Host, bool]:
    """The machine as the inventory declares it, or as its peer is declared.

    Args:
        fleet: the inventory's.
        name: of it, or ``user@host:port``.
        like: a peer of the inventory, of which it takes groups, pool and platform where it is not declared itself.
        pool: that it shall be in, where it is not declared itself.

    Returns:
        The host, and whether the inventory has it.

    Raises:
        UsageError: there is no such peer or pool, or the peer is for another platform.
    """
    from audit import inventory

    known = {host.name: host for host in fleet.hosts}
    peer = known.get(like) if like is not None else None
    if like is not None and peer is None:
        raise UsageError(f"--like {like}: the inventory has no such host")
    mates = [host for host in fleet.hosts if host.pool_name == pool] if pool is not None else []
    if pool is not None and not mates:
        pools = ", ".join(dict.fromkeys(host.pool_name for host in fleet.hosts))
        raise UsageError(f"--pool {pool}: no host of the inventory is in it; its pools are {pools or 'none'}")
    model = peer or (mates[0] if mates else None)
    if name in known:
        host = known[name]
        if peer is not None and host.platform and peer.platform and host.platform != peer.platform:
            raise UsageError(
                f"--like {like}: it builds for {peer.platform} and {name} for {host.platform}; name a peer of its kind"
            )
        return host, True
    adhoc = inventory.choose(Fleet(), [name]).hosts[0]
    if model is None:
        return adhoc, False
    lent = {"pool": model.pool, "platform": model.platform, "emulated": model.emulated, "groups": model.groups,
            "build_unit": model.build_unit}  # fmt: skip
    return adhoc.model_copy(update=lent), False


def asked(fleet: Fleet, host: Host, *, like: str | None, pool: str | None, merged: bool) -> Fleet:
    """The machine first, then its peer or the members of its pool, then workers of the other platforms.

    Args:
        fleet: the inventory's.
        host: the machine.
        like: a peer: then nobody else of the pool is asked.
        pool: whose majority counts; by default the machine's own.
        merged: others are wanted for a merge.
    """
    chosen = [host]
    if like is not None:
        chosen += [one for one in fleet.hosts if one.name == like]
    else:
        name = pool or host.pool_name
        chosen += [one for one in fleet.hosts if one.pool_name == name and one.name != host.name][:MOST_PEERS]
    if merged:
        platforms = dict.fromkeys(one.platform for one in fleet.hosts if one.platform not in (None, host.platform))
        for platform in platforms:
            ours = [one for one in fleet.hosts if one.platform == platform]
            ours.sort(key=lambda one: one.build_unit is None)  # those that build for a living come first
            chosen += ours[:PER_PLATFORM]
    names = {one.name: one for one in chosen}
    return Fleet(hosts=tuple(names.values()), policy=fleet.policy)


def builders(run: Run, host: Host) -> tuple[Host, ...]:
    """The machine, and the first fit worker of each other platform."""
    found: dict[str, Host] = {}
    for member in run.view.members:
        platform = member.host.platform
        if member.host.name != host.name and platform not in (None, host.platform) and fit(run, member):
            found.setdefault(platform or "", member.host)
    return (host, *found.values())


def fit(run: Run, member: Member) -> bool:
    """It was reached, and builds there leave something that can be merged."""
    return run.evidence.hosts[member.host.name].reached and member.push.kind in ("flat", "index")
