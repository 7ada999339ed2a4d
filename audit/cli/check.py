"""`fleet-audit check`: ask, judge, report."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.recorded import Db
from audit.cli.recorded import record as remember
from audit.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from audit.cli.settings import Settings
    from audit.model import Fleet
    from audit.run import SavedRun
    from audit.wire import WireOptions

Hosts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[HOST]...", help="Hosts or groups of the inventory, or user@host:port.", show_default=False
    ),
]
Inventory = Annotated[
    list[Path] | None,
    typer.Option("-i", "--inventory", help="Inventory file or folder (Ansible's layout); may be given several times."),
]
Limit = Annotated[str | None, typer.Option("--limit", "-l", help="Narrow by an Ansible pattern, e.g. 'arm64:!w07'.")]
From = Annotated[Path | None, typer.Option("--from", help="Judge a saved run instead of asking the hosts.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="More: -v, -vv, -vvv.", show_default=False)]
Color = Annotated[str | None, typer.Option("--color", metavar="auto|always|never", help="When to colour.")]
HostKeys = Annotated[
    str | None, typer.Option("--host-keys", metavar="strict|accept-new|pinned", help="Which host keys to accept.")
]
KnownHosts = Annotated[Path | None, typer.Option("--known-hosts", help="known_hosts file to use instead of ssh's own.")]


def check(
    hosts: Hosts = None,
    inventory: Inventory = None,
    limit: Limit = None,
    local: Annotated[bool, typer.Option("--local", help="Audit this machine, without SSH.")] = False,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="note|warning|error|never", help="Least severity for exit code 1."),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Hosts at once.")] = None,
    deadline: Annotated[str | None, typer.Option("--deadline", help="Limit for the whole run, e.g. 5m.")] = None,
    timeout: Annotated[str | None, typer.Option("--timeout", help="Limit for one host, e.g. 45s.")] = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", "-r", metavar="FORMAT[:PATH]", help="Report to write; may be given several times."),
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Save the evidence, for --from.")] = None,
    from_: From = None,
    show_script: Annotated[
        bool, typer.Option("--show-script", help="Print what would run on a worker; run nothing.")
    ] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 whatever was found.")] = False,
    min_coverage: Annotated[
        float | None, typer.Option("--min-coverage", help="Percent of hosts that must be told completely.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Keep the check in the history (never one of --from).")
    ] = True,
    db: Db = None,
    notify: Annotated[
        list[str] | None,
        typer.Option("--notify", metavar="URL|@FILE", help="Tell people of what turned; may be given several times."),
    ] = None,
    notify_on: Annotated[
        str | None, typer.Option("--notify-on", metavar="new|worse|any", help="What is worth a message.")
    ] = None,
    link: Annotated[str | None, typer.Option("--link", help="Where the report can be seen, for the message.")] = None,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Ask every worker what it is, judge the answers, report. Read-only; needs only a POSIX shell there."""
    from audit import flow
    from audit.cli.output import require_writable, style_of, targets_of, write_all, write_file, write_stdout
    from audit.cli.settings import settings_of
    from audit.cli.telling import teller_of

    settings = settings_of(
        inventory=inventory,
        limit=limit,
        fail_on=fail_on,
        jobs=jobs,
        deadline=deadline,
        host_timeout=timeout,
        report=report,
        min_coverage=min_coverage,
        notify=notify,
        notify_on=notify_on,
        link=link,
        host_keys=host_keys,
        known_hosts=known_hosts,
        color=color,
        db=db,
    )
    targets = targets_of(settings.report)
    if save is not None:
        require_writable(save, "--save")
    style = style_of(settings.color, verbose, settings.fail_on)
    # A saved run tells nobody by itself: whoever looks at it again asks for that on the command line.
    teller = teller_of(settings, wanted=from_ is None or bool(notify))
    stopped: list[int] = []
    if show_script and from_ is None:
        fleet = flow.fleet_of(hosts or [], inventory_of(settings), limit=settings.limit, local=local)
        write_stdout([flow.script_of(fleet.hosts[0])])
        return 0
    saved = gathered(
        hosts or [], from_, settings, explicit=bool(inventory), local=local, quiet=quiet, verbose=verbose,
        stopped=stopped,
    )  # fmt: skip
    if save is not None:
        write_file(save, [saved.model_dump_json(), "\n"])
    run = flow.judged(saved)
    teller.look(run)  # before the run stands in the history itself
    code = run.exit_code(style.fail_on, settings.min_coverage)
    code = 128 + stopped[0] if stopped else 0 if exit_zero and code in (1, 3) else code
    try:
        write_all(run, targets, style)
        for fault in run.faults:
            print(f"fleet-audit: a bug of ours: {fault}", file=sys.stderr)
    finally:  # a reader of stdout that has gone, or a full disk, is no reason to forget what was found
        if record and from_ is None:
            remember(run, saved, settings, exit_code=code, quiet=quiet)
    if not stopped:
        teller.tell(quiet=quiet)
    return code


