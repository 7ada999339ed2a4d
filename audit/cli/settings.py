"""Settings: flag > FLEET_AUDIT_* > fleet-audit.toml or [tool.fleet-audit] of pyproject.toml > the user's own file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from audit.errors import UsageError


def seconds(value: object) -> object:
    """``90``, ``90s``, ``5m`` or ``1h`` as seconds; anything else is left for the type to refuse."""
    if isinstance(value, str) and value:
        unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(value[-1])
        number = value[:-1] if unit else value
        try:
            return float(number) * (unit or 1.0)
        except ValueError as error:
            raise ValueError(f"{value!r} is no duration: write seconds, 90s, 5m or 1h") from error
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("a duration must be above zero")
    return value


Seconds = Annotated[float, BeforeValidator(seconds), AfterValidator(_positive)]


def _listed(value: object) -> object:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Everything that may be set outside the command line; each field is ``FLEET_AUDIT_<NAME>`` there."""

    model_config = SettingsConfigDict(env_prefix="FLEET_AUDIT_", extra="forbid", enable_decoding=False)

    inventory: Annotated[list[Path], BeforeValidator(_listed)] = []
    limit: str | None = None
    fail_on: Literal["note", "warning", "error", "never"] = "error"
    jobs: int = Field(default=64, ge=1, le=1024)
    deadline: Seconds | None = None
    report: Annotated[list[str], BeforeValidator(_listed)] = []
    min_coverage: float = Field(default=100.0, ge=0, le=100)
    host_keys: Literal["strict", "accept-new", "pinned"] = "strict"
    known_hosts: Path | None = None
    connect_timeout: Seconds = 10.0
    auth_timeout: Seconds = 15.0
    probe_timeout: Seconds | None = None
    host_timeout: Seconds = 45.0
    color: Literal["auto", "always", "never"] = "auto"
    registry: str | None = None
    probe_repository: str = "fleet-audit-probe"
    registry_ca: Path | None = None
    registry_user: str | None = None
    plain_http: Annotated[list[str], BeforeValidator(_listed)] = []
    merge_engines: Annotated[list[str], BeforeValidator(_listed)] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags and environment; the files are merged in by `settings_of`, which can name them in an error."""
        del settings_cls, dotenv_settings, file_secret_settings  # not sources of ours
        return (init_settings, env_settings)


def settings_of(**flags: Any) -> Settings:
    """Merge the flags that were given with the environment and the files.

    Raises:
        UsageError: a value is wrong; the message names where it stands.
    """
    given = {name: value for name, value in flags.items() if value not in (None, [], ())}
    files = _from_files()
    try:
        merged = Settings(**given)
        unset = {name: value for name, value in files.items() if name not in merged.model_fields_set}
        return Settings(**given, **{name: value for name, (value, _) in unset.items()}) if unset else merged
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if name in given:
            place = f"--{name.replace('_', '-')}"
        elif name in files:
            place = f"{files[name][1]}: {name}"
        else:
            place = f"FLEET_AUDIT_{name.upper()}"
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{place}: {message}") from None


def _from_files() -> dict[str, tuple[Any, Path]]:
    """Settings of the files, the nearer one winning: name -> (value, file)."""
    from platformdirs import user_config_path

    found: dict[str, tuple[Any, Path]] = {}
    own = Path("fleet-audit.toml")
    for file in (own if own.exists() else Path("pyproject.toml"), user_config_path("fleet-audit") / "config.toml"):
        if not file.is_file():
            continue
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file}: cannot be read as TOML: {error}") from None
        if file.name == "pyproject.toml":
            table = table.get("tool", {}).get("fleet-audit", {})
        for key, value in table.items():
            name = key.replace("-", "_")
            if name not in Settings.model_fields:
                known = ", ".join(sorted(Settings.model_fields))
                raise UsageError(f"{file}: unknown setting {key!r}; known are {known}")
            found.setdefault(name, (value, file))
    return found
