"""Settings: flag > FLEET_AUDIT_* > fleet-audit.toml or [tool.fleet-audit] of pyproject.toml > the user's own file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

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


def kept(text: str) -> str:
    """How long checks stay in the history: ``90d``, ``12w``, ``36h``, or how many of them: ``400``."""
    if re.fullmatch(r"[0-9]{1,6}[hdw]?", text.strip()) is None:
        raise ValueError(f"{text!r}: write a time such as 90d, 12w or 36h, or a number of checks")
    return text.strip()


Seconds = Annotated[float, BeforeValidator(seconds), AfterValidator(_positive)]


def _listed(value: object) -> object:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _spaced(value: object) -> object:
    """Addresses may hold commas, and no spaces."""
    return value.split() if isinstance(value, str) else value


class Settings(BaseModel):
    """Everything that may be set outside the command line; each field is ``FLEET_AUDIT_<NAME>`` there."""

    model_config = ConfigDict(extra="forbid")

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
    db: str | None = None
    keep: Annotated[str, AfterValidator(kept)] | None = None
    notify: Annotated[list[str], BeforeValidator(_spaced)] = []
    notify_on: Literal["new", "worse", "any"] = "worse"
    link: str | None = None


def settings_of(**flags: Any) -> Settings:
    """Merge the flags that were given with the environment and the files.

    Raises:
        UsageError: a value is wrong; the message names where it stands.
    """
    given = {name: value for name, value in flags.items() if value not in (None, [], ())}
    files, environment = _from_files(), _from_environment()
    try:
        return Settings(**{name: value for name, (value, _) in files.items()} | environment | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if name in given:
            place = f"--{name.replace('_', '-')}"
        elif name in environment:
            place = f"FLEET_AUDIT_{name.upper()}"
        else:
            place = f"{files[name][1]}: {name}"
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{place}: {message}") from None


def _from_environment() -> dict[str, str]:
    """Settings of the environment; whatever else begins with our prefix is not of this kind."""
    # Not by pydantic-settings, which loads asyncio and three parsers for this, longer than many a verb takes.
    said = {name.upper(): value for name, value in os.environ.items()}
    named = {name: f"FLEET_AUDIT_{name.upper()}" for name in Settings.model_fields}
    return {name: said[variable] for name, variable in named.items() if variable in said}


def _from_files() -> dict[str, tuple[Any, Path]]:
    """Settings of the files, the nearer one winning: name -> (value, file)."""
    from platformdirs import user_config_path

    found: dict[str, tuple[Any, Path]] = {}
    own = Path("fleet-audit.toml")
    for file in (own if own.exists() else Path("pyproject.toml"), user_config_path("fleet-audit") / "config.toml"):
        try:
            if not file.is_file():
                continue
            import tomllib  # only where there is one

            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}; make it readable, or take it away") from None
        except ValueError as error:
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
