"""`fleet-audit align`: who must change what so that all push one shape; it changes nothing."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

from audit.cli.check import Color, From, HostKeys, Hosts, Inventory, KnownHosts, Limit, Verbose
from audit.errors import UsageError


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
    from audit.cli.check import gathered, inventory_of
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
    saved = gathered(
        hosts or [], from_, settings, explicit=bool(inventory), quiet=quiet, verbose=verbose, stopped=stopped
    )  # fmt: skip
    run = flow.judged(saved)
    if pool is not None:
        members = [host for host in run.fleet.hosts if host.pool_name == pool]
        if not members:
            pools = ", ".join(dict.fromkeys(host.pool_name for host in run.fleet.hosts))
            raise UsageError(f"--pool {pool}: no host is in it; the pools are {pools}")
        run = run.part(members)
    sources = [str(source) for source in inventory_of(settings)] or ["INVENTORY"]
    named = [word for source in sources for word in ("-i", source)]
    drawn = Drawn(aligned(run, cast(Target, to)), plan, ("ansible-playbook", *named, "playbooks/remediate.yml"))
    write_stdout(FORMATS[format_](drawn, style_of(settings.color, verbose, settings.fail_on)))
    return 128 + stopped[0] if stopped else drawn.found.exit_code
