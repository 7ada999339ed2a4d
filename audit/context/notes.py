"""What a person should know of a context before it is sent."""

from __future__ import annotations

from collections.abc import Iterator

from audit.context.shown import listed, shown, size
from audit.context.walk import Tree

LARGE = 1_000_000_000
"""Bytes of content that are worth a word: each worker gets all of them."""


def notes(tree: Tree, ignore_name: str) -> tuple[str, ...]:
    """A sentence each, the weightiest first; `ignore_name` is the file to add lines to."""
    return tuple(_notes(tree, ignore_name))


def _notes(tree: Tree, ignore_name: str) -> Iterator[str]:
    total = sum(entry.size for entry in tree.entries)
    if total >= LARGE:
        largest = sorted(tree.entries, key=lambda entry: entry.size, reverse=True)[:3]
        names = ", ".join(f"{shown(entry.path)} ({size(entry.size)})" for entry in largest if entry.size)
        yield (
            f"the build context holds {size(total)}, and every worker gets all of it; the largest: {names}; "
            f"name in {ignore_name} what the build does not need"
        )
    if tree.sparse:
        names = listed([f"{shown(path)} ({size(length)})" for path, length in tree.sparse])
        yield f"sparse files are sent in full, with their holes as zeros: {names}"
    if tree.sockets:
        names = listed([shown(path) for path in tree.sockets])
        yield f"sockets are left out, since no tar can hold one: {names}"
    if tree.special:
        names = listed([shown(path) for path in tree.special])
        yield f"fifos and devices are sent as such, not what comes out of them: {names}"
    if tree.outside:
        names = listed([shown(path) for path in tree.outside])
        yield f"symbolic links that lead out of the build context are sent as links, not what they lead to: {names}"
    if tree.forced:
        names = listed([shown(path) for path in tree.forced])
        yield f"{ignore_name} leaves out {names}, which no build can do without: it is sent, and COPY may take it along"
