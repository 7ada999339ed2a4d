"""Folders to make contexts of: one with everything odd in it, and random ones with random ignore files."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

_PLAIN = ("a", "b", "c", "a.txt", "b.go")
_ODD = (".x", "é", "a b", "[a]", "a^b", "a\\b", "!a", "#c", "a-b", "a1", "A", "(a)", "a+", "a$")
_WILD = (
    "*",
    "**",
    "?",
    "*.txt",
    "*.go",
    "a*",
    "*b",
    "[ab]",
    "[^a]",
    "[a-c]",
    "**b",
    "a**",
    "[a*]",
    "\\a",
    "[[:upper:]]",
)


def odd(root: Path) -> None:
    """Every kind of file and name that Linux has; devices only for root."""
    root.mkdir(parents=True)
    for name, mode in (("run", 0o755), ("suid", 0o4755), ("group", 0o664), ("mine", 0o400), ("back\\slash", 0o644)):
        (root / name).write_text(name)
        (root / name).chmod(mode)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /c/\n")
    long = root / ("!" + "n" * 120) / ("m" * 130)
    long.mkdir(parents=True)
    (long / "f").write_text("f")
    (root / os.fsdecode(b"\xff\xfe")).write_text("no UTF-8")
    (root / "é").write_text("UTF-8")
    (root / "two\nlines").write_text("2")
    (root / "space ").write_text("")
    (root / "empty").mkdir()
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    os.link(root / "run", root / "second")
    for name, target in (("ln", "sticky"), ("dangling", "no"), ("absolute", "/etc/passwd"), ("longlink", "t" * 150)):
        (root / name).symlink_to(target)
    (root / "empty" / "up").symlink_to("../../out")
    os.mkfifo(root / "fifo")
    if os.geteuid() == 0:
        os.mknod(root / "null", 0o20666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket has 107 bytes at most; a folder's descriptor makes a short one.
        folder = os.open(root, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/sock")
        os.close(folder)


def grow(root: Path, chance: random.Random, depth: int = 0) -> None:
    """A random tree; each file holds its own path."""
    root.mkdir()
    for name in dict.fromkeys(
        [*chance.sample(_PLAIN, chance.randint(1, 5)), *chance.sample(_ODD, chance.randint(0, 3))]
    ):
        path = root / name
        if depth < 4 and chance.random() < 0.45:
            grow(path, chance, depth + 1)
        else:
            path.write_text(str(path.relative_to(path.parents[depth])))


def ignore(chance: random.Random) -> str:
    """A random ignore file without mistakes."""
    return "".join(f"{line}\n" for line in _lines(chance))


def _lines(chance: random.Random) -> Iterator[str]:
    for _ in range(chance.choice((1, 2, 3, 4, 5, 8))):
        kinds = chance.choices((_PLAIN, _WILD, ("é", "a b", "A", "a1", ".x")), (5, 4, 1), k=chance.choice((1, 1, 2, 3)))
        line = "/".join(chance.choice(kind) for kind in kinds)
        yield chance.choice(("", "", "", "!", "!", "/", "! /", "# ")) + line + chance.choice(("", "", "", "/", " \t"))
