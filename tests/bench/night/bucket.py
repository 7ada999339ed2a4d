"""A registry's limit, in simulated time: the clock may run fast, the arithmetic is that of real seconds."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since it was made, `speed` times as fast as the machine's own."""

    def __init__(self, speed: float = 1.0, tick: Callable[[], float] = time.monotonic) -> None:
        """`tick` gives real seconds that never go back."""
        if speed <= 0:
            raise ValueError(f"a clock's speed is above 0, not {speed}")
        self.speed = speed
        self._tick = tick
        self._began = tick()

    def now(self) -> float:
        """Simulated seconds."""
        return (self._tick() - self._began) * self.speed

    def real(self, seconds: float) -> float:
        """How long so many simulated seconds really take."""
        return seconds / self.speed


class Bucket:
    """So many requests a minute, and so many at once after a rest; what is refused costs nothing."""

    def __init__(self, clock: Clock, per_minute: float = 300.0, burst: float = 300.0) -> None:
        """It is full at first."""
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        self._left = burst
        self._seen = clock.now()

    def take(self) -> float:
        """Take one request's share: 0.0; or the simulated seconds until there is one again, and nothing is taken."""
        now = self._clock.now()
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate
