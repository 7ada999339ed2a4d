"""What the fields of facts are about, and which topic a change of another may come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Topic:
    """Fields that are told of together.

    Attributes:
        id: of its node.
        parents: topics that it follows from where they changed too, the nearest first.
        label: for people.
        shown: fields that its sentence names, each with its word; the others are counted.
    """

    id: str
    label: str
    parents: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)


REINSTALLED, WIPED, HOSTKEY, RENAMED = "reinstalled", "data-root-wiped", "host-key", "hostname"
"""Nodes of identity."""

TOPICS: tuple[Topic, ...] = (
    Topic(
        "system", "system", (REINSTALLED,),
        {"machine.os_name": "system", "machine.kernel": "kernel", "machine.platform": "platform",
         "machine.cpus": "processors", "machine.binfmt": "foreign architectures"},
    ),
    Topic("access", "login", (REINSTALLED,)),
    Topic("unit", "build unit", (REINSTALLED,)),
    Topic(
        "config", "daemon configuration", (REINSTALLED, "system"),
        {"daemon_config.settings": "daemon.json", "daemon_config.flags": "dockerd's flags",
         "daemon_config.error": "error in daemon.json"},
    ),
    Topic(
        "engine", "engine", (REINSTALLED, "system"),
        {"engine": "engine", "engine.version": "engine", "docker_client.kind": "docker command",
         "docker_client.version": "client", "engine.min_api_version": "oldest API",
         "engine.containerd_version": "containerd", "engine.runc_version": "runc"},
    ),
    Topic(
        "settings", "engine settings", ("config", "engine", WIPED, REINSTALLED),
        {"engine.data_root": "data-root"},
    ),
    Topic(
        "buildx", "buildx", (REINSTALLED, "system"),
        {"buildx.state": "buildx", "buildx.version": "buildx", "buildx.error": "error of buildx"},
    ),
    Topic("env", "builds' environment", ("unit", REINSTALLED)),
    Topic("builders", "builders", ("buildx", WIPED, "engine", REINSTALLED)),
    Topic(
        "store", "image store", (REINSTALLED, WIPED, "config", "settings", "engine"),
        {"image_store.kind": "store", "image_store.driver": "driver", "image_store.why": "because"},
    ),
    Topic(
        "disks", "disks", ("settings", "config", REINSTALLED, WIPED, "store"),
        {"disks.data_root.mount": "data-root's mount", "disks.containerd_root.mount": "containerd's mount",
         "disks.containerd_root_path": "containerd's root"},
    ),
    Topic("sockets", "TCP sockets of the engine", ("config", REINSTALLED)),
    Topic("credentials", "registry logins", (REINSTALLED,)),
    Topic("clock", "clock", (REINSTALLED, "system"), {"clock.synchronized": "synchronised"}),
    Topic("other", "other facts", (REINSTALLED,)),
)  # fmt: skip
"""In causal order: a topic's parents stand before it."""

BY_ID: Mapping[str, Topic] = {topic.id: topic for topic in TOPICS}

_FACTS: Mapping[str, str] = {
    "machine": "system", "access": "access", "build_unit": "unit", "daemon_config": "config", "engine": "engine",
    "docker_client": "engine", "buildx": "buildx", "build_env": "env", "builders": "builders", "image_store": "store",
    "disks": "disks", "sockets": "sockets", "credentials": "credentials", "clock": "clock",
}  # fmt: skip

_SETTINGS = frozenset({
    "rootless", "experimental", "cgroup_driver", "data_root", "live_restore", "default_runtime", "mirrors",
    "insecure_registries", "log_driver", "containerd_address", "firewall_backend",
})  # fmt: skip
"""Fields of the engine that its configuration decides, rather than its version."""

BREAKS: Mapping[str, tuple[str, ...]] = {
    "api-floor": ("engine", "env"),
    "images-vanish": ("store",),
    "disk-guard": ("store", "disks"),
    "legacy-builder": ("buildx", "engine"),
    "iidfile": ("store", "buildx"),
    "explicit-attestation": ("store",),
    "manifest-list": ("pushes",),
    "oci-manifest": ("pushes",),
    "fails": ("pushes",),
    "nothing-to-push": ("pushes",),
}
"""What breaks, and the topic that it follows from; the first that changed."""


def topic_of(fact: str, field: str) -> str:
    """The id of the topic that a field belongs to."""
    if fact == "engine" and field in _SETTINGS:
        return "settings"
    return _FACTS.get(fact, "other")


def topic_of_fact(fact: str | None) -> str | None:
    """The topic of a whole fact."""
    return None if fact is None else _FACTS.get(fact, "other")
