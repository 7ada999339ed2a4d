"""daemon.json's keys beside what the running engine shows of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit import versions
from audit.fact import Answers, CannotTell
from audit.facts import _docker
from audit.facts._read import Doc, no_userinfo

LOOPBACK = frozenset({"127.0.0.0/8", "::1/128"})
TEXTS = {"storage-driver": "Driver", "log-driver": "LoggingDriver", "default-runtime": "DefaultRuntime"}
FLAGS = {"live-restore": "LiveRestoreEnabled", "experimental": "ExperimentalBuild", "debug": "Debug"}

Pair = tuple[str, Any, Any]


def compared(config: Doc, info: Doc, answers: Answers) -> Iterator[Pair]:
    """Each key that the file sets and the engine shows: its name, the file's value, the engine's."""
    for key, field in TEXTS.items():
        if config.text(key):
            yield key, config.text(key), info.text(field)
    for key, field in FLAGS.items():
        if config.raw(key) is not None:
            yield key, config.flag(key), info.flag(field)
    yield from _data_root(config, info, answers)
    feature = config.doc("features").raw("containerd-snapshotter")
    if isinstance(feature, bool) and versions.at_least(info.text("ServerVersion"), "24.0"):
        yield "features.containerd-snapshotter", feature, "driver-type" in dict(info.pairs("DriverStatus"))
    for option in config.texts("exec-opts"):
        name, _, value = option.partition("=")
        if name == "native.cgroupdriver":
            yield "exec-opts", value, info.text("CgroupDriver")
    if config.raw("userns-remap") is not None:
        yield "userns-remap", bool(config.text("userns-remap")), remapped(info)
    yield from _registries(config, info)
    yield from _others(config, info, answers)


def remapped(info: Doc) -> bool:
    """Whether user namespaces are remapped in the running engine."""
    return any(option.split(",")[0] == "name=userns" for option in info.texts("SecurityOptions"))


def insecure_registries(info: Doc) -> tuple[str, ...]:
    """Networks and names that need no TLS, loopback left out."""
    registries = info.doc("RegistryConfig")
    networks = [network for network in registries.texts("InsecureRegistryCIDRs") if network not in LOOPBACK]
    names = [name for name, index in registries.members("IndexConfigs") if index.raw("Secure") is False]
    return tuple(bare(one) for one in (*networks, *names))


def bare(address: str) -> str:
    """Without userinfo and the slash at its end."""
    return no_userinfo(address).rstrip("/")


def _data_root(config: Doc, info: Doc, answers: Answers) -> Iterator[Pair]:
    """The engine shows the folder with links resolved, and below it the remapped user's."""
    said, live = config.text("data-root") or config.text("graph"), info.text("DockerRootDir")
    if not said or not live:
        return
    lines = _docker.lines(answers, "roots")
    real = dict(zip(lines.all("root"), lines.all("real"), strict=False)).get(said, said) if lines else said
    if not _docker.holds(said, live) and not _docker.holds(real, live):
        yield "data-root", said, live


def _registries(config: Doc, info: Doc) -> Iterator[Pair]:
    if config.raw("registry-mirrors") is not None:
        live = info.doc("RegistryConfig").texts("Mirrors")
        wanted = config.texts("registry-mirrors")
        yield "registry-mirrors", sorted(bare(one) for one in wanted), sorted(bare(one) for one in live)
    if config.raw("insecure-registries") is not None:
        names = sorted(bare(one) for one in config.texts("insecure-registries"))
        names = [name for name in names if name not in LOOPBACK]
        yield "insecure-registries", names, [name for name in names if name in insecure_registries(info)]


def _others(config: Doc, info: Doc, answers: Answers) -> Iterator[Pair]:
    if config.text("min-api-version"):
        try:
            server = _docker.client(answers).server
        except CannotTell:
            server = None
        if server and server.text("MinAPIVersion"):
            yield "min-api-version", config.text("min-api-version"), server.text("MinAPIVersion")
    firewall = info.doc("FirewallBackend").text("Driver")
    if config.text("firewall-backend") and firewall:
        yield "firewall-backend", config.text("firewall-backend"), firewall.partition("+")[0]
