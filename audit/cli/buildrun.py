"""`fleet-audit build` under way: what it reads before anybody is contacted, what it tells, and its exit code."""

from __future__ import annotations

import json
import os
import secrets as randomness
import signal
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
    from audit.wire import WireOptions

OLD = 3600.0
"""Seconds after which facts are old enough to be told so."""


class Building:
    """One call of the verb."""

    def __init__(
        self, request: Request, settings: Settings, seconds: float, digests: Path | None, logs: Path | None,
        keep_going: bool, force: bool, cache: bool, quiet: bool, verbose: int,
    ) -> None:  # fmt: skip
        """As the command line has it; nothing is read yet."""
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
        from audit import inert

        print(inert.terminal(line), file=sys.stderr)

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
        ):
            with check._signals(stop, stopped):
                report = self._built(plan, saved, material, client, logs, kept, stop)
            if stopped:
                report = report.model_copy(update={"interrupted": signal.Signals(stopped[0]).name})
            self._after(report)
            code = self._code(plan, report, stopped, logs)
            if code == 0 and plan.merge is not None:
                report, code = self._merged(plan, report, saved, client, kept)
                self._write(report)
        if report.merged or code == 0:
            _stdout(report.merged or tuple(one.reference or one.tag for one in report.platforms))
        return code

    def _code(self, plan: Plan, report: Report, stopped: list[int], logs: Logs) -> int:
        """The exit code of the builds, with a last sentence where it is not 0."""
        there, total = sum(one.there for one in report.platforms), len(report.platforms)
        merged = ", and nothing was merged" if plan.merge is not None else ""
        if stopped:
            self.warn(f"fleet-audit: {report.interrupted}: {there} of {total} platforms are there{merged}")
            return 128 + stopped[0]
        if not report.whole:
            self.warn(f"fleet-audit: {total - there} of {total} platforms failed{merged}; logs: {logs.folder}")
            return 5
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
        from audit.cli.buildlines import showing

        with showing(self.request.platforms, quiet=self.quiet) as watchers:
            site = Site(
                fleet=saved.fleet, material=material, logs=logs, options=self.wire,
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
        self, plan: Plan, report: Report, saved: SavedRun, client: ConfirmingClient, kept: Kept
    ) -> tuple[Report, int]:  # fmt: skip
        """Merge; a signal ends a program on the merge host before it ends us. Our own engine may be ended anywhere."""
        from audit.building import merged
        from audit.cli import check

        assert plan.merge is not None
        stop, stopped = threading.Event(), list[int]()
        with nullcontext() if plan.merge.engine == "registry" else check._signals(stop, stopped):
            try:
                done = merged(client, plan, report, saved.fleet, self.wire, kept=kept, stop=stop, tell=self.tell)
            except Exception:
                if stopped:
                    raise KeyboardInterrupt from None
                raise
        names = tuple(f"{tag.name}:{tag.tag}@{done.digest}" for tag in done.tags)
        return report.model_copy(update={"merged": names}), 128 + stopped[0] if stopped else 0

    @property
    def wire(self) -> WireOptions:
        """How to connect; a deadline is that of an audit, and a build has a limit of its own."""
        from audit.cli import check

        return replace(check.wire_options(self.settings), deadline=None)


def _stdout(names: Sequence[str]) -> None:
    from audit.cli.output import write_stdout

    write_stdout(f"{name}\n" for name in names)
