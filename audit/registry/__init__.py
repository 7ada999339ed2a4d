"""The OCI distribution protocol over urllib3 and nothing else: a library for reading and writing registries.

    from audit.image.reference import Reference
    from audit.registry import Client, Options, Tls

    with Client(Options(tls={"registry.example:5000": Tls(ca_file=Path("ca.crt"))})) as client:
        arrived = client.arrived(Reference.parse("registry.example:5000/staging/app:1.0-arm64"))
        print(arrived.kind, arrived.digest, client.counts.by_kind)

The rooms: `client` is what is used from outside, put together of `manifests`, `lists` (tags, referrers),
`blobs` and `uploads`; `calls` makes one authenticated call;
`auth` finds credentials (with `helper`), `challenge` reads what a registry wants, `token` gets and keeps tokens
(`scopes` says what they are for, `tokenserver` asks for them);
`transport`, `urls` and `_sockets` are HTTP with limits; `failures` is the tree of errors, `answers` turns an HTTP
answer into one, `foreign` an exception of urllib3; `retry` and `after` say when to ask again; `pace` holds requests
back, for all processes of a user; `ledger` says what was spent, as a whole and for parts of the work.

Every error is a `RegistryError` with one sentence, `transient`, and `after`; a wrong setting is a `UsageError`. No
error, repr or count holds a secret.
"""

from audit.registry.challenge import Challenge
from audit.registry.client import Client
from audit.registry.counter import Counts
from audit.registry.failures import (
    AbuseLimit,
    ApiQuota,
    BlobUnknown,
    Call,
    CredentialsError,
    Denied,
    DigestMismatch,
    Garbled,
    HostUnknown,
    Invalid,
    Limited,
    LoginLocked,
    LoginRefused,
    ManifestUnknown,
    MissingParts,
    NameUnknown,
    NotAllowed,
    NotARegistry,
    NotFound,
    PullQuota,
    RedirectRefused,
    RegistryError,
    SecondaryLimit,
    ServerFailed,
    TlsFailed,
    TokenRefused,
    TooLong,
    Unauthorized,
    Unreachable,
    UploadLost,
)
from audit.registry.lists import Referrers
from audit.registry.manifests import Head, Manifest
from audit.registry.options import Credentials, Options, Tls
from audit.registry.retry import ONCE, Retry
from audit.registry.transport import Request
from audit.registry.uploads import Session

__all__ = [
    "ONCE",
    "AbuseLimit",
    "ApiQuota",
    "BlobUnknown",
    "Call",
    "Challenge",
    "Client",
    "Counts",
    "Credentials",
    "CredentialsError",
    "Denied",
    "DigestMismatch",
    "Garbled",
    "Head",
    "HostUnknown",
    "Invalid",
    "Limited",
    "LoginLocked",
    "LoginRefused",
    "Manifest",
    "ManifestUnknown",
    "MissingParts",
    "NameUnknown",
    "NotARegistry",
    "NotAllowed",
    "NotFound",
    "Options",
    "PullQuota",
    "RedirectRefused",
    "Referrers",
    "RegistryError",
    "Request",
    "Retry",
    "SecondaryLimit",
    "ServerFailed",
    "Session",
    "Tls",
    "TlsFailed",
    "TokenRefused",
    "TooLong",
    "Unauthorized",
    "Unreachable",
    "UploadLost",
]
