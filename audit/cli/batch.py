"""`fleet-audit merge --plan`: a night of merges; with `--rollback` and `--status`, what goes with it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from audit.cli.recorded import database_of, place_of, state_folder
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.batch import BatchPlan, Unit
    from audit.cli.output import Target
    from audit.cli.settings import Settings
    from audit.image.reference import Reference
    from audit.kept import Kept
    from audit.registry.confirmed import ConfirmingClient
    from audit.reports import Style
    from audit.store import Journal

_MOST_PLAN = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Night:
    """The flags of a batch; times are seconds."""

    rate: Sequence[str] = ()
    only: Sequence[str] = ()
    since: str | None = None
    report: Sequence[str] = ()
    force: bool = False
    trust_journal: bool = False
    patience: float = 1800.0
    manifests: Path | None = None
    connections: int = 6
    cache: bool = True
    dry_run: bool = False
    format: str = "text"
    quiet: bool = False
    verbose: int = 0


def merge_plan(settings: Settings, file: str, night: Night) -> int:
    """Merge all that a plan names; exit code 5 where something is left undone."""
    from audit.batch import units
    from audit.batch.reading import read_plan
    from audit.cli.batchout import outputs_of

    text, name = _text(file)
    plan = read_plan(text, name)
    outputs = outputs_of(night.report)
    with journal_of(settings, create=not night.dry_run) as journal:
        wanted = _wanted(plan, night, journal)
        some = units(plan.entries, wanted)
        if not some:
            raise UsageError(f"{name}: none of its tags is meant by --only and --since, so nothing is to be done")
        if night.dry_run:
            return _forecast(some, night, journal)
        if journal is None:  # not reached: without --dry-run one is made
            raise UsageError("there is no journal")
        return _run(settings, plan, some, night, journal, outputs)


def roll_back(settings: Settings, run: str, night: Night) -> int:
    """Let the tags that a run wrote stand for what they stood for before."""
    from audit import batching
    from audit.cli import check
    from audit.cli.batchout import outputs_of, write
    from audit.image.reference import Reference

    outputs = outputs_of(night.report)
    with journal_of(settings, create=False) as journal:
        if journal is None:
            raise UsageError(
                f"--rollback {run}: there is no journal yet ({place_of(settings)}), so no run to take back"
            )
        names = [Reference.parse(name).registry for name in journal.tags(run)]
        stop, stopped = threading.Event(), list[int]()
        about = f"rollback of {run}"
        with _guard(about), check._signals(stop, stopped), _client(settings, names, night, stop) as client:
            report = batching.roll_back(
                client, journal, run, connections=night.connections, force=night.force,
                wanted=lambda tag: not night.only or _meant(tag, night.only), stop=stop,
            )  # fmt: skip
        write(report, outputs, _style(night))
    return 128 + stopped[0] if stopped else 5 if report.undone else 0


def status(settings: Settings) -> int:
    """How the batch is doing that runs on this machine, or how the last one ended; exit code 0, or 5 as that one."""
    from audit.batch.progress import Progress
    from audit.batch.progress import status as told
    from audit.cli.output import write_stdout

    with journal_of(settings, create=False) as journal:
        latest = journal.latest() if journal is not None else None
        if latest is None:
            raise UsageError(f"no batch has run here yet: there is no journal of one ({place_of(settings)})")
        alive = latest.state == "running" and _alive(latest.pid, latest.boot)
        progress = Progress.model_validate(latest.progress or {"total": 0}, strict=False)
        age = time.time() - (latest.ended or latest.beat)
        write_stdout([told(progress, run=latest.id, plan=latest.plan, alive=alive, age=max(0.0, age))])
    return 5 if latest.state == "left" or (latest.state == "running" and not alive) else 0


@contextmanager
def journal_of(settings: Settings, *, create: bool) -> Iterator[Journal | None]:
    """The journal of merges; None where there is none yet and none is to be made."""
    from audit.store import Journal, StoreError

    if not create and settings.db is None and not Path(place_of(settings)).exists():
        yield None
        return
    with ExitStack() as stack:
        try:
            database = stack.enter_context(database_of(settings, create=create))
        except StoreError as error:
            if create or error.kind != "missing":
                raise
            yield None
            return
        journal = Journal(database)
        try:
            yield journal
        finally:
            journal.close()


# ------------------------------------------------------------------- inside


def _run(
    settings: Settings, plan: BatchPlan, some: Sequence[Unit], night: Night, journal: Journal, outputs: Sequence[Target]
) -> int:
    from audit.batching import Batch, Wishes
    from audit.cli import check
    from audit.cli.batchout import write
    from audit.cli.batchview import viewing
    from audit.cli.registries import remember

    names = dict.fromkeys(name.registry for unit in some for name in (*unit.tags, *_sources(unit)))
    stop, stopped = threading.Event(), list[int]()
    wishes = Wishes(
        connections=night.connections, force=night.force, trust_journal=night.trust_journal, patience=night.patience
    )  # fmt: skip

    def tell(line: str) -> None:
        from audit import inert

        if night.verbose:
            print(f"fleet-audit: {inert.terminal(line)}", file=sys.stderr)

    with _guard(plan.name), check._signals(stop, stopped), _client(settings, list(names), night, stop) as client:
        kept = _kept(night)
        batch = Batch(
            client, journal, plan, some, kept=kept, wishes=wishes, stop=stop, tell=tell,
            succeeded=lambda: remember(client, kept),
        )  # fmt: skip
        if batch.row.resumed and not night.quiet:
            print(f"fleet-audit: going on with run {batch.row.id}, which was cut off", file=sys.stderr)
        with viewing(batch, outputs, _style(night), quiet=night.quiet):
            report = batch.run()
    write(report, outputs, _style(night))
    return 128 + stopped[0] if stopped else 5 if report.undone else 0


def _forecast(some: Sequence[Unit], night: Night, journal: Journal | None) -> int:
    """What it would cost; nothing is sent."""
    from audit.batch.forecast import Stood, foretell
    from audit.batch.reports import render_forecast
    from audit.cli.output import write_stdout
    from audit.cli.rates import rates_of
    from audit.registry.pace import RATES

    kept = _kept(night)
    tags = [tag for unit in some for tag in unit.tags]
    stood = journal.stood(map(str, tags)) if journal is not None else {}
    said = rates_of(night.rate)
    rates = {
        name: rate for name in dict.fromkeys(tag.registry for tag in tags)
        if (rate := said.get(name, said.get("*", RATES.get(name)))) is not None
    }  # fmt: skip
    ahead = foretell(
        some, known=kept.get, present=_Present(journal, tags), rates=rates,
        stood={name: Stood(one.digest, one.unit) for name, one in stood.items()},
        last=lambda source: kept.last(f"{source.name}:{source.wanted}"),
    )  # fmt: skip
    write_stdout([render_forecast(ahead, _style(night), "json" if night.format == "json" else "text")])
    return 0


class _Present:
    """What the journal believes to stand in the target repositories."""

    def __init__(self, journal: Journal | None, tags: Sequence[Reference]) -> None:
        self._journal = journal
        self._places = {tag.name: tag for tag in tags}
        self._youngest = time.time() - 7 * 86400.0
        self._found: dict[tuple[str, str], bool] = {}

    def __call__(self, repository: str, digest: str) -> bool:
        place = self._places.get(repository)
        if self._journal is None or place is None:
            return False
        key = (repository, digest)
        if key not in self._found:
            self._found[key] = any(
                self._journal.known(place.registry, place.repository, kind, {digest}, youngest=self._youngest)
                for kind in ("blob", "manifest")
            )
        return self._found[key]


@contextmanager
def _client(
    settings: Settings, names: Sequence[str], night: Night, stop: threading.Event
) -> Iterator[ConfirmingClient]:
    from audit.cli.rates import rates_of
    from audit.cli.registries import opened

    with opened(settings, names, _kept(night), rates=rates_of(night.rate), patient=True, stop=stop) as client:
        yield client


def _kept(night: Night) -> Kept:
    from audit.cli.registries import kept_of

    if night.manifests is not None and not (night.manifests / "blobs").is_dir():
        raise UsageError(f"--manifests {night.manifests}: it has no folder blobs; name a folder in OCI's image layout")
    return kept_of(cache=night.cache, layout=night.manifests)


@contextmanager
def _guard(plan: str) -> Iterator[None]:
    from audit.batching import Guard

    with Guard(state_folder() / "merge.lock", {"plan": plan, "since": int(time.time())}):
        yield


def _text(file: str) -> tuple[str, str]:
    """A plan's text and what messages call it."""
    try:
        if file == "-":
            raw, name = sys.stdin.buffer.read(_MOST_PLAN + 1), "the plan on stdin"
        else:
            with Path(file).open("rb") as opened:
                raw, name = opened.read(_MOST_PLAN + 1), file
    except OSError as error:
        raise UsageError(f"--plan {file}: cannot be read: {error.strerror or error}") from None
    if len(raw) > _MOST_PLAN:
        raise UsageError(f"--plan {file}: it has more than {_MOST_PLAN >> 20} MiB; split it")
    try:
        return raw.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        raise UsageError(f"--plan {file}: byte {error.start} is no UTF-8; save it as UTF-8") from None


