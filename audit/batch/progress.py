"""How far a batch is, as a value, as one line, and as the answer to ``merge --status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from audit import inert
from audit.image.reference import DOCKER_HUB
from audit.value import Model

REASONS: Mapping[str, str] = {
    "rate": "the rate that was set",
    "limit": "{} asked for it",
    "abuse-limit": "{} was asked too much",
    "pull-quota": "the pulls of {} are used up",
    "host-down": "{} does not answer",
    "login-locked": "{} has locked the account",
    "parked": "tags of {} that could not go on come back then",
    "server": "{} does not answer",
    "retry": "a request to {} is tried again",
}
"""Why we wait, for a person; ``{}`` is the registry."""


class Waiting(Model):
    """Somebody who is being waited for.

    Attributes:
        registry: that it is.
        reason: one of `REASONS`, or another slug.
        seconds: still to come.
    """

    registry: str
    reason: str
    seconds: float

    def __str__(self) -> str:
        """``42 s: Docker Hub asked for it``."""
        who = "Docker Hub" if self.registry == DOCKER_HUB else self.registry
        why = REASONS[self.reason].format(who) if self.reason in REASONS else f"{self.reason} at {who}"
        return f"{span(self.seconds)}: {why}"


class Progress(Model):
    """A batch under way, at one moment.

    Attributes:
        phase: e.g. ``reading``, ``merging``, ``parked tags again``, ``finished``.
        total: tags; each is in one of the six numbers before it.
        requests: until now.
        rate: requests in the last minute.
        limit: requests a minute that are allowed now; None: no limit.
        waited: seconds by reason, until now.
        waiting: who is being waited for, the longest first.
        seconds: since the start.
        eta: seconds to go; None where nothing can be said yet.
    """

    done: int = 0
    unchanged: int = 0
    parked: int = 0
    moved: int = 0
    failed: int = 0
    left: int = 0
    total: int
    requests: int = 0
    rate: float = 0
    limit: float | None = None
    waited: dict[str, float] = Field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()
    seconds: float = 0
    eta: float | None = None
    phase: str = ""

    @property
    def ready(self) -> int:
        """Tags that stand as they shall."""
        return self.done + self.unchanged


def line(progress: Progress) -> str:
    """One plain line without a line end: for a display, and every half minute where there is no terminal."""
    return inert.terminal("; ".join(_parts(progress)))


def _parts(progress: Progress) -> Iterator[str]:
    behind = {"parked": progress.parked, "moved": progress.moved, "failed": progress.failed}
    tags = f"{progress.ready:,} of {progress.total:,} tags"
    yield ", ".join([tags, *(f"{count:,} {state}" for state, count in behind.items() if count)])
    limit = f" of {progress.limit:,.0f}" if progress.limit is not None else ""
    yield f"{progress.requests:,} requests, {progress.rate:,.0f}/min{limit}"
    if progress.eta is not None:
        yield f"{span(progress.eta)} to go"
    if progress.waiting:
        more = f" (and {len(progress.waiting) - 1} more)" if len(progress.waiting) > 1 else ""
        yield f"waiting {progress.waiting[0]}{more}"


def status(progress: Progress, *, run: str, plan: str, alive: bool, age: float = 0) -> str:
    """The answer to ``merge --status``: a few lines, ending with a newline.

    Args:
        progress: as it was last written down.
        run: its id.
        plan: the plan's name.
        alive: its process is there.
        age: seconds since it was written down.
    """
    return "".join(f"{inert.terminal(one)}\n" for one in _status(progress, run, plan, age, alive=alive))


def _status(progress: Progress, run: str, plan: str, age: float, *, alive: bool) -> Iterator[str]:
    if alive:
        state = progress.phase or "running"
        old = f", last heard of {span(age)} ago" if age >= 60 else ""
        yield f"run {run} of {plan}: {state} for {span(progress.seconds)}{old}"
    elif progress.ready == progress.total:
        yield f"run {run} of {plan}: finished {span(age)} ago"
    else:
        yield f"run {run} of {plan}: ended {span(age)} ago; the same command goes on with it"
    shown = progress if alive else progress.model_copy(update={"eta": None, "waiting": (), "rate": 0.0})
    yield f"  {'; '.join(_parts(shown))}"
    if progress.left:
        yield f"  {progress.left:,} tags are left"
    if waits := ", ".join(f"{reason} {span(spent)}" for reason, spent in progress.waited.items() if spent >= 1):
        yield f"  waited: {waits}"
    if alive:
        yield from (f"  waiting {one}" for one in progress.waiting[1:])


def span(seconds: float) -> str:
    """A time for people: ``42 s``, ``14 min``, ``2 h 05 min``."""
    whole = round(max(0.0, seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
