"""`fleet-audit verify`: whether a tag is what a merge should have left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.registries import Connections, PlainHttp, RegistryCa, RegistryUser
from audit.errors import IncompleteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit.image.seen import Seen
    from audit.image.verified import Flaw
    from audit.registry import Counts


def verify(
    tag: Annotated[str, typer.Argument(metavar="REPO:TAG", help="What to verify.", show_default=False)],
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="PLATFORMS", help="Platforms that must be there, and no others."),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", metavar="REFS", help="Staging images that it must hold, byte for byte."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Ask for every blob too.")] = False,
    apart: Annotated[str, typer.Option("--apart", help="Builds further apart than this are told, e.g. 12h.")] = "24h",
    format_: Annotated[str, typer.Option("--format", metavar="text|json", help="How to print.")] = "text",
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    plain_http: PlainHttp = None,
    connections: Connections = 6,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary where all is right.")] = False,
) -> int:
    """Read what the registry really serves under a tag, and check it: platforms, children, attestations, blobs.

    Exit code 5: something is wrong; 3: nothing wrong was found, but something could not be told.
    """
    from datetime import timedelta

    from audit.cli.output import write_stdout
    from audit.cli.registries import kept_of, opened
    from audit.cli.settings import seconds, settings_of
    from audit.image.platform import Platform
    from audit.image.reference import Reference
    from audit.image.verified import verify as checked
    from audit.merging import expect as will_read
    from audit.merging.verifying import look
    from audit.registry import CredentialsError, Garbled, NotFound, RegistryError

    if format_ not in ("text", "json"):
        raise UsageError(f"--format {format_}: write text or json")
    try:
        distance = seconds(apart)
    except ValueError as error:
        raise UsageError(f"--apart: {error}") from None
    if not isinstance(distance, float) or not 0 <= distance < 1e9:
        raise UsageError(f"--apart {apart}: write a duration, e.g. 12h")
    settings = settings_of(registry_ca=registry_ca, registry_user=registry_user, plain_http=plain_http)
    reference = Reference.parse(tag)
    platforms = [Platform.parse(word) for text in expect or () for word in text.split(",") if word]
    if expect and not platforms:
        raise UsageError("--expect: name at least one platform, for example linux/amd64,linux/arm64")
    staging = [Reference.parse(word) for text in sources or () for word in text.split(",") if word]
    with opened(settings, [name.registry for name in (reference, *staging)], kept_of(cache=True)) as client:
        will_read(client, [reference, *staging], ())
        try:
            seen = look(client, reference, staging, deep=deep, connections=connections)
        except (NotFound, Garbled, CredentialsError):
            raise
        except RegistryError as error:
            raise IncompleteError(f"{tag} could not be read, so nothing is known of it: {error}") from None
        counts = client.counts
    flaws = checked(seen, platforms if expect else None, apart=timedelta(seconds=distance))
    if format_ == "json":
        write_stdout([_document(seen, flaws, counts)])
    else:
        write_stdout(_lines(seen, flaws, quiet=quiet))
    levels = {flaw.level for flaw in flaws}
    return 5 if "wrong" in levels else 3 if "unknown" in levels else 0


def _lines(seen: Seen, flaws: tuple[Flaw, ...], *, quiet: bool) -> list[str]:
    from audit import inert

    lines = [f"{flaw.level}: {flaw.check}: {inert.terminal(flaw.message)}\n" for flaw in flaws]
    if not quiet and all(flaw.level == "warning" for flaw in flaws):
        name = f"{seen.reference.name}:{seen.reference.tag}" if seen.reference.tag else seen.reference.name
        lines.append(f"right: {name}@{seen.digest}: {inert.terminal(', '.join(_looked_at(seen)))}\n")
    return lines


def _looked_at(seen: Seen) -> Iterator[str]:
    """What was found right, so that nobody takes for proved what was not looked at."""
    from audit.image.seen import entries, images

    yield from [str(entry.platform) for _, entry in images(seen) if entry is not None] or ["one flat image"]
    if count := sum(entry.attests is not None for entry in entries(seen)):
        yield f"{count} attestation{'s' if count > 1 else ''}"
    if count := len(seen.sources):
        yield f"equal to {count} source{'s' if count > 1 else ''}"
    if seen.blobs is not None:
        yield f"{len(seen.blobs)} blobs there"


def _document(seen: Seen, flaws: tuple[Flaw, ...], counts: Counts) -> str:
    from audit.image.seen import entries
    from audit.value import SCHEMA_VERSION

    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tag": seen.reference.familiar,
            "digest": seen.digest,
            "media_type": seen.media_type,
            "entries": [
                {
                    "digest": entry.digest,
                    "role": "image" if entry.attests is None else "attestation",
                    "platform": str(entry.platform) if entry.platform else None,
                }
                for entry in entries(seen)
            ],
            "findings": [flaw.model_dump(mode="json") for flaw in flaws],
            "requests": {"total": counts.requests, "by_kind": counts.by_kind, "tokens": counts.tokens},
        },
        indent=2,
    )
