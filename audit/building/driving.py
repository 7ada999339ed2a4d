"""All platforms of a plan at once: what is there is left, what fails is tried elsewhere, what cannot be is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from audit.building.attempt import Try, Watchers
from audit.building.confirming import Confirmed, confirm
from audit.building.logs import Logs
from audit.building.material import Material
from audit.building.memory import Remembered, pinned, recall, remember
from audit.buildstep.result import Attempt, Built, Report, State, shape_text
from audit.errors import StepError
from audit.image.reference import Reference
from audit.kept import Kept
from audit.model import Fleet
from audit.plan import BuildStep, Plan
from audit.plan.model import Work, digest_of
from audit.registry import Client, NotFound
from audit.wire import WireOptions

LIMIT = 7200.0
"""Seconds that one platform may take on one worker, unless told: emulated machines are slow."""


@dataclass(frozen=True)
class Site:
    """Where and how a plan is built.

    Attributes:
        fleet: the hosts of the plan, and the jump hosts before them.
        material: what is sent to them.
        logs: where every log is kept.
        options: of the wire.
        limit: seconds for one attempt.
        keep_going: begin what has not begun, although a platform has failed for good.
        force: build what is there already, too.
        kept: remembers what was built under which inputs.
        stop: once set, what runs is ended and nothing more begun.
        watchers: who is told.
    """

    fleet: Fleet
    material: Material
    logs: Logs
    options: WireOptions = field(default_factory=WireOptions)
    limit: float = LIMIT
    keep_going: bool = False
    force: bool = False
    kept: Kept = field(default_factory=lambda: Kept(None))
    stop: threading.Event = field(default_factory=threading.Event)
    watchers: Watchers = field(default_factory=Watchers)


class Builds:
    """One run of a plan.

    Args:
        plan: whole.
        site: where and how.
        client: of the staging registry.
    """

    def __init__(self, plan: Plan, site: Site, client: Client) -> None:
        """Nothing is asked yet."""
        self.plan, self.site, self.client = plan, site, client
        self._hosts = {host.name: host for host in site.fleet.hosts}
        self._broken = threading.Event()
        self._context = site.material.context.digest() if site.material.context else None

    def run(self) -> Report:
        """Every platform, until the last one is there, has failed for good, or was ended.

        Raises:
            StepError: the staging registry cannot be asked, so nothing was begun.
        """
        steps = self.plan.steps
        standing = self._standing()
        jobs = min(self.plan.request.jobs or len(steps), len(steps))
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="build")
        try:
            built = tuple(pool.map(lambda step: self._one(step, standing[step.platform]), steps))
        except BaseException:
            self.site.stop.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return Report(staging=self.plan.request.staging, platforms=built)

    def inputs_of(self, step: BuildStep) -> str:
        """Everything that decides a platform's result, the context's bytes included."""
        return digest_of({"step": step.inputs, "context": self._context})

    # ------------------------------------------------------------------- before

    def _standing(self) -> dict[str, str | None]:
        """What each staging tag stands for now: a registry that is down, or refuses us, costs no build."""
        found: dict[str, str | None] = {}
        for step in self.plan.steps:
            tag = Reference.parse(step.staging)
            self.client.expect(tag.registry, pull=[tag.repository])
            try:
                found[step.platform] = self.client.head(tag).digest
            except NotFound:
                found[step.platform] = None
            except StepError as error:
                raise StepError(f"nothing was built, since the staging registry cannot be asked: {error}") from None
        return found

    # ---------------------------------------------------------------- a platform

    def _one(self, step: BuildStep, standing: str | None) -> Built:
        if self.site.stop.is_set():
            return self._end(step, "not-begun", why="interrupted before it began")
        exact = pinned(self.plan.request)
        there = recall(self.site.kept, step, self.inputs_of(step), standing, exact=exact)
        if isinstance(there, Remembered) and not self.site.force:
            return self._present(step, there)
        if self._broken.is_set() and not self.site.keep_going:
            return self._end(step, "not-begun", why="another platform had failed; --keep-going begins it all the same")
        why = "--force" if isinstance(there, Remembered) else there
        done = self._attempts(step, why)
        if not done.there:
            self._broken.set()
        return done

    def _attempts(self, step: BuildStep, why: str) -> Built:
        """One worker after another, until one has done it."""
        attempts: list[Attempt] = []
        works = step.attempts(self.plan.request.retries)
        for number, work in enumerate(works, 1):
            attempt, confirmed = self._try(step, work, number)
            attempts.append(attempt)
            if attempt.failed is None and confirmed is not None and confirmed.arrived is not None:
                done = self._end(step, "built", attempts, why=why, confirmed=confirmed)
                self._remember(step, work, done)
                return done
            if self.site.stop.is_set():
                return self._end(step, "stopped", attempts, why=attempt.why, confirmed=confirmed)
            more = works[number:] if attempt.elsewhere else ()
            if not more:
                return self._end(step, "failed", attempts, why=attempt.why, confirmed=confirmed)
            said = f"{work.host} failed ({attempt.why}); trying {more[0].host}"
            self.site.watchers.note(step.platform, said)
        raise AssertionError  # a plan that is whole gives every platform a worker

    def _try(self, step: BuildStep, work: Work, number: int) -> tuple[Attempt, Confirmed | None]:
        site = self.site
        with site.logs.open(step.platform, number, work.host) as log:
            one = Try(
                step, work, self._hosts[work.host], site.fleet, site.material, site.options, site.limit, site.stop,
                site.watchers, log,
            )  # fmt: skip
            attempt, digest = one.run()
            if log.fault:
                site.watchers.note(step.platform, log.fault)
        confirmed = None
        if attempt.failed is None and digest is not None:
            if one.sent not in (None, self._context):
                why = "the context changed while it was being sent, so that platforms would differ; build again"
                return attempt.model_copy(update={"failed": "context", "why": why}), None
            confirmed = confirm(self.client, step, work, digest, site.kept)
            attempt = attempt.model_copy(update={"failed": confirmed.failed, "why": confirmed.why})
        return attempt, confirmed

    # -------------------------------------------------------------------- ends

    def _remember(self, step: BuildStep, work: Work, done: Built) -> None:
        """Only what another run would have made likewise: a stand-in that cannot attest is none."""
        if work.attested == step.work.attested and done.digest and done.media_type and done.shape and done.host:
            note = Remembered(
                inputs=done.inputs, digest=done.digest, media_type=done.media_type, shape=done.shape, host=done.host
            )
            remember(self.site.kept, step, note)

    def _present(self, step: BuildStep, there: Remembered) -> Built:
        done = self._end(step, "present", why="the same inputs")
        return done.model_copy(
            update={
                "host": there.host,
                "digest": there.digest,
                "reference": str(Reference.parse(step.staging).at(there.digest)),
                "media_type": there.media_type,
                "shape": there.shape,
            }
        )

    def _end(
        self, step: BuildStep, state: State, attempts: list[Attempt] | None = None, *, why: str = "",
        confirmed: Confirmed | None = None,
    ) -> Built:  # fmt: skip
        arrived = confirmed.arrived if confirmed else None
        tried = attempts or []
        return Built(
            platform=step.platform,
            state=state,
            tag=step.staging,
            host=tried[-1].host if tried else None,
            digest=arrived.digest if arrived else None,
            reference=str(Reference.parse(step.staging).at(arrived.digest)) if arrived else None,
            media_type=arrived.media_type if arrived else None,
            shape=shape_text(arrived) if arrived else None,
            arrived=arrived,
            wanted=step.shape.text,
            differences=confirmed.differences if confirmed else (),
            inputs=self.inputs_of(step),
            seconds=round(sum(attempt.seconds for attempt in tried), 3),
            why=why,
            attempts=tuple(tried),
        )
