"""`fleet-audit baseline`: states of the fleet that somebody called good, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.history import Format
from audit.cli.recorded import Db, format_of, history_of, place_of, print_json, print_table, snapshot_of, utc

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.snapshot import Snapshot

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="States of the fleet that somebody called good, by name."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the baseline.")]


@app.command("set")
def set_(
    name: Name,
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="The check to take it from.")] = "latest",
    limit: Annotated[
        str | None, typer.Option("--limit", "-l", help="Only these hosts and groups; the others stay as they were.")
    ] = None,
    db: Db = None,
) -> int:
    """Call a check good, or some of its hosts."""
    settings = _settings(db)
    with history_of(settings, create=False) as history:
        found = history.find(run)
        hosts = None
        if limit is not None:
            hosts = _chosen(snapshot_of(history.snapshot(found.id), str(place_of(settings))), limit)
        made = history.set_baseline(name, found.id, hosts)
    print(f"{made.name}: {made.hosts} hosts, from {', '.join(made.runs)}")
    return 0


@app.command("list")
def list_(format_: Format = "text", db: Db = None) -> int:
    """List the baselines."""
    as_json = format_of(format_)
    with history_of(_settings(db), create=False) as history:
        found = history.baselines()
    if as_json:
        print_json(found)
    else:
        print_table(
            ["name", "hosts", "set at", "from"],
            [[one.name, one.hosts, utc(one.set_at), ", ".join(one.runs)] for one in found],
        )
    return 0


@app.command("show")
def show(name: Name, format_: Format = "text", db: Db = None) -> int:
    """Show a baseline's hosts; as JSON, all that is known of them."""
    as_json = format_of(format_)
    settings = _settings(db)
    with history_of(settings, create=False) as history:
        found = history.baseline(name)
    if as_json:
        print_json(found)
        return 0
    snapshot = snapshot_of(found, str(place_of(settings)))
    failing = [row.subject for row in snapshot.verdicts if row.status == "fail"]
    print_table(
        ["host", "pool", "outcome", "pushes", "failing"],
        [[host.name, host.pool, host.outcome, host.pushes, failing.count(host.name)] for host in snapshot.hosts],
    )
    return 0


@app.command("drop")
def drop(name: Name, db: Db = None) -> int:
    """Forget a baseline; its checks stay, and may be pruned from now on."""
    with history_of(_settings(db), create=False) as history:
        history.drop_baseline(name)
    return 0


def _settings(db: str | None) -> Settings:
    from audit.cli.settings import settings_of

    return settings_of(db=db)


def _chosen(snapshot: Snapshot, limit: str) -> tuple[str, ...]:
    """The hosts of a check that a pattern names."""
    from audit import inventory
    from audit.model import Fleet, Host

    hosts = tuple(Host(name=host.name, address=host.address or host.name, groups=host.groups, pool=host.pool)
                  for host in snapshot.hosts)  # fmt: skip
    return inventory.select(Fleet(hosts=hosts), limit).names
