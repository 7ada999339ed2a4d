"""Manifests and configs kept on this machine between runs, by digest: what was read once need not be asked for again.

Nothing here is trusted: bytes count only where their digest is right. A cache that cannot be read or written is none;
that is never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

MOST_BYTES = 64 << 20
"""Of all files together; the ones that were not used for longest go first."""
MOST_OF_ONE = 4 << 20
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_EVERY = 50
"""So many writes between two looks at how much there is."""


class Kept:
    """A folder of them.

    Args:
        folder: made where it is missing; None, or one that others may write to, keeps nothing.
        most: bytes of all files together.
        layout: a folder in OCI's image layout (image-spec, image-layout.md) in which is looked, too: what builds hand
            over; only read.
    """

    def __init__(self, folder: Path | None, most: int = MOST_BYTES, *, layout: Path | None = None) -> None:
        """Nothing is read yet."""
        self._folder, self._most = (folder if folder and _ours(folder) else None), most
        self._layout = layout
        self._written = 0

    @property
    def keeps(self) -> bool:
        """Whether it has a folder at all."""
        return self._folder is not None

    def get(self, digest: str) -> bytes | None:
        """The bytes of that digest, or None."""
        kept = self._own(digest)
        return kept if kept is not None else self._handed_over(digest)

    def _own(self, digest: str) -> bytes | None:
        place = self._place(digest)
        if place is None:
            return None
        raw = self._read(place)
        if raw is None:
            return None
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
            with contextlib.suppress(OSError):
                place.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(place)
        return raw

    def put(self, digest: str, raw: bytes) -> None:
        """Keep these bytes, which were found to have that digest."""
        place = self._place(digest)
        if place is not None and len(raw) <= MOST_OF_ONE:
            self._write(place, raw)

    def last(self, name: str) -> str | None:
        """The digest that a name last stood for; only a hint which bytes may be here."""
        text = self.noted(name) or ""
        return text if _DIGEST.fullmatch(text) else None

    def remember(self, name: str, digest: str) -> None:
        """Note what a name stands for now."""
        if _DIGEST.fullmatch(digest) and self.last(name) != digest:
            self.note(name, digest)

    def noted(self, name: str, *, youngest: float = 0.0) -> str | None:
        """What was noted under a name, unless before that UNIX time; it may be anything."""
        place = self._note(name)
        try:
            if place is None or place.stat().st_mtime < youngest:
                return None
        except OSError:
            return None
        raw = self._read(place)
        return raw.decode("utf-8", "replace") if raw is not None else None

    def note(self, name: str, text: str) -> None:
        """Note something under a name; no secret, for it stands here as it is."""
        place = self._note(name)
        if place is not None:
            self._write(place, text.encode())

    def forget(self, name: str) -> None:
        """Note nothing under it any more."""
        place = self._note(name)
        if place is not None:
            with contextlib.suppress(OSError):
                place.unlink()

    # ------------------------------------------------------------------- inside

    def _handed_over(self, digest: str) -> bytes | None:
        found = _DIGEST.fullmatch(digest)
        if found is None or self._layout is None:
            return None
        raw = self._read(self._layout / "blobs" / "sha256" / found[1])
        return raw if raw is not None and f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest else None

    def _place(self, digest: str) -> Path | None:
        found = _DIGEST.fullmatch(digest)
        return self._folder / found[1][:2] / found[1] if found and self._folder else None

    def _note(self, name: str) -> Path | None:
        return self._folder / "names" / hashlib.sha256(name.encode()).hexdigest() if self._folder else None

    @staticmethod
    def _read(place: Path) -> bytes | None:
        try:
            with place.open("rb") as file:
                raw = file.read(MOST_OF_ONE + 1)
        except OSError:
            return None
        return raw if len(raw) <= MOST_OF_ONE else None

    def _write(self, place: Path, raw: bytes) -> None:
        try:
            self._make(place.parent)
            handle, name = tempfile.mkstemp(dir=place.parent, prefix=".")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(raw)
                Path(name).replace(place)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError:
            return
        if self._written % _EVERY == 0:
            self._prune()
        self._written += 1

    def _make(self, folder: Path) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)

    def _prune(self) -> None:
        """Remove the oldest files until the rest is small enough."""
        found = []
        for place in self._folder.glob("*/*") if self._folder else ():
            with contextlib.suppress(OSError):
                stat = place.stat()
                found.append((stat.st_mtime, stat.st_size, place))
        total = sum(size for _, size, _ in found)
        for _, size, place in sorted(found):
            if total <= self._most:
                return
            with contextlib.suppress(OSError):
                place.unlink()
                total -= size


def _ours(folder: Path) -> bool:
    """Whether nobody else can put something there; a folder that is yet to be made will be so."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022
