"""Dockerfiles as BuildKit reads them, and the lines in them that work on one image store alone."""

from __future__ import annotations

from audit.dockerfile.owners import ERROR, Examined, LinkChown, Note, examine, is_named
from audit.dockerfile.parser import Dockerfile, Instruction, Problem, parse

__all__ = [
    "ERROR",
    "Dockerfile",
    "Examined",
    "Instruction",
    "LinkChown",
    "Note",
    "Problem",
    "examine",
    "is_named",
    "parse",
]
