"""`fleet-audit inventory`: list it, or make one out of what the machine already knows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audit.cli.check import Inventory, Limit
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.inventory.adding import Added, NewHost
    from audit.model import Fleet

app = typer.Typer(rich_markup_mode=None, help="List the inventory, or import one (see `inventory import -h`).")

MOST_TRIES = 50
"""To write a file that others write, too."""


@app.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    inventory: Inventory = None,
    limit: Limit = None,
    format_: Annotated[str, typer.Option("--format", metavar="table|json", help="How to print.")] = "table",
) -> int:
    """List the hosts: where, who, which pool, declared where."""
    if context.invoked_subcommand is not None:
        return 0
    from audit import flow
    from audit.cli.check import inventory_of
    from audit.cli.output import write_stdout
    from audit.cli.settings import settings_of
    from audit.inventory import listing

    settings = settings_of(inventory=inventory, limit=limit)
    fleet = flow.fleet_of([], inventory_of(settings), limit=settings.limit)
    rows = listing(fleet)
    if format_ == "json":
        write_stdout([json.dumps(rows, indent=2, ensure_ascii=False)])
    elif format_ == "table":
        write_stdout([_table(rows)])
    else:
        raise UsageError(f"--format {format_}: write table or json")
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    """One line a host; a column that is empty for all of them is left out."""
    from tabulate import tabulate

    from audit.inert import terminal

    columns = ("name", "address", "user", "pool", "platform", "build_unit", "source")
    shown = [name for name in columns if any(row[name] for row in rows)]
    cells = [[terminal(str(row[name] or "-")) for name in shown] for row in rows]
    for row, line in zip(rows, cells, strict=True):
        if row["emulated"] and "platform" in shown:
            line[shown.index("platform")] += " (emulated)"
    headers = [name.replace("_", " ") for name in shown]
    return tabulate(cells, headers=headers, tablefmt="plain", disable_numparse=True)


@app.command("import")
def import_(
    ssh_config: Annotated[Path | None, typer.Option("--ssh-config", help="Take the Host entries of this file.")] = None,
    docker_contexts: Annotated[
        bool, typer.Option("--docker-contexts", help="Take `docker context ls`'s ssh:// hosts.")
    ] = False,
    buildx: Annotated[bool, typer.Option("--buildx", help="Take `docker buildx ls`'s ssh:// nodes.")] = False,
    group: Annotated[str, typer.Option("--group", help="Group to put them in.")] = "builders",
) -> int:
    """Print a hosts.yml made of ssh_config hosts, docker contexts and buildx nodes (all three where none is named)."""
    from audit.cli.output import write_stdout
    from audit.inventory import importing

    everything = not (ssh_config or docker_contexts or buildx)
    found: list[importing.Entry] = []
    own = Path.home() / ".ssh" / "config"
    if ssh_config or (everything and own.exists()):
        found += importing.from_ssh_config(ssh_config or own)
    if docker_contexts or everything:
        found += importing.from_docker_contexts(_docker("context", "ls", needed=docker_contexts))
    if buildx or everything:
        found += importing.from_buildx(_docker("buildx", "ls", needed=buildx))
    if not found:
        raise UsageError("nothing to import: no Host entry, docker context or buildx node with an ssh:// address")
    write_stdout([importing.hosts_yml(found, group)])
    return 0


def _docker(*arguments: str, needed: bool) -> str:
    """What a docker listing prints as JSON lines; empty where docker is missing and was not asked for by name."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["docker", *arguments, "--format", "json"],  # noqa: S607 - the user's docker, as in their shell
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if needed:
            raise UsageError(f"docker {' '.join(arguments)}: {error}") from None
        return ""
    if done.returncode and needed:
        raise UsageError(f"docker {' '.join(arguments)} failed: {done.stderr.strip()[:200]}")
    return done.stdout if done.returncode == 0 else ""


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the host, as the inventory shall call it.")],
    address: Annotated[str | None, typer.Option("--address", help="To connect to, if not the name.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Of sshd.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="The login.")] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="To be in; may be given several times.")
    ] = None,
    pool: Annotated[str | None, typer.Option("--pool", help="Of workers that shall be alike.")] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="What it builds for, e.g. linux/arm64.")] = None,
    build_unit: Annotated[str | None, typer.Option("--build-unit", help="The unit that runs its builds.")] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="PEER", help="Take its group, pool, platform and build unit."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A variable of the host; true, false and whole numbers are typed, all else is text. Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the change as a diff; write nothing.")] = False,
    inventory: Inventory = None,
) -> int:
    """Write a host into the YAML inventory, after its siblings; every other byte of the file stays as it is."""
    import difflib

    from audit import flow
    from audit.cli.check import inventory_of
    from audit.cli.output import write_stdout
    from audit.cli.settings import settings_of
    from audit.inert import terminal
    from audit.inventory import adding

    sources = inventory_of(settings_of(inventory=inventory))
    if not sources:
        raise UsageError("inventory add: name the inventory with -i")
    fleet = flow.fleet_of([], sources)
    groups = tuple(group or ())
    own, lent = {"pool": pool, "platform": platform, "build_unit": build_unit}, dict[str, str | None]()
    if like is not None:
        peer = next((host for host in fleet.hosts if host.name == like), None)
        if peer is None:
            raise UsageError(f"--like {like}: the inventory has no such host")
        own_groups = tuple(one for one in peer.groups if one not in ("all", "ungrouped"))[-1:]
        groups = groups or adding.groups_naming(sources, like) or own_groups
        lent = {"pool": peer.pool, "platform": peer.platform, "build_unit": peer.build_unit}
        own = {key: value or lent[key] for key, value in own.items()}
    said = {"ansible_host": address, "ansible_port": port, "ansible_user": user, **own}
    variables = {key: value for key, value in said.items() if value is not None}
    set_by_user = _set(set_ or [])
    by_option = {key for key, value in variables.items() if value != lent.get(key)}
    for key in sorted(set_by_user.keys() & by_option):
        raise UsageError(f"--set {key}=…: another option says {key} already; give it once")
    new = adding.NewHost(name, {**variables, **set_by_user}, groups)
    made = adding.planned(sources, new)
    _require_one_meaning(new, fleet)
    there = next((host for host in fleet.hosts if host.name == name), None)
    if made.lines and there is not None:
        raise UsageError(f"inventory add {name}: {there.source} declares it already; change it there")
    if dry_run:
        lines = difflib.unified_diff(
            made.before.splitlines(), made.after.splitlines(), str(made.file), str(made.file), lineterm=""
        )
        write_stdout(f"{terminal(line)}\n" for line in lines)
        return 0
    made, kept = _written(made, sources, new, fleet)
    if not kept:
        message = f"{made.file} is yours now: only root can leave it its owner"
        print(f"fleet-audit: {terminal(message)}", file=sys.stderr)
    where = f"{made.file}:{made.lines[0][0]}" if made.lines else f"{made.file}: it is there already"
    print(terminal(where))
    return 0


