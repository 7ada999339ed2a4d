"""The progress line: who is still running, in which phase, since when."""

from __future__ import annotations

from audit.cli.progress import Watch
from audit.wire import Event


def test_the_line_names_the_slowest() -> None:
    """Hosts that run longest come first, at most three of them, each since its own start; finished ones only count."""
    now = [0.0]
    watch = Watch(6, clock=lambda: now[0])
    assert watch.line() == "0/6 hosts"
    for number in range(5):
        now[0] = float(number)
        watch(Event(f"w{number}", "connect"))
    now[0] = 10.0
    watch(Event("w1", "auth"))
    watch(Event("w0", "done", "ok"))
    assert watch.line() == "1/6 hosts · waiting for w1 auth 9 s, w2 connect 8 s, w3 connect 7 s"
