"""`fleet-audit align`: who must change what so that all push one shape; it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from audit.cli.check import Color, From, HostKeys, Hosts, Inventory, KnownHosts, Limit, Verbose
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.model import Fleet


def align(
    hosts: Hosts = None,
    to: Annotated[
        str, typer.Option("--to", metavar="flat|index|majority", help="The shape that all shall push.")
    ] = "majority",
    pool: Annotated[str | None, typer.Option("--pool", help="Only the members of this pool.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Each way that was tried, its risks, and the playbooks' commands.")
    ] = False,
    inventory: Inventory = None,
    limit: Limit = None,
    from_: From = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Say which workers of a pool push another shape than it shall, and the least intrusive change that ends it.

    Every pool is looked at for itself; with majority as its policy wants, else as most of it push already.
    Exit code 0: all push one shape; 1: something is to change; 3: nothing is, but not everything could be told.
    """
    from audit import flow
    from audit.align import Target
    from audit.align import align as aligned
    from audit.align.told import FORMATS, Drawn
    from audit.cli.check import ask, inventory_of, saved_run, wire_options
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    if to not in get_args(Target):
        raise UsageError(f"--to {to}: write {', '.join(get_args(Target))}")
    settings = settings_of(
        inventory=inventory, limit=limit, host_keys=host_keys, known_hosts=known_hosts, color=color
    )  # fmt: skip
    stopped: list[int] = []
    if from_ is not None:
        run = flow.judged(saved_run(from_, hosts or [], settings, explicit=bool(inventory)))
        run = run.part(_pooled(run.fleet, pool).hosts) if pool is not None else run
    else:  # nobody is asked in vain
        fleet = _pooled(flow.fleet_of(hosts or [], inventory_of(settings), limit=settings.limit), pool)
        run = flow.judged(ask(fleet, wire_options(settings), quiet=quiet, verbose=verbose, stopped=stopped))
    sources = [str(source) for source in inventory_of(settings)] or ["INVENTORY"]
    named = [word for source in sources for word in ("-i", source)]
    drawn = Drawn(
        aligned(run, cast(Target, to)), plan, ("ansible-playbook", *named, str(_playbooks() / "remediate.yml"))
    )
    write_stdout(FORMATS[format_](drawn, style_of(settings.color, verbose, settings.fail_on)))
    return 128 + stopped[0] if stopped else drawn.found.exit_code


def _pooled(fleet: Fleet, pool: str | None) -> Fleet:
    """The members of the pool; without one all.

    Raises:
        UsageError: there are none.
    """
    if pool is None:
        return fleet
    members = tuple(host for host in fleet.hosts if host.pool_name == pool)
    if not members:
        pools = ", ".join(dict.fromkeys(host.pool_name for host in fleet.hosts))
        raise UsageError(f"--pool {pool}: no host is in it; the pools are {pools}")
    return fleet.model_copy(update={"hosts": members})


def _playbooks() -> Path:
    """Where they are; where they should be, if they are not found."""
    from audit.onboarding.applying import folder

    try:
        return folder(None)
    except UsageError:
        return Path("playbooks")
