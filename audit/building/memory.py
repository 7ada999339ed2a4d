"""What was built under which inputs, remembered on this machine: a hint, which counts where the registry agrees."""

from __future__ import annotations

import re

from pydantic import ValidationError

from audit.kept import Kept
from audit.model import Model
from audit.plan import BuildStep, Request


class Remembered(Model):
    """One platform as it was built last.

    Attributes:
        inputs: everything that decided it.
        digest: as the registry confirmed it.
        media_type: of it.
        shape: in a few words.
        host: who built it.
    """

    inputs: str
    digest: str
    media_type: str
    shape: str
    host: str


def recall(kept: Kept, step: BuildStep, inputs: str, standing: str | None, *, exact: bool) -> Remembered | str:
    """What need not be built again, or why it must be.

    Args:
        kept: of earlier runs.
        step: the platform.
        inputs: everything that decides it now.
        standing: the digest that its staging tag stands for at the registry now; None: for nothing.
        exact: the inputs say exactly what is built (`pinned`).
    """
    text = kept.noted(_key(step))
    if text is None:
        return "nothing is known of an earlier build"
    try:
        found = Remembered.model_validate_json(text)
    except ValidationError:
        return "what was noted of an earlier build cannot be read"
    if not exact:
        return "the git URL names no commit, so it may have changed"
    if found.inputs != inputs:
        return "its inputs differ from those of the last build"
    if standing is None:
        return "nothing stands under its staging tag any more"
    if standing != found.digest:
        return "its staging tag stands for something else now"
    return found


def pinned(request: Request) -> bool:
    """Whether the inputs say exactly what is built: a folder's bytes do, and of git URLs those that name a commit."""
    ref = request.context.partition("#")[2].partition(":")[0]
    return not request.from_git or re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref) is not None


def remember(kept: Kept, step: BuildStep, note: Remembered) -> None:
    """Note what was built."""
    kept.note(_key(step), note.model_dump_json())


def _key(step: BuildStep) -> str:
    return f"built {step.platform} as {step.staging}"
