"""The inventory as rows of plain data."""

from __future__ import annotations

from audit.model import Fleet, Host

Row = dict[str, str | bool | list[str] | None]


def listing(fleet: Fleet) -> list[Row]:
    """One row a host, in order: name, address, user, pool, platform, emulated, groups, build_unit, merge_host, source.

    ``address`` is ``host:port`` where a port is set; ``groups`` leaves out ``all`` and ``ungrouped``.
    """
    return [
        {
            "name": host.name,
            "address": address(host),
            "user": host.user,
            "pool": host.pool,
            "platform": host.platform,
            "emulated": host.emulated,
            "groups": [group for group in host.groups if group not in ("all", "ungrouped")],
            "build_unit": host.build_unit,
            "merge_host": host.merge_host,
            "source": str(host.source),
        }
        for host in fleet.hosts
    ]


def address(host: Host) -> str:
    """What to connect to, as a person writes it: ``10.0.0.7:2222``, ``[::1]:22``, ``local``."""
    if host.connection == "local":
        return "local"
    if host.port is None:
        return host.address
    return f"[{host.address}]:{host.port}" if ":" in host.address else f"{host.address}:{host.port}"
