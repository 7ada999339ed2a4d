"""Every way in which a registry can fail us: one class each.

    RegistryError               transient?  what to do (reference: classes of a failed push)
    ├── CredentialsError              no    a file of credentials or its helper cannot be read (exit code 2)
    ├── Unreachable                  yes    the connection failed, broke off or was too slow: once more, with pauses
    │   └── HostUnknown              yes    its name cannot be resolved: three times at most
    ├── ServerFailed                 yes    408, 499, 5xx: likewise
    ├── Limited                      yes    429: wait for `after`, then ask less often
    │   ├── PullQuota                yes    Docker Hub's pulls are used up: stop reading there; writing may go on
    │   ├── AbuseLimit               yes    too many requests from this address: pause everything for that host
    │   ├── SecondaryLimit           yes    GitHub's 403 for too much at once: minutes
    │   └── ApiQuota                 yes    the quota of a registry's other API
    ├── LoginLocked                   no    too many failed logins: no login for a quarter of an hour
    ├── Unauthorized                  no
    │   ├── LoginRefused              no    the credentials are wrong: never again with the same
    │   ├── TokenRefused             yes    a token was refused that we had just been given, or that is too old
    │   └── Denied                    no    the login is right, but may not do that there
    ├── NotFound                      no
    │   ├── ManifestUnknown           no    no such tag or digest (transient for a digest that was just pushed)
    │   ├── BlobUnknown               no    no such blob
    │   └── NameUnknown               no    no such repository
    ├── MissingParts                  no    a manifest names what the registry lacks: `digests`; push these, then again
    ├── UploadLost                   yes    the upload session is gone: begin it again
    ├── Invalid                       no    the registry takes our manifest, name, tag, digest or size for wrong
    ├── NotAllowed                    no    405, immutable tags: the registry is set so
    ├── RedirectRefused               no    a redirection that would leave TLS, loops, or leads nowhere
    ├── TlsFailed                     no    certificate, CA, or http where https is spoken
    ├── NotARegistry                  no    what answers there does not speak the distribution protocol
    └── Garbled                       no    the answer contradicts itself
        ├── DigestMismatch            no    the bytes are not those that their digest names
        └── TooLong                   no    more bytes than are allowed there

A message is one sentence: what was asked of whom, what went wrong, and what to do next. It holds no credentials, and
what the registry said only on one line, printable and short.
"""
# ruff: noqa: N818 - named after what happened, as the registries' own error codes are

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

from audit.errors import StepError

Headers = Mapping[str, str]
"""An answer's headers, by name in lower case."""


class Call(NamedTuple):
    """What was being asked.

    Attributes:
        kind: e.g. ``GET manifest``; the key of the counter.
        host: ``host[:port]`` that was asked.
        about: what was asked for, e.g. ``team/app:1.0``.
    """

    kind: str
    host: str
    about: str = ""

    def __str__(self) -> str:
        """As a message begins."""
        return f"{self.host}: {self.kind}{f' {self.about}' if self.about else ''}"


class RegistryError(StepError):
    """A call to a registry failed.

    Args:
        call: what was being asked.
        why: what went wrong.
        todo: what to do next, without a full stop.
        status: the answer's HTTP status, where there was an answer.
        codes: the registry's own error codes (distribution-spec, Error Codes), upper case.
        after: seconds that the registry asks us to wait.
        digests: what it says that it lacks.

    Attributes:
        transient: the very same call may succeed a little later.
        least: seconds to wait at least before it, where the registry does not say for how long.
        most: calls in all that make sense; None: as many as the policy allows.
        slug: the class's name in reports.
        booked: it was entered into the ledgers.
    """

    transient: ClassVar[bool] = False
    least: ClassVar[float] = 0.0
    most: ClassVar[int | None] = None
    slug: ClassVar[str] = "registry"

    def __init__(
        self,
        call: Call,
        why: str,
        todo: str = "",
        *,
        status: int | None = None,
        codes: tuple[str, ...] = (),
        after: float | None = None,
        digests: tuple[str, ...] = (),
    ) -> None:
        """Put the sentence together."""
        self.call, self.why, self.todo = call, why, todo
        self.status, self.codes, self.after, self.digests = status, codes, after, digests
        self.booked = False
        super().__init__(f"{call}: {why}{f'; {todo}' if todo else ''}")

    def again(self) -> Self:
        """The same error, for another thread that waited for the same call; it is in the ledgers already."""
        made = type(self)(self.call, self.why, self.todo, status=self.status, codes=self.codes, after=self.after,
                          digests=self.digests)  # fmt: skip
        made.booked = True
        return made


