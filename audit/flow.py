"""The straight line: one short function a step, each taking the value before it and giving the next.

    inventory --load--> Fleet --collect--> Evidence --read, judge--> Run --report--> text

Every verb of the command is a prefix, a suffix or a slice of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audit import inventory
from audit.errors import UsageError
from audit.fact import all_probes
from audit.model import Fleet, Host, Unknown
from audit.rule import all_rules
from audit.run import Run, SavedRun

if TYPE_CHECKING:
    from audit.probe.report import Report
    from audit.probe.ways import Way
    from audit.probing import Target
    from audit.wire import Event, WireOptions


def fleet_of(
    targets: Sequence[str], sources: Sequence[Path], *, limit: str | None = None, local: bool = False
) -> Fleet:
    """The fleet to look at: the inventory's, narrowed to the targets; a target that it lacks is an ad hoc host.

    Args:
        targets: names and patterns of the inventory, or ``user@host:port``.
        sources: inventory files or folders; none: only targets or `local`.
        limit: an Ansible pattern.
        local: this machine, without SSH.

    Raises:
        InventoryError, PolicyError: a source is wrong.
        UsageError: nothing to look at.
    """
    if local:
        if targets or limit:
            raise UsageError("--local audits this machine alone: give no hosts and no --limit with it")
        return inventory.local(_loaded(sources).policy if sources else None)
    fleet = _loaded(sources) if sources else Fleet()
    if targets:
        fleet = inventory.choose(fleet, targets)
    elif not sources:
        raise UsageError("no hosts: name some (`fleet-audit check root@w1`), give an inventory with -i, or use --local")
    if limit:
        fleet = inventory.select(fleet, limit)
    return fleet


def _loaded(sources: Sequence[Path]) -> Fleet:
    return inventory.load(list(sources), known_rules=all_rules().keys())


def gather(
    fleet: Fleet,
    options: WireOptions,
    *,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> SavedRun:
    """Ask every host everything that the facts need: the only step that touches the network."""
    from audit.wire import collect  # SSH: most verbs have no need of it, and it loads for long

    evidence = collect(fleet, all_probes(), options=options, on_event=on_event, stop=stop)
    return SavedRun(fleet=fleet, evidence=evidence)


def judged(saved: SavedRun) -> Run:
    """Read and judge what was gathered, at the moment it was gathered."""
    return Run.of(saved.fleet, saved.evidence, saved.tool_version)


def under(saved: SavedRun, today: Fleet) -> SavedRun:
    """Saved evidence under today's inventory: its policy, and its declarations of the hosts that it still has."""
    declared = {host.name: host for host in today.hosts}
    hosts = tuple(declared.get(host.name, host) for host in saved.fleet.hosts)
    return saved.model_copy(update={"fleet": Fleet(hosts=hosts, policy=today.policy)})


def narrowed(saved: SavedRun, targets: Sequence[str], limit: str | None) -> SavedRun:
    """The same run with only some of its hosts."""
    fleet = saved.fleet
    for pattern in (",".join(targets), limit):
        if pattern:
            fleet = inventory.select(fleet, pattern)
    kept = {host.name for host in fleet.hosts}
    hosts = {name: evidence for name, evidence in saved.evidence.hosts.items() if name in kept}
    evidence = saved.evidence.model_copy(update={"hosts": hosts})
    return saved.model_copy(update={"fleet": fleet, "evidence": evidence})


def probed(
    run: Run,
    ways: Sequence[Way],
    target: Target | None,
    options: WireOptions,
    *,
    limit: float,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Build and push for real on every host of the run, and hold what arrived against the prediction."""
    from audit import probing  # only one verb needs a registry's client

    return probing.probe(run, ways, target, options, limit=limit, on_event=on_event, stop=stop)


def script_of(host: Host) -> str:
    """Exactly what would run on that worker."""
    from audit.wire import build_script

    return build_script(all_probes(), host)


def unknown_facts(run: Run, host: str) -> dict[str, Unknown]:
    """The facts of one host that could not be told, by name."""
    return {name: fact for name, fact in run.facts[host].items() if isinstance(fact, Unknown)}
