"""What a probe's script printed, read back; nothing of it is believed before it has the form that it must have."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from audit.image.arrived import Arrived, BadManifest
from audit.probe.result import Link, Told

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MOST_LINES, MOST_FILES = 20, 64


@dataclass
class Answers:
    """One host's answers.

    Attributes:
        told: by the way's number; those that were begun.
        store: ``containerd`` or ``graphdriver``; empty where the script did not come so far.
        refused: why it could not begin.
        files: of exported images, by way and name; raw bytes.
        link: the build with COPY --link.
        left: what could not be removed.
    """

    told: dict[int, Told] = field(default_factory=dict)
    store: str = ""
    refused: str = ""
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)
    link: Link = field(default_factory=Link)
    left: tuple[str, ...] = ()


def read(lines: Iterable[str], nonce: str, ways: int) -> Answers:
    """Read the lines of stdout; what is not of the form, or of another run, is passed over. Never raises.

    Args:
        lines: as they came.
        nonce: the run's.
        ways: how many there are; a number beyond is not believed.
    """
    answers = Answers()
    for line in lines:
        prefix, _, rest = line.partition(" ")
        if prefix == f"FP{nonce}":
            kind, _, words = rest.partition(" ")
            _take(answers, kind, words, ways)
    return answers


def _take(answers: Answers, kind: str, words: str, ways: int) -> None:
    if kind == "X":
        answers.refused = answers.refused or words
    elif kind == "S" and words in ("containerd", "graphdriver"):
        answers.store = words
    elif kind == "N" and len(answers.left) < MOST_LINES:
        answers.left = (*answers.left, words)
    elif kind == "C" and (status := _status(words)) is not None:
        answers.link = Link(works=status == 0)
    elif kind == "D" and len(answers.link.log) < MOST_LINES:
        answers.link = answers.link.model_copy(update={"log": (*answers.link.log, words)})
    elif kind in "BEIPLF":
        number, _, rest = words.partition(" ")
        if number.isdecimal() and len(number) < 4 and int(number) < ways:
            _of_way(answers, kind, int(number), rest)


def _of_way(answers: Answers, kind: str, number: int, rest: str) -> None:
    told = answers.told.setdefault(number, Told(number=number))
    words = rest.split()
    update: dict[str, object] = {}
    if kind == "E" and (status := _status(rest)) is not None:
        update = {"build": status}
    elif kind == "I" and len(words) == 2:
        update = {"iid": _digest(words[0]), "iid_usable": {"yes": True, "no": False}.get(words[1])}
    elif kind == "P" and len(words) == 2:
        update = {"push": _status(words[0]), "pushed": _digest(words[1])}
    elif kind == "L" and len(told.log) < MOST_LINES:
        update = {"log": (*told.log, rest)}
    elif kind == "F" and len(words) == 2:
        files = answers.files.setdefault(number, {})
        if len(files) < MOST_FILES:
            try:
                files[words[0][:200]] = b"" if words[1] == "-" else binascii.unhexlify(words[1])
            except ValueError:
                return
    answers.told[number] = told.model_copy(update=update)


def _status(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) <= 3 else None


def _digest(word: str) -> str | None:
    return word if _DIGEST.fullmatch(word) else None


def exported(files: Mapping[str, bytes]) -> Arrived:
    """An image of a containerd store as `docker save` wrote it (OCI image layout): what its push would send.

    Raises:
        BadManifest: it is no such layout.
    """
    try:
        (entry, *_) = json.loads(files.get("index.json", b""))["manifests"]
        media_type, digest = entry["mediaType"], entry["digest"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadManifest("the exported index.json names no image") from None
    blobs = {f"sha256:{name.removeprefix('blobs/sha256/')}": raw for name, raw in files.items()}
    raw = blobs.get(str(digest))
    if raw is None:
        raise BadManifest("the exported image lacks what its index.json names")
    return Arrived.of(str(media_type), raw, blobs)
