"""The client: everything that can be asked of registries, in one object."""

from __future__ import annotations

from audit.registry.lists import Lists
from audit.registry.uploads import Uploads


class Client(Lists, Uploads):
    """Speaks with registries. May be used by many threads at once; close it, or use it as a context.

        with Client(Options(plain_http=frozenset({"localhost:5000"}))) as client:
            there = client.head(Reference.parse("localhost:5000/team/app:1.0"))

    Its arguments are those of `audit.registry.calls.Calls`.
    """

    def __enter__(self) -> Client:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""
        self.close()
