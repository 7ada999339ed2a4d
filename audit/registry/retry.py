"""When to ask again, and how long to wait before: a small policy that waits for nobody by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from audit.errors import UsageError
from audit.registry.failures import PullQuota, RegistryError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how patiently a call is tried. All times are seconds.

    Attributes:
        tries: calls in all; 1 is none again.
        first: the longest first pause; each further one may be twice as long.
        longest: no pause of our own is longer.
        longest_after: a registry that asks for a longer wait than this is not waited for.
        paced: a limiter pauses for what registries ask, so only our own part is waited for here.
        total: no pause begins that would end later than this after the first call.
        sleep: how to wait.
        clock: seconds that never go back.
        draw: between its two arguments, evenly (full jitter, so that many clients do not come back together).
    """

    tries: int = 6
    first: float = 1.0
    longest: float = 16.0
    longest_after: float = 120.0
    total: float = 600.0
    paced: bool = False
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    draw: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could not work.

        Raises:
            UsageError: fewer than one try, or a time below zero.
        """
        if self.tries < 1:
            raise UsageError(f"tries: must be at least 1, not {self.tries}")
        for name in ("first", "longest", "longest_after", "total"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: must not be below 0")

    def pause(self, failed: int, error: Exception) -> float | None:
        """Seconds to wait before the next call, or None: do not call again.

        Args:
            failed: calls that have failed, the last one included.
            error: how the last one failed.
        """
        if not isinstance(error, RegistryError) or not error.transient:
            return None
        if failed >= min(self.tries, error.most or self.tries) or (self.paced and isinstance(error, PullQuota)):
            return None  # a limiter lets no pull go out before some are left
        ours = self.draw(0.0, min(self.longest, self.first * 2 ** min(failed - 1, 30)))
        asked = error.least if error.after is None else error.after
        if asked > self.longest_after:
            return None
        return ours if self.paced else asked + ours

    def call(self, do: Callable[[], T]) -> T:
        """What `do` gives, after as many tries as are needed and allowed.

        Raises:
            RegistryError: the last one, where no further call was allowed or would have helped.
        """
        began, failed = self.clock(), 0
        while True:
            try:
                return do()
            except RegistryError as error:
                failed += 1
                seconds = self.pause(failed, error)
                if seconds is None or self.clock() - began + seconds > self.total:
                    raise
            self.sleep(seconds)


ONCE = Retry(tries=1)
"""No call twice."""
