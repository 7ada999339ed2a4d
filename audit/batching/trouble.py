"""Sets of sources that could not go on: parked until their time has come, failed, or kept from a closed door."""

from __future__ import annotations

from audit.batching.jobs import Job
from audit.batching.noting import settled
from audit.batching.shared import Shared
from audit.batching.verdicts import verdict
from audit.errors import StepError
from audit.image.reference import Reference
from audit.registry import LoginLocked, RegistryError


class Trouble:
    """What is parked, and which registries and repositories are left alone. May be used by many threads at once."""

    def __init__(self, shared: Shared) -> None:
        """Nothing has failed yet."""
        self._shared = shared
        self._parked: list[Job] = []
        self._closed: dict[str, str] = {}
        self._locked: dict[str, tuple[float, str]] = {}

    @property
    def parked(self) -> tuple[Job, ...]:
        """In the order in which they were parked."""
        with self._shared.lock:
            return tuple(self._parked)

    def due(self) -> list[Job]:
        """Those whose time has come; they are parked no longer."""
        now = self._shared.times.clock()
        with self._shared.lock:
            due = [job for job in self._parked if job.not_before <= now]
            self._parked = [job for job in self._parked if job not in due]
        return due

    def refused(self, job: Job) -> bool:
        """Whether nothing of it can be done now, as another one has found out; then it is settled or parked."""
        for one in job.open:
            with self._shared.lock:
                why = self._closed.get(one.tag.name) or self._closed.get(one.tag.registry)
            if why is not None:
                one.state, one.why = "failed", why
                settled(self._shared, job, one)
        if job.open and (lock := self._lock(job)) is not None:
            self._park(job, *lock)
            return True
        return not job.open

    def failed(self, job: Job, error: StepError) -> None:
        """Park it or give it up; where others would only meet the same, close the door for them."""
        found = verdict(error, max(1, job.attempts))
        if found.closes and isinstance(error, RegistryError):
            place = error.call.host if found.closes == "registry" else _target(job, error).name
            with self._shared.lock:
                self._closed.setdefault(place, str(error))
        if found.what == "park":
            until = self._shared.times.clock() + found.seconds
            if isinstance(error, LoginLocked):
                with self._shared.lock:
                    self._locked[job.unit.tags[0].registry] = (until, str(error))
            self._park(job, until, str(error))
            return
        for one in job.open:
            one.state, one.why = "failed", str(error)
            settled(self._shared, job, one)

    def _lock(self, job: Job) -> tuple[float, str] | None:
        """Until when the registry of its tags locks our login, and why; None: it does not."""
        with self._shared.lock:
            found = [self._locked[tag.registry] for tag in job.unit.tags if tag.registry in self._locked]
        return next((one for one in found if one[0] > self._shared.times.clock()), None)

    def _park(self, job: Job, until: float, why: str) -> None:
        for one in job.open:
            one.state, one.why = "parked", why
            settled(self._shared, job, one)
        job.not_before = until
        with self._shared.lock:
            if job not in self._parked:
                self._parked.append(job)


def _target(job: Job, error: RegistryError) -> Reference:
    """Which of its tags the call was for."""
    tags = [one.tag for one in job.open] or list(job.unit.tags)
    fits = (tag for tag in tags if error.call.about.startswith((f"{tag.repository}@", f"{tag.repository}:")))
    return next(fits, tags[0])
