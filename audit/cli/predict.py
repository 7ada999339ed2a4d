"""`fleet-audit predict`: what each worker will push, before it pushes."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Hosts, Inventory, KnownHosts, Limit, Verbose
from audit.errors import UsageError

HowLine = Annotated[
    str | None,
    typer.Option(
        "--how",
        metavar="COMMAND",
        help='The way of building, e.g. "docker buildx build --push" or "docker build && docker push --platform P".',
    ),
]


def predict(
    hosts: Hosts = None,
    how: HowLine = None,
    inventory: Inventory = None,
    limit: Limit = None,
    local: Annotated[bool, typer.Option("--local", help="This machine, without SSH.")] = False,
    from_: From = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Say what a build and push on every worker will leave at the registry, and why (-v). Nothing is built.

    Exit code 1: a push would fail, or the pushes of the fleet do not fit together; 3: it could not be told for some.
    """
    from audit import flow
    from audit.cli.check import gathered
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.forecast import forecast
    from audit.reports._forecast import FORMATS
    from audit.shape import How, parse_how

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    way = parse_how(how) if how is not None else How()
    settings = settings_of(
        inventory=inventory, limit=limit, host_keys=host_keys, known_hosts=known_hosts, color=color
    )  # fmt: skip
    stopped: list[int] = []
    saved = gathered(
        hosts or [], from_, settings, explicit=bool(inventory), local=local, quiet=quiet, verbose=verbose,
        stopped=stopped,
    )  # fmt: skip
    found = forecast(flow.judged(saved).view.members, way)
    write_stdout(FORMATS[format_](found, style_of(settings.color, verbose, settings.fail_on)))
    return 128 + stopped[0] if stopped else found.exit_code
