"""What the tags stand for before they are written: read once a repository where many are asked for, else one by one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from audit.image.reference import Reference
from audit.registry import Client, NameUnknown, NotFound, RegistryError

_FEW = 2
"""So many tags of a repository are asked for one by one; for more of them its list of tags is read, which costs one."""


class Standing:
    """Which tags a repository has. May be used by many threads at once.

    A tag that was in no list when the batch began is taken to be new, and is not asked for again: a whole night of new
    tags costs one request. One that stands there is asked for right before it is written.
    """

    def __init__(self, client: Client, tags: Iterable[Reference]) -> None:
        """The tags that the batch will write; nothing is asked yet."""
        self._client = client
        self._many = Counter(tag.name for tag in tags)
        self._lists: dict[str, frozenset[str] | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def digest(self, tag: Reference) -> str | None:
        """What it stands for; None where it does not stand.

        Raises:
            RegistryError: the registry does not say.
        """
        there = self._list(tag) if self._many[tag.name] > _FEW else None
        if there is not None and tag.tag not in there:
            return None
        return self.head(tag)

    def has_any(self, tag: Reference) -> bool:
        """Whether its repository is known to have any tag at all."""
        with self._lock:
            return bool(self._lists.get(tag.name))

    def head(self, tag: Reference) -> str | None:
        """What it stands for, asked for itself: one HEAD."""
        try:
            return self._client.head(tag).digest
        except NotFound:
            return None

    def _list(self, tag: Reference) -> frozenset[str] | None:
        with self._lock:
            lock = self._locks.setdefault(tag.name, threading.Lock())
        with lock:
            if tag.name not in self._lists:
                self._lists[tag.name] = self._read(tag)
            return self._lists[tag.name]

    def _read(self, tag: Reference) -> frozenset[str] | None:
        try:
            return frozenset(self._client.tags(tag))
        except NameUnknown:
            return frozenset()
        except RegistryError as error:
            if error.transient:
                raise
            return None  # it has no such list, or too long a one, or shows it to nobody
