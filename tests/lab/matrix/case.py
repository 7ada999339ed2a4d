"""An observation as a case: what anybody would see again, without digests, tags, times and addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

KEPT = {
    "docker_client": ("kind", "version", "context"),
    "engine": ("version", "os", "arch"),
    "image_store": ("kind", "driver", "driver_type", "why", "why_text"),
    "buildx": ("state", "version"),
    "builders": ("builders", "selected"),
    "build_env": ("service", "shell"),
}
"""The fields of the facts that a prediction reads."""
BUILDER = ("name", "driver", "selected", "default_load")

SCANNER = "registry.example/sbom-generator"
MOST_ERROR = 400

_MASKS = (
    (re.compile(r"\d+(?:\.\d+){3}(?::\d+)?/matrix/cells(?::[\w.-]+)?"), "REFERENCE"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:DIGEST"),
    (re.compile(r"\d+(?:\.\d+){3}(?::\d+)?"), "ADDRESS"),
    (re.compile(r"/root/cell\d+"), "FOLDER"),
)
_PROGRESS = re.compile(r"^(#\d+ |-+$|\s*\^+|View build details:|DEPRECATED:|The push refers to)")
_HELP = ("Usage:", "Run 'docker", "See 'docker")
_NO_IMAGE = ("tag does not exist", "does not exist locally")
"""What `docker push` says where there is nothing to push (moby, by store and version)."""

Case = dict[str, Any]


def facts_of(seen: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a station, trimmed to what a prediction reads; an Unknown one as cases write it."""
    found: dict[str, Any] = {}
    for name, fields in KEPT.items():
        fact = seen[name]
        if "reason" in fact:
            found[name] = {"unknown": fact["reason"]}
            continue
        kept = {field: fact[field] for field in fields if field in fact}
        if name == "builders":
            kept["builders"] = [_builder(one) for one in fact["builders"]]
        found[name] = kept
    return found


def _builder(seen: Mapping[str, Any]) -> dict[str, Any]:
    kept = {field: seen[field] for field in BUILDER if field in seen}
    versions = [node["buildkit"] for node in seen.get("nodes", ()) if node.get("buildkit")]
    if versions:
        kept["nodes"] = [{"name": f"{seen['name']}0", "buildkit": versions[0]}]
    return kept


def cases_of(row: Mapping[str, Any]) -> list[Case]:
    """The cells of one station, in the order of its lines."""
    return [case_of(cell, bridge=row["bridge"]) for cell in row["cells"]]


def case_of(cell: Mapping[str, Any], *, bridge: bool) -> Case:
    """One cell: how it was built and pushed, and what there was to see."""
    arrived = cell["arrived"]
    failed = _failed(cell)
    expect: Case = {}
    if arrived is not None:
        expect |= {name: arrived[name] for name in ("kind", "media_type")}
        if arrived["kind"] == "index":
            expect["children"] = [
                {name: entry[name] for name in ("role", "media_type", "platform", "artifact")}
                for entry in arrived["entries"]
            ]
        expect |= {name: arrived[name] for name in ("manifest", "config", "layers")}
        expect["digests"] = _digests(cell, arrived["digest"])
        if bridge and cell["push"] is None:  # what BuildKit pushed is in the store of the engine behind the bridge
            for name in ("iidfile_usable", "repo_digests_before", "repo_digests_after"):
                expect["digests"].pop(name, None)
    elif failed is None or (failed[0] == "push" and any(text in failed[1] for text in _NO_IMAGE)):
        expect["kind"] = "none"
    else:
        expect["kind"] = "fails"
    if failed is not None:
        expect["stage"], expect["error"] = failed[0], masked(failed[1])
    return {"how": written(cell["line"]), "expect": expect}


def written(line: str) -> str:
    """A line of `lines.py` as somebody would type it."""
    return line.replace("@OTHER@", "other").replace("@SCANNER@", SCANNER)


def _failed(cell: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which command failed, and what it said."""
    for stage in ("build", "push"):
        ended = cell[stage]
        if ended is not None and ended["exit"] != 0:
            return stage, f"{ended['stdout']}\n{ended['stderr']}"
    return None


def masked(said: str) -> str:
    """The message in what a command printed: its progress left out, what changes from run to run masked."""
    for pattern, name in _MASKS:
        said = pattern.sub(name, said)
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if line and not _PROGRESS.match(line)]
    told = list(takewhile(lambda line: not line.startswith(_HELP), told))
    start = next((at for at, line in enumerate(told) if _is_error(line)), max(len(told) - 2, 0))
    return " ".join(told[start:])[:MOST_ERROR].rstrip()


def _is_error(line: str) -> bool:
    return line.startswith(("ERROR:", "Error", "error", "unknown ", "docker: ", "DOCKER_BUILDKIT", "invalid "))


def _digests(cell: Mapping[str, Any], served: str) -> Case:
    """What each place where a digest can be read says of the one that is served.

    ``same``, ``other`` or ``none``; a place that the command does not have is left out.
    """
    found: Case = {}
    if cell["push"] is not None:
        found["push_line"] = _place([cell["push_digest"]], served)
    if (told := (cell["metadata"] or {}).get("containerimage.digest")) is not None:
        found["metadata"] = _place([told], served)
    if cell["iid"] is not None:
        found["iidfile"] = _place([cell["iid"].strip()], served)
        found["iidfile_usable"] = cell.get("iid_usable", False)
    for moment in ("before", "after"):
        told = [digest.partition("@")[2] for digest in cell.get(f"digests_{moment}", ())]
        found[f"repo_digests_{moment}"] = _place(told, served)
    return found


def _place(told: list[str | None], served: str) -> str:
    known = [digest for digest in told if digest]
    return "none" if not known else "same" if served in known else "other"
