"""`fleet-audit merge`: images and indexes of one architecture each, put under one tag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from audit.cli.check import HostKeys, Inventory, KnownHosts
from audit.cli.recorded import Db
from audit.cli.registries import Connections, PlainHttp, RegistryCa, RegistryUser
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.merging import Asked, Place


def merge(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Images or indexes, by tag or digest; =PLATFORM after one refuses it if it is for another.",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("-t", "--tag", metavar="REPO:TAG", help="Name of the result; several times.")
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="auto|registry|imagetools|manifest", help="Who merges.")
    ] = "auto",
    attest: Annotated[
        str, typer.Option("--attest", metavar="keep|drop|require", help="What becomes of attestations.")
    ] = "keep",
    orphans: Annotated[
        str, typer.Option("--orphans", metavar="refuse|drop", help="What becomes of an attestation without its image.")
    ] = "refuse",
    annotation: Annotated[
        list[str] | None,
        typer.Option("--annotation", metavar="[index:]KEY=VALUE", help="For the index; manifest-descriptor: entries."),
    ] = None,
    prefer_index: Annotated[
        bool, typer.Option("--prefer-index/--no-prefer-index", help="Wrap a single flat source, or copy it as it is.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the index, and on stderr what pushing it would cost; push nothing.")
    ] = False,
    format_: Annotated[str, typer.Option("--format", metavar="text|json", help="How to print.")] = "text",
    merge_host: Annotated[
        str | None, typer.Option("--merge-host", metavar="HOST", help="Host on which Docker's own tools merge.")
    ] = None,
    inventory: Inventory = None,
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    plain_http: PlainHttp = None,
    connections: Connections = 6,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep manifests between runs.")] = True,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="FILE", help="Merge all that a plan names (- for stdin).")
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="[REGISTRY=]N/min", help="Requests a minute; Docker Hub 300 unless said."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PATTERN", help="Of a plan, only these tags (*, ?).")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN|RUN", help="Of a plan, only tags not found right since (8h, a date)."),
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", metavar="FORMAT[:PATH]", help="Of a plan: text, json, csv, …; several times."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write tags that somebody else has moved, too.")] = False,
    trust_journal: Annotated[
        bool, typer.Option("--trust-journal", help="Of a plan: do not look whether what was merged stands still.")
    ] = False,
    patience: Annotated[
        str, typer.Option("--patience", metavar="30m", help="Of a plan: how long parked tags are waited for.")
    ] = "30m",
    manifests: Annotated[
        Path | None,
        typer.Option("--manifests", metavar="DIR", help="The sources' manifests, as builds left them (OCI layout)."),
    ] = None,
    rollback: Annotated[
        str | None, typer.Option("--rollback", metavar="RUN", help="Let the tags of a run stand as before it.")
    ] = None,
    db: Db = None,
    status: Annotated[bool, typer.Option("--status", help="How the batch on this machine is doing.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Of a plan: tell more.")] = 0,
) -> int:
    """Merge images into one multi-architecture tag, and print REPO:TAG@DIGEST. Nothing is tagged before all is there.

    With --plan, a whole night of them: shared sources merged once, at the registry's rate, noted so that the same
    command goes on where it was cut off.

    Exit code 5: these sources make no right index, or the registry refused; no tag was changed then.
    """
    from audit.cli.rates import rates_of
    from audit.cli.registries import kept_of, opened
    from audit.cli.settings import settings_of
    from audit.engines.merge import ORDER, all_engines
    from audit.image.annotation import Annotation
    from audit.image.merged import Attest, Orphans
    from audit.image.reference import Reference
    from audit.merging import require_tags

    for name, value, allowed in (
        ("--engine", engine, tuple(dict.fromkeys(("auto", *ORDER, *all_engines())))),
        ("--attest", attest, get_args(Attest)),
        ("--orphans", orphans, get_args(Orphans)),
        ("--format", format_, ("text", "json")),
    ):
        if value not in allowed:
            raise UsageError(f"{name} {value}: write {', '.join(allowed)}")
    settings = settings_of(
        inventory=inventory, registry_ca=registry_ca, registry_user=registry_user, plain_http=plain_http,
        host_keys=host_keys, known_hosts=known_hosts, db=db,
    )  # fmt: skip
    if plan is not None or rollback is not None or status:
        single = {
            "SOURCE": sources, "--tag": tag, "--engine": engine not in ("auto", "registry"), "--merge-host": merge_host,
            "--annotation": annotation, "--attest": attest != "keep", "--orphans": orphans != "refuse",
        }  # fmt: skip
        if foreign := next((name for name, value in single.items() if value), None):
            raise UsageError(f"{foreign} goes with a single merge: in a batch the plan says it")
        from audit.cli.batch import Night, merge_plan, roll_back
        from audit.cli.batch import status as told

        if sum((plan is not None, rollback is not None, status)) > 1:
            raise UsageError("--plan, --rollback and --status: give one of them")
        if status:
            return told(settings)
        night = Night(
            rate=rate or (), only=only or (), since=since, report=report or (), force=force,
            trust_journal=trust_journal, patience=_patience(patience), manifests=manifests, connections=connections,
            cache=cache, dry_run=dry_run, format=format_, quiet=quiet, verbose=verbose,
        )  # fmt: skip
        return merge_plan(settings, plan, night) if plan is not None else roll_back(settings, rollback or "", night)
    if not sources:
        raise UsageError("nothing to merge: name at least one SOURCE, or a file with --plan")
    from audit.cli.mergerun import MergeRun, write

    asked = [_asked(text) for text in sources]
    tags = [Reference.parse(text) for text in tag or ()]
    if not tags and not dry_run:
        raise UsageError("no --tag: name what the result shall be called, or look at it with --dry-run")
    require_tags(tags)
    annotations = [one for text in annotation or () for one in Annotation.parse(text)]
    place = _place(settings, merge_host)
    names = [name.registry for name in (*tags, *(one.reference for one in asked))]
    kept = kept_of(cache=cache)
    with opened(settings, names, kept, rates=rates_of(rate or ())) as client:
        run = MergeRun(client, kept, place, connections, quiet)
        step = run.step(asked, tags, engine, cast(Attest, attest), cast(Orphans, orphans), annotations,
                        prefer_index=prefer_index, dry_run=dry_run)  # fmt: skip
        if dry_run:
            return run.shown(step, engine, settings, format_, named=bool(tags))
        choice = run.choice(step, engine, settings)
        if engine == "auto":
            run.reasons(choice, settings)
        done, stopped = run.done(step, choice)
        if done.unchanged:
            run.tell("nothing was to be done: that is what stands there already")
        write(client, step, choice, done, format_)
    return stopped


def _patience(text: str) -> float:
    from audit.cli.settings import seconds

    try:
        value = seconds(text)
    except ValueError as error:
        raise UsageError(f"--patience: {error}") from None
    if not isinstance(value, float) or value < 0:
        raise UsageError(f"--patience {text}: write 90s, 5m or 1h")
    return value


def _asked(text: str) -> Asked:
    from audit.image.platform import Platform
    from audit.image.reference import Reference
    from audit.merging import Asked

    name, equals, platform = text.partition("=")
    wanted = Platform.parse(platform) if equals else None
    return Asked(Reference.parse(name), wanted=wanted, given=name)


def _place(settings: Settings, name: str | None) -> Place:
    from audit.merging import Place

    if name is None:
        return Place()
    from audit import flow  # below: what knows fleets loads for longer than a merge takes
    from audit.cli import check

    fleet = flow.fleet_of([], check.inventory_of(settings))
    found = next((host for host in fleet.hosts if host.name == name), None)
    if found is None:
        raise UsageError(f"--merge-host {name}: the inventory has no such host")
    if not found.merge_host:
        raise UsageError(f"--merge-host {name}: the inventory does not say merge_host: true of it ({found.source})")
    return Place(host=found, fleet=fleet, options=check.wire_options(settings))
