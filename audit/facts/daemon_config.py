"""daemon.json and dockerd's flags against what the engine says is in force."""

from __future__ import annotations

from audit.fact import Fact, fact_field
from audit.model import Model


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
