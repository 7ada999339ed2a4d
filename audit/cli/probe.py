"""`fleet-audit probe`: build and push for real, and see whether the prediction holds."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, HostKeys, Hosts, Inventory, KnownHosts, Limit, Verbose
from audit.cli.registries import RegistryCa, RegistryUser
from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from audit.cli.settings import Settings
    from audit.model import Fleet
    from audit.probe.report import Report
    from audit.probe.ways import Way
    from audit.probing import Target

BUILD_LIMIT = 300.0


def probe(
    hosts: Hosts = None,
    inventory: Inventory = None,
    limit: Limit = None,
    local: Annotated[bool, typer.Option("--local", help="Probe this machine, without SSH.")] = False,
    how: Annotated[
        str | None,
        typer.Option("--how", metavar="COMMAND", help='The way of building, e.g. "docker buildx build --push".'),
    ] = None,
    all_ways: Annotated[bool, typer.Option("--all-ways", help="Try every usual way of building.")] = False,
    registry: Annotated[
        str | None, typer.Option("--registry", metavar="HOST[:PORT]", help="Push there; without it, nothing is pushed.")
    ] = None,
    repository: Annotated[str | None, typer.Option("--repository", help="Scratch repository to push to.")] = None,
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Limit for all builds of one host, e.g. 10m.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Hosts at once.")] = None,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Build a small image on every worker, push it, see what arrived, compare with the prediction, remove it all.

    The only verb so far that writes to a worker. Exit code 1: a prediction was wrong; 3: something could not be told.
    """
    from audit import flow
    from audit.cli import check
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.probe.report import FORMATS
    from audit.probing import registry_name

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    settings = settings_of(
        inventory=inventory, limit=limit, jobs=jobs, registry=registry, probe_repository=repository,
        registry_ca=registry_ca, registry_user=registry_user, host_keys=host_keys, known_hosts=known_hosts, color=color,
    )  # fmt: skip
    seconds = _seconds(timeout)
    name = registry_name(settings.registry, settings.probe_repository) if settings.registry else None
    ways = _ways(how, all_ways=all_ways, pushed=name is not None)
    fleet = flow.fleet_of(hosts or [], check.inventory_of(settings), limit=settings.limit, local=local)
    _confirm(fleet, ways, name, yes=yes)
    stopped: list[int] = []
    with target_of(settings, name) as target:
        report = _probed(fleet, ways, target, settings, seconds, stopped, quiet=quiet, verbose=verbose)
    write_stdout(FORMATS[format_](report, style_of(settings.color, verbose, settings.fail_on).width, verbose > 0))
    return 128 + stopped[0] if stopped else report.exit_code


def _seconds(timeout: str | None) -> float:
    from audit.cli.settings import seconds

    if timeout is None:
        return BUILD_LIMIT
    try:
        value = seconds(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    if not isinstance(value, float) or not 0 < value <= 86400:
        raise UsageError(f"--timeout {timeout}: must be more than nothing, and at most a day")
    return value


def _ways(how: str | None, *, all_ways: bool, pushed: bool) -> tuple[Way, ...]:
    from audit.probe.ways import LINES, way_of
    from audit.shape import parse_how

    if how is not None and all_ways:
        raise UsageError("--how names one way of building and --all-ways tries the usual ones: give one of the two")
    ways = [way_of(parse_how(line)) for line in (LINES if all_ways else (how if how is not None else LINES[0],))]
    if pushed:
        return tuple(ways)
    if how is not None and ways[0].pushes:
        raise UsageError(f"--how {how!r} pushes by itself, and there is no registry: give --registry")
    return tuple(way for way in ways if not way.pushes)


def _confirm(fleet: Fleet, ways: tuple[Way, ...], name: str | None, *, yes: bool) -> None:
    """Say what will be done, and ask; only on a terminal, where `yes` was not said.

    Raises:
        UsageError: nobody can be asked, or the answer was no.
    """
    from audit import inert

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("probe builds images on the workers and removes them again: add --yes to let it")
    shown = ", ".join(inert.terminal(host.name) for host in fleet.hosts[:8])
    if len(fleet) > 8:
        shown += f" and {len(fleet) - 8} more"
    pushed = f"pushes it to {name}, asks the registry what arrived" if name else "exports it there, pushing nothing"
    times = "" if len(ways) == 1 else f" in {len(ways)} ways"
    print(
        f"This builds a small test image{times} on {shown}, {pushed}, and removes everything again.", file=sys.stderr
    )  # fmt: skip
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was done")


def target_of(settings: Settings, name: str | None) -> AbstractContextManager[Target | None]:
    """A client of the registry that probes push to; None where they push nowhere."""
    from contextlib import contextmanager

    from audit.cli.registries import options_of
    from audit.probing import Target
    from audit.registry import Client, Retry

    retry = Retry(tries=3, first=0.5, longest=4.0, longest_after=20.0, total=30.0)
    options = options_of(settings, [name.partition("/")[0]] if name else [], retry)

    @contextmanager
    def opened() -> Iterator[Target | None]:
        if name is None:
            yield None
            return
        with Client(options) as client:
            yield Target(client, name)

    return opened()


def _probed(
    fleet: Fleet, ways: tuple[Way, ...], target: Target | None, settings: Settings, seconds: float, stopped: list[int],
    *, quiet: bool, verbose: int,
) -> Report:  # fmt: skip
    """Ask the registry whether it is there, the hosts what they are, and then probe."""
    from audit import flow
    from audit.cli import check
    from audit.cli.progress import watching

    options = check.wire_options(settings)
    if target is not None:
        target.check()
    saved = check.ask(fleet, options, quiet=quiet, verbose=verbose, stopped=stopped)
    run = flow.judged(saved)
    stop = threading.Event()
    if stopped:
        stop.set()
    with check._signals(stop, stopped), watching(fleet, quiet=quiet, verbose=verbose) as on_event:
        report = flow.probed(run, ways, target, options, limit=seconds, on_event=on_event, stop=stop)
    if stopped:
        report = report.model_copy(update={"interrupted": signal.Signals(stopped[0]).name})
    return report
