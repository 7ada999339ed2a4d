"""A client that knows which manifests a registry has acknowledged by their digest.

distribution-spec, section Pushing Manifests: the answer to a PUT may name the digest that now stands under the name.
Where it does, asking for it again would be one request for nothing.
"""

from __future__ import annotations

from typing import Any

from audit.image.reference import Reference
from audit.registry.client import Client
from audit.registry.failures import Headers
from audit.registry.options import Options


class ConfirmingClient(Client):
    """As `Client`, and remembers what it pushed; its arguments are those of `audit.registry.calls.Calls`."""

    def __init__(self, options: Options | None = None, **more: Any) -> None:
        """Nothing was pushed yet."""
        super().__init__(options, **more)
        self._said: dict[Reference, str] = {}

    def __enter__(self) -> ConfirmingClient:
        """Itself."""
        return self

    def acknowledged(self, name: Reference) -> str | None:
        """The digest that the registry named when we pushed something under this name; None where it named none."""
        return self._said.get(name)

    def _pushed(self, name: Reference, media_type: str, raw: bytes, digest: str, headers: Headers) -> None:
        super()._pushed(name, media_type, raw, digest, headers)
        if headers.get("docker-content-digest") == digest:
            self._said[name] = digest
        else:
            self._said.pop(name, None)
