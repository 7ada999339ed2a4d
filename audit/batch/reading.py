"""Reading a plan: JSON, YAML, or the lines of a ``builds.expected`` file, told apart by what they hold."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable

from audit.batch import _lines
from audit.batch._json import tree_of_json
from audit.batch._names import Reading
from audit.batch._reading import entries_of
from audit.batch._tree import Node, Pairs, fail, tree_of_yaml
from audit.batch.model import BatchPlan, Entry
from audit.errors import PlacedError

MOST_BYTES = 64 << 20
"""Of a plan, as UTF-8."""
_KEY = re.compile(r"^(?:version|merges|defaults)[ \t]*:", re.M)
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def read_plan(text: str, name: str) -> BatchPlan:
    """Read a plan.

    100,000 tags with four sources each take some 12 seconds and 650 MB.

    Args:
        text: of the file, decoded; a byte order mark at its beginning is skipped.
        name: of the file, for messages.

    Raises:
        PlacedError: it is none, or asks for what cannot be; the sentence has the line.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MOST_BYTES or (not text.isascii() and len(text.encode(errors="replace")) > MOST_BYTES):
        fail(name, 1, f"is larger than {MOST_BYTES >> 20} MiB: split it into several plans")
    if bad := _NO_TEXT.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        fail(name, line, f"holds the character {bad[0]!r}, which no plan needs: save it as plain UTF-8 text")
    if not text.strip():
        fail(name, 1, "is empty: write merges, or TAG: [SOURCE, …], or SOURCE, SOURCE -> TAG")
    collecting = gc.isenabled()
    gc.disable()  # what is made here stays, and holds no circles: collecting meanwhile takes half of the time
    try:
        found = tuple(_entries(text, Reading(name)))
    finally:
        if collecting:
            gc.enable()
    if not found:
        fail(name, 1, "holds no merge: write at least one")
    return BatchPlan(name=name, entries=found)


def _entries(text: str, reading: Reading) -> Iterable[Entry]:
    if text.lstrip()[:1] not in ("{", "[") and not _KEY.search(text) and _lines.likely(text):
        found = tuple(_lines.entries_of(text, reading))
        if found:
            return found
    return entries_of(_tree(text, reading.name), reading)


def _tree(text: str, name: str) -> Node | None:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return tree_of_json(text, name)
        except PlacedError as wrong:
            try:
                return tree_of_yaml(text, name)  # {tag: [source]} is YAML too
            except PlacedError:
                raise wrong from None
    try:
        found = tree_of_yaml(text, name)
    except PlacedError as wrong:
        if _KEY.search(text) or not wrong.message.startswith("is not valid YAML"):
            raise
        fail(name, wrong.line or 1, f"{wrong.message}; nor is there a line SOURCE, SOURCE -> TAG")
    if found is not None and not isinstance(found, Pairs):
        fail(name, found.line, "is no plan: write merges, or TAG: [SOURCE, …], or lines SOURCE, SOURCE -> TAG")
    return found
