"""daemon.json and dockerd's flags against what the engine says is in force."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from audit.fact import Answers, CannotTell, Fact, fact_field
from audit.facts import _daemon, _docker, _probes_docker
from audit.facts._applied import compared
from audit.facts._read import Doc, cannot_tell, no_userinfo
from audit.model import Model, Probe, Reason


class Unapplied(Model):
    """A key whose value in the file is not what the running engine has."""

    key: str
    file_value: str
    live_value: str


class DaemonConfig(Fact):
    """Allow-listed keys only; proxies and other values that may hold secrets are told as present."""

    path: str = fact_field("The file read, e.g. /etc/docker/daemon.json")
    present: bool = fact_field("Whether it exists")
    error: str | None = fact_field("Why it cannot be parsed", default=None)
    settings: dict[str, str] = fact_field("Allow-listed keys and their values as JSON text", default_factory=dict)
    other_keys: tuple[str, ...] = fact_field("Names of the other keys, without values", default=())
    flags: tuple[str, ...] = fact_field("Allow-listed flags of dockerd's own command line", default=())
    unapplied: tuple[Unapplied, ...] = fact_field("What the file says and the engine does not do", default=())
    changed_after_start: bool | None = fact_field(
        "The file is newer than the engine's start; None: cannot tell", drift="volatile", default=None
    )

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_docker.DAEMON,
        _probes_docker.DOCKER_INFO,
        _probes_docker.DOCKER_VERSION,
        _probes_docker.ROOTS,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """The file and the flags; the comparison is empty where no engine of this machine answers."""
        daemon = _daemon.read(answers)
        if daemon.state == "denied":
            raise cannot_tell(Reason.DENIED, f"{daemon.path} may not be read")
        config = daemon.config
        keys = config.names() if config else []
        settings = {key: _text(config.raw(key)) for key in keys if key in _daemon.KEYS} if config else {}
        return cls(
            path=daemon.path,
            present=daemon.state == "present",
            error=daemon.error,
            settings=settings,
            other_keys=tuple(no_userinfo(key) for key in keys if key not in _daemon.KEYS),
            flags=tuple(f"{name}={value}" if value else name for name, value in daemon.flags),
            unapplied=_unapplied(config, answers) if config else (),
            changed_after_start=daemon.newer,
        )


def _unapplied(config: Doc, answers: Answers) -> tuple[Unapplied, ...]:
    try:
        info = _docker.info(answers)
    except CannotTell:
        return ()
    if not _docker.is_local(answers, info):
        return ()
    return tuple(
        Unapplied(key=key, file_value=_text(said), live_value=_text(live))
        for key, said, live in compared(config, info, answers)
        if said != live
    )


def _text(value: Any) -> str:
    return no_userinfo(json.dumps(value, sort_keys=True))
