"""A merge's actions carried out: blobs, then children, then tags; some at once where their order does not count."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from pydantic import Field

from audit.engines.merge import Action, Confirm, MergeStep, Mount, PutManifest, Run
from audit.errors import StepError
from audit.image.merged import MergeRefused
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging.choosing import Choice
from audit.merging.hosts import Place
from audit.merging.pushing import Doing, at_once, counted, mount_one, push_child, push_tag
from audit.merging.told import Wanted, wanted_after
from audit.registry import Client, NotFound, RegistryError
from audit.registry.confirmed import ConfirmingClient
from audit.value import Model


class Done(Model):
    """A merge that came to its end.

    Attributes:
        tags: what it is called now, each at the digest.
        digest: of the index; where an engine writes it in a spelling of its own, of that.
        media_type: of it.
        raw: its bytes.
        engine: that did it; None where nothing had to be done.
        unchanged: the tags stood there already.
        pushed: children that were pushed.
        mounted: blobs that were mounted.
        streamed: blobs that went through this machine.
    """

    tags: tuple[Reference, ...]
    digest: str
    media_type: str
    raw: bytes = Field(default=b"", repr=False, exclude=True)
    engine: str | None = None
    unchanged: bool = False
    pushed: int = 0
    mounted: int = 0
    streamed: int = 0


def unchanged(client: Client, step: MergeStep, digest: str | None = None) -> Done | None:
    """What is there already: one HEAD a tag; None where any tag stands for something else, or for nothing.

    Args:
        client: of the registries.
        step: what is merged.
        digest: that the tags should have, where it is not that of the step's index.
    """
    wanted = digest or step.merged.digest
    for tag in step.tags:
        try:
            if client.head(tag).digest != wanted:
                return None
        except NotFound:
            return None
    return Done(tags=step.tags, digest=wanted, media_type=step.merged.media_type, unchanged=True,
                raw=step.merged.raw if wanted == step.merged.digest else b"")  # fmt: skip


def carry_out(
    client: Client,
    choice: Choice,
    step: MergeStep,
    *,
    place: Place | None = None,
    kept: Kept | None = None,
    connections: int = 6,
    tell: Callable[[str], None] = lambda _line: None,
) -> Done:
    """Do what the engine said, and see that every tag stands for the index that was wanted.

    Args:
        client: of the registries.
        choice: the engine, with its actions.
        step: what is merged.
        place: where programs run; None: on this machine.
        kept: remembers what was merged; where this very merge was made before, the tags are looked at first.
        connections: requests at once.
        tell: told what is being done, line by line.

    Raises:
        StepError: it failed; no tag was changed, unless the sentence says so.
    """
    kept = kept or Kept(None)
    names = [_noted(tag, choice.engine, step) for tag in step.tags]
    merged = step.merged
    before = {kept.last(name) for name in names}
    last = before.pop() if len(before) == 1 else None
    if last is not None and (last == merged.digest or choice.engine == "manifest"):
        there = unchanged(client, step, last)
        if there is not None:
            return there
    doing = Doing(client, step, choice.engine, place or Place(), connections, tell,
                   Wanted(merged.digest, merged.raw))  # fmt: skip
    tags = dict.fromkeys(step.tags, False)
    try:
        for kind, group in itertools.groupby(choice.actions, key=_side_by_side):
            _group(doing, kind, list(group), tags)
        if choice.engine != "registry":
            for tag in step.tags:
                _confirm(doing, tag)
    except (StepError, MergeRefused) as error:
        done = [tag.familiar for tag, stands in tags.items() if stands or (doing.begun and _stands(doing, tag))]
        if not done:
            raise
        raise StepError(f"{error} (done already: {', '.join(done)})") from None
    for name in names:
        kept.remember(name, doing.wanted.digest)
    return Done(
        tags=step.tags, digest=doing.wanted.digest, media_type=merged.media_type, raw=doing.wanted.raw,
        engine=choice.engine, mounted=doing.mounted, streamed=doing.streamed, pushed=doing.pushed,
    )  # fmt: skip


# ------------------------------------------------------------------- inside


def _noted(tag: Reference, engine: str, step: MergeStep) -> str:
    """Under which name it is remembered what a merge left: the index that was wanted, or another spelling of it."""
    if engine == "manifest":
        return f"merged {tag.familiar} by {engine} of {step.merged.digest}"
    return f"merged {tag.familiar}"


def _stands(doing: Doing, tag: Reference) -> bool:
    """Whether a program that failed has done this tag all the same."""
    try:
        return doing.client.head(tag).digest == doing.wanted.digest
    except RegistryError:
        return False


def _side_by_side(action: Action) -> str:
    """What may be done at once has one key."""
    if isinstance(action, PutManifest):
        return "child" if action.target.digest is not None else "tag"
    return "there" if isinstance(action, Confirm) and action.target.digest is not None else action.kind


def _group(doing: Doing, kind: str, actions: Sequence[Action], tags: dict[Reference, bool]) -> None:
    if kind == "mount":
        mounts = [action for action in actions if isinstance(action, Mount)]
        doing.tell(f"placing {counted(len(mounts), 'blob')}")
        before = doing.streamed
        filled = {(mount.target.name, mount.target.digest) for mount in mounts}
        for later in (False, True):
            now = [mount for mount in mounts if ((mount.source.name, mount.source.digest) in filled) is later]
            at_once(doing, now, lambda mount: mount_one(doing, mount))
        if moved := doing.streamed - before:
            doing.tell(f"{counted(moved, 'blob')} went through this machine: the registry has not mounted them"
                       if not any(mount.streamed for mount in mounts)
                       else f"{counted(moved, 'blob')} went through this machine from another registry")  # fmt: skip
        return
    if kind == "there":
        at_once(doing, [action for action in actions if isinstance(action, Confirm)], lambda one: _there(doing, one))
        return
    if kind == "child":
        doing.tell(f"pushing {counted(len(actions), 'manifest')}")
        children = [action for action in actions if isinstance(action, PutManifest)]
        # Images first: a registry may look for the subject of an attestation.
        images = {child.digest for child in doing.step.merged.children if child.role == "image"}
        for wanted in (True, False):
            some = [child for child in children if (child.digest in images) is wanted]
            at_once(doing, some, lambda child: push_child(doing, child))
        return
    for action in actions:
        if isinstance(action, PutManifest):
            doing.tell(f"tagging {action.target.familiar}")
            push_tag(doing, action)
            tags[action.target] = True
        elif isinstance(action, Confirm):
            _confirm(doing, action.target)
        elif isinstance(action, Run):
            doing.tell(action.about or action.argv[0])
            _run(doing, action)


def _confirm(doing: Doing, tag: Reference) -> None:
    """One HEAD, unless the registry has named the digest when it took the manifest."""
    client = doing.client
    if isinstance(client, ConfirmingClient) and client.acknowledged(tag) == doing.wanted.digest:
        return
    found = client.head(tag).digest
    if found != doing.wanted.digest:
        raise StepError(
            f"{tag.familiar} stands for {found} after the merge by {doing.engine}, where {doing.wanted.digest} was "
            "wanted; see whether somebody else writes that tag, then merge again"
        )


def _there(doing: Doing, action: Confirm) -> None:
    """An image that is not moved is still where an earlier run saw it."""
    try:
        doing.client.head(action.target)
    except NotFound:
        raise StepError(
            f"{action.target.familiar} was there in an earlier run, but is there no longer, so nothing was tagged; "
            "push that image again"
        ) from None


def _run(doing: Doing, action: Run) -> None:
    doing.begun = doing.begun or action.changes
    said = doing.place.run(action)
    doing.wanted = wanted_after(action, said, doing.wanted, doing.step.merged, str(doing.place))