def _require_one_meaning(new: NewHost, fleet: Fleet) -> None:
    """No host is called as a group of any file, nor a group as a host.

    Raises:
        UsageError: one is.
    """
    both = "patterns would mean both; take another name"
    if any(new.name in host.groups for host in fleet.hosts):
        raise UsageError(f"inventory add {new.name}: a group is called so, and {both}")
    for group in new.groups:
        if group in fleet.names:
            raise UsageError(f"--group {group}: a host is called so, and {both}")


def _set(given: Sequence[str]) -> dict[str, str | int | bool]:
    """The values of --set.

    Raises:
        UsageError: no KEY=VALUE, no name of a variable, one of them twice, or bytes that are no text.
    """
    from audit.inventory.inserting import meant

    found: dict[str, str | int | bool] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", key) is None:
            raise UsageError(f"--set {one!a}: write KEY=VALUE; a KEY has letters, digits and '_'")
        if key in found:
            raise UsageError(f"--set {key}=…: stands twice; give it once")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"--set {key}=…: the value is no UTF-8 text") from None
        found[key] = meant(value)
    return found


def _written(made: Added, sources: Sequence[Path], new: NewHost, fleet: Fleet) -> tuple[Added, bool]:
    """Tried, then written; where another process was faster, planned anew: each time somebody has got on.

    Returns:
        What was written, and whether the file belongs to whom it belonged.
    """
    from audit.inventory import adding

    for _ in range(MOST_TRIES):
        if made.lines:
            _require_read(made, sources, fleet)
        try:
            return made, adding.write(made)
        except adding.Changed:
            made = adding.planned(sources, new)
    return made, adding.write(made)


def _require_read(made: Added, sources: Sequence[Path], before: Fleet) -> None:
    """Read a copy as every verb would: what cannot be loaded, or changes another host, is not written.

    Raises:
        UsageError: it says why, with the real file's name.
    """
    from audit import flow
    from audit.errors import FleetAuditError
    from audit.inventory import adding

    with adding.tried(made, sources) as copies:
        try:
            after = flow.fleet_of([], copies)
        except FleetAuditError as error:
            why = str(error)
            for copy, source in zip(copies, sources, strict=True):
                why = why.replace(str(copy), str(source))
            raise UsageError(f"{why} (with the new host; nothing was written)") from None
    if set(before.names) - set(after.names):
        raise UsageError(f"{made.file}: another host would be lost by it; nothing was written: add the lines by hand")
