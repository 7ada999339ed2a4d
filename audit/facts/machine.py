"""The machine under the worker."""

from __future__ import annotations

from audit.fact import Fact, fact_field


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
