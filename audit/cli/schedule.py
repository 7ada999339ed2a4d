"""`fleet-audit schedule print`: the units or the crontab for a check on a schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.errors import UsageError

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Print what runs a check on a schedule.")


@app.callback()
def _schedule() -> None:
    """A group of one, so that there is room for more."""


@app.command("print")
def print_(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ARGS]", help="Arguments of `check`, after --.", show_default=False),
    ] = None,
    systemd: Annotated[bool, typer.Option("--systemd", help="A service and a timer.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="A file for /etc/cron.d.")] = False,
    part: Annotated[
        str | None, typer.Option("--part", metavar="service|timer", help="Only this unit, as its file.")
    ] = None,
    on_calendar: Annotated[
        str | None, typer.Option("--on-calendar", help="When: systemd's OnCalendar, or cron's five fields.")
    ] = None,
    delay: Annotated[int, typer.Option("--delay", min=0, help="Seconds of random delay of the timer.")] = 900,
    user: Annotated[str, typer.Option("--user", help="Whom it runs as.")] = "fleet-audit",
    inventory: Annotated[
        list[Path] | None, typer.Option("-i", "--inventory", help="Inventory; may be given several times.")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="File of the SSH key, root's; empty: none.")] = (
        "/etc/fleet-audit/ssh-key"
    ),
    notify: Annotated[
        str | None, typer.Option("--notify", metavar="FILE", help="File with addresses for check --notify, root's.")
    ] = None,
    metrics: Annotated[
        str, typer.Option("--metrics", help="File for node_exporter's textfile collector.")
    ] = "/var/lib/fleet-audit/fleet-audit.prom",
    command: Annotated[
        str | None, typer.Option("--command", help="Path of fleet-audit.", show_default="this one")
    ] = None,
) -> int:
    """Print systemd's units or a crontab line that run a check again and again."""
    from dataclasses import replace

    from audit.cli.output import write_stdout
    from audit.cli.settings import settings_of
    from audit.schedule import DEADLINE, Schedule, crontab, fault_of, service, timer

    if systemd == cron:
        raise UsageError("schedule print: say one of --systemd and --cron")
    if part not in (None, "service", "timer") or (part and cron):
        raise UsageError("--part: write service or timer, with --systemd")
    given = arguments or []
    asked = _asked(given)
    deadline = settings_of(deadline=asked["deadline"] or f"{DEADLINE:g}").deadline or DEADLINE
    words = [f"--inventory={path.absolute()}" for path in inventory or []]
    words += [] if asked["deadline"] else ["--deadline", f"{deadline:g}"]
    one = Schedule(
        arguments=(*words, *given),
        command=command or _own(),
        calendar=on_calendar,
        user=user,
        deadline=deadline,
        key=key or None,
        notify=notify,
        metrics=metrics,
        delay=delay,
        local=bool(asked["local"]),
    )
    fault = fault_of(one, cron=cron)
    if fault:
        raise UsageError(fault)
    if cron:
        write_stdout([crontab(replace(one, key=None))])
    elif part:
        write_stdout([service(one) if part == "service" else timer(one)])
    else:
        write_stdout([f"# /etc/systemd/system/fleet-audit.service\n{service(one)}\n"])
        write_stdout([f"# /etc/systemd/system/fleet-audit.timer\n{timer(one)}"])
    if systemd:
        _warn_of_homes([one.command, *map(str, (path.absolute() for path in inventory or []))])
    return 0


def _asked(arguments: list[str]) -> dict[str, Any]:
    """What `check` will make of them; it is asked, so that a slip is seen now and not at night."""
    import typer.main

    from audit.cli import check

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command("check")(check.check)
    asked: dict[str, Any] = typer.main.get_command(alone).make_context("check", list(arguments)).params
    for name, flag in (("from_", "--from"), ("show_script", "--show-script")):
        if asked[name]:
            raise UsageError(f"-- {flag}: a schedule asks the hosts; leave it out")
    if asked["notify"]:
        raise UsageError("-- --notify: everybody may read a unit or a crontab; give --notify FILE before the --")
    return asked


def _own() -> str:
    """The command that runs now, where it is one that can be run again by its path."""
    path = Path(sys.argv[0]).absolute()
    return str(path) if path.name == "fleet-audit" and path.is_file() else "/usr/local/bin/fleet-audit"


def _warn_of_homes(paths: list[str]) -> None:
    for path in paths:
        if path.startswith(("/home/", "/root/", "/run/user/")):
            print(f"fleet-audit: warning: the service sees no home folders, and so not {path}", file=sys.stderr)
