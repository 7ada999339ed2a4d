"""`fleet-audit drift`: what is not as it was, the cause first, what follows after."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, Inventory, Limit, Verbose
from audit.cli.recorded import Db
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.compared import Check
    from audit.cli.settings import Settings
    from audit.drift import DriftReport
    from audit.snapshot import Snapshot

Format = Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")]


def drift(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|FILE]...",
            help="The check to look at; the latest where none is named. Several: those before it, oldest first.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="RUN|TIME|BASELINE|FILE",
            help="What to compare with; by default the baseline `default`, where there is none the check before.",
        ),
    ] = None,
    against_peers: Annotated[
        bool, typer.Option("--against-peers", help="Compare each host with the majority of its pool instead.")
    ] = False,
    quiet_if_clean: Annotated[
        bool, typer.Option("--quiet-if-clean", help="Print nothing where nothing drifted; for a timer.")
    ] = False,
    after: Annotated[
        int, typer.Option("--after", min=1, max=100, help="Count what was seen in so many checks in a row.")
    ] = 1,
    inventory: Inventory = None,
    limit: Limit = None,
    format_: Format = "text",
    db: Db = None,
    color: Color = None,
    verbose: Verbose = 0,
) -> int:
    """Compare a check with an earlier one, a baseline or the pools: each host's cause first, then what follows.

    Exit code 0: the same; 1: drift; 3: no drift seen, and not everything could be compared.
    """
    from audit.cli import compared
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.drift.document import DRIFT_FORMATS

    if format_ not in DRIFT_FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(DRIFT_FORMATS)}")
    if against_peers and (since is not None or after > 1):
        raise UsageError("--against-peers compares one check with itself: give no --since and no --after with it")
    flags = {"inventory": inventory, "limit": limit, "color": color, "db": db}
    settings = settings_of(**{name: value for name, value in flags.items() if value is not None})
    style = style_of(settings.color, verbose, settings.fail_on)
    with compared.unhurried():
        report = _report(
            checks or ["latest"], since, settings, peers=against_peers, after=after, explicit=bool(inventory)
        )
        if quiet_if_clean and report.exit_code == 0:
            return 0
        write_stdout(DRIFT_FORMATS[format_](report, style))
    return report.exit_code


def _report(
    names: list[str], since: str | None, settings: Settings, *, peers: bool, after: int, explicit: bool
) -> DriftReport:
    from audit.cli import compared

    *between, newest = names
    fleet = compared.declared(settings, explicit=explicit)
    if peers:
        from audit.drift.peers import against_peers

        newer = compared.load(settings, newest)
        ignore = fleet.policy.drift_ignore if fleet is not None else newer.ignore
        return against_peers(compared.narrowed([newer.snapshot], settings.limit)[0], ignore=ignore)
    from audit.drift import Damping, drift

    older, newer = compared.pair(settings, since, newest)
    ignore = fleet.policy.drift_ignore if fleet is not None else newer.ignore
    recent = tuple(compared.load(settings, name).snapshot for name in between) or _recent(settings, newer, after)
    if after > 1 and newer.file and len(between) < after - 1:
        print(
            f"fleet-audit: --after {after} wants {after - 1} checks before {newest}, oldest first, and has "
            f"{len(between)}: what they would have to confirm does not count",
            file=sys.stderr,
        )
    old, new, *rest = compared.narrowed([older.snapshot, newer.snapshot, *recent], settings.limit)
    listed = fleet.names if fleet is not None else None
    return drift(old, new, ignore=ignore, damping=Damping(after, rest), listed=listed)


def _recent(settings: Settings, newer: Check, after: int) -> tuple[Snapshot, ...]:
    """As many as the question needs: for damping, with room for checks that could not look; for hosts that are dark."""
    from audit.cli import compared

    if after > 1:
        return compared.recent_of(settings, newer, 2 * after, whole=True)
    dark = any(not row.reached for row in newer.snapshot.hosts)
    return compared.recent_of(settings, newer, compared.RECENT, whole=False) if dark else ()