def _wanted(plan: BatchPlan, night: Night, journal: Journal | None) -> Callable[[Reference], bool]:
    """Which tags are meant by --only and --since."""
    from audit.cli.rates import moment

    every = [tag for entry in plan.entries for tag in entry.tags]
    for pattern in night.only:
        if not any(_meant(tag, [pattern]) for tag in every):
            raise UsageError(f"--only {pattern}: no tag of {plan.name} is called so")
    recent: set[str] = set()
    if night.since is not None:
        run = journal.run(night.since) if journal is not None else None
        youngest = run.began if run is not None else moment(night.since, time.time())
        keys = {str(tag): entry.key for entry in plan.entries for tag in entry.tags}
        stood = journal.stood(list(keys)) if journal is not None else {}
        recent = {name for name, one in stood.items() if one.updated >= youngest and one.unit == keys[name]}
    return lambda tag: (not night.only or _meant(tag, night.only)) and str(tag) not in recent


def _meant(tag: Reference, patterns: Sequence[str]) -> bool:
    """``alpine-*`` is held against the tag, ``live/opam:alpine-*`` against the whole name."""
    return any(fnmatchcase(text, pattern) for pattern in patterns for text in (tag.tag or "", tag.familiar, str(tag)))


def _sources(unit: Unit) -> Iterator[Reference]:
    for source in unit.entry.sources:
        yield source.reference


def _style(night: Night) -> Style:
    from audit.cli.output import style_of

    return style_of("auto", night.verbose, "error")


def _alive(pid: int, boot: str) -> bool:
    """Whether the process still runs that wrote this; after a reboot none does."""
    from audit.batching import this_boot

    if boot and boot != this_boot():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
