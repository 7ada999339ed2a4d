"""The fields of a fact as they are compared: each with its class, and in one spelling: formatting is no drift."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from audit.fact import Drift, all_facts

UNASKED = "unknown"
"""The key of a fact in a snapshot that could not be told."""

_PARTS: Mapping[tuple[str, str], Mapping[str, Drift]] = {
    ("disks", field): {
        "path": "stable", "mount": "stable", "fstype": "stable",
        # a disk may have another name after a boot, and a pool's size moves with what is in it
        "device": "volatile", "size": "volatile", "free": "volatile", "inodes": "volatile", "inodes_free": "volatile",
    }
    for field in ("data_root", "containerd_root")
}  # fmt: skip
"""Fields whose parts are of different classes: where a disk is matters, how full it is does not."""

_DERIVED = frozenset({("image_store", "why_text")})
"""Our own wording, which another version of fleet-audit may change."""


@cache
def class_of(fact: str, field: str) -> Drift | None:
    """The class of a field (``kind``, ``data_root.mount``); None: this version does not know it."""
    if (fact, field) in _DERIVED:
        return "volatile"
    whole, _, part = field.partition(".")
    if (fact, whole) in _PARTS:
        return _PARTS[fact, whole].get(part)
    known = all_facts().get(fact)
    found = known.model_fields.get(field) if known is not None else None
    if found is None or not isinstance(found.json_schema_extra, dict):
        return None
    drift = found.json_schema_extra.get("drift")
    return drift if drift in ("stable", "volatile", "identity") else None  # type: ignore[return-value]  # one of the three


def parts_of(fact: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are compared one by one; those of `_PARTS` taken apart."""
    found: dict[str, Any] = {}
    for field, value in values.items():
        parts = _PARTS.get((fact, field))
        if parts is None:
            found[field] = value
        else:
            inner = value if isinstance(value, Mapping) else {}
            found |= {f"{field}.{part}": inner.get(part) for part in parts}
    return found


def told(values: Mapping[str, Any]) -> bool:
    """Whether the fact was told; that a thing is absent is an answer too."""
    return UNASKED not in values or values[UNASKED] == "absent"


# ---------------------------------------------------------------- one spelling


def canonical(fact: str, field: str, value: Any) -> Any:
    """The value in one spelling; equal results are no drift.

    Args:
        fact: its name.
        field: its field, as `parts_of` names it.
        value: as JSON.

    Returns:
        A plain value; never fails, whatever a worker said: what has no expected form is left as it is.
    """
    if isinstance(value, str):
        value = value.strip()
    change = _SPELLINGS.get((fact, field))
    try:
        return change(value) if change is not None else value
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError):
        return value


def _as_set(value: Any) -> Any:
    """A list whose order means nothing, and in which twice is once."""
    if not isinstance(value, list | tuple):
        return value
    return [json.loads(one) for one in sorted({json.dumps(item, sort_keys=True) for item in value})]


def _path(value: Any) -> Any:
    """Without a slash at the end, and none of them doubled."""
    if not isinstance(value, str) or not value.startswith("/"):
        return value
    return "/" + "/".join(part for part in value.split("/") if part and part != ".")


def _url(value: Any) -> Any:
    return value.rstrip("/") if isinstance(value, str) else value


def _version(value: Any) -> Any:
    """Without a leading v; distribution marks (+dfsg4) are another build, and stay."""
    if isinstance(value, str) and value[:1] in "vV" and value[1:2].isdigit():
        return value[1:]
    return value


def _paths(value: Any) -> Any:
    return _as_set([_path(one) for one in value]) if isinstance(value, list | tuple) else value


def _urls(value: Any) -> Any:
    """In their order: mirrors are asked one after the other."""
    return [_url(one) for one in value] if isinstance(value, list | tuple) else value


def _flags(value: Any) -> Any:
    """By name; the same flag twice keeps its order, since the last one wins."""
    if not isinstance(value, list | tuple):
        return value
    pairs = [str(one).partition("=") for one in value]
    return [[name, _path(said)] for name, _, said in sorted(pairs, key=lambda pair: pair[0])]


def _settings(value: Any) -> Any:
    """daemon.json's values are JSON texts: by what they mean, whatever their white space and order of keys."""
    if not isinstance(value, Mapping):
        return value
    return {key: _setting(key, said) for key, said in value.items()}


def _setting(key: str, said: Any) -> Any:
    try:
        loaded = json.loads(said)
    except (TypeError, ValueError, RecursionError):
        return said
    if key in ("data-root", "exec-root"):
        return _path(loaded)
    return _as_set(loaded) if key == "insecure-registries" else _urls(loaded) if key == "registry-mirrors" else loaded


def _variables(value: Any) -> Any:
    """Sorted by name; the places of one name stay in order, since the last one wins."""
    if not isinstance(value, list | tuple):
        return value
    return sorted(value, key=lambda one: str(one["name"]))


def _builders(value: Any) -> Any:
    """By name; their nodes too, and the platforms of each as a set."""
    found = []
    for one in value:
        nodes = [
            {**node, "platforms": _as_set(node.get("platforms")), "buildkit": _version(node.get("buildkit"))}
            for node in one.get("nodes") or ()
        ]
        # A node's state says whether its container runs right now: nothing that a comparison is about.
        for node in nodes:
            node.pop("status", None)
        found.append({**one, "nodes": sorted(nodes, key=lambda node: str(node.get("name")))})
    return sorted(found, key=lambda one: str(one.get("name")))


_SPELLINGS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("access", "groups"): _as_set,
    ("machine", "binfmt"): _as_set,
    ("engine", "version"): _version,
    ("engine", "containerd_version"): _version,
    ("engine", "runc_version"): _version,
    ("engine", "data_root"): _path,
    ("engine", "mirrors"): _urls,
    ("engine", "insecure_registries"): _as_set,
    ("docker_client", "version"): _version,
    ("docker_client", "docker_host"): _url,
    ("docker_client", "path"): _path,
    ("buildx", "version"): _version,
    ("buildx", "path"): _path,
    ("builders", "builders"): _builders,
    ("image_store", "prior_drivers"): _as_set,
    ("daemon_config", "path"): _path,
    ("daemon_config", "settings"): _settings,
    ("daemon_config", "other_keys"): _as_set,
    ("daemon_config", "flags"): _flags,
    ("daemon_config", "unapplied"): _as_set,
    ("disks", "containerd_root_path"): _path,
    ("disks", "device_name_mounts"): _as_set,
    ("disks", "data_root.path"): _path,
    ("disks", "data_root.mount"): _path,
    ("disks", "containerd_root.path"): _path,
    ("disks", "containerd_root.mount"): _path,
    ("credentials", "found"): _as_set,
    ("sockets", "tcp"): _as_set,
    ("build_unit", "requires_mounts_for"): _paths,
    ("build_unit", "home"): _path,
    ("build_env", "service"): _variables,
    ("build_env", "shell"): _variables,
    ("build_env", "all"): _variables,
}
"""What is a set, a path, a version or a list of JSON texts; every other field is compared as it stands."""
