"""What a caller may set about registries; nothing is read from a disk or an environment here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audit import __version__
from audit.errors import UsageError
from audit.image.reference import DOCKER_HUB, DOCKER_HUB_NAMES
from audit.registry.retry import Retry

USER_AGENT = f"fleet-audit/{__version__}"
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to a registry; nothing of it shows in its repr.

    Attributes:
        username: with `password`, for basic authentication and for token servers.
        password: or a personal access token.
        identity_token: exchanged for tokens at the token server (OAuth2's refresh token).
        registry_token: sent to the registry as it is.
        origin: where they were found, for messages.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str = "given"

    @property
    def empty(self) -> bool:
        """Nothing in it could authenticate anybody."""
        return not (self.identity_token or self.registry_token or (self.username and self.password))

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(word for word in (self.password, self.identity_token, self.registry_token) if word)


class Tls(NamedTuple):
    """How to trust one registry, and how to be trusted by it.

    Attributes:
        ca_file: PEM certificates that are trusted besides the machine's own.
        client_cert: our PEM certificate (with its chain); shown to the registry's own host only.
        client_key: its key, where it does not stand in the same file.
    """

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to speak with registries. All times are seconds, all sizes bytes.

    Attributes:
        tls: by registry (``host[:port]`` as in references); ``*`` is for every other one.
        plain_http: registries that are spoken to by http, localhost too only where it stands here.
        credentials: by registry; they win over every file and helper.
        environment: where DOCKER_CONFIG, PATH and the like are looked up; None: the process's own.
        use_files: whether files and helpers of docker and of containers are asked for credentials at all.
        connect: limit for a connection and its TLS.
        idle: limit between two bytes of an answer.
        answer: limit for a whole answer that is not a blob.
        token: limit for a token server's whole answer.
        helper: limit for a credential helper.
        slowest: bytes a second; a blob may take `answer` and so much more as it would take at this rate.
        connections: kept open, per host.
        user_agent: what we call ourselves.
        retry: when to ask again.
    """

    tls: Mapping[str, Tls] = field(default_factory=dict)
    plain_http: frozenset[str] = frozenset()
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    use_files: bool = True
    connect: float = 10.0
    idle: float = 30.0
    answer: float = 60.0
    token: float = 10.0
    helper: float = 15.0
    slowest: float = 10_000.0
    connections: int = 8
    user_agent: str = USER_AGENT
    retry: Retry = field(default_factory=Retry)

    def __post_init__(self) -> None:
        """Refuse what could not work.

        Raises:
            UsageError: a limit is not positive, or a name is a URL.
        """
        for name in ("connect", "idle", "answer", "token", "helper", "slowest", "connections"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name}: must be more than 0, not {getattr(self, name)}")
        for host in (*self.tls, *self.plain_http, *self.credentials):
            if "/" in host:
                raise UsageError(f"{host!r} is no registry: write HOST or HOST:PORT, without a scheme or a path")
        if not self.user_agent.isprintable() or not self.user_agent.isascii():
            raise UsageError("user_agent: must be printable ASCII")

    def tls_of(self, registry: str) -> Tls:
        """The registry's own, else that of ``*``, else the machine's trust alone."""
        return self.tls.get(registry) or self.tls.get("*") or Tls()

    def speaks_http(self, registry: str) -> bool:
        """Whether it was said that this registry speaks http."""
        return registry in self.plain_http

    def base(self, registry: str) -> str:
        """Where its API begins, e.g. ``https://registry-1.docker.io``."""
        host = _HUB_API if registry in DOCKER_HUB_NAMES else registry
        return f"{'http' if self.speaks_http(registry) else 'https'}://{host}"


def known_as(registry: str) -> str:
    """The name that a registry is kept under: Docker Hub's several names are one."""
    return DOCKER_HUB if registry.lower() in DOCKER_HUB_NAMES else registry.lower()


def account_of(credentials: Credentials | None) -> str:
    """Whose a registry counts our requests as: the user's name; empty for nobody. Never a secret."""
    if credentials is None:
        return ""
    return credentials.username or "<token>"
