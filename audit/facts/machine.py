"""The machine under the worker."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _probes_machine
from audit.facts._read import garbled, number, split_lines
from audit.model import Probe, Unknown

PLATFORMS = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv8l": "arm/v8",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "armv5tel": "arm/v5",
    "ppc64le": "ppc64le",
    "powerpc64le": "ppc64le",
    "ppc64": "ppc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
    "mips64": "mips64",
}
"""What `uname -m` says, as a Docker platform without its OS."""

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


class Machine(Fact):
    """Architecture, kernel, distribution and identity."""

    arch: str = fact_field("As `uname -m` says, e.g. aarch64")
    platform: str = fact_field("The same as a Docker platform, e.g. linux/arm64; linux/ARCH where unmapped")
    system: str = fact_field("As `uname -s` says; anything but Linux is no worker of ours")
    kernel: str = fact_field("As `uname -r` says")
    hostname: str = fact_field("As the kernel says", drift="identity")
    os_id: str | None = fact_field("ID of os-release, e.g. debian", default=None)
    os_version: str | None = fact_field("VERSION_ID (else VERSION_CODENAME) of os-release", default=None)
    os_name: str | None = fact_field("PRETTY_NAME of os-release", default=None)
    machine_id: str | None = fact_field(
        "First 12 hex digits of SHA-256 of /etc/machine-id", drift="identity", default=None
    )
    boot_time: int | None = fact_field("When it booted, Unix seconds by its own clock", drift="volatile", default=None)
    cpus: int | None = fact_field("Processors", default=None)
    binfmt: tuple[str, ...] = fact_field("Foreign architectures that binfmt_misc has handlers for (qemu-*)", default=())

    probes: ClassVar[tuple[Probe, ...]] = (_probes_machine.HOST,)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """From the probe ``host``; the boot time by the clock that the script printed first."""
        lines = split_lines(answers.text("host"))
        words = (lines.first("uname") or "").split()
        if len(words) != 4:
            raise garbled("uname does not print four words")
        system, hostname, kernel, arch = words
        release = _os_release(lines.all("os"))
        return cls(
            arch=arch,
            platform=f"{system.lower()}/{PLATFORMS.get(arch.lower(), arch.lower())}",
            system=system,
            kernel=kernel,
            hostname=hostname,
            os_id=release.get("ID"),
            os_version=release.get("VERSION_ID") or release.get("VERSION_CODENAME"),
            os_name=release.get("PRETTY_NAME"),
            machine_id=_machine_id(lines.first("machine-id")),
            boot_time=_boot_time(lines.first("uptime"), answers),
            cpus=_cpus(lines.first("cpus")),
            binfmt=tuple(sorted(lines.all("binfmt"))),
        )


def _os_release(assignments: list[str]) -> dict[str, str]:
    """Shell assignments as os-release has them: quotes around the value, backslashes before special characters."""
    found = {}
    for line in assignments:
        name, _, value = line.partition("=")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value:
            found[name] = re.sub(r"\\([\\\"$`])", r"\1", value)
    return found


def _machine_id(text: str | None) -> str | None:
    """The worker sends the hash of the file; where it has no sha256sum it sends nothing."""
    found = re.match(r"[0-9a-f]{64}\b", text or "")
    return found[0][:12] if found else None


def _boot_time(uptime: str | None, answers: Answers) -> int | None:
    clock = answers.get("wire-clock")
    up = re.match(r"\d{1,12}(\.\d{1,9})?(?= |$)", uptime or "")
    now = None if isinstance(clock, Unknown) else re.fullmatch(r"\d{1,12}(\.\d{1,9})?", clock.stdout.strip())
    return round(float(now[0]) - float(up[0])) if now and up else None


def _cpus(ranges: str | None) -> int | None:
    """Counts ``0-3,8``."""
    total = 0
    for part in (ranges or "").split(","):
        found = _RANGE.fullmatch(part)
        if not found:
            return None
        low, high = number(found[1]) or 0, number(found[2] or found[1]) or 0
        total += max(0, high - low + 1)
    return total
