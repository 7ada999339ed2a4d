"""What the verbs that speak with registries share: their flags, and a client made of the settings."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.errors import UsageError

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.kept import Kept
    from audit.registry import Challenge, Options, Retry
    from audit.registry.confirmed import ConfirmingClient

PASSWORD = "FLEET_AUDIT_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable, not a password
_CHALLENGE_AGE = 86400.0
"""Seconds after which a registry is asked anew how it wants to be told who we are."""

RegistryCa = Annotated[Path | None, typer.Option("--registry-ca", help="PEM file of the registry's CA.")]
RegistryUser = Annotated[
    str | None, typer.Option("--registry-user", help=f"Our login there; its password is in {PASSWORD}.")
]
PlainHttp = Annotated[
    list[str] | None,
    typer.Option("--plain-http", metavar="HOST[:PORT]", help="Speak http with this registry; several times."),
]
Connections = Annotated[int, typer.Option("--connections", min=1, max=64, help="Requests at once.")]


def options_of(settings: Settings, names: Sequence[str], retry: Retry) -> Options:
    """How to speak with these registries; the login given is for the first of them.

    Raises:
        UsageError: a setting cannot be used.
    """
    from audit.registry import Credentials, Options, Tls

    password = os.environ.get(PASSWORD, "")
    if bool(password) != bool(settings.registry_user):
        raise UsageError(f"--registry-user and {PASSWORD} go together: give both, or neither for docker's own login")
    if settings.registry_ca is not None and not settings.registry_ca.is_file():
        raise UsageError(f"--registry-ca {settings.registry_ca}: there is no such file")
    login = Credentials(username=settings.registry_user or "", password=password, origin=PASSWORD)
    return Options(
        tls={name: Tls(ca_file=settings.registry_ca) for name in names} if settings.registry_ca else {},
        credentials={name: login for name in names[:1] if password},
        plain_http=frozenset(settings.plain_http),
        retry=retry,
    )


def kept_of(*, cache: bool, layout: Path | None = None) -> Kept:
    """Manifests kept in the user's cache folder, and those that builds have handed over in a folder."""
    from platformdirs import user_cache_path

    from audit.kept import Kept

    return Kept(user_cache_path("fleet-audit") / "manifests" if cache else None, layout=layout)


@contextmanager
def opened(
    settings: Settings,
    names: Sequence[str],
    kept: Kept,
    *,
    rates: Mapping[str, float | None] | None = None,
    patient: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[ConfirmingClient]:
    """A client for these registries, which remembers how each of them wants to be told who we are.

    It shares their limits with every other process of this user on this machine.

    Args:
        settings: TLS and logins.
        names: registries; the login given is for the first of them.
        kept: where it remembers.
        rates: requests a minute by registry, ``*`` for all.
        patient: it outlasts a registry that is down for ten minutes; else a person is waiting.
        stop: ends every wait.
    """
    from platformdirs import user_state_path

    from audit.registry import RegistryError, Retry
    from audit.registry.confirmed import ConfirmingClient
    from audit.registry.pace import Limiter
    from audit.registry.vault import Vault

    retry = Retry(tries=8, total=900.0) if patient else Retry(tries=4, total=120.0)
    options = options_of(settings, list(dict.fromkeys(names)), retry)
    said = rates or {}
    paces = {name: said.get(name, said.get("*")) for name in names if name in said or "*" in said}
    limiter = Limiter(user_state_path("fleet-audit") / "limits", rates=paces, stop=stop)
    known = {name: one for name in names if (one := _noted(kept, name)) is not None}
    vault = Vault.of(os.environ) if kept.keeps else None
    with ConfirmingClient(options, challenges=known, vault=vault, limiter=limiter) as client:
        try:
            yield client
        except RegistryError as error:
            if error.call.kind == "token":  # what was remembered may be out of date
                for name in known:
                    kept.forget(_key(name))
            raise
        remember(client, kept)


def remember(client: ConfirmingClient, kept: Kept) -> None:
    """Leave to a later run what this one was told: tokens, and how registries ask; only after a success."""
    client.keep_tokens()
    for name, one in client.challenges.items():
        if one.scheme in ("bearer", "basic"):
            said = json.dumps([one.scheme, one.realm, one.service])
            if kept.noted(_key(name), youngest=time.time() - _CHALLENGE_AGE) != said:
                kept.note(_key(name), said)


def _key(name: str) -> str:
    return f"challenge of {name}"


def _noted(kept: Kept, name: str) -> Challenge | None:
    from audit.registry import Challenge

    text = kept.noted(_key(name), youngest=time.time() - _CHALLENGE_AGE)
    try:
        said = json.loads(text or "null")
    except ValueError:
        return None
    if isinstance(said, list) and len(said) == 3 and all(isinstance(word, str) for word in said):
        return Challenge(*said)
    return None
