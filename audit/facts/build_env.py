"""What decides a build's defaults: environment variables and config.json, each with where it comes from."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine, _settings
from audit.facts._read import Doc, cannot_tell, no_userinfo
from audit.facts._sh import ENV_NAMES
from audit.model import Model, Probe, Reason, Unknown

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

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_machine.BUILD_UNIT,
        _probes_machine.LOGIN_SHELL,
        _probes_docker.DOCKER_CLIENT,
        _probes_machine.HOST,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """The service's where a unit is declared; a unit that is not there makes the fact Unknown."""
        files = tuple(_setting(line) for line in _settings.lines_of(answers) if line.verb == "set")
        shell = _shell(answers, files)
        login = _of_config(answers, "host")
        if answers.host.build_unit is None:
            builds = _of_config(answers, "docker-client")
            return cls(shell=(*shell, *login), all=_unique((*files, *shell, *login, *builds)))
        answers.answer("unit-env")
        source = _settings.source(answers)
        if source not in ("process", "unit"):
            raise cannot_tell(Reason.ABSENT, f"systemd knows no unit {answers.host.build_unit}")
        answers.answer("docker-client")  # config.json counts: without it the settings are not known whole
        service = (*_service(answers, process=source == "process"), *_of_config(answers, "docker-client"))
        return cls(
            service=service,
            shell=(*shell, *login),
            all=_unique((*files, *service, *shell, *login)),
            service_from_process=source == "process",
        )


def _setting(line: _settings.Line) -> Setting:
    where: Where = next(kind for kind in _FILES if kind == line.kind)
    return Setting(name=line.name, value=line.value, where=where, path=line.path)


_FILES: tuple[Where, ...] = ("manager", "unit", "drop-in", "environment-file", "etc-environment")


def _service(answers: Answers, *, process: bool) -> tuple[Setting, ...]:
    """What the process has, each named after the file that says the same; without a process, what the files make."""
    files = _settings.in_force(_settings.lines_of(answers))
    found = []
    for name, value in sorted(_settings.running(answers).items()):
        if name not in ENV_NAMES:
            continue
        line = files.get(name)
        if line is not None and line.value == value:
            found.append(_setting(line))
        else:
            found.append(Setting(name=name, value=value, where="process" if process else "unit"))
    return tuple(found)


def _shell(answers: Answers, files: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Each named after /etc/environment where that says the same."""
    answer = answers.get("login-shell")
    if isinstance(answer, Unknown):
        return ()
    everywhere = {setting.name: setting for setting in files if setting.where == "etc-environment"}
    found: dict[str, Setting] = {}
    for text in answer.stdout.split("\n"):
        name, equals, value = text.partition("=")
        if not equals or name not in ENV_NAMES:
            continue
        value = no_userinfo(value)
        named = everywhere.get(name)
        same = named is not None and named.value == value
        found[name] = named if named and same else Setting(name=name, value=value, where="login-shell")
    return tuple(found[name] for name in sorted(found))


def _of_config(answers: Answers, probe: str) -> tuple[Setting, ...]:
    """The keys of config.json that decide how a build goes."""
    lines = _docker.lines(answers, probe)
    path = lines.first("config") if lines else None
    if lines is not None and lines.has("config-denied"):
        raise cannot_tell(Reason.DENIED, f"{lines.first('config-denied')} may not be read")
    if lines is None or path is None or lines.json_text is None:
        return ()
    document = Doc(lines.json(path), path)
    alias = document.doc("aliases").text("builder")
    found = {
        "aliases.builder": alias,
        "currentContext": document.text("currentContext"),
        "cliPluginsExtraDirs": ":".join(document.texts("cliPluginsExtraDirs")),
    }
    return tuple(
        Setting(name=name, value=no_userinfo(value), where="config.json", path=path)
        for name, value in found.items()
        if value
    )


def _unique(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    return tuple(dict.fromkeys(settings))
