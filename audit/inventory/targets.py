"""Hosts named on the command line: from the inventory where it has them, else as they stand."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from audit.errors import UsageError
from audit.inventory.patterns import select
from audit.model import Fleet, Host, Policy

_TARGET = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^\s@:/\[\]]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]+))?/?"
)
_PATTERN = re.compile(r"[!&~@]|.*[*?,]")


def ad_hoc(targets: Sequence[str]) -> Fleet:
    """Hosts that no inventory knows; each is called what was typed.

    Args:
        targets: ``host``, ``user@host``, ``host:port``, ``[::1]:22``, ``::1``, ``ssh://user@host:port``; twice is once.

    Raises:
        UsageError: one that cannot be such a thing.
    """
    return Fleet(hosts=tuple(_host(target) for target in dict.fromkeys(targets)))


def local(policy: Policy | None = None) -> Fleet:
    """This very machine, without SSH, under a policy's group ``all``."""
    host = Host(name="localhost", address="localhost", connection="local")
    return Fleet(hosts=(host,), policy=policy or Policy())


def choose(fleet: Fleet, targets: Sequence[str]) -> Fleet:
    """The hosts that the command line names: the inventory's where it knows the name, else ad hoc ones.

    Names, groups and patterns of the inventory together make one pattern (so ``arm64 '!w07'`` works); ad hoc hosts
    follow, under the policy of ``all``.

    Raises:
        UsageError: a pattern that names nothing, or a target that is neither pattern nor host.
    """
    known = {host.name for host in fleet.hosts} | {group for host in fleet.hosts for group in host.groups}
    patterns: list[str] = []
    others: list[str] = []
    for target in targets:
        if target in known or _PATTERN.match(target) or not _parsed(target):
            patterns.append(target)
        else:
            others.append(target)
    if patterns and not fleet.hosts:
        raise UsageError(
            f"{patterns[0]!r} is no host that ssh could reach, and as a pattern it needs an inventory: give one with -i"
        )
    chosen = select(fleet, ",".join(patterns)).hosts if patterns else ()
    return fleet.model_copy(update={"hosts": (*chosen, *ad_hoc(others).hosts)})


def _parsed(target: str) -> tuple[str, str | None, int | None] | None:
    """Address, user, port; None where it is no such thing."""
    found = _TARGET.fullmatch(target)
    if found is None:
        login, _, bare = target.rpartition("@")
        valid = _is_ip6(bare) and not re.search(r"[\s@:/\[\]]|^-", login)
        return (bare, login or None, None) if valid else None
    address, user, port = found["six"] or found["name"], found["user"], found["port"]
    if address.startswith("-") or (user or "").startswith("-") or (found["six"] and not _is_ip6(address)):
        return None
    if port is not None and not 0 < int(port) < 65536:
        return None
    return address, user, int(port) if port else None


def _is_ip6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _host(target: str) -> Host:
    parsed = _parsed(target)
    if parsed is None:
        raise UsageError(f"{target!r} is no host: write host, user@host, host:port or [address]:port")
    address, user, port = parsed
    return Host(name=target, address=address, user=user, port=port)
