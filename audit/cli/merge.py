"""`fleet-audit merge`: images and indexes of one architecture each, put under one tag."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import typer

from audit.cli.check import HostKeys, Inventory, KnownHosts
from audit.cli.recorded import Db
from audit.cli.registries import Connections, PlainHttp, RegistryCa, RegistryUser
from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.cli.settings import Settings
    from audit.engines.merge import MergeStep
    from audit.image.reference import Reference
    from audit.kept import Kept
    from audit.merging import Asked, Choice, Done, Place
    from audit.registry import Client

Attestations = Literal["keep", "drop", "require"]
Lonely = Literal["refuse", "drop"]


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
    from audit.image.reference import Reference
    from audit.merging import require_tags

    for name, value, allowed in (
        ("--engine", engine, tuple(dict.fromkeys(("auto", *ORDER, *all_engines())))),
        ("--attest", attest, get_args(Attestations)),
        ("--orphans", orphans, get_args(Lonely)),
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
        run = _Run(client, kept, place, connections, quiet)
        step = run.step(asked, tags, engine, cast(Attestations, attest), cast(Lonely, orphans), annotations,
                        prefer_index=prefer_index, dry_run=dry_run)  # fmt: skip
        if dry_run:
            return run.shown(step, engine, settings, format_, named=bool(tags))
        choice = run.choice(step, engine, settings)
        if engine == "auto":
            run.reasons(choice, settings)
        done, stopped = run.done(step, choice)
        if done.unchanged:
            run.tell("nothing was to be done: that is what stands there already")
        _print(client, step, choice, done, format_)
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


class _Run:
    """What the parts of the verb share."""

    def __init__(self, client: Client, kept: Kept, place: Place, connections: int, quiet: bool) -> None:
        self.client, self.kept, self.place, self.connections, self.quiet = client, kept, place, connections, quiet

    def tell(self, line: str) -> None:
        from audit import inert

        if not self.quiet:
            print(f"fleet-audit: {inert.terminal(line)}", file=sys.stderr)

    def step(
        self, asked: Sequence[Asked], tags: Sequence[Reference], engine: str, attest: Attestations, orphans: Lonely,
        annotations: Sequence[Any], *, prefer_index: bool, dry_run: bool,
    ) -> MergeStep:  # fmt: skip
        from audit.merging import expect, prepare, resolve

        expect(self.client, [one.reference for one in asked], () if dry_run else tags)
        found = resolve(
            self.client, asked, children=engine in ("auto", "registry"), attestations=attest != "drop",
            kept=self.kept, connections=self.connections,
        )  # fmt: skip
        names = tags or [asked[0].reference.tagged("dry-run")]
        step = prepare(
            found, names, attest=attest, orphans=orphans, annotations=annotations, prefer_index=prefer_index
        )  # fmt: skip
        self.tell(_summary(step))
        for note in step.merged.notes:
            self.tell(note)
        return step

    def choice(self, step: MergeStep, engine: str, settings: Settings) -> Choice:
        from audit.engines.merge import ORDER
        from audit.merging import choose

        choice = choose(step, engine, settings.merge_engines or ORDER, self.place.ask)
        for warning in choice.able.warnings:
            self.tell(warning)
        return choice

    def reasons(self, choice: Choice, settings: Settings) -> None:
        """Why this engine, and why not those before it in the policy's order."""
        from audit.engines.merge import ORDER

        order = list(settings.merge_engines or ORDER)
        for name, why in choice.others:
            if name in order[: order.index(choice.engine)]:
                self.tell(f"not by {name}: {why}")
        self.tell(f"by {choice.engine}: {choice.able.why}")

    def shown(self, step: MergeStep, engine: str, settings: Settings, format_: str, *, named: bool) -> int:
        """The index, and the forecast."""
        from audit.cli.output import write_stdout
        from audit.merging import forecast

        choice = self.choice(step, engine, settings) if named else None
        ahead = forecast(choice.actions) if choice else None
        if format_ == "json":
            body = _document(self.client, step, choice, None)
            body["forecast"] = ahead.model_dump(mode="json") | {"requests": ahead.requests} if ahead else None
            write_stdout([json.dumps(body, indent=2)])
            return 0
        write_stdout([step.merged.raw.decode(errors="replace")])
        if choice is None or ahead is None:
            return 0
        self.tell(f"{step.merged.digest} by {choice.engine}: {choice.able.why}")
        for name, why in choice.others:
            self.tell(f"not by {name}: {why}")
        kinds = ", ".join(f"{count} {kind}" for kind, count in ahead.by_kind.items())
        cost = f"{ahead.requests} requests ({kinds})" if kinds else "no request of ours"
        moved = f", {ahead.bytes:,} bytes of blobs through this machine" if ahead.bytes else ""
        self.tell(f"to come: {cost}{moved}{''.join(f'; {about}' for about in ahead.programs)}")
        return 0

    def done(self, step: MergeStep, choice: Choice) -> tuple[Done, int]:
        """Carry it out; a signal ends a program on the merge host before it ends us."""
        from dataclasses import replace

        from audit.cli import check
        from audit.merging import carry_out

        more: dict[str, Any] = {"kept": self.kept, "connections": self.connections, "tell": self.tell}
        if choice.engine == "registry":
            return carry_out(self.client, choice, step, **more), 0
        stop, stopped = threading.Event(), list[int]()
        with check._signals(stop, stopped):
            try:
                done = carry_out(self.client, choice, step, place=replace(self.place, stop=stop), **more)
            except Exception:
                if stopped:
                    raise KeyboardInterrupt from None
                raise
        return done, 128 + stopped[0] if stopped else 0


