"""The changes that a user asks about: ``--set KEY=VALUE`` and ``--unset KEY``, as a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Literal

from audit import versions
from audit.errors import UsageError
from audit.model import BUILD_VARIABLES, Model
from audit.shape.known import NEWEST

Wipe = Literal["data-root", "reinstall", "upgrade"]

DAEMON_KEYS = ("storage-driver", "data-root", "userns-remap", "min-api-version")
"""Keys of daemon.json that may be set."""

SET = (
    "docker=29.7 (engine and client), engine=VERSION, client=VERSION, buildx=VERSION|none, "
    "wipe=true|reinstall|upgrade, "
    "env.NAME=VALUE, features.NAME=true|false, storage-driver=NAME, data-root=PATH, userns-remap=NAME, "
    "min-api-version=1.44"
)
"""Every key, for people."""

_PLAIN = ("docker", "engine", "client", "buildx", "wipe", *DAEMON_KEYS)
_VERSION = re.compile(r"v?\d{1,4}\.\d{1,4}(?:\.\d{1,5})?(?:[-~+.][\w.+~-]{0,40})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}")
_BOOLEANS = {"true": True, "false": False}


class Changes(Model):
    """What is to be changed; None and empty leave it as it is.

    Attributes:
        engine: version of dockerd.
        client: version of the docker command.
        buildx: version of the plugin, or ``none``.
        wipe: ``data-root``: emptied under the same engine; ``upgrade``: in place, data kept; ``reinstall``: a fresh
            machine, with this daemon.json.
        env: variables of the builds, by name; None: taken out.
        features: of daemon.json, by name; None: taken out.
        daemon: other keys of daemon.json, by name; None: taken out.
        said: the changes as written, in order.
    """

    engine: str | None = None
    client: str | None = None
    buildx: str | None = None
    wipe: Wipe | None = None
    env: tuple[tuple[str, str | None], ...] = ()
    features: tuple[tuple[str, bool | None], ...] = ()
    daemon: tuple[tuple[str, str | None], ...] = ()
    said: tuple[str, ...] = ()

    @property
    def restarts(self) -> bool:
        """Whether the engine starts anew, and so reads its configuration."""
        return bool(self.engine or self.wipe or self.features or self.daemon)


UPGRADE = Changes(
    engine=NEWEST["engine"],
    client=NEWEST["client"],
    wipe="upgrade",
    said=(f"docker={NEWEST['engine']}", "wipe=upgrade"),
)
WIPE = Changes(wipe="data-root", said=("wipe=true",))
REINSTALL = Changes(
    engine=NEWEST["engine"],
    client=NEWEST["client"],
    wipe="reinstall",
    said=(f"docker={NEWEST['engine']}", "wipe=reinstall"),
)


def parse_changes(sets: Sequence[str], unsets: Sequence[str] = ()) -> Changes:
    """Read the values of --set and --unset.

    Raises:
        UsageError: an unknown key, a value of the wrong kind, or one thing asked for twice.
    """
    found: dict[str, str | None] = {}
    for said in sets:
        key, equals, value = said.partition("=")
        if not equals:
            raise UsageError(f"--set {said}: write KEY=VALUE; known are {SET}")
        _add(found, key.strip(), value.strip() if not key.startswith("env.") else value, said)
    for key in unsets:
        if not key.startswith(("env.", "features.")) and key not in DAEMON_KEYS:
            known = f"env.NAME, features.NAME, {', '.join(DAEMON_KEYS)}"
            raise UsageError(f"--unset {key}: can be taken out are {known}{_closest(key, DAEMON_KEYS)}")
        _add(found, key, None, f"--unset {key}")
    return _changes(found, (*sets, *(f"--unset {key}" for key in unsets)))


def _add(found: dict[str, str | None], key: str, value: str | None, said: str) -> None:
    _check_key(key, said)
    also = {"docker": ("engine", "client"), "engine": ("docker",), "client": ("docker",)}.get(key, ())
    for other in (key, *also):
        if other in found:
            raise UsageError(f"--set {said}: {other} is set already; give each one once")
    found[key] = value


def _check_key(key: str, said: str) -> None:
    if key.startswith("env."):
        name = key.removeprefix("env.")
        if name not in BUILD_VARIABLES:
            what = "no variable that this tool knows to decide how a build goes"
            raise UsageError(f"--set {said}: {name} is {what}; known are {', '.join(BUILD_VARIABLES)}")
    elif key.startswith("features."):
        if not _NAME.fullmatch(key.removeprefix("features.")):
            raise UsageError(f"--set {said}: {key.removeprefix('features.')!r} is no name of a feature")
    elif key not in _PLAIN:
        raise UsageError(f"--set {said}: unknown key {key!r}{_closest(key, _PLAIN)}; known are {SET}")


def _closest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key[:80], [*known, "env.", "features."], 1, 0.6)
    return f", did you mean {near[0]}?" if near else ""


def _changes(found: dict[str, str | None], said: tuple[str, ...]) -> Changes:
    docker = _version("docker", found.get("docker"))
    wipe = _wipe(found.get("wipe"))
    engine = _version("engine", found.get("engine")) or docker
    client = _version("client", found.get("client")) or docker
    if wipe == "upgrade" and engine is None:
        engine, client = NEWEST["engine"], client or NEWEST["client"]
    daemon = tuple((key, _daemon(key, value)) for key, value in found.items() if key in DAEMON_KEYS)
    return Changes(
        engine=engine,
        client=client,
        buildx="none" if found.get("buildx") == "none" else _version("buildx", found.get("buildx")),
        wipe=wipe,
        env=tuple((key.removeprefix("env."), value) for key, value in found.items() if key.startswith("env.")),
        features=tuple(
            (key.removeprefix("features."), _boolean(key, value))
            for key, value in found.items()
            if key.startswith("features.")
        ),
        daemon=daemon,
        said=said,
    )


def _version(key: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not _VERSION.fullmatch(value) or versions.parse(value) is None:
        also = " or none" if key == "buildx" else ""
        raise UsageError(f"--set {key}={value}: {value!r} is no version; write at least major.minor, e.g. 29.7{also}")
    return value.removeprefix("v")


def _wipe(value: str | None) -> Wipe | None:
    if value is None:
        return None
    known: dict[str, Wipe | None] = {
        "true": "data-root", "false": None, "reinstall": "reinstall", "upgrade": "upgrade"
    }  # fmt: skip
    if value not in known:
        raise UsageError(f"--set wipe={value}: write true (data-root emptied), upgrade (data kept) or reinstall")
    return known[value]


def _boolean(key: str, value: str | None) -> bool | None:
    if value is not None and value not in _BOOLEANS:
        raise UsageError(f"--set {key}={value}: {value!r} is no boolean; write true or false")
    return None if value is None else _BOOLEANS[value]


def _daemon(key: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not value or len(value) > 200 or not value.isprintable():
        raise UsageError(f"--set {key}={value[:40]}: give a value, or take the key out with --unset {key}")
    if key == "data-root" and not value.startswith("/"):
        raise UsageError(f"--set data-root={value}: write an absolute path")
    if key == "min-api-version" and not re.fullmatch(r"\d{1,2}\.\d{1,3}", value):
        raise UsageError(f"--set min-api-version={value}: {value!r} is no API version; write e.g. 1.44")
    return value.rstrip("/") or "/" if key == "data-root" else value
