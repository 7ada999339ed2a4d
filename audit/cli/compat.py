"""`fleet-audit compat`: who cannot take an image, or what a worker would push."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Inventory, KnownHosts, Verbose
from audit.errors import IncompleteError, UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.image.arrived import Arrived
    from audit.image.reference import Reference
    from audit.registry import Options
    from audit.run import Run
    from audit.shape import How, Prediction


def compat(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE|HOST", help="An image at a registry, or a host of the inventory.", show_default=False
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", "-t", metavar="NAME[,NAME]...", help="Consumers to ask about; all where none is named."
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the consumers that are known, and stop.")] = False,
    image: Annotated[bool, typer.Option("--image", help="It is an image, whatever the inventory says.")] = False,
    host: Annotated[bool, typer.Option("--host", help="It is a host, also one that no inventory knows.")] = False,
    how: Annotated[
        str | None,
        typer.Option("--how", metavar="COMMAND", help='How the host builds, e.g. "docker buildx build --push".'),
    ] = None,
    inventory: Inventory = None,
    from_: From = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    registry_ca: Annotated[Path | None, typer.Option("--registry-ca", help="PEM file of the registry's CA.")] = None,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="The registry speaks http.")] = False,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Say which consumers cannot take an image, or what a host would push, each with the fix.

    A name of the inventory (or of the run given with --from) is a host; anything else is an image, and its registry is
    asked. Exit code 1: a target cannot take it; 3: it could not be told.
    """
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.reports import _compat as reports

    if list_:
        write_stdout([reports.listing()])
        return 0
    if subject is None:
        raise UsageError("no image and no host: name one, or list the consumers with --list")
    if image and host:
        raise UsageError("--image and --host exclude each other")
    if format_ not in reports.FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(reports.FORMATS)}")
    targets = _targets(target or [])
    settings = settings_of(
        inventory=inventory, registry_ca=registry_ca, host_keys=host_keys, known_hosts=known_hosts, color=color
    )  # fmt: skip
    style = style_of(settings.color, verbose, settings.fail_on)
    stopped: list[int] = []
    if host or (not image and subject in _hosts(settings, from_)):
        from audit.compat import judge_host

        way = _way(how)
        run, name = _run(subject, settings, from_, quiet=quiet, verbose=verbose, stopped=stopped)
        found = judge_host(name, prediction_of(run, name, way), targets)
    else:
        from audit.compat import judge_image
        from audit.image.reference import Reference

        if how is not None:
            raise UsageError(f"--how says how a host builds, and {subject} is an image: leave it out")
        try:
            reference = Reference.parse(subject)
        except UsageError as error:
            raise error if image else UsageError(f"{error}; for a host that no inventory knows give --host") from None
        try:
            arrived = arrived_of(reference, _options(reference, settings, plain_http=plain_http))
        except IncompleteError as error:
            if image or set(subject) & set("/:@"):
                raise
            raise IncompleteError(f"{error} (no host of an inventory is called {subject}, so it is an image)") from None
        found = judge_image(str(reference), arrived, targets)
    write_stdout([reports.FORMATS[format_](found, style)])
    return 128 + stopped[0] if stopped else found.exit_code


def _targets(said: list[str]) -> list[str]:
    """The consumers named, each once.

    Raises:
        UsageError: one is not known.
    """
    from audit.compat import CONSUMERS

    named = [name.strip() for one in said for name in one.split(",") if name.strip()]
    if said and not named:
        raise UsageError("--target names nobody; `fleet-audit compat --list` lists who is known")
    for name in named:
        if name not in CONSUMERS:
            raise UsageError(f"--target {name}: not known; `fleet-audit compat --list` lists who is")
    return list(dict.fromkeys(named))


def _way(how: str | None) -> How:
    from audit.shape import How, parse_how

    return parse_how(how) if how is not None else How()


def _hosts(settings: Settings, from_: Path | None) -> tuple[str, ...]:
    """The names that are hosts: those of the saved run, or of the inventory."""
    from audit import flow
    from audit.cli import check

    if from_ is not None:
        return check.saved_run(from_, [], settings, explicit=bool(settings.inventory)).fleet.names
    sources = check.inventory_of(settings)
    return flow.fleet_of([], sources).names if sources else ()


def _run(
    name: str, settings: Settings, from_: Path | None, *, quiet: bool, verbose: int, stopped: list[int]
) -> tuple[Run, str]:
    """The judged run of that one host, saved or asked now, and the host's name in it."""
    from audit import flow
    from audit.cli import check

    if from_ is not None:
        saved = check.saved_run(from_, [], settings, explicit=bool(settings.inventory))
        check.one_host(saved.fleet.names, name)
        saved = flow.narrowed(saved, [name], None)
    else:
        fleet = flow.fleet_of([name], check.inventory_of(settings))
        saved = check.ask(fleet, check.wire_options(settings), quiet=quiet, verbose=verbose, stopped=stopped)
    return flow.judged(saved), saved.fleet.hosts[0].name


def prediction_of(run: Run, name: str, how: How) -> Prediction:
    """What that host would push."""
    from audit.shape import predict

    return predict(run.facts[name], how)


def arrived_of(reference: Reference, options: Options) -> Arrived:
    """What the registry serves under that name.

    Raises:
        IncompleteError: the registry could not be asked, or has no such image: nothing can be told.
        UsageError: a setting about the registry is wrong.
    """
    from audit.registry import Client, CredentialsError, RegistryError

    try:
        with Client(options) as client:
            return client.arrived(reference)
    except CredentialsError:
        raise
    except RegistryError as error:
        raise IncompleteError(f"cannot tell, because {error}") from None


def _options(reference: Reference, settings: Settings, *, plain_http: bool) -> Options:
    from audit.registry import Options, Retry, Tls

    ca = settings.registry_ca
    if ca is not None and not ca.is_file():
        raise UsageError(f"--registry-ca {ca}: there is no such file")
    return Options(
        tls={reference.registry: Tls(ca_file=ca)} if ca else {},
        plain_http=frozenset({reference.registry} if plain_http else ()),
        retry=Retry(tries=3, first=0.5, longest=4.0, longest_after=20.0, total=30.0),
    )