def gathered(
    hosts: list[str],
    from_: Path | None,
    settings: Settings,
    *,
    explicit: bool,
    stopped: list[int],
    local: bool = False,
    quiet: bool = False,
    verbose: int = 0,
) -> SavedRun:
    """What the verbs that look at workers begin with: a saved run, or the hosts asked now.

    Args:
        hosts: names, groups or addresses.
        from_: the file of a saved run.
        settings: where the inventory is, and how to connect.
        explicit: an inventory was named on the command line, and rules over a saved run's own.
        stopped: takes the number of the signal that ended the asking early.
        local: this machine, without SSH.
        quiet: no progress.
        verbose: more of it.
    """
    from audit import flow

    if from_ is not None:
        return saved_run(from_, hosts, settings, explicit=explicit)
    fleet = flow.fleet_of(hosts, inventory_of(settings), limit=settings.limit, local=local)
    return ask(fleet, wire_options(settings), quiet=quiet, verbose=verbose, stopped=stopped)


def inventory_of(settings: Settings) -> list[Path]:
    """The inventory to read: the one given or set, else ./inventory where it exists."""
    default = Path("inventory")
    return settings.inventory or ([default] if default.is_dir() else [])


def saved_run(file: Path, hosts: list[str], settings: Settings, *, explicit: bool) -> SavedRun:
    """A saved run, under the policy of the inventory where one is given, else under its own."""
    from audit import flow
    from audit.errors import SavedRunError
    from audit.run import SavedRun

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SavedRunError(f"cannot be read: {reason}", file=file) from None
    saved = SavedRun.parse(text, str(file))
    if explicit:
        saved = flow.under(saved, flow.fleet_of([], settings.inventory))
    return flow.narrowed(saved, hosts, settings.limit)


def wire_options(settings: Settings) -> WireOptions:
    """The wire's options out of the settings."""
    from audit.wire import WireOptions

    return WireOptions(
        jobs=settings.jobs,
        deadline=settings.deadline,
        connect=settings.connect_timeout,
        auth=settings.auth_timeout,
        host=settings.host_timeout,
        host_keys=settings.host_keys,
        known_hosts=settings.known_hosts,
    )


def ask(fleet: Fleet, options: WireOptions, *, quiet: bool, verbose: int, stopped: list[int]) -> SavedRun:
    """Collect with progress; Ctrl-C and SIGTERM end it early with what there is, and land in `stopped`."""
    from audit import flow
    from audit.cli.progress import watching

    stop = threading.Event()
    with _signals(stop, stopped), watching(fleet, quiet=quiet, verbose=verbose) as on_event:
        saved = flow.gather(fleet, options, on_event=on_event, stop=stop)
    if stopped:
        name = signal.Signals(stopped[0]).name
        saved = saved.model_copy(update={"evidence": saved.evidence.model_copy(update={"interrupted": name})})
    return saved


@contextmanager
def _signals(stop: threading.Event, stopped: list[int]) -> Iterator[None]:
    def note(number: int, _frame: FrameType | None) -> None:
        if stopped:  # asked twice: do not wait for the report
            raise KeyboardInterrupt
        stopped.append(number)
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def one_host(run_hosts: tuple[str, ...], wanted: str) -> str:
    """The host asked for, or a UsageError that names what there is."""
    if wanted in run_hosts:
        return wanted
    raise UsageError(f"--host {wanted}: not in this run; it has {', '.join(run_hosts[:8])}")