def _summary(step: MergeStep) -> str:
    """What is made of the sources, in a line."""
    merged = step.merged
    if merged.flat:
        return f"one flat image, copied as it is from {merged.source.familiar if merged.source else 'its source'}"
    many = len(merged.platforms)
    attested = sum(child.role == "attestation" for child in merged.children)
    kind = "an OCI index" if "oci" in merged.media_type else "a Docker manifest list"
    more = f" and {attested} attestation{'s' if attested > 1 else ''}" if attested else ""
    return f"{kind} of {many} image{'s' if many > 1 else ''} ({', '.join(map(str, merged.platforms))}){more}"


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


def _print(client: Client, step: MergeStep, choice: Choice, done: Done, format_: str) -> None:
    from audit.cli.output import write_stdout

    if format_ == "json":
        write_stdout([json.dumps(_document(client, step, choice, done), indent=2)])
        return
    write_stdout(f"{tag.name}:{tag.tag}@{done.digest}\n" for tag in done.tags)


def _document(client: Client, step: MergeStep, choice: Choice | None, done: Done | None) -> dict[str, Any]:
    """Everything about a merge."""
    from audit.value import SCHEMA_VERSION

    merged, counts = step.merged, client.counts
    return {
        "schema_version": SCHEMA_VERSION,
        "digest": done.digest if done else merged.digest,
        "media_type": merged.media_type,
        "tags": [f"{tag.name}:{tag.tag}" for tag in step.tags] if choice else [],
        "pushed": done is not None and not done.unchanged,
        "unchanged": done.unchanged if done else None,
        "engine": choice.engine if choice else None,
        "why": choice.able.why if choice else None,
        "not_taken": [{"engine": name, "why": why} for name, why in choice.others] if choice else [],
        "sources": [
            {
                "given": one.given,
                "reference": one.reference.familiar,
                "media_type": one.media_type,
                "platforms": [str(platform) for platform in one.platforms],
                "attested": one.attested,
            }
            for one in step.sources
        ],
        "index": _index(step, done),
        "notes": list(merged.notes),
        "requests": {
            "total": counts.requests,
            "by_kind": counts.by_kind,
            "tokens": counts.tokens,
            "bytes_read": counts.bytes_read,
            "bytes_sent": counts.bytes_sent,
        },
    }


def _index(step: MergeStep, done: Done | None) -> Any:
    """What stands there, or would; None where it stands in another spelling, and was not read again."""
    raw = done.raw if done else step.merged.raw
    return json.loads(raw) if raw else None