class CredentialsError(RegistryError):
    """Credentials that were said to be somewhere cannot be had from there."""

    exit_code = 2
    slug = "credentials"


class Unreachable(RegistryError):
    """No answer, or one that broke off."""

    transient = True
    slug = "network"


class HostUnknown(Unreachable):
    """Its name cannot be resolved; a name server may be down for a moment, but a wrong name stays wrong."""

    most = 3
    slug = "no-host"


class ServerFailed(RegistryError):
    """The server says that it failed."""

    transient = True
    slug = "server"


class Limited(RegistryError):
    """We ask too much; `after` says for how long, where the registry said so."""

    transient = True
    least = 1.0
    slug = "limit"


class PullQuota(Limited):
    """Docker Hub's pulls of these hours are used up."""

    least = 6 * 3600.0  # counted over six hours
    slug = "pull-quota"


class AbuseLimit(Limited):
    """Too many requests from this address, whoever sends them."""

    least = 60.0
    slug = "abuse-limit"


class SecondaryLimit(Limited):
    """GitHub's limit on too much at once, said with 403 and without a time."""

    least = 120.0
    slug = "secondary-limit"


class ApiQuota(Limited):
    """The quota of hub.docker.com's own API."""

    least = 60.0
    slug = "api-quota"


class LoginLocked(RegistryError):
    """Too many failed logins."""

    slug = "login-locked"


class Unauthorized(RegistryError):
    """The registry wants to know who asks, or will not let him."""

    slug = "auth"


class LoginRefused(Unauthorized):
    """User name or password, or the identity token, is wrong."""

    slug = "login-refused"


class TokenRefused(Unauthorized):
    """A token is too old, or was refused."""

    transient = True
    slug = "token"


class Denied(Unauthorized):
    """Whoever we are, we may not."""

    slug = "denied"


class NotFound(RegistryError):
    """It is not there."""

    slug = "not-found"


class ManifestUnknown(NotFound):
    """No such manifest."""

    slug = "manifest-unknown"


class BlobUnknown(NotFound):
    """No such blob."""

    slug = "blob-unknown"


class NameUnknown(NotFound):
    """No such repository."""

    slug = "name-unknown"


class MissingParts(RegistryError):
    """The registry lacks what a manifest names; `digests` as far as it said which."""

    slug = "missing-parts"


class UploadLost(RegistryError):
    """The upload session is gone."""

    transient = True
    slug = "upload-lost"


class Invalid(RegistryError):
    """The registry will not take what we sent."""

    slug = "invalid"


class NotAllowed(RegistryError):
    """The registry is set not to allow it to anybody."""

    slug = "not-allowed"


class RedirectRefused(RegistryError):
    """A redirection that we do not follow."""

    slug = "redirect"


class TlsFailed(RegistryError):
    """No secure connection."""

    slug = "tls"


class NotARegistry(RegistryError):
    """Something else answers there."""

    slug = "no-registry"


class Garbled(RegistryError):
    """An answer that cannot be right."""

    slug = "garbled"


class DigestMismatch(Garbled):
    """Other bytes than asked for."""

    slug = "digest"


class TooLong(Garbled):
    """More than is allowed there."""

    slug = "too-long"
