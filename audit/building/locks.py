"""One build at a time to one staging tag, as far as this machine goes; others are noticed at the registry."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from audit.errors import StepError


@contextlib.contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Hold a name against other runs on this machine; the lock goes with the process, however that ends.

    Args:
        folder: for the locks; where it cannot be used, nothing is held.
        name: what to hold.

    Raises:
        StepError: somebody else has it.
    """
    file = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            said = os.read(handle, 20).decode("ascii", "replace").strip()
            who = f" (process {said})" if said.isdecimal() else ""
            raise StepError(
                f"another build on this machine pushes to {name} now{who}; wait for it, or give another --staging tag"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
