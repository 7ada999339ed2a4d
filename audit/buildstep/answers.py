"""What a build's session prints, read line by line; nothing of it is believed before it has its form."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Literal

Phase = Literal["connecting", "preparing", "building", "built", "pushing", "pushed"]
MOST_KEPT = 2000
"""Lines of the log's end that are kept for telling what went wrong."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PUSHED = re.compile(r"(\S+): digest: (sha256:[0-9a-f]{64}) size: \d+")
_WRONG = re.compile(
    r"\berror\b|failed|failure|denied|unauthori[sz]ed|forbidden|cannot|no space left|non-zero code|not found|refused"
    r"|invalid|fatal|unknown flag",
    re.I,
)
_FRAME = re.compile(r"(?:#\d{1,5} (?:\d{1,6}\.\d{1,4} )?)?")
_IDLE = re.compile(
    r"-+|>? ?\[[^]]*\].{0,200}:|View build details.*|.{0,20}\|\s*|\S{1,100}:\d+|[>\s|\d.]*",
    re.S,
)
"""What builders print for the eye: rules, the excerpt of a Dockerfile, a link."""


class Hearing:
    """One attempt, while it is heard.

    Attributes:
        phase: how far it is.
        refused: why it could not begin.
        build, push: exit statuses; None: not ended.
        digest: what was pushed, as the worker says.
        on_disk: the private folder, where it is not in memory.
        left: what could not be removed.
        lines: the log's end.
        count: lines of the whole log.
    """

    def __init__(self, nonce: str, tag: str) -> None:
        """Nothing was heard yet.

        Args:
            nonce: the job's.
            tag: of what is pushed; `docker push` prints it before the digest.
        """
        self._prefix, self._tag = f"FB{nonce} ", tag
        self.phase: Phase = "connecting"
        self.refused = ""
        self.build: int | None = None
        self.push: int | None = None
        self.digest: str | None = None
        self.on_disk: str | None = None
        self.left: tuple[str, ...] = ()
        self.lines: deque[str] = deque(maxlen=MOST_KEPT)
        self.count = 0

    def take(self, stream: str, line: str) -> str | None:
        """Take a line of the session; a line of the log comes back, one of ours does not."""
        if stream == "stdout" and line.startswith(self._prefix):
            kind, _, rest = line[len(self._prefix) :].partition(" ")
            self._ours(kind, rest.strip())
            return None
        if stream == "stdout" and self.phase == "pushing":
            found = _PUSHED.fullmatch(line.strip())
            if found and found[1] == self._tag:
                self.digest = found[2]
        self.lines.append(line)
        self.count += 1
        return line

    def _ours(self, kind: str, rest: str) -> None:
        status = int(rest) if rest.isdecimal() and len(rest) <= 3 else None
        if kind == "X":
            self.refused = self.refused or rest[:500]
        elif kind == "D":
            self.on_disk = rest[:300]
        elif kind == "B":
            self.phase = "building"
        elif kind == "E" and status is not None:
            self.build, self.phase = status, "built"
        elif kind == "P":
            self.phase = "pushing"
        elif kind == "Q" and status is not None:
            self.push, self.phase = status, "pushed"
        elif kind == "G" and _DIGEST.fullmatch(rest):
            self.digest = rest
        elif kind == "N" and len(self.left) < 20:
            self.left = (*self.left, rest[:300])


def last_words(lines: Iterable[str], most: int = 400) -> str:
    """The line that says best what went wrong: the last one that speaks of an error, else the last that says anything.

    Args:
        lines: of a log, in order.
        most: characters.
    """
    kept = [words for line in lines if (words := " ".join(_FRAME.sub("", line.strip(), count=1).split()))]
    telling = [words for words in kept if not _IDLE.fullmatch(words)]
    ours = [words for words in telling[-200:] if _WRONG.search(words)]
    said = (ours or telling or kept or [""])[-1]
    return said if len(said) <= most else f"{said[: most - 1]}…"
