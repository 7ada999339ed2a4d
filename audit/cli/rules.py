"""`fleet-audit rules` and `fleet-audit explain`: the manual pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Inventory, KnownHosts, Verbose
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.reports import _manual
    from audit.rule import Rule


def rules(
    format_: Annotated[str, typer.Option("--format", metavar="table|markdown|json", help="How to print.")] = "table",
) -> int:
    """List every rule: id, severity, what must hold."""
    from audit.cli.output import write_stdout
    from audit.reports import manual
    from audit.rule import all_rules

    known = {name: check.rule for name, check in all_rules().items()}
    remedies = _remedies() if format_ in ("markdown", "json") else None
    renderers: dict[str, Callable[[Mapping[str, Rule]], str]] = {
        "table": manual.rules_table,
        "markdown": partial(manual.rules_markdown, remedies=remedies),
        "json": partial(manual.rules_json, remedies=remedies),
    }
    if format_ not in renderers:
        raise UsageError(f"--format {format_}: write table, markdown or json")
    write_stdout([renderers[format_](known)])
    return 0


def _remedies() -> _manual.Remedies:
    """What the playbooks at hand do; nothing where there are none."""
    from audit.onboarding.applying import folder, offered
    from audit.reports import manual

    try:
        place = folder(None)
        rules, by_hand = offered(place)
    except UsageError:
        return manual.Remedies()
    # Those beside us are named as one stands; those of the source tree by their full path.
    return manual.Remedies(rules, by_hand, "playbooks" if place == Path("playbooks") else str(place))


def explain(
    rule: Annotated[str, typer.Argument(help="A rule's id, e.g. FA301.", show_default=False)],
    host: Annotated[str | None, typer.Option("--host", help="Also this host's verdict, with its evidence.")] = None,
    inventory: Inventory = None,
    from_: From = None,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    verbose: Verbose = 0,
) -> int:
    """Explain a rule: why it matters, what a user would see, what to do; with --host, what is true there."""
    from audit import flow
    from audit.cli import check
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.reports import manual
    from audit.rule import all_rules

    known = all_rules()
    wanted = rule.upper()
    if wanted not in known:
        raise UsageError(f"there is no rule {rule}; `fleet-audit rules` lists them")
    settings = settings_of(inventory=inventory, host_keys=host_keys, known_hosts=known_hosts, color=color)
    style = style_of(settings.color, verbose, settings.fail_on)
    run = None
    stopped: list[int] = []
    if host is not None:
        if from_ is not None:
            saved = check.saved_run(from_, [], settings, explicit=bool(inventory))
            check.one_host(saved.fleet.names, host)
        else:
            fleet = flow.fleet_of([host], check.inventory_of(settings))
            saved = check.ask(fleet, check.wire_options(settings), quiet=False, verbose=verbose, stopped=stopped)
            host = fleet.hosts[0].name
        run = flow.judged(saved)
    remedies = _remedies()
    if run is not None and host is not None:
        from audit.onboard.seen import choices

        told = choices(run.fleet.policy.for_host(run.hosts[host]).wanted)
        sources = tuple(str(source) for source in settings.inventory) or remedies.sources
        remedies = replace(remedies, variables=told, sources=sources)
    write_stdout([manual.explain(known[wanted].rule, run, host, style, remedies)])
    return 128 + stopped[0] if stopped else 0
