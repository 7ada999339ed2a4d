"""The facts after a change: each fact edited where the change touches it, Unknown where nobody can know yet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from audit import versions
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting, Where
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.daemon_config import DaemonConfig
from audit.facts.disks import Disks
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Host, Reason, Unknown
from audit.shape.known import NEWEST, api_floor
from audit.whatif.changes import Changes
from audit.whatif.known import newest_api
from audit.whatif.store import features_of, setting, store_then


@dataclass(frozen=True)
class Then:
    """A worker after a change.

    Attributes:
        facts: as they would be read then.
        refuses: why the engine does not start; None: it starts, as far as we can tell.
        assumed: what the answer takes for granted, as sentences.
    """

    facts: Facts
    refuses: str | None = None
    assumed: tuple[str, ...] = ()


@dataclass
class _Edit:
    """One worker's facts while they are edited."""

    now: Facts
    changes: Changes
    values: dict[str, Fact | Unknown]
    assumed: list[str] = field(default_factory=list)

    def put(self, fact: type[Fact], value: Fact | Unknown) -> None:
        self.values[fact.fact_name()] = value


def facts_then(facts: Facts, changes: Changes, host: Host) -> Then:
    """The facts of one worker after the changes.

    Args:
        facts: now.
        changes: what is asked about.
        host: as declared; where it names a build unit, variables are set there.

    Returns:
        A fact that the change makes unknowable is Unknown with the reason; one that is Unknown now stays so, unless
        the change itself tells it.
    """
    edit = _Edit(facts, changes, dict(facts.items()))
    _client(edit)
    _env(edit, host)
    store = store_then(facts, changes)
    _config(edit)
    edit.put(ImageStore, store.store)
    _engine(edit, store.refuses)
    _spoken(edit)
    _buildx(edit)
    _disks(edit)
    if changes.wipe == "reinstall":
        edit.assumed.append("the reinstall brings the same daemon.json, build unit and plugin files again")
    return Then(Facts(edit.values), store.refuses, tuple(edit.assumed))


def _cannot(detail: str) -> Unknown:
    return Unknown(reason=Reason.NOT_ASKED, detail=detail)


def _newer(edit: _Edit, part: str, said: str, newest: str) -> None:
    version, known = versions.parse(said), versions.parse(newest)
    if version is not None and known is not None and version > known:
        edit.assumed.append(f"{part} {said} is newer than the newest known, {newest}: it is taken to do the same")


def _client(edit: _Edit) -> None:
    said, now = edit.changes.client, edit.now[DockerClient]
    version = versions.parse(said)
    if said is None or version is None:
        return
    _newer(edit, "client", said, NEWEST["client"])
    if isinstance(now, Unknown) or now.kind != "docker":
        kind = "not known" if isinstance(now, Unknown) else f"{now.kind}, not docker's own"
        edit.assumed.append(f"the docker command is {kind}: the change does not install one")
        return
    edit.put(DockerClient, now.model_copy(update={"version": said, "package": None}))


def _spoken(edit: _Edit) -> None:
    """The API that client and engine agree on: the older of the two newest."""
    client, engine = edit.values.get("docker_client"), edit.values.get("engine")
    if not (edit.changes.client or edit.changes.engine) or not isinstance(client, DockerClient):
        return
    version = versions.parse(client.version)
    if client.kind != "docker" or version is None:
        return
    own = newest_api(version)
    theirs = engine.api_version if isinstance(engine, Engine) else None
    known = [(parsed, text) for text in (own, theirs) if text and (parsed := versions.parse(text))]
    edit.put(DockerClient, client.model_copy(update={"api_version": min(known)[1] if own and known else None}))


def _env(edit: _Edit, host: Host) -> None:
    """Into the build unit where one is declared, else into the login shell that stands for it."""
    now = edit.now[BuildEnv]
    if not edit.changes.env or isinstance(now, Unknown):
        return
    where: Where = "unit" if now.service is not None else "login-shell"
    names = {name for name, _ in edit.changes.env}
    added = tuple(Setting(name=name, value=value, where=where) for name, value in edit.changes.env if value is not None)
    builds = (*(one for one in now.builds if one.name not in names), *added)
    update: dict[str, object] = {"all": (*(one for one in now.all if one.name not in names), *added)}
    update["shell" if now.service is None else "service"] = builds
    edit.put(BuildEnv, now.model_copy(update=update))
    if now.service is not None:
        edit.assumed.append(f"{host.build_unit or 'the build unit'} is restarted, so that it has the variables")


def _config(edit: _Edit) -> None:
    """daemon.json as it would be; a restart puts it in force."""
    now, changes = edit.now[DaemonConfig], edit.changes
    if isinstance(now, Unknown) or not changes.restarts:
        return
    settings = dict(now.settings)
    for key, value in changes.daemon:
        settings.pop(key, None)
        if value is not None:
            settings[key] = json.dumps(value)
    features = features_of(now)
    for name, on in changes.features:
        features.pop(name, None)
        if on is not None:
            features[name] = on
    if features or changes.features:
        settings["features"] = json.dumps(features, sort_keys=True)
    update = {
        "settings": settings,
        "present": now.present or bool(changes.daemon or changes.features),
        "unapplied": (),
        "changed_after_start": False,
    }
    edit.put(DaemonConfig, now.model_copy(update=update))


