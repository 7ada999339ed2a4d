"""The Docker engine that answers."""

from __future__ import annotations

from audit.fact import Fact, fact_field


class Engine(Fact):
    """dockerd as `docker version` and `docker info` tell it; Unknown where no dockerd answers."""

    version: str = fact_field("Server version, e.g. 28.5.2+dfsg4")
    api_version: str | None = fact_field("Newest API", default=None)
    min_api_version: str | None = fact_field("Oldest API it accepts", default=None)
    os: str | None = fact_field("Server OS, e.g. linux", default=None)
    arch: str | None = fact_field("Server architecture as Go names it, e.g. amd64", default=None)
    name: str | None = fact_field("Host name that the engine reports", drift="identity", default=None)
    engine_id: str | None = fact_field("The engine's own id", drift="identity", default=None)
    rootless: bool = fact_field("Runs without root", default=False)
    experimental: bool = fact_field("Experimental features on", default=False)
    cgroup_version: str | None = fact_field("1 or 2", default=None)
    cgroup_driver: str | None = fact_field("systemd or cgroupfs", default=None)
    firewall_backend: str | None = fact_field("iptables or nftables, where the engine tells", default=None)
    containerd_version: str | None = fact_field("containerd's version", default=None)
    containerd_address: str | None = fact_field("containerd's socket, where the engine tells", default=None)
    runc_version: str | None = fact_field("runc's version", default=None)
    data_root: str | None = fact_field("DockerRootDir", default=None)
    live_restore: bool = fact_field("Containers outlive a restart", default=False)
    default_runtime: str | None = fact_field("Default runtime", default=None)
    mirrors: tuple[str, ...] = fact_field("Registry mirrors, redacted", default=())
    insecure_registries: tuple[str, ...] = fact_field("Registries spoken to without TLS, loopback left out", default=())
    warnings: tuple[str, ...] = fact_field("Warnings of `docker info`", drift="volatile", default=())
    running: int | None = fact_field("Running containers", drift="volatile", default=None)
    images: int | None = fact_field("Images in the store", drift="volatile", default=None)
    package: str | None = fact_field("Package and version that own dockerd", default=None)
    log_driver: str | None = fact_field("Default log driver of containers", default=None)
