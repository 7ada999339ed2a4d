"""A variable that is written into an inventory: Ansible, our loader and every YAML read back what was meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Ansible's own reader; its stubs are not installed
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from audit.inventory.adding import NewHost, planned, write
from audit.inventory.inserting import meant, scalar
from audit.inventory.place import Place
from audit.inventory.yamlfile import compose, tree_of

ANSIBLE = Path(sys.executable).parent / "ansible-inventory"
NUMBERS = ".inf -.inf .nan .NaN .5 ._ 5. 1e3 1E+3 +1 -0 0x10 0X1F 0o17 017 08 0b11 1_000 1:30 190:20:30 1:30.5"
WORDS = "yes Yes NO no on off y n Y N true null Null NULL none ~ = << ! & * ? - : # @ % ` | > { [ ]x }x '' --- ..."
OTHERS = "2026-11-26 2026-11-26T10:00:00Z a: a:b a:b: a#b 10.0.0.8 ::1 fe80::1%eth0 a,b \\ it's %TAG é =a"
TRICKY = [
    *f"{NUMBERS} {WORDS} {OTHERS}".split(" "),
    "", " ", " a", "a ", "a #b", "a: b", "- a", "? a", "a\tb", "a\nb", 'say "x"', '""', "\u2028", "\x85", "\xa0",
    "\ufeff", "\x7f", "\U0001f600", "a\x00b", "{{ x }}", "!vault x",
]  # fmt: skip


def read_back(folder: Path, value: str) -> None:
    """A variable of that value: by Ansible's YAML 1.1, by our loader and by YAML 1.2 it is that very text."""
    file = folder / "hosts.yml"
    file.write_text("all:\n  hosts:\n    w01:\n")
    write(planned([folder], NewHost("w08", {"note": value})))
    text = file.read_bytes().decode()
    assert yaml.safe_load(text)["all"]["hosts"]["w08"]["note"] == value
    assert YAML(typ="safe", pure=True).load(text)["all"]["hosts"]["w08"]["note"] == value
    root = compose(text, "f")
    assert root is not None
    ours: Any = tree_of(root, Place("f"))
    for key in ("all", "hosts", "w08", "note"):
        ours = ours.value[key]
    assert ours.value == value


@pytest.mark.parametrize("value", TRICKY)
def test_a_text_stays_one(tmp_path: Path, value: str) -> None:
    """Numbers, booleans, dates and marks of every YAML are quoted, so that all readers agree."""
    read_back(tmp_path, value)


@settings(max_examples=150, deadline=None)
@given(value=st.text(max_size=12))
def test_any_text_stays_one(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """Whatever it is."""
    read_back(tmp_path_factory.mktemp("any"), value)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("true", True), ("FALSE", False), ("2222", 2222), ("-1", -1), ("0", 0), ("1.10", "1.10"), ("no", "no"),
        ("0x10", "0x10"), ("017", "017"), ("1:30", "1:30"), ("null", "null"), ("", ""), ("'10'", "10"), ('"10"', "10"),
        ("'it''s'", "it's"), ('"a', '"a'), ("1_000", "1_000"), (".5", ".5"), ("9" * 30, "9" * 30), ("[1]", "[1]"),
    ],
)  # fmt: skip
def test_what_is_meant_by_a_value(typed: str, value: object) -> None:
    """A boolean or a whole number only where every YAML says so; never a list, a date or nothing."""
    found = meant(typed)
    assert (type(found), found) == (type(value), value)
    assert yaml.safe_load(scalar(found)) == value


def test_ansible_reads_every_one(tmp_path: Path) -> None:
    """All of them as variables of one host, by the real ansible-inventory."""
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    w01:\n")
    variables = {f"v{number}": value for number, value in enumerate(TRICKY)}
    write(planned([tmp_path], NewHost("w08", variables)))
    done = subprocess.run([ANSIBLE, "-i", tmp_path, "--host", "w08"], capture_output=True, text=True, check=True,
                          env={**os.environ, "HOME": str(tmp_path)})  # fmt: skip
    assert json.loads(done.stdout) == variables
