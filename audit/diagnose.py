"""What a log says that we know: bytes of a build, push or merge log in, the causes out, the surest first.

A log is read in pieces and never held: one search over each piece finds the lines that may say something (every
signature has a text that it cannot do without), and only those are decoded and looked at. A line longer than
`REACH` is looked at in windows around such places, so that no line is too long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from audit import __version__
from audit.model import Model
from audit.symptoms import Nature, Signature, Symptom, all_symptoms, filled
from audit.symptoms._sieve import sieve

REACH = 4096
"""Bytes of a line that are looked at on either side of a place that may say something."""
MOST_EVIDENCE = 300
"""Characters of a line that are kept as evidence."""


class Consequence(Model):
    """A symptom that follows from another one in the same log."""

    id: str
    title: str
    line: int = Field(description="Where it first stands, counted from 1")


class Match(Model):
    """One known failure that stands in the log."""

    id: str
    title: str
    says: str = Field(description="The title, with what the log names")
    nature: Nature = Field(
        description="transient: the same command may succeed later; permanent: the input must change; configuration: "
        "a setting of a machine, a registry or an account must change; harmless: nothing failed"
    )
    score: int = Field(description="How surely it is the cause, 1 to 99")
    line: int = Field(description="The line of the evidence, counted from 1")
    count: int = Field(description="Lines that say it")
    evidence: str = Field(description="What stands there: redacted, without escape sequences, shortened")
    cause: str
    do: str = Field(description="What to do first")
    fixes: tuple[str, ...]
    refs: tuple[str, ...] = Field(default=(), description="Where it is reported: owner/repository#number")
    rules: tuple[str, ...] = Field(default=(), description="Rules of fleet-audit that find its cause on a worker")
    consequences: tuple[Consequence, ...] = ()


class Diagnosis(Model):
    """What is known of one log; the best match first, what is harmless last."""

    kind: Literal["fleet-audit diagnosis"] = "fleet-audit diagnosis"
    schema_version: Literal[1] = 1
    tool_version: str = __version__
    lines: int = Field(description="Lines of the log")
    bytes: int = Field(description="Bytes of the log that were looked at")
    matches: tuple[Match, ...] = ()

    @property
    def failures(self) -> tuple[Match, ...]:
        """Without what is harmless."""
        return tuple(match for match in self.matches if match.nature != "harmless")

    @property
    def exit_code(self) -> int:
        """1 where a known failure stands in the log, else 3: it could not be told."""
        return 1 if self.failures else 3


def diagnose(
    pieces: Iterable[bytes], *, redact: Callable[[str], str], table: Sequence[Symptom] | None = None
) -> Diagnosis:
    """Read a log.

    Args:
        pieces: its bytes in order, cut anywhere; UTF-8, or UTF-16 with its mark, as PowerShell writes it.
        redact: cuts secrets out of a line before anything of it is kept for people.
        table: the symptoms to look for; all of them where not given.
    """
    found = _Reading(tuple(all_symptoms().values()) if table is None else tuple(table))
    for piece in _narrow(pieces):
        found.feed(piece)
    return found.told(redact)


def _narrow(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of bounded size, without a mark of the encoding; of UTF-16 the half that holds ASCII."""
    wide: bool | None = None
    begun = b""
    for whole in pieces:
        for start in range(0, len(whole), _MOST):
            piece = whole[start : start + _MOST]
            if wide is None:
                begun += piece
                if len(begun) < len(_MARK):
                    continue
                wide, piece = begun[:2] in _WIDE, _unmarked(begun)
            yield piece.replace(b"\0", b"") if wide else piece
    if wide is None:
        yield _unmarked(begun)


def _unmarked(begun: bytes) -> bytes:
    return begun[2:] if begun[:2] in _WIDE else begun.removeprefix(_MARK)


_MARK = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_MOST = 1 << 20
_ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b\r\n]{0,400}(?:\x07|\x1b\\)|[ -/]{0,4}[0-Z\\^-~])"
)
_ESCAPED = re.compile(rb"\\(?:u001b|x1b|033|e)\[[0-9;]{0,40}[A-Za-z]", re.I)
_JSON = {'\\"': '"', "\\n": " ", "\\r": " ", "\\t": " ", "\\/": "/", "\\\\": "\\"}
_JSON_ESCAPE = re.compile(r"\\[\"nrt/\\]|\\u00(?:22|26|27|3c|3e)", re.I)
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d[:\d.,]{0,20}(?:Z|[+-]\d\d:?\d\d)? {1,3})?"
    r"(?:#\d{1,5} (?:\d{1,6}\.\d{1,4} )?)?(?:ERROR: )?"
)


@dataclass
class _Seen:
    """What is kept of a symptom while reading."""

    signature: Signature
    line: int
    text: str
    last: int = 0
    count: int = 0
    also: dict[str, int] = field(default_factory=dict)
    """Symptoms that only stood beside it, with the line."""


