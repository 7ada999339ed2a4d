"""Tokens kept from one run to the next until they end, in memory: one request saved where one is all there is to do.

Only in $XDG_RUNTIME_DIR, which is the user's alone, holds nothing on a disk, and is gone when the user has logged out
(XDG Base Directory Specification); podman keeps whole passwords there. A token that is found here is used as any other:
where the registry does not take it, it is forgotten and a new one is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from audit.registry.challenge import Challenge
from audit.registry.options import Credentials

_MOST_BYTES, _MOST_FILES, _MOST_SECONDS = 512 * 1024, 32, 12 * 3600.0


class KeptToken(NamedTuple):
    """One token, as it is kept.

    Attributes:
        value: the token.
        scopes: repository and actions, as they were asked for.
        ends: UNIX time, when it is no longer used.
    """

    value: str
    scopes: tuple[tuple[str, tuple[str, ...]], ...]
    ends: float


class Vault:
    """A folder of tokens, one file for each registry and user."""

    def __init__(self, folder: Path | None) -> None:
        """None, or one that somebody else could look into, keeps nothing."""
        self._folder = folder if folder is not None and _ours(folder.parent) else None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Vault:
        """In the user's runtime folder, where there is one."""
        runtime = environment.get("XDG_RUNTIME_DIR", "")
        return cls(Path(runtime) / "fleet-audit-tokens" if runtime.startswith("/") else None)

    def get(self, registry: str, challenge: Challenge, who: Credentials | None, *, now: float) -> list[KeptToken]:
        """The tokens of that user there that have not ended; nothing that cannot be read is told."""
        place = self._place(registry, challenge, who)
        try:
            if place is None or not _private(place.lstat()):
                return []
            with place.open("rb") as file:
                rows = json.loads(file.read(_MOST_BYTES))
            found = [KeptToken(str(value), _scopes(scopes), float(ends)) for value, scopes, ends in rows]
        except (OSError, ValueError, TypeError, RecursionError):
            return []
        # One that ends later than any may was written under another clock.
        return [one for one in found if one.value and now < one.ends <= now + _MOST_SECONDS]

    def put(
        self, registry: str, challenge: Challenge, who: Credentials | None, tokens: Iterable[KeptToken], *, now: float
    ) -> None:
        """Keep these in place of what was kept for that user; a folder that cannot be written to keeps nothing."""
        place = self._place(registry, challenge, who)
        if place is None:
            return
        with contextlib.suppress(OSError):
            place.parent.mkdir(mode=0o700, exist_ok=True)
            if not _ours(place.parent):
                return
            self._clear(place.parent, now)
            handle, name = tempfile.mkstemp(dir=place.parent, prefix=".")  # for us alone, from its first byte on
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(list(tokens), file)
                Path(name).replace(place)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _place(self, registry: str, challenge: Challenge, who: Credentials | None) -> Path | None:
        """By the user's name, not by a password; without a name there is no telling whose a token is."""
        if self._folder is None or (who is not None and not who.username):
            return None
        key = [registry, challenge.realm, challenge.service, None if who is None else who.username]
        return self._folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()

    @staticmethod
    def _clear(folder: Path, now: float) -> None:
        """Remove what must have ended, and the oldest of too many."""
        ages: list[tuple[float, Path]] = []
        for file in folder.iterdir():
            with contextlib.suppress(OSError):
                ages.append((file.lstat().st_mtime, file))
        ages.sort(reverse=True)
        for number, (age, file) in enumerate(ages):
            if number >= _MOST_FILES or age < now - _MOST_SECONDS:
                file.unlink(missing_ok=True)


def _scopes(rows: Iterable[tuple[str, Iterable[str]]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((str(repository), tuple(map(str, actions))) for repository, actions in rows)


def _ours(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(folder.lstat().st_mode) and _private(folder.lstat())
    except OSError:
        return False


def _private(found: os.stat_result) -> bool:
    """Nobody else may read or write it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077
