"""What the registry really serves, asked without any code of the project: the tests' own pair of eyes."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.lab.registry import SERVICE, Registry
from tests.lab.roles import REGISTRY_ACCOUNTS

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Served:
    """A manifest as it was served."""

    media_type: str
    digest: str
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The manifest, read."""
        body: dict[str, Any] = json.loads(self.raw)
        return body

    @property
    def platforms(self) -> list[str]:
        """The platforms of an index's entries, in order; empty for an image."""
        found = [entry.get("platform", {}) for entry in self.body.get("manifests", [])]
        return [f"{platform.get('os')}/{platform.get('architecture')}" for platform in found]


def token(registry: Registry, scope: str, account: str = "live") -> str:
    """A token for a scope such as `repository:staging/a:pull`."""
    query = urlencode({"service": SERVICE, "scope": scope})
    secret = base64.b64encode(f"{account}:{REGISTRY_ACCOUNTS[account]}".encode()).decode()
    request = urllib.request.Request(f"{registry.realm}?{query}", headers={"Authorization": f"Basic {secret}"})
    with urllib.request.urlopen(request, context=_context(registry), timeout=20) as response:
        return str(json.load(response)["token"])


def manifest(registry: Registry, name: str, account: str = "live") -> Served:
    """What is served as NAME:TAG or NAME@DIGEST; NAME may begin with the registry's address."""
    path = name.removeprefix(f"{registry.address}/")
    repository, _, reference = path.partition("@") if "@" in path else path.rpartition(":")
    headers = {
        "Accept": ", ".join(_MANIFESTS),
        "Authorization": f"Bearer {token(registry, f'repository:{repository}:pull', account)}",
    }
    url = f"https://{registry.address}/v2/{repository}/manifests/{reference}"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, context=_context(registry), timeout=20) as response:
        raw = response.read()
        return Served(response.headers["Content-Type"], f"sha256:{hashlib.sha256(raw).hexdigest()}", raw)


def _context(registry: Registry) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(registry.ca))
