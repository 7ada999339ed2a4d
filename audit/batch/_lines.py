"""The lines ``SOURCE, SOURCE, … -> TAG`` of a ``builds.expected`` file of ocurrent/docker-base-images.

That file is what the pipeline would do, printed: names of builds, the Dockerfile of each, indented by tabs, and a line
for each manifest to be pushed. Whatever stands in a Dockerfile is its own, an arrow too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit.batch._names import Reading
from audit.batch._tree import fail
from audit.batch.model import Entry

_WHOLE = re.compile(r"[^\s,]+(?:,[ \t]*[^\s,]+)*[ \t]+->[ \t]+\S+")
_LIKELY = re.compile(r"^[ \t]*[^\s,]+(?:,[ \t]*[^\s,]+)*[ \t]+->[ \t]+[^\s]*[:/]\S*[ \t]*\r?$", re.M)
_DOCKERFILE = re.compile(
    r"(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER"
    r"|VOLUME|WORKDIR)[ \t]|#"
)


def likely(text: str) -> bool:
    """Whether there is a line that may be one of these."""
    return _LIKELY.search(text) is not None


def entries_of(text: str, reading: Reading) -> Iterator[Entry]:
    """An entry for each line that is a merge; every other line is skipped.

    Raises:
        PlacedError: a merge with a name that is none, or a tag that stands twice.
    """
    block = 0  # columns of tabs that the Dockerfile under way is indented by; 0: there is none
    for number, line in enumerate(text.split("\n"), 1):
        said = line.strip()
        if not said:
            continue  # a Dockerfile may have empty lines
        depth = len(line) - len(line.lstrip())
        if depth < block:
            block = 0
        if block:
            continue
        if depth and _DOCKERFILE.match(said):
            block = depth
        elif " -> " in said.replace("\t", " ") and _WHOLE.fullmatch(said):
            yield _entry(said, number, reading)


def _entry(said: str, number: int, reading: Reading) -> Entry:
    before, _, tag = said.rpartition("->")
    tag, names = tag.strip(), [one.strip() for one in before.split(",")]
    for name in (*names, tag):
        if not {":", "@"} & set(name.rpartition("/")[2]):
            fail(reading.name, number, f"{name[:100]!r} has neither a tag nor a digest: write REPOSITORY:TAG")
    sources = tuple(reading.source(name, number) for name in names)
    return Entry(tags=(reading.tag(tag, number),), sources=sources, where=f"{reading.name}, line {number}")
