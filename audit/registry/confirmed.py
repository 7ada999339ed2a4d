"""A client that knows which manifests a registry has acknowledged by their digest.

distribution-spec, section Pushing Manifests: the answer to a PUT may name the digest that now stands under the name.
Where it does, asking for it again would be one request for nothing.
"""

from __future__ import annotations

from audit.image.reference import Reference
from audit.registry.client import Client
from audit.registry.failures import Headers


class ConfirmingClient(Client):
    """As `Client`, and remembers what it pushed."""

    _said: dict[Reference, str] | None = None

    def __enter__(self) -> ConfirmingClient:
        """Itself."""
        return self

    def acknowledged(self, name: Reference) -> str | None:
        """The digest that the registry named when we pushed something under this name; None where it named none."""
        return (self._said or {}).get(name)

    def _pushed(self, name: Reference, media_type: str, raw: bytes, digest: str, headers: Headers) -> None:
        super()._pushed(name, media_type, raw, digest, headers)
        said = dict(self._said or {})
        if headers.get("docker-content-digest") == digest:
            said[name] = digest
        else:
            said.pop(name, None)
        self._said = said