class _Reading:
    """One log, while it is read."""

    def __init__(self, table: tuple[Symptom, ...]) -> None:
        """Nothing has been read."""
        self._table = {symptom.id: symptom for symptom in table}
        self._tests = tuple(
            sorted(
                ((signature, symptom.id) for symptom in table for signature in symptom.signatures),
                key=lambda test: -test[0].score,
            )
        )
        self._sieve = sieve(tuple(sorted({signature.key for signature, _ in self._tests})))
        self._rest = b""
        self._lines = 0
        self._bytes = 0
        self._seen: dict[str, _Seen] = {}
        self._ended = True

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._bytes += len(piece)
        if not piece:
            return
        self._ended = piece.endswith(b"\n")
        data = self._rest + piece
        whole = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - whole > 2 * REACH:  # a line without an end: go on with its tail
            body, self._rest = self._plain(data), b""
            kept = self._scan(body, len(body) - REACH)
            self._rest = body[kept:]
        else:
            body, self._rest = self._plain(data[:whole]), data[whole:]
            self._scan(body, len(body))

    @staticmethod
    def _plain(data: bytes) -> bytes:
        if b"\x1b" in data:
            data = _ESCAPES.sub(b"", data)
        if b"[" in data and b"\\" in data:
            data = _ESCAPED.sub(b"", data)
        return data

    def _scan(self, data: bytes, upto: int) -> int:
        """Look at every place before `upto` that may say something; how far the data is used up."""
        lowered = data.lower()
        at = counted = 0
        line = self._lines
        while (hit := self._sieve(lowered, at)) is not None and hit < upto:
            low, high = max(at, hit - REACH), min(len(data), hit + REACH)
            start = max(data.rfind(b"\n", low, hit), data.rfind(b"\r", low, hit), low - 1) + 1
            ends = [end for end in (data.find(b"\n", hit, high), data.find(b"\r", hit, high)) if end >= 0]
            end = min(ends, default=high)
            line += data.count(b"\n", counted, start)
            counted = start
            self._look(data[start:end], line + 1)
            at = max(end, hit + 1)
        used = max(at, upto)
        self._lines += data.count(b"\n", 0, used)
        return used

    def _look(self, raw: bytes, line: int) -> None:
        text = raw.decode("utf-8", "replace")
        if "\\" in text:
            text = _JSON_ESCAPE.sub(_unescaped, text)
        lowered = text.lower()
        best: tuple[Signature, str] | None = None
        beside: set[str] = set()
        for signature, name in self._tests:
            if signature.key not in lowered or (best is not None and (name == best[1] or name in beside)):
                continue
            if signature.find(text) is None:
                continue
            if best is None:
                best = (signature, name)
            else:
                beside.add(name)
        if best is None:
            return
        signature, name = best
        seen = self._seen.get(name)
        if seen is None:
            seen = self._seen[name] = _Seen(signature, line, text)
        elif signature.score > seen.signature.score:
            seen.signature, seen.line, seen.text = signature, line, text
        seen.count += 1
        seen.last = line
        for other in beside:
            seen.also.setdefault(other, line)

    def told(self, redact: Callable[[str], str]) -> Diagnosis:
        """The end of the log: everything that was seen, causes before what follows from them."""
        if self._rest:
            rest, self._rest = self._plain(self._rest), b""
            self._scan(rest, len(rest))
        lines = self._lines + (not self._ended)
        order = sorted(self._seen, key=lambda name: self._rank(name, self._seen[name]))
        heads: list[str] = []
        below: dict[str, dict[str, int]] = {}
        for name in order:
            seen = self._seen[name]
            cause = next(
                (head for head in heads if name in self._table[head].leads_to and self._seen[head].line <= seen.last),
                None,
            )
            if cause is None:
                heads.append(name)
            else:
                below[cause][name] = seen.line
            below.setdefault(name, {})
            under = below[cause or name]
            for other, line in seen.also.items():
                if other not in self._seen and other != cause:
                    under.setdefault(other, line)
        matches = tuple(self._match(name, below[name], redact) for name in heads)
        return Diagnosis(lines=lines, bytes=self._bytes, matches=matches)

    def _rank(self, name: str, seen: _Seen) -> tuple[bool, int, int]:
        return self._table[name].nature == "harmless", -seen.signature.score, seen.line

    def _match(self, name: str, below: dict[str, int], redact: Callable[[str], str]) -> Match:
        symptom, seen = self._table[name], self._seen[name]
        text = redact(seen.text)
        caught = {key: _short(value, 120) for key, value in (seen.signature.find(text) or {}).items()}
        return Match(
            id=name,
            title=symptom.title,
            says=filled(seen.signature.says or symptom.title, caught) or symptom.title,
            nature=symptom.nature,
            score=seen.signature.score,
            line=seen.line,
            count=seen.count,
            evidence=_excerpt(text, seen.signature),
            cause=symptom.cause,
            do=symptom.do,
            fixes=symptom.fixes,
            refs=symptom.refs,
            rules=symptom.rules,
            consequences=tuple(
                Consequence(id=other, title=self._table[other].title, line=line) for other, line in below.items()
            ),
        )


def _unescaped(found: re.Match[str]) -> str:
    text = found[0]
    return chr(int(text[2:], 16)) if text[1] == "u" else _JSON[text]


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _excerpt(text: str, signature: Signature) -> str:
    """The line without what only frames it; of a long one the part round what was found."""
    text = " ".join(text.split())
    prefix = _PREFIX.match(text)
    text = text[prefix.end() :] if prefix and prefix.end() < len(text) else text
    if len(text) <= MOST_EVIDENCE:
        return text
    first, last = signature.span(text) or (0, 0)
    half = MOST_EVIDENCE // 2
    if last - first > MOST_EVIDENCE:  # its beginning and its end
        return f"{'…' * (first > 0)}{text[first : first + half]} … {text[last - half : last]}{'…' * (last < len(text))}"
    start = max(0, min(first - (MOST_EVIDENCE - (last - first)) // 3, len(text) - MOST_EVIDENCE))
    end = start + MOST_EVIDENCE
    return f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}"
