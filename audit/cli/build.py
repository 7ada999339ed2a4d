"""`fleet-audit build`: build every platform on the worker that the audit found fit, push, confirm, and merge."""

from __future__ import annotations

import json
import os
import secrets as randomness
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Inventory, KnownHosts, Limit, Verbose
from audit.cli.plan import (
    AttestOption,
    BuildArgs,
    BuildJobs,
    Context,
    Dockerfile,
    Labels,
    MergeBy,
    On,
    Platforms,
    Prefer,
    Retries,
    Secrets,
    Staging,
    Tags,
    Target,
)
from audit.cli.registries import PlainHttp, RegistryCa, RegistryUser
from audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.building import Logs, Material
    from audit.building.material import Context as ContextLike
    from audit.buildstep.result import Report
    from audit.cli.settings import Settings
    from audit.image.reference import Reference
    from audit.kept import Kept
    from audit.plan import Plan, Request
    from audit.registry.confirmed import ConfirmingClient
    from audit.run import SavedRun

OLD = 3600.0
"""Seconds after which facts are old enough to be told so."""

PushLogin = Annotated[
    bool,
    typer.Option(
        "--push-login",
        help="Send this machine's credentials for the staging repository to the workers, for one push; else they use "
        "their own.",
    ),
]


def build(
    platforms: Platforms,
    staging: Staging,
    context: Context = ".",
    dockerfile: Dockerfile = "Dockerfile",
    tag: Tags = None,
    build_arg: BuildArgs = None,
    label: Labels = None,
    secret: Secrets = None,
    target: Target = None,
    attest: AttestOption = "auto",
    prefer: Prefer = None,
    on: On = None,
    engine: MergeBy = "auto",
    jobs: BuildJobs = None,
    retries: Retries = 1,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Begin what has not begun, although a platform has failed for good.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Build what is there already under the same inputs.")] = False,
    push_login: PushLogin = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Limit for one platform on one worker, e.g. 30m; else 2h.")
    ] = None,
    digests: Annotated[
        Path | None, typer.Option("--digests", help="JSON file for what was built: hosts, digests, shapes, logs.")
    ] = None,
    logs: Annotated[
        Path | None, typer.Option("--logs", help="Folder for the whole logs; else one below the user's state folder.")
    ] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    from_: From = None,
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    plain_http: PlainHttp = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Remember what was built, and manifests, between runs.")
    ] = True,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No log lines, no progress, no summary.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Build all platforms at once on the workers that are fit, push, see what arrived, and merge it (-t).

    Prints REPO:TAG@DIGEST of the merged image, or without -t of each platform's. Exit code 1: the plan is not whole,
    and nothing was built; 5: a platform failed, and nothing was merged.
    """
    from audit.cli.check import gathered
    from audit.cli.output import require_writable
    from audit.cli.settings import settings_of
    from audit.plan import parse_request

    request = parse_request(
        context, platforms=platforms, staging=staging, dockerfile=dockerfile, target=target, build_args=build_arg or (),
        labels=label or (), secrets=secret or (), tags=tag or (), attest=attest, prefer=prefer or (), on=on or (),
        engine=engine, jobs=jobs, retries=retries,
    )  # fmt: skip
    settings = settings_of(
        inventory=inventory, limit=limit, registry_ca=registry_ca, registry_user=registry_user, plain_http=plain_http,
        host_keys=host_keys, known_hosts=known_hosts, color=color,
    )  # fmt: skip
    seconds = _seconds(timeout)
    if digests is not None:
        require_writable(digests, "--digests")
    verb = _Verb(request, settings, seconds, digests, logs, keep_going, force, cache, quiet, verbose)
    material = verb.material(secret or (), push_login=push_login)
    stopped: list[int] = []
    saved = gathered(
        [], from_, settings, explicit=bool(inventory), quiet=quiet, verbose=verbose, stopped=stopped
    )  # fmt: skip
    if stopped:
        return 128 + stopped[0]
    return verb.run(saved, material)


class _Verb:
    """What the parts of the verb share."""

    def __init__(
        self, request: Request, settings: Settings, seconds: float, digests: Path | None, logs: Path | None,
        keep_going: bool, force: bool, cache: bool, quiet: bool, verbose: int,
    ) -> None:  # fmt: skip
        from platformdirs import user_state_path

        self.request, self.settings, self.seconds, self.digests = request, settings, seconds, digests
        self.keep_going, self.force, self.cache = keep_going, force, cache
        self.quiet, self.verbose = quiet, verbose
        self.state = user_state_path("fleet-audit")
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{randomness.token_hex(3)}"
        self.logs = logs or self.state / "builds" / name

    def tell(self, line: str) -> None:
        """A line for people, unless they want none."""
        if not self.quiet:
            self.warn(f"fleet-audit: {line}")

    def warn(self, line: str) -> None:
        """A line for people."""
        from audit.reports import _inert

        print(_inert.terminal(line), file=sys.stderr)

    @property
    def names(self) -> list[Reference]:
        """Every image of the request; the login that is given is for the first one's registry."""
        from audit.image.reference import Reference

        return [Reference.parse(text) for text in (*self.request.tags, self.request.staging)]

    def material(self, secrets: Sequence[str], *, push_login: bool) -> Material:
        """Everything that is to be sent, read before anybody is contacted."""
        from audit.building import Material, login_of, secrets_of
        from audit.cli.registries import options_of
        from audit.registry import ONCE

        read = secrets_of(secrets, os.environ)
        login, words = None, ()  # type: tuple[bytes | None, tuple[str, ...]]
        if push_login:
            *targets, stage = self.names
            options = options_of(self.settings, [name.registry for name in self.names], ONCE)
            login, words = login_of(options, stage, targets, os.environ)
        context: ContextLike | None = None
        if not self.request.from_git:
            from audit.context import open_context

            opened = open_context(Path(self.request.context), self.request.dockerfile)
            for note in opened.notes:
                self.tell(note)
            self.tell(f"context: {opened.files} files, {opened.bytes} bytes")
            context = opened
        return Material(context=context, secrets=read, login=login, words=words)

    def run(self, saved: SavedRun, material: Material) -> int:
        """Plan, build, merge, tell."""
        from audit import flow
        from audit.building import Logs, held
        from audit.cli import check
        from audit.cli.registries import kept_of, opened
        from audit.plan import make_plan

        plan = make_plan(flow.judged(saved), self.request)
        if not plan.whole:
            self._refuse(plan)
            return plan.exit_code
        self._before(plan)
        logs = Logs(self.logs)
        kept = kept_of(cache=self.cache)
        stop, stopped = threading.Event(), list[int]()
        registries = [name.registry for name in self.names]
        with (
            held(self.state / "locks", self.request.staging),
            opened(self.settings, registries, kept) as client,
            check._signals(stop, stopped),
        ):
            report = self._built(plan, saved, material, client, logs, kept, stop)
            if stopped:
                report = report.model_copy(update={"interrupted": signal.Signals(stopped[0]).name})
            self._after(report)
            if report.whole and plan.merge is not None and not stopped:
                report = self._merged(plan, report, saved, client, kept, stop)
                self._write(report)
        if stopped:
            there = sum(one.there for one in report.platforms)
            merged = "; nothing was merged" if plan.merge is not None else ""
            self.warn(
                f"fleet-audit: {report.interrupted}: {there} of {len(report.platforms)} platforms are there{merged}"
            )
            return 128 + stopped[0]
        if not report.whole:
            failed = sum(not one.there for one in report.platforms)
            merged = ", and nothing was merged" if plan.merge is not None else ""
            self.warn(f"fleet-audit: {failed} of {len(report.platforms)} platforms failed{merged}; logs: {logs.folder}")
            return 5
        write_names = report.merged or tuple(one.reference or one.tag for one in report.platforms)
        _stdout(write_names)
        return 0

    def _refuse(self, plan: Plan) -> None:
        """As `plan` prints it, but on stderr: nothing was built."""
        from audit.cli.output import style_of
        from audit.reports._plan import FORMATS

        style = style_of(self.settings.color, self.verbose, self.settings.fail_on)
        print("".join(FORMATS["text"](plan, style)).rstrip("\n"), file=sys.stderr)
        self.warn("fleet-audit: nothing was built, since the plan is not whole")

    def _before(self, plan: Plan) -> None:
        age = time.time() - plan.facts_from.timestamp()
        if age > OLD:
            self.tell(f"the workers were looked at {age / 3600:.1f} hours ago; what they are now is not known")
        for note in plan.notes:
            self.tell(note)
        if self.verbose:
            self.tell(plan.attestations.why)
            for step in plan.steps:
                self.tell(f"{step.platform} on {step.host} ({step.work.why}): {step.shape.text}")

    def _built(
        self, plan: Plan, saved: SavedRun, material: Material, client: ConfirmingClient, logs: Logs, kept: Kept,
        stop: threading.Event,
    ) -> Report:  # fmt: skip
        from audit.building import Builds, Site
        from audit.cli import check
        from audit.cli.buildlines import showing

        with showing(self.request.platforms, quiet=self.quiet) as watchers:
            site = Site(
                fleet=saved.fleet, material=material, logs=logs, options=check.wire_options(self.settings),
                limit=self.seconds, keep_going=self.keep_going, force=self.force, kept=kept, stop=stop,
                watchers=watchers,
            )  # fmt: skip
            return Builds(plan, site, client).run()

    def _after(self, report: Report) -> None:
        """Say what came of each platform; failures to those, too, who want to hear nothing else."""
        from audit.buildstep.report import told

        if not self.quiet or not report.whole:
            for line in told(report):
                self.warn(line)
        self._write(report)

    def _write(self, report: Report) -> None:
        from audit.cli.output import write_file

        if self.digests is not None:
            body = report.model_dump(mode="json")
            write_file(self.digests, [json.dumps(body, indent=2), "\n"])

    def _merged(
        self, plan: Plan, report: Report, saved: SavedRun, client: ConfirmingClient, kept: Kept, stop: threading.Event
    ) -> Report:  # fmt: skip
        from audit.building import merged
        from audit.cli import check

        done = merged(
            client, plan, report, saved.fleet, check.wire_options(self.settings), kept=kept, stop=stop, tell=self.tell
        )  # fmt: skip
        names = tuple(f"{tag.name}:{tag.tag}@{done.digest}" for tag in done.tags)
        return report.model_copy(update={"merged": names})


def _stdout(names: Sequence[str]) -> None:
    from audit.cli.output import write_stdout

    write_stdout(f"{name}\n" for name in names)


def _seconds(timeout: str | None) -> float:
    from audit.building.driving import LIMIT
    from audit.cli.settings import seconds

    if timeout is None:
        return LIMIT
    try:
        value = seconds(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    if not isinstance(value, float) or not 0 < value <= 86400:
        raise UsageError(f"--timeout {timeout}: must be more than nothing, and at most a day")
    return value
