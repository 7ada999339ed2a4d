"""Who we are to a registry: looked for where docker, podman and skopeo keep it, in a fixed order.

    1. what the caller gave (`Options.credentials`)
    2. FLEET_AUDIT_REGISTRY_HOST with _USERNAME and _PASSWORD, or _IDENTITY_TOKEN, or _TOKEN
    3. DOCKER_AUTH_CONFIG, the text of a docker config.json
    4. the file that REGISTRY_AUTH_FILE names                      (containers-auth.json(5))
    5. $DOCKER_CONFIG/config.json, else ~/.docker/config.json      (docker/cli cli/config/configfile)
    6. $XDG_RUNTIME_DIR/containers/auth.json, then $XDG_CONFIG_HOME/containers/auth.json (~/.config)

The first that knows the registry is believed. In a file the helper named for the registry goes first, then ``auths``
by the longest key that fits (containers' keys may name a part of a registry), then ``credsStore``.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from audit.image.reference import DOCKER_HUB, DOCKER_HUB_NAMES
from audit.registry.failures import Call, CredentialsError
from audit.registry.helper import ask_helper
from audit.registry.options import Credentials, Options, known_as

_HUB_KEY = "https://index.docker.io/v1/"
"""What docker keeps Docker Hub's credentials under."""
_MOST = 1024 * 1024
_TOKEN_USER = "<token>"  # noqa: S105 - docker's mark for an identity token, not a secret
_OURS = "FLEET_AUDIT_REGISTRY"


class _File(NamedTuple):
    """One source in docker's shape: its name for messages, and what it holds."""

    name: str
    body: Mapping[str, Any]


class Keyring:
    """Finds credentials; files and helpers are asked once. May be used by many threads."""

    def __init__(self, options: Options) -> None:
        """Nothing is read yet."""
        self._options = options
        self._environment = os.environ if options.environment is None else options.environment
        self._given = {known_as(host): given for host, given in options.credentials.items()}
        self._files: list[_File] | None = None
        self._found: dict[tuple[str, str], Credentials | None] = {}
        self._lock = threading.Lock()

    def find(self, registry: str, repository: str = "") -> Credentials | None:
        """Credentials for a repository of a registry; None: there are none, so we are nobody.

        Raises:
            CredentialsError: a file or a helper that should know them cannot be used.
        """
        host = known_as(registry)
        with self._lock:
            key = (host, repository)
            if key not in self._found:
                self._found[key] = self._look(host, repository)
            return self._found[key]

    def secrets(self) -> tuple[str, ...]:
        """Everything found so far that must never be shown."""
        with self._lock:
            return tuple({word for found in self._found.values() if found for word in found.secrets})

    def _look(self, host: str, repository: str) -> Credentials | None:
        if host in self._given:
            return self._given[host]
        if ours := _environment(self._environment, host):
            return ours
        if not self._options.use_files:
            return None
        if self._files is None:
            self._files = list(_files(self._environment))
        for file in self._files:
            found = self._in_file(file, host, repository)
            if found is not None and not found.empty:
                return found
        return None

    def _in_file(self, file: _File, host: str, repository: str) -> Credentials | None:
        helpers = file.body.get("credHelpers")
        for name in _names(host):
            if isinstance(helpers, dict) and isinstance(helpers.get(name), str) and helpers[name]:
                return self._ask(file, helpers[name], name, host)
        entry = _entry(file, host, repository)
        if entry is not None and not entry.empty:
            return entry
        store = file.body.get("credsStore")
        if isinstance(store, str) and store:
            return self._ask(file, store, _HUB_KEY if host == DOCKER_HUB else host, host)
        return None

    def _ask(self, file: _File, helper: str, name: str, host: str) -> Credentials | None:
        call = Call("credentials", host)
        said = ask_helper(helper, name, call, file.name, self._environment, self._options.helper)
        if said is None:
            return None
        user, secret = said
        origin = f"docker-credential-{helper}"
        if user == _TOKEN_USER:
            return Credentials(identity_token=secret, origin=origin)
        return Credentials(username=user, password=secret, origin=origin)


def _environment(environment: Mapping[str, str], host: str) -> Credentials | None:
    named = environment.get(f"{_OURS}_HOST", "")
    if not named or known_as(named) != host:
        return None
    found = Credentials(
        username=environment.get(f"{_OURS}_USERNAME", ""),
        password=environment.get(f"{_OURS}_PASSWORD", ""),
        identity_token=environment.get(f"{_OURS}_IDENTITY_TOKEN", ""),
        registry_token=environment.get(f"{_OURS}_TOKEN", ""),
        origin=f"{_OURS}_*",
    )
    if found.empty:
        raise CredentialsError(
            Call("credentials", host),
            f"{_OURS}_HOST names it, but there are no credentials",
            f"set {_OURS}_USERNAME and {_OURS}_PASSWORD, {_OURS}_IDENTITY_TOKEN or {_OURS}_TOKEN",
        )
    return found


