"""Who may import whom, as DESIGN and CONTRIBUTING draw it: the core is pure, the shell knows no rule."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "audit"

CORE = {
    "errors", "model", "image", "versions", "fact", "facts", "rule", "rules", "shape", "run", "summary", "reports",
    "whatif", "dockerfile", "probe", "symptoms", "diagnose", "compat", "forecast", "engines", "plan", "buildstep",
    "value", "inert", "batch", "snapshot", "drift", "telling", "schedule", "onboard", "align", "posix",
}  # fmt: skip
SHELL = {"notify", "store", "context", "inventory", "kept", "registry", "wire"}
TOP = {"batching", "flow", "onboarding", "probing", "merging", "building", "cli"}

SHELL_MAY = {"errors", "model", "image", "value"}
WORLD = {
    "asyncio", "ctypes", "dns", "glob", "http", "io", "multiprocessing", "os", "paramiko", "fabric", "pathlib",
    "random", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib", "urllib3", "rich", "typer",
}  # fmt: skip
"""What reaches a clock, a disk, a network or a terminal."""


def imports(file: Path) -> set[str]:
    """Every module that a file imports at run time, dotted."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    only_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(file: Path) -> str:
    """The room that a file stands in: its folder under audit/, or its own name."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def rooms_of(modules: set[str]) -> set[str]:
    """The rooms among imported modules."""
    return {name.split(".")[1] for name in modules if name.startswith("audit.") and name != "audit.__version__"}


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_keep_to_their_room(file: Path) -> None:
    """A core file imports only core and nothing that touches the world; a shell file only errors and model."""
    here = room(file)
    modules = imports(file)
    known = CORE | SHELL | TOP
    used = rooms_of(modules) & known
    if here in CORE:
        assert used <= CORE, f"{here} is core and may not import {used - CORE}"
        world = {name for name in modules if name.split(".")[0] in WORLD}
        # A path as text is pure; errors only prints the Path that it is given.
        allowed = {"pathlib", "pathlib.PurePosixPath"} | ({"pathlib.Path"} if here == "errors" else set())
        assert world <= allowed, f"{here} is core and pure, but imports {world - allowed}"
    elif here in SHELL:
        assert used - {here} <= SHELL_MAY, (
            f"{here} is shell and may import {SHELL_MAY}, not {used - {here} - SHELL_MAY}"
        )
    else:
        assert here in TOP | {"__init__", "__main__"}, f"{here} is no room that this test knows: add it on purpose"


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("paramiko", "wire"),
        ("fabric", "wire"),
        ("dns", "wire"),
        ("typer", "cli"),
        ("rich", "cli"),
        ("ruamel", "inventory batch onboarding"),  # reading YAML is pure: a text in, a tree out
        ("urllib3", "registry"),
        ("sqlalchemy", "store"),
        ("alembic", "store"),
        ("jinja2", "reports"),
        ("apprise", "notify"),
    ],
)
def test_each_library_has_one_home(library: str, home: str) -> None:
    """A library that touches the world is imported in one room only; a parser, where its texts are read."""
    users = {room(file) for file in FILES if any(name.split(".")[0] == library for name in imports(file))}
    assert users <= set(home.split())


def test_core_does_not_print_or_open() -> None:
    """No file of the core calls print, open, input or exit."""
    for file in FILES:
        if room(file) not in CORE:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"print", "open", "input", "exit"}, f"{file}:{node.lineno}"
