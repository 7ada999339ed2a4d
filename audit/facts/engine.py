"""The Docker engine that answers."""

from __future__ import annotations

from typing import ClassVar, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine
from audit.facts._applied import bare, insecure_registries
from audit.facts._packages import Packages
from audit.facts._read import Doc, garbled, no_userinfo
from audit.model import Probe, Reason, Unknown


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

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_docker.DOCKER_INFO,
        _probes_docker.DOCKER_VERSION,
        _probes_machine.PACKAGES,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """What `docker info` says is needed; `docker version` adds the API's range and the parts' versions."""
        info = _docker.info(answers)
        version = info.text("ServerVersion")
        if version is None:
            raise garbled("docker info names no ServerVersion")
        server = _server(answers)
        options = info.texts("SecurityOptions")
        local = _docker.is_local(answers, info)
        return cls(
            version=version,
            api_version=server.text("ApiVersion"),
            min_api_version=server.text("MinAPIVersion"),
            os=info.text("OSType") or server.text("Os"),
            arch=server.text("Arch"),
            name=info.text("Name"),
            engine_id=info.text("ID"),
            rootless=any(option.split(",")[0] == "name=rootless" for option in options),
            experimental=info.flag("ExperimentalBuild"),
            cgroup_version=info.text("CgroupVersion"),
            cgroup_driver=info.text("CgroupDriver"),
            firewall_backend=info.doc("FirewallBackend").text("Driver"),
            containerd_version=_component(server, "containerd"),
            containerd_address=info.doc("Containerd").text("Address"),
            runc_version=_component(server, "runc"),
            data_root=info.text("DockerRootDir"),
            live_restore=info.flag("LiveRestoreEnabled"),
            default_runtime=info.text("DefaultRuntime"),
            mirrors=tuple(bare(mirror) for mirror in info.doc("RegistryConfig").texts("Mirrors")),
            insecure_registries=insecure_registries(info),
            warnings=tuple(no_userinfo(warning) for warning in info.texts("Warnings")),
            running=info.count("ContainersRunning"),
            images=info.count("Images"),
            package=Packages.read(answers).of("dockerd") if local else None,
            log_driver=info.text("LoggingDriver"),
        )


def _server(answers: Answers) -> Doc:
    """The Server part of `docker version`; empty where it came too late."""
    answer = answers.get("docker-version")
    if isinstance(answer, Unknown) and answer.reason is Reason.TIMEOUT:
        return Doc({}, "docker version")
    return _docker.client(answers).server or Doc({}, "docker version")


def _component(server: Doc, name: str) -> str | None:
    return next((part.text("Version") for part in server.docs("Components") if part.text("Name") == name), None)
