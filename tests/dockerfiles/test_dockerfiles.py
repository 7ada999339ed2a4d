"""Walks the Dockerfiles beside this file, and throws any text at their reader."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.dockerfile import ERROR, Dockerfile, examine, is_named, parse

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.dockerfile"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_found(file: Path) -> None:
    """Findings, notes and problems are those of the JSON file of the same name, line by line."""
    wanted = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(wanted) == {"about", "build_args", "findings", "notes", "problems"}
    assert wanted["about"].endswith(".")
    seen = examine(file.read_bytes().decode("utf-8", "replace"), file.name, wanted["build_args"])
    found = [
        {"line": one.line, "owner": one.owner, "sure": one.sure, "everywhere": one.everywhere, "onbuild": one.onbuild}
        for one in seen.findings
    ]
    assert found == [{key: value for key, value in one.items() if key != "fix"} for one in wanted["findings"]]
    for one, told in zip(seen.findings, wanted["findings"], strict=True):
        assert told["fix"] in one.fix
        assert one.file == file.name
        assert one.why
    assert [[note.line, *_in(note.text, wanted["notes"])] for note in seen.notes] == wanted["notes"]
    assert [[at.line, *_in(at.text, wanted["problems"])] for at in seen.problems] == wanted["problems"]


def _in(text: str, wanted: list[tuple[int, str]]) -> list[str]:
    """The expected words that a text holds."""
    return [words for _, words in wanted if words in text][:1]


@pytest.mark.parametrize(
    ("owner", "named"),
    [
        ("1000", False), ("1000:1000", False), ("root", False), ("root:root", False), ("0:root", False), ("", False),
        (":", False), (":1000", False), ("+5", False), ("-5", False), ("2147483647", False), ("1000:", False),
        ("builder", True), ("1000:staff", True), ("staff:1000", True), (":staff", True), ("2147483648", True),
        ("1_000", True), ("0x10", True), ("\u0661", True), ("1000:1000:1", True), (" 1000", True), ("Root", True),
    ],
)  # fmt: skip
def test_who_must_be_looked_up(owner: str, named: bool) -> None:
    """Numbers as Go's ParseInt takes them for 32 bits, and root; everything else is a name."""
    assert is_named(owner) is named


def test_the_error_is_the_users() -> None:
    """The text that engines print, letter for letter."""
    assert ERROR == "invalid user index: -1"


def test_instructions_know_their_lines() -> None:
    """Continuations, comments, heredocs and an escape directive do not shift what follows."""
    seen = parse("# escape=`\nFROM a`\n # no\n\n b\nRUN <<X <<-'Y'\n1\nX\n\t2\n\tY\nonbuild copy --link a b\n")
    assert [(one.name, one.line, one.onbuild) for one in seen.instructions] == [
        ("FROM", 2, False),
        ("RUN", 6, False),
        ("COPY", 11, True),
    ]
    assert seen.instructions[0].args == "a b"
    assert seen.instructions[1].heredocs == ("1", "\t2")
    assert seen.instructions[2].flags == ("--link",)
    assert seen.problems == ()


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# syntax=docker/dockerfile:1.4\nFROM a\n", "docker/dockerfile:1.4"),
        ("#SYNTAX = x/y  more\nFROM a\n", "x/y"),
        ("\ufeff# syntax=a\r\nFROM b\r\n", "a"),
        ("#!/bin/sh\n# syntax=a\nFROM b\n", "a"),
        ("# a comment\n# syntax=a\nFROM b\n", None),
        ("FROM b\n# syntax=a\n", None),
        ("# escape=`\n# syntax=a\nFROM b\n", "a"),
        ("\n# syntax=a\nFROM b\n", None),
    ],
)
def test_directives_stand_first(text: str, syntax: str | None) -> None:
    """Behind a comment, a blank line or an instruction a directive is a comment."""
    assert parse(text).syntax == syntax


ALPHABET = (
    "FROM a AS b", "COPY", "ADD", "--link", "--chown=", "$X", "${X:-y}", "\\", "`", "\n", "\r\n", "<<EOF", "EOF", "'",
    '"', "[", "]", "ONBUILD ", "ARG X=", "ENV ", "RUN useradd -u 1 x", "# escape=`\n", " ", "\t", "\0", "\ufeff", "é",
    "--", "=", "#", "scratch", "user",
)  # fmt: skip


@given(st.lists(st.sampled_from(ALPHABET), max_size=40).map("".join) | st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """No text makes the reader raise; lines count from one and grow, and stay within the file."""
    seen = parse(text)
    assert isinstance(seen, Dockerfile)
    lines = [one.line for one in seen.instructions]
    assert lines == sorted(set(lines))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
    found = examine(text, "x")
    assert all(one.line in lines and is_named(one.owner) for one in found.findings if one.sure)


@given(st.lists(st.sampled_from(ALPHABET), max_size=40).map("".join))
def test_numbers_are_never_found(text: str) -> None:
    """Whatever stands around it, a line that gives numbers is no finding."""
    seen = examine(f"FROM a\n{text}\nFROM debian\nCOPY --link --chown=1000:1000 here there\n", "x")
    assert all("--chown=1000:1000" not in one.instruction or one.owner != "1000:1000" for one in seen.findings)


MEGABYTE = 1 << 20
HUGE: dict[str, Callable[[int], str]] = {
    "one line": lambda size: "x" * size,
    "one flag": lambda size: "FROM a\nCOPY --link --chown=" + "x" * size + " a b",
    "flags": lambda size: "FROM a\nCOPY " + "--x " * (size // 4),
    "continuations": lambda size: "FROM a\nRUN x" + " \\\n" * (size // 3),
    "an open quote": lambda size: 'FROM a\nRUN <<E "' + "a\\b" * (size // 3),
    "open quotes": lambda size: "FROM a\nRUN <<E " + "\"'" * (size // 2),
    "heredocs": lambda size: "FROM a\nRUN " + "<<E " * (size // 8) + "\n" + "E\n" * (size // 8),
    "stages": lambda size: "FROM a AS x\n" + "FROM x AS x\nENV a=b\n" * (size // 20),
    "doubling": lambda size: "FROM scratch\nENV A=xx\n" + "ENV A=$A$A\n" * (size // 11),
    "variables": lambda size: "FROM scratch\nCOPY --link --chown=" + "${A" * (size // 3) + " a b",
    "spaces": lambda size: "FROM a\nRUN " + "\\ " * (size // 2),
    "users": lambda size: "FROM a\nRUN " + "useradd -u 1 x;" * (size // 15),
    "brackets": lambda size: "FROM a\nRUN " + "[" * size + "<<E",
    "instructions": lambda size: "FROM a\n" + "COPY --link --chown=x a b\n" * (size // 26),
    "blank": lambda size: "\n" * size,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_is_linear(name: str) -> None:
    """A megabyte of the worst kind takes about four times a quarter of it, not sixteen times."""

    def cpu(size: int) -> float:
        text = HUGE[name](size)
        began = time.process_time()
        examine(text, "x")
        return time.process_time() - began

    assert cpu(MEGABYTE) < 10 * max(cpu(MEGABYTE // 4), 0.02)
