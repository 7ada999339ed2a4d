"""What is sent to workers beside the script: the context, secrets, and credentials for one push."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from audit.buildstep.script import LOGIN, login_text
from audit.errors import UsageError
from audit.image.reference import DOCKER_HUB, Reference
from audit.registry import Credentials, Options
from audit.registry.auth import Keyring

MOST_SECRET = 500 * 1024
"""Bytes of one secret that BuildKit takes (session/secrets MaxSecretSize)."""
STAGING = "FLEET_AUDIT_STAGING"
"""What the variables of an account for staging alone begin with: _USERNAME and _PASSWORD."""
_HUB_KEY = "https://index.docker.io/v1/"
_SHORTEST_MASK = 6
MASK = "***"


class Context(Protocol):
    """The folder that is built from, as `audit.context.open_context` gives it."""

    def digest(self) -> str:
        """``sha256:…`` over everything in it."""

    def stream(self) -> Iterator[bytes]:
        """As a tar, piece by piece; StepError where something cannot be read."""


@dataclass(frozen=True)
class Material:
    """What goes to every worker; nothing of it shows in its repr.

    Attributes:
        context: None where the workers fetch a git repository.
        secrets: by id.
        login: a docker config.json for the push; None: the worker's own credentials.
    """

    context: Context | None = field(default=None, repr=False)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    login: bytes | None = field(default=None, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)

    @property
    def contents(self) -> dict[str, bytes]:
        """The files of a worker's private folder, in the order of stdin."""
        found = {f"secret-{name}": content for name, content in sorted(self.secrets.items())}
        return found | ({LOGIN: self.login} if self.login is not None else {})

    def masked(self, line: str) -> str:
        """A line of a log without anything that was sent in secret, where a build prints it all the same."""
        for word in self._masks():
            if word in line:
                line = line.replace(word, MASK)
        return line

    def _masks(self) -> tuple[str, ...]:
        masks = self.__dict__.get("_found")
        if masks is None:
            said = {word for secret in self.secrets.values() for word in _lines(secret)}
            masks = tuple(sorted({*said, *self.words}, key=lambda word: (-len(word), word)))
            object.__setattr__(self, "_found", masks)
        found: tuple[str, ...] = masks
        return found


def _lines(secret: bytes) -> Iterator[str]:
    text = secret.decode("utf-8", "replace")
    for line in (text, *text.splitlines()):
        if len(line.strip()) >= _SHORTEST_MASK:
            yield line.strip()


def secrets_of(said: Sequence[str], environment: Mapping[str, str]) -> dict[str, bytes]:
    """Read ``id=NAME,src=FILE`` and ``id=NAME,env=VARIABLE`` as docker does; without either: the variable NAME.

    Raises:
        UsageError: one is not written so, a file cannot be read, a variable is not set, or it is too long.
    """
    return dict(_secret(text, environment) for text in said)


def _secret(text: str, environment: Mapping[str, str]) -> tuple[str, bytes]:
    parts = [part.partition("=") for part in text.split(",")]
    fields = {key.strip(): value for key, _, value in parts}
    name = fields.pop("id", "")
    kind = fields.pop("type", None)
    file, other = fields.pop("src", None), fields.pop("source", None)
    file = file if file is not None else other
    variable = fields.pop("env", None)
    shown = f"--secret id={name[:100]}"
    if fields or not name or (file is not None and variable is not None) or kind not in (None, "file", "env"):
        raise UsageError(f"{shown}: write id=NAME,src=FILE or id=NAME,env=VARIABLE")
    if kind == "env" and variable is None:
        file, variable = None, file
    if file is not None:
        content = _file(shown, Path(file))
    else:
        variable = variable or name
        if variable not in environment:
            raise UsageError(f"{shown}: the variable {variable[:100]} is not set; set it, or write src=FILE")
        content = environment[variable].encode("utf-8", "surrogateescape")
    if len(content) > MOST_SECRET:
        raise UsageError(f"{shown}: it has {len(content)} bytes, and BuildKit takes {MOST_SECRET} at most")
    return name, content


def _file(shown: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_SECRET + 1)
    except OSError as error:
        raise UsageError(f"{shown}: {file} cannot be read: {error.strerror or error}") from None


def login_of(
    options: Options, staging: Reference, targets: Sequence[Reference], environment: Mapping[str, str]
) -> tuple[bytes, tuple[str, ...]]:
    """Credentials for the staging repository alone, as a docker config.json, with the words in it that are secret.

    Args:
        options: how this machine speaks with registries; says where credentials are looked for.
        staging: what is pushed to.
        targets: names that will be given to the merge: credentials that are good for these never leave this machine.
        environment: may name an account for staging alone (`STAGING`).

    Raises:
        UsageError: there are none, or they are those of a target.
        CredentialsError: they cannot be had from where they should be.
    """
    found = _staging_account(environment) or Keyring(options).find(staging.registry, staging.repository)
    if found is None or found.empty:
        raise UsageError(
            f"--push-login: there are no credentials for {staging.name} here; log in to it, or set {STAGING}_USERNAME "
            f"and {STAGING}_PASSWORD"
        )
    keyring = Keyring(options)
    for target in targets:
        live = keyring.find(target.registry, target.repository)
        if live is not None and set(live.secrets) & set(found.secrets):
            raise UsageError(
                f"--push-login: the credentials for {staging.name} are those for {target.familiar} too, and must not "
                f"leave this machine; set {STAGING}_USERNAME and {STAGING}_PASSWORD to an account that may only push "
                "there"
            )
    key = _HUB_KEY if staging.registry == DOCKER_HUB else staging.registry
    text = login_text(
        key, username=found.username, password=found.password, identity=found.identity_token,
        registry=found.registry_token,
    )  # fmt: skip
    basic = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
    return text, tuple(word for word in (*found.secrets, basic) if len(word) >= _SHORTEST_MASK)


def _staging_account(environment: Mapping[str, str]) -> Credentials | None:
    name, password = environment.get(f"{STAGING}_USERNAME", ""), environment.get(f"{STAGING}_PASSWORD", "")
    if bool(name) != bool(password):
        raise UsageError(f"{STAGING}_USERNAME and {STAGING}_PASSWORD go together: set both, or neither")
    return Credentials(username=name, password=password, origin=f"{STAGING}_*") if name else None