def _engine(edit: _Edit, refuses: str | None) -> None:
    now, changes = edit.now[Engine], edit.changes
    if refuses is not None:
        edit.put(Engine, Unknown(reason=Reason.ABSENT, detail=f"the engine does not start: {refuses}"))
        return
    if not changes.restarts:
        return
    if isinstance(now, Unknown):
        if changes.engine is not None:
            edit.put(Engine, _cannot(f"the engine is not known now ({now}), so only its version would be"))
        return
    said = changes.engine or now.version
    version = versions.parse(said)
    update: dict[str, object] = {}
    config = edit.now[DaemonConfig]
    floor = setting(config, changes, "min-api-version")
    if changes.engine is not None and version is not None:
        _newer(edit, "engine", said, NEWEST["engine"])
        update = {
            "version": said,
            "api_version": newest_api(version),
            "min_api_version": floor or api_floor(version),
            "containerd_version": None,
            "runc_version": None,
            "package": None,
        }
    elif "min-api-version" in dict(changes.daemon) and version is not None:
        update = {"min_api_version": floor or api_floor(version)}
    root = dict(changes.daemon).get("data-root", now.data_root)
    update["data_root"] = root or "/var/lib/docker"
    store, before = edit.values["image_store"], edit.now[ImageStore]
    if changes.wipe in ("data-root", "reinstall"):
        update |= {"images": 0 if not _keeps_images(edit) else None, "running": 0}
    elif isinstance(store, Unknown) or isinstance(before, Unknown) or store != before:
        update["images"] = now.images if _same_store(store, before) else None
    edit.put(Engine, now.model_copy(update=update))


def _same_store(one: Fact | Unknown, other: Fact | Unknown) -> bool:
    both = isinstance(one, ImageStore) and isinstance(other, ImageStore)
    return both and (one.kind, one.driver) == (other.kind, other.driver)  # type: ignore[union-attr]  # both are


def _keeps_images(edit: _Edit) -> bool:
    """An emptied data-root leaves what containerd's root holds."""
    now = edit.now[ImageStore]
    return edit.changes.wipe == "data-root" and not isinstance(now, Unknown) and now.kind == "containerd"


def _buildx(edit: _Edit) -> None:
    said, now = edit.changes.buildx, edit.now[Buildx]
    if edit.changes.wipe == "reinstall" and not isinstance(edit.now[Builders], Unknown):
        edit.put(Builders, _own_builder(edit))
        edit.assumed.append("builder instances made by hand are gone after a reinstall")
    else:
        engines = ("docker",) if edit.changes.engine is not None else ()
        _forget_buildkit(edit, (*engines, "docker-container") if edit.changes.wipe == "data-root" else engines)
    if said is None:
        return
    if said == "none":
        edit.put(Buildx, Buildx(state="missing"))
        edit.put(Builders, Unknown(reason=Reason.ABSENT, detail="there is no buildx plugin"))
        return
    _newer(edit, "buildx", said, NEWEST["buildx"])
    path = None if isinstance(now, Unknown) else now.path
    copies = () if isinstance(now, Unknown) else now.copies
    used = tuple(
        one.model_copy(update={"version": said, "error": None}) if one.in_use or one.path == path else one
        for one in copies
    )
    edit.put(Buildx, Buildx(state="present", version=said, path=path, copies=used))
    if isinstance(now, Unknown) or now.state != "present":
        builders = edit.now[Builders]
        if isinstance(builders, Unknown):
            edit.put(Builders, _own_builder(edit))


def _own_builder(edit: _Edit) -> Builders:
    """The builder of the docker driver, which is called as the context."""
    client = edit.values.get("docker_client")
    name = (client.context if isinstance(client, DockerClient) else None) or "default"
    return Builders(builders=(Builder(name=name, driver="docker", selected=True),), selected=name)


def _forget_buildkit(edit: _Edit, drivers: tuple[str, ...]) -> None:
    """Another engine embeds another BuildKit, and a builder whose container was wiped is made anew from a tag."""
    now = edit.now[Builders]
    if isinstance(now, Unknown) or not drivers:
        return
    builders = []
    for builder in now.builders:
        nodes = tuple(node.model_copy(update={"buildkit": None}) for node in builder.nodes)
        builders.append(builder.model_copy(update={"nodes": nodes}) if builder.driver in drivers else builder)
    edit.put(Builders, now.model_copy(update={"builders": tuple(builders)}))


def _disks(edit: _Edit) -> None:
    """The file systems stay where they are; how much of them is free then is at least what is free now."""
    now, changes = edit.now[Disks], edit.changes
    if isinstance(now, Unknown):
        return
    engine = edit.now[Engine]
    root = None if isinstance(engine, Unknown) else engine.data_root
    asked = dict(changes.daemon).get("data-root", root)
    if changes.wipe == "reinstall":
        edit.put(Disks, _cannot("the disks of a fresh machine are not known"))
    elif asked != root:
        edit.put(Disks, _cannot(f"which file system {asked or '/var/lib/docker'} is on was not looked at"))
