"""Formatting is never drift: each normaliser with what it makes alike, and what it must not."""

from __future__ import annotations

from typing import Any

import pytest

from audit.drift import drift
from audit.drift.comparing import differences
from audit.drift.fields import canonical, class_of
from audit.fact import all_facts
from tests.drift.fleet import changed, host, recorded

ALIKE: list[tuple[str, Any, Any]] = [
    ("access.groups", ["docker", "root"], ["root", "docker", "root"]),
    ("machine.binfmt", ["qemu-arm", "qemu-s390x"], ["qemu-s390x", "qemu-arm"]),
    ("engine.version", "28.5.2+dfsg4", "v28.5.2+dfsg4"),
    ("engine.version", "28.5.2", " 28.5.2\n"),
    ("engine.containerd_version", "v1.7.24", "1.7.24"),
    ("engine.runc_version", "1.3.6", "v1.3.6"),
    ("engine.data_root", "/var/lib/docker", "/var/lib//docker/"),
    ("engine.mirrors", ["https://mirror.example/"], ["https://mirror.example"]),
    ("engine.insecure_registries", ["a:5000", "b:5000"], ["b:5000", "a:5000"]),
    ("docker_client.version", "28.5.2", "v28.5.2"),
    ("docker_client.docker_host", "tcp://10.0.0.1:2376/", "tcp://10.0.0.1:2376"),
    ("docker_client.path", "/usr/bin/docker", "/usr//bin/docker"),
    ("buildx.version", "0.29.1+ds1", "v0.29.1+ds1"),
    ("buildx.path", "/usr/libexec/docker/cli-plugins/docker-buildx", "/usr/libexec/docker/./cli-plugins/docker-buildx"),
    ("image_store.prior_drivers", ["overlay2", "btrfs"], ["btrfs", "overlay2"]),
    ("daemon_config.path", "/etc/docker/daemon.json", "/etc//docker/daemon.json"),
    ("daemon_config.settings", {"features": '{"a":true,"b":false}'}, {"features": '{ "b": false, "a": true }'}),
    ("daemon_config.settings", {"data-root": '"/data/docker"'}, {"data-root": '"/data/docker/"'}),
    ("daemon_config.settings", {"insecure-registries": '["a","b"]'}, {"insecure-registries": '["b","a"]'}),
    ("daemon_config.settings", {"registry-mirrors": '["https://m"]'}, {"registry-mirrors": '["https://m/"]'}),
    ("daemon_config.other_keys", ["proxies", "dns"], ["dns", "proxies"]),
    ("daemon_config.flags", ["--host=fd://", "--debug"], ["--debug", "--host=fd://"]),
    ("disks.containerd_root_path", "/var/lib/containerd", "/var/lib/containerd/"),
    ("disks.data_root.mount", "/", "//"),
    ("disks.device_name_mounts", [{"device": "/dev/a", "mount": "/a"}, {"device": "/dev/b", "mount": "/b"}],
     [{"mount": "/b", "device": "/dev/b"}, {"device": "/dev/a", "mount": "/a"}]),
    ("credentials.found", [{"registry": "a", "path": "/x"}, {"registry": "b", "path": "/x"}],
     [{"registry": "b", "path": "/x"}, {"path": "/x", "registry": "a"}]),
    ("sockets.tcp", [{"address": "a:1"}, {"address": "b:1"}], [{"address": "b:1"}, {"address": "a:1"}]),
    ("build_unit.requires_mounts_for", ["/a/", "/b"], ["/b", "/a"]),
    ("build_unit.home", "/root", "/root/"),
    ("build_env.all", [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
     [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    ("builders.builders",
     [{"name": "b", "nodes": [{"name": "n", "platforms": ["x", "y"], "buildkit": "v0.26.2", "status": "running"}]},
      {"name": "a"}],
     [{"name": "a"},
      {"name": "b", "nodes": [{"name": "n", "platforms": ["y", "x"], "buildkit": "0.26.2", "status": "stopped"}]}]),
]  # fmt: skip

OTHER: list[tuple[str, Any, Any]] = [
    ("engine.version", "28.5.2+dfsg4", "28.5.2"),
    ("engine.version", "28.5.2+dfsg4", "28.5.2+dfsg5"),
    ("engine.version", "28.5.2", "28.5.2-rc.1"),
    ("engine.data_root", "/", "/var/lib/docker"),
    ("engine.mirrors", ["https://a", "https://b"], ["https://b", "https://a"]),
    ("daemon_config.flags", ["--storage-driver=a", "--storage-driver=b"], ["--storage-driver=b", "--storage-driver=a"]),
    ("daemon_config.settings", {"features": '{"a":true}'}, {"features": '{"a":false}'}),
    ("daemon_config.settings", {"live-restore": "true"}, {}),
    ("access.groups", ["docker"], []),
    ("build_env.all", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
     [{"name": "A", "value": "2"}, {"name": "A", "value": "1"}]),
    ("buildx.copies", [{"path": "/a"}, {"path": "/b"}], [{"path": "/b"}, {"path": "/a"}]),
    ("engine.rootless", True, False),
    ("machine.cpus", None, 2),
]  # fmt: skip


def canonicals(path: str, one: Any, other: Any) -> tuple[Any, Any]:
    """Both values in one spelling."""
    fact, field = path.split(".", 1)
    return canonical(fact, field, one), canonical(fact, field, other)


@pytest.mark.parametrize(("path", "one", "other"), ALIKE)
def test_another_spelling_is_no_drift(path: str, one: Any, other: Any) -> None:
    """Order of sets, order of keys, slashes, a leading v, white space: the same, in both directions."""
    assert one != other
    first, second = canonicals(path, one, other)
    assert first == second
    before = changed(recorded(), "amd64", {path: one})
    assert [found for found in drift(before, changed(before, "amd64", {path: other})).hosts if found.causes] == []


@pytest.mark.parametrize(("path", "one", "other"), OTHER)
def test_another_value_stays_another(path: str, one: Any, other: Any) -> None:
    """What means something else is not normalised away."""
    first, second = canonicals(path, one, other)
    assert first != second


@pytest.mark.parametrize(
    "value", [None, 7, "text", [], {}, [None], [[]], [{}], {"a": None}, [{"name": None}], ["[" * 9]]
)
def test_no_value_of_a_worker_breaks_a_normaliser(value: Any) -> None:
    """Whatever form a field has, its spelling is found without an error, and is that of itself."""
    for fact, kind in all_facts().items():
        for field in kind.model_fields:
            assert canonical(fact, field, value) == canonical(fact, field, value)


def test_every_field_of_every_fact_has_a_class() -> None:
    """No field is compared by accident: each is stable, volatile or identity, or is taken apart."""
    for fact, kind in all_facts().items():
        for field in kind.model_fields:
            known = class_of(fact, field) is not None or class_of(fact, f"{field}.mount") == "stable"
            assert known, f"{fact}.{field}"
    assert class_of("disks", "data_root.free") == "volatile"
    assert class_of("nothing", "at_all") is None


def test_what_another_version_collected_is_not_compared_and_told() -> None:
    """A field or fact that only one check has is no drift, and the report says that it was left out."""
    after = host(recorded(), "amd64")
    facts = {name: dict(values) for name, values in after.facts.items() if name != "sockets"}
    del facts["engine"]["firewall_backend"]
    before = after.model_copy(update={"facts": facts})
    missing: set[str] = set()
    assert list(differences(before, after, missing)) == []
    assert missing == {"sockets", "engine.firewall_backend"}
    old = recorded().model_copy(update={"hosts": (before,), "tool_version": "0.1"})
    new = recorded().model_copy(update={"hosts": (after,), "tool_version": "0.2"})
    report = drift(old, new)
    assert report.exit_code == 0
    assert report.remarks == ("not in both checks (fleet-audit 0.1 and 0.2): engine.firewall_backend, sockets",)
