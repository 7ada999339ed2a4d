"""A build told to people: a line a platform, and for what failed why, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from audit.buildstep.result import Attempt, Built, Report
from audit.image.platform import Platform


def short(platform: str) -> str:
    """A platform as it stands before its lines: without ``linux/``, in the spelling of its staging tag."""
    found = Platform.parse(platform)
    words = [] if found.os == "linux" else [found.os, found.os_version]
    return "-".join(word for word in (*words, found.architecture, found.variant) if word)


def told(report: Report) -> Iterator[str]:
    """Line by line; whatever a worker said stands in it as it came."""
    width = max((len(short(one.platform)) for one in report.platforms), default=0)
    for one in report.platforms:
        lines = list(_of(one))
        yield f"{short(one.platform):<{width}}  {lines[0]}"
        yield from (f"{'':<{width}}  {line}" for line in lines[1:])


def _of(one: Built) -> Iterator[str]:
    if one.state == "built":
        again = f" ({one.why})" if one.why == "--force" else ""
        yield f"built on {one.host} in {one.seconds:.1f} s: {one.shape}, {one.digest}{again}"
    elif one.state == "present":
        yield f"there already (built on {one.host}): {one.shape}, {one.digest}"
    elif one.state == "not-begun":
        yield f"not begun: {one.why}"
    elif not one.attempts:
        yield f"{one.state}: {one.why}"
    for attempt in one.attempts:
        if attempt.failed is not None:
            word = "stopped" if attempt.failed == "signal" else "FAILED"
            yield f"{word} on {attempt.host}: {attempt.why}"
            yield from _more(attempt)
        elif attempt.left:
            yield from _more(attempt)


def _more(attempt: Attempt) -> Iterator[str]:
    if attempt.cause:
        yield f"  known: {attempt.cause}"
    for left in attempt.left:
        yield f"  left on {attempt.host}: {left}"
    if attempt.log and attempt.failed is not None:
        yield f"  log: {attempt.log}"