def _files(environment: Mapping[str, str]) -> Iterator[_File]:
    if text := environment.get("DOCKER_AUTH_CONFIG"):
        yield _File("DOCKER_AUTH_CONFIG", _body("DOCKER_AUTH_CONFIG", text.encode("utf-8", "surrogateescape")))
    home = environment.get("HOME", "")
    containers, docker = environment.get("REGISTRY_AUTH_FILE"), environment.get("DOCKER_CONFIG")
    runtime = environment.get("XDG_RUNTIME_DIR")
    settings = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    wanted = [
        (containers, True),
        (f"{docker}/config.json" if docker else f"{home}/.docker/config.json" if home else "", False),
        (f"{runtime}/containers/auth.json" if runtime else "", False),
        (f"{settings}/containers/auth.json" if settings else "", False),
    ]
    for name, must in wanted:
        raw = _read(Path(name), must=must) if name else None
        if name and raw is not None:
            yield _File(name, _body(name, raw))


def _read(path: Path, *, must: bool) -> bytes | None:
    call = Call("credentials", str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        if must:
            raise CredentialsError(call, "the file that REGISTRY_AUTH_FILE names is not there", "unset it") from None
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no name of a file"
        raise CredentialsError(call, f"the file cannot be read ({why})", "mend its rights") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CredentialsError(call, "it is no file", "put a file there")
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(_MOST + 1)
    if len(raw) > _MOST:
        raise CredentialsError(call, f"it has more than {_MOST} bytes", "check what it is")
    return raw


def _body(name: str, raw: bytes) -> Mapping[str, Any]:
    call = Call("credentials", name)
    try:
        body = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        # The error itself holds the text, and the text holds secrets.
        raise CredentialsError(call, "it is not JSON", "mend it, or log in again") from None
    if not isinstance(body, dict):
        raise CredentialsError(call, "it is JSON, but no object", "mend it, or log in again")
    return body


def _names(host: str) -> tuple[str, ...]:
    """What a registry may stand under in a file, the usual one first."""
    return (_HUB_KEY, *DOCKER_HUB_NAMES) if host == DOCKER_HUB else (host,)


def _entry(file: _File, host: str, repository: str) -> Credentials | None:
    auths = file.body.get("auths")
    if not isinstance(auths, dict):
        return None
    named: dict[str, tuple[str, Any]] = {}
    for key, value in auths.items():
        # A key as it is goes before one that only means the same.
        if (plain := _plain(key)) not in named or key == plain:
            named[plain] = (key, value)
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):
        found = named.get("/".join([host, *parts[:count]]))
        if found is not None and isinstance(found[1], dict):
            credentials = _decode(file, host, found[1])
            if not credentials.empty:
                return credentials
    return None


def _plain(key: str) -> str:
    """``https://index.docker.io/v1/`` -> ``docker.io``; containers' ``host/team/app`` stays as it is."""
    scheme, separator, rest = key.partition("://")
    host, _, path = (rest if separator else scheme).partition("/")
    path = path.rstrip("/")
    host = known_as(host)
    return host if separator or path in ("", "v1", "v2") else f"{host}/{path}"


def _decode(file: _File, host: str, entry: Mapping[str, Any]) -> Credentials:
    said = {name: value for name, value in entry.items() if isinstance(value, str)}
    user, password = said.get("username", ""), said.get("password", "")
    if auth := said.get("auth", "").strip():
        try:
            padded = auth.rstrip("=").replace("-", "+").replace("_", "/")
            raw = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode()
        except ValueError:  # of base64, of UTF-8, of text that is not ASCII
            raw = ""
        user, colon, password = raw.partition(":")
        if not colon:
            raise CredentialsError(
                Call("credentials", host), f"its auth in {file.name} is no base64 of user:password", "log in again"
            )
        password = password.rstrip("\0")
    token = said.get("identitytoken", "")
    if user == _TOKEN_USER:  # docker's own way to keep one
        user, password, token = "", "", token or password
    return Credentials(
        username=user,
        password=password,
        identity_token=token,
        registry_token=said.get("registrytoken", ""),
        origin=file.name,
    )
