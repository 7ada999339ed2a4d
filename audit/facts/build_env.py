"""What decides a build's defaults: environment variables and config.json, each with where it comes from."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field
from audit.model import Model

Where = Literal[
    "process",
    "unit",
    "drop-in",
    "environment-file",
    "manager",
    "etc-environment",
    "login-shell",
    "config.json",
]


class Setting(Model):
    """One variable, or one config.json key, at one place.

    Attributes:
        name: e.g. ``BUILDX_NO_DEFAULT_ATTESTATIONS``, or ``aliases.builder`` / ``currentContext`` of config.json.
        value: as written (allow-listed names only; URLs without userinfo).
        where: the kind of place.
        path: the file, where it is one.
    """

    name: str
    value: str
    where: Where
    path: str | None = None

    @property
    def place(self) -> str:
        """For people: ``drop-in /etc/systemd/system/x.service.d/y.conf``."""
        return f"{self.where} {self.path}" if self.path else str(self.where)


class BuildEnv(Fact):
    """Settings of the build service (where `build_unit` is declared) and of the login shell, side by side.

    `service` is what the builds get: the running process where it could be read, else the unit's files.
    `shell` is what a person who logs in gets. Both hold effective values, the last writer's; `all` holds every
    place that sets one. `service` is None where no build unit is declared: the shell then stands for the builds.
    """

    service: tuple[Setting, ...] | None = fact_field(
        "Effective for the builds; None: no build unit declared", default=None
    )
    shell: tuple[Setting, ...] = fact_field("Effective for a login shell", default=())
    all: tuple[Setting, ...] = fact_field("Every place that sets one", default=())
    service_from_process: bool = fact_field(
        "`service` was read from the running process", drift="volatile", default=False
    )

    @property
    def builds(self) -> tuple[Setting, ...]:
        """What the builds get: the service's, else the shell's."""
        return self.shell if self.service is None else self.service

    def get(self, name: str) -> Setting | None:
        """The setting in force for the builds."""
        return next((setting for setting in self.builds if setting.name == name), None)
