"""`fleet-audit whatif`: what a change would make of every worker, before it is rolled out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Hosts, Inventory, KnownHosts, Limit, Verbose
from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.dockerfile import Examined

MOST_FILES = 500
MOST_BYTES = 1 << 20
MOST_SEEN = 50_000
"""Entries of a folder that are looked at."""


def whatif(
    hosts: Hosts = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A change: docker=29.7, buildx=0.36.1|none, wipe=true|reinstall|upgrade, env.NAME=VALUE, "
            "features.NAME=true|false, storage-driver=, data-root=, userns-remap=, min-api-version=. Without any: "
            "the usual futures of each host.",
        ),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="KEY", help="Take env.NAME, features.NAME or a key of daemon.json out."),
    ] = None,
    dockerfile: Annotated[
        list[Path] | None,
        typer.Option("--dockerfile", "-f", help="A Dockerfile that is built there, or a folder of them."),
    ] = None,
    build_arg: Annotated[
        list[str] | None, typer.Option("--build-arg", metavar="NAME=VALUE", help="As the builds of them have it.")
    ] = None,
    how: Annotated[
        str | None, typer.Option("--how", metavar="COMMAND", help='The way of building, e.g. "docker build --push".')
    ] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    local: Annotated[bool, typer.Option("--local", help="This machine, without SSH.")] = False,
    from_: From = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Say what a change would make of each worker, and what it would break. Nothing is changed anywhere.

    Exit code 1: something would break; 3: it could not be told for some host.
    """
    from audit import flow
    from audit.cli import check
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.shape import How, parse_how
    from audit.whatif.changes import parse_changes
    from audit.whatif.compare import compare
    from audit.whatif.report import FORMATS, FUTURE_FORMATS, futures

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    changes = parse_changes(set_ or (), unset or ())
    way = parse_how(how) if how is not None else How()
    files = _examined(dockerfile or [], _arguments(build_arg or []))
    settings = settings_of(
        inventory=inventory, limit=limit, host_keys=host_keys, known_hosts=known_hosts, color=color
    )  # fmt: skip
    width = style_of(settings.color, verbose, settings.fail_on).width
    stopped: list[int] = []
    if from_ is not None:
        saved = check.saved_run(from_, hosts or [], settings, explicit=bool(inventory))
    else:
        fleet = flow.fleet_of(hosts or [], check.inventory_of(settings), limit=settings.limit, local=local)
        saved = check.ask(fleet, check.wire_options(settings), quiet=quiet, verbose=verbose, stopped=stopped)
    run = flow.judged(saved)
    if not changes.said and not files:
        found = futures(run.fleet, run.facts, way)
        write_stdout(FUTURE_FORMATS[format_](found, width))
        code = 0 if all(one.told for one in found) else 3
    else:
        answer = compare(run.fleet, run.facts, changes, run.when, how=way, dockerfiles=files)
        write_stdout(FORMATS[format_](answer, width))
        code = answer.exit_code
    return 128 + stopped[0] if stopped else code


def _arguments(said: list[str]) -> dict[str, str]:
    """``NAME=VALUE``; a NAME alone takes the value of this process, as docker does."""
    found = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not name:
            raise UsageError(f"--build-arg {one}: write NAME=VALUE")
        if equals or name in os.environ:
            found[name] = value if equals else os.environ[name]
    return found


def _examined(paths: list[Path], arguments: dict[str, str]) -> list[Examined]:
    """Every Dockerfile given, and those in the folders given.

    Raises:
        UsageError: a path is not there or cannot be read, or a folder holds none.
    """
    from audit.dockerfile import Examined, Problem, examine

    found: list[Examined] = []
    for path in paths:
        errors: list[OSError] = []
        files = list(_below(path, errors)) if path.is_dir() else [path]
        if not files and not errors:
            raise UsageError(f"--dockerfile {path}: there is no Dockerfile in that folder")
        found.extend(examine(_text(file), str(file), arguments) for file in files)
        found.extend(
            Examined(str(error.filename), problems=(Problem(0, f"not looked into: {error.strerror}"),))
            for error in errors
        )
    return found


def _text(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise UsageError(f"--dockerfile {file}: is no file")
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--dockerfile {file}: cannot be read: {error.strerror or error}") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"--dockerfile {file}: is larger than {MOST_BYTES >> 20} MiB, which no Dockerfile is")
    return content.decode("utf-8", "replace")


def _below(folder: Path, errors: list[OSError]) -> Iterator[Path]:
    """Dockerfiles in a folder and below it, in name order; symbolic links are not followed, obstacles collected."""
    seen = count = 0
    for top, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if name not in (".git", "node_modules"))
        for name in sorted(names):
            seen += 1
            file = Path(top) / name
            if not _is_dockerfile(name) or not _regular(file):
                continue
            count += 1
            if count > MOST_FILES:
                raise UsageError(f"--dockerfile {folder}: more than {MOST_FILES} Dockerfiles; name a smaller folder")
            yield file
        seen += len(folders)
        if seen > MOST_SEEN:
            raise UsageError(f"--dockerfile {folder}: more than {MOST_SEEN} files; name a smaller folder")


def _is_dockerfile(name: str) -> bool:
    low = name.lower()
    return low in ("dockerfile", "containerfile") or low.endswith(".dockerfile") or low.startswith("dockerfile.")


def _regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False
