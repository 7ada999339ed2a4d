"""The project's command with its clocks running fast: `python -m tests.bench.night.fast SPEED -- merge --plan FILE …`.

What waits in it, waits that many times shorter; what it counts, and how often it asks, is as it is. A registry's limit
of 300 requests a minute is then one of 300 in 60/SPEED seconds, for both sides.
"""

from __future__ import annotations

import sys
import threading
import time

_LEAST_LIMIT = 1.5
"""Real seconds: a machine that is busy answers late, however fast the clocks are."""
_LIMITS = ("connect", "idle", "answer", "token", "helper")


def quicken(speed: float) -> None:
    """Let every clock of the limiter, of retries and of parking run `speed` times as fast, in this process.

    What is patched are defaults of constructors, so it must be done before the command is called, and reaches whoever
    is made without a clock of his own:

    - `audit.registry.retry.Retry`: `sleep` and `clock`; its own figures stay in simulated seconds.
    - `audit.registry.pace.Limiter`: likewise; UNIX time stays as it is, since registries name dates in it.
    - `audit.batching.shared.Times`: `clock` and `wait`, for parked tags and registries that are slow to show.
    - `audit.registry.options.Options`: `connect`, `idle`, `answer`, `token`, `helper`, which the operating
      system is given and so are divided; none is less than 1.5 real seconds.

    Tokens live in real seconds: the proxy says how long.

    Args:
        speed: 1 changes nothing.

    Raises:
        KeyError: a constructor has no such argument any more.
    """
    from audit.batching.shared import Times
    from audit.registry.options import Options
    from audit.registry.pace import Limiter
    from audit.registry.retry import Retry

    def sleep(seconds: float) -> None:
        time.sleep(seconds / speed)

    def clock() -> float:
        return time.monotonic() * speed

    def wait(event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds / speed)

    _defaults(Retry, sleep=sleep, clock=clock)
    _defaults(Limiter, sleep=sleep, clock=clock)
    Times.__init__.__defaults__ = (time.time, clock, wait)  # now, clock, wait: in their order
    usual = Options()
    limits: dict[str, float] = {name: getattr(usual, name) for name in _LIMITS}
    _defaults(Options, **{name: max(min(_LEAST_LIMIT, value), value / speed) for name, value in limits.items()})


def _defaults(kind: type, **given: object) -> None:
    """Change what a constructor takes where it is not told."""
    known = kind.__init__.__kwdefaults__  # type: ignore[misc]  # of the class itself, which has no heirs
    for name, value in given.items():
        if name not in known:
            raise KeyError(f"{kind.__name__} takes no {name}")
        known[name] = value


def main(argv: list[str]) -> None:
    """Quicken, then be the command; its exit code is ours."""
    speed, _, *arguments = argv
    quicken(float(speed))
    sys.argv = ["fleet-audit", *arguments]
    from audit.cli import main as command

    command()


if __name__ == "__main__":
    main(sys.argv[1:])
