"""What a program of Docker's says that it made, or would make, against what is wanted."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from audit.engines.merge import Run
from audit.errors import StepError
from audit.image.merged import Merged
from audit.image.respelt import difference

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Wanted(NamedTuple):
    """What shall stand under the tags.

    Attributes:
        digest: of its bytes.
        raw: its bytes.
    """

    digest: str
    raw: bytes


def wanted_after(action: Run, said: str, wanted: Wanted, merged: Merged, place: str) -> Wanted:
    """What is wanted once this was said: the same, or another spelling of it that the engine will write.

    Args:
        action: what was run.
        said: its stdout.
        wanted: what was wanted of it.
        merged: the index that was asked for.
        place: where it ran, as messages name it.

    Raises:
        StepError: it is something else.
    """
    if action.gives == "nothing":
        return wanted
    text, _, last = said.strip("\n").rpartition("\n")
    found = last.strip()
    what = f"{place}: {action.about or action.argv[0]}"
    if _DIGEST.fullmatch(found) is None:
        gave = repr(found[:100]) if found else "nothing"
        raise StepError(f"{what} gave {gave}, where a digest was to come; use --engine registry")
    if action.gives == "list":
        raw = text.encode()
        why = difference(raw, merged)
        if why is None and f"sha256:{hashlib.sha256(raw).hexdigest()}" != found:
            why = "it did not arrive here as it was printed there"
        if why is not None:
            raise StepError(f"{what} makes another list: {why}; nothing was pushed: use --engine registry")
        return Wanted(found, raw)
    if found != wanted.digest and action.gives == "foretold":
        raise StepError(
            f"{what} would make {found}, where {wanted.digest} is wanted; nothing was pushed: use --engine registry"
        )
    if found != wanted.digest:
        raise StepError(
            f"{what} gave {found}, where {wanted.digest} was wanted; see what stands there, and use --engine registry"
        )
    return wanted
