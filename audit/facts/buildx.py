"""The buildx plugin that `docker build` would use."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from audit.fact import Answers, CannotTell, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine
from audit.facts._packages import Packages
from audit.facts._read import Doc, garbled
from audit.model import Model, Probe


class PluginCopy(Model):
    """One file called docker-buildx in a plugin folder.

    Attributes:
        path: where it is.
        version: what it says of itself, or None where it does not run.
        error: why it does not run.
        in_use: this is the one docker takes.
    """

    path: str
    version: str | None = None
    error: str | None = None
    in_use: bool = False


class Buildx(Fact):
    """State, version and copies, for the user and environment of the builds."""

    state: Literal["present", "missing", "broken"] = fact_field("What docker finds")
    version: str | None = fact_field("Version without a leading v, e.g. 0.29.1+ds1", default=None)
    path: str | None = fact_field("The copy in use", default=None)
    error: str | None = fact_field("Why it is broken", default=None)
    copies: tuple[PluginCopy, ...] = fact_field("Every copy in docker's plugin folders, in docker's order", default=())
    package: str | None = fact_field("Package and version that own the copy in use", default=None)

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_docker.DOCKER_INFO,
        _probes_docker.DOCKER_CLIENT,
        _probes_docker.BUILDX_LS,
        _probes_machine.PACKAGES,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """`docker info` lists its plugins even where no engine answers; where it hangs, only "no copy" is sure."""
        found = _copies(answers)
        try:
            plugin = _plugin(_docker.info_of_client(answers))
        except CannotTell:
            if found == {}:
                return cls(state="missing")
            raise
        if plugin is None:
            return cls(state="missing", copies=tuple(found.values()) if found else ())
        path, version = plugin.text("Path"), _version(plugin.text("Version"))
        error = _error(plugin)
        if not error and version is None:
            raise garbled("docker info lists buildx without a version")
        copies = dict(found or {})
        for shadowed in plugin.texts("ShadowedPaths"):
            copies.setdefault(shadowed, PluginCopy(path=shadowed))
        if path:
            copies = {path: copies.pop(path, PluginCopy(path=path)), **copies}
            used = copies[path].model_copy(
                update={"version": None if error else version, "error": error, "in_use": True}
            )
            copies[path] = used
        return cls(
            state="broken" if error else "present",
            version=None if error else version,
            path=path,
            error=error,
            copies=tuple(copies.values()),
            package=Packages.read(answers).owner(path),
        )


def _plugin(info: Doc) -> Doc | None:
    plugins = info.doc("ClientInfo").docs("Plugins")
    return next((plugin for plugin in plugins if plugin.text("Name") == "buildx"), None)


def _error(plugin: Doc) -> str | None:
    """The client writes a text; versions that wrote an object by mistake say no more than that there is one."""
    said = plugin.raw("Err")
    if said is None or isinstance(said, str):
        return plugin.text("Err")
    return "docker says that it is broken, and not why"


def _version(text: str | None) -> str | None:
    return (text or "").removeprefix("v") or None


def _copies(answers: Answers) -> dict[str, PluginCopy] | None:
    """By path, in docker's order; None where the probe has no answer."""
    lines = _docker.lines(answers, "docker-client")
    if lines is None:
        return None
    versions = {}
    listed = _docker.lines(answers, "buildx-ls")
    for said in listed.all("meta") if listed else ():
        version, _, path = said.partition(" ")
        versions[path] = None if version == "-" else _version(version)
    found = {}
    for said in lines.all("copy"):
        runs, _, path = said.partition(" ")
        error = None if runs == "yes" else "is no file that can be run"
        if error is None and path in versions and versions[path] is None:
            error = "does not say what it is"
        found[path] = PluginCopy(path=path, version=versions.get(path), error=error)
    return found
