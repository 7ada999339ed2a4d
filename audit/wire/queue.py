"""Who is next, so that nobody waits for a full gate with a thread in hand."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from audit.model import Host
from audit.wire.sshconfig import Route


class Job:
    """One host on its way through the pool."""

    def __init__(self, host: Host) -> None:
        """Not on its way yet."""
        self.host = host
        self.route: Route | None = None
        self.gate: str | None = None


class Queue:
    """Who is next: a host whose gate is full waits without holding a thread."""

    def __init__(self, hosts: Sequence[Host], limit: int) -> None:
        """At most `limit` of one gate at once."""
        self._limit = limit
        self._fresh = deque(Job(host) for host in hosts)
        self._parked: dict[str, deque[Job]] = {}
        self._ready: deque[Job] = deque()
        self._inside: dict[str, int] = {}
        self._unsettled = len(self._fresh)
        self._changed = threading.Condition()
        self._ended = False

    def take(self) -> Job | None:
        """The next host; None when there will be no more."""
        with self._changed:
            while not self._ended and self._unsettled:
                if self._ready:
                    return self._ready.popleft()
                if self._fresh:
                    return self._fresh.popleft()
                self._changed.wait()
            return None

    def enter(self, job: Job, gate: str) -> bool:
        """Pass the gate; False: it is full, the host comes up again when there is room."""
        with self._changed:
            if job.gate is None and self._inside.get(gate, 0) >= self._limit:
                self._parked.setdefault(gate, deque()).append(job)
                return False
            if job.gate is None:
                job.gate = gate
                self._inside[gate] = self._inside.get(gate, 0) + 1
            return True

    def leave(self, job: Job) -> None:
        """Make room at the gate; the one who waits there first passes it at once."""
        with self._changed:
            gate, job.gate = job.gate, None
            if gate is None:
                return
            waiting = self._parked.get(gate)
            if waiting:
                following = waiting.popleft()
                following.gate = gate
                self._ready.append(following)
                self._changed.notify()
            else:
                self._inside[gate] -= 1

    def settle(self) -> None:
        """One host is through."""
        with self._changed:
            self._unsettled -= 1
            if not self._unsettled:
                self._changed.notify_all()

    def end(self) -> None:
        """Give out no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
