"""The worker builds natively for the platform it is declared for."""

from __future__ import annotations

from audit.facts.engine import Engine
from audit.facts.machine import Machine
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA105",
    title="The worker builds natively for the platform it is declared for",
    severity=Severity.ERROR,
    why="A plain build takes the engine's own platform: the wrong image goes out under the declared platform's tag.",
    symptom="exec format error on the user's machine, or a merged tag that lacks a platform and has another twice.",
    remedy="Correct `platform` in the inventory, or declare the host `emulated: true` where that is what is meant.",
    refs=("containerd platforms (default matcher)",),
)

ALSO = {"linux/amd64": ("linux/386",), "linux/arm64": ("linux/arm",)}
"""What containerd's matcher takes as the machine's own beside its first platform."""


def check(host: Host, machine: Machine, engine: Engine | Unknown) -> Result:
    """The engine's platform decides where it is known: a 32-bit engine on a 64-bit kernel builds 32-bit images."""
    if host.platform is None:
        return not_applicable("no platform is declared")
    native = machine.platform
    evidence = [f"declared {host.platform}", f"uname: {machine.system} {machine.arch}"]
    if not isinstance(engine, Unknown) and engine.os and engine.arch:
        native = f"{engine.os}/{engine.arch}"
        evidence.append(f"engine: {native}")
    if host.emulated:
        handlers = ", ".join(machine.binfmt) or "none seen"
        return ok(f"emulated: {native} stands for {host.platform}", *evidence, f"binfmt handlers: {handlers}")
    declared = _family(host.platform)
    if declared == _family(native):
        return ok(f"the worker is {native}, as declared", *evidence)
    if declared in ALSO.get(_family(native), ()):
        return ok(f"{native} runs {host.platform} as its own", *evidence)
    return fail(f"the worker is {native}, not {host.platform} as declared", *evidence)


def _family(platform: str) -> str:
    """OS and architecture without the variant."""
    return "/".join(platform.lower().split("/")[:2])
