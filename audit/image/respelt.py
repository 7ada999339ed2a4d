"""An index that somebody else wrote: whether it says the same as the wanted one, in whatever spelling and order."""

from __future__ import annotations

import json

from audit.image.descriptor import BadDescriptor, Descriptor
from audit.image.merged import Merged
from audit.image.platform import Platform

_SAID = ("mediaType", "digest", "size", "platform")


def difference(raw: bytes, wanted: Merged) -> str | None:
    """What a written index has otherwise than the wanted one, as one clause; None where both say the same.

    Compared are the type, and every entry's type, digest, size and platform in its one spelling; nothing else may
    stand there.
    """
    try:
        body = json.loads(raw)
        rows = [Descriptor.read(row) for row in body["manifests"]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return f"it cannot be read: {error}" if isinstance(error, BadDescriptor) else "it is no index"
    if body.get("mediaType") != wanted.media_type:
        return f"its type is {str(body.get('mediaType'))[:100]}, not {wanted.media_type}"
    more = sorted({key for row in rows for key in row.raw if key not in _SAID} | {*body} - _MEMBERS)
    if more:
        return f"it has {', '.join(more)[:200]} besides"
    found = {_said(row) for row in rows}
    wished = {_said(child.descriptor) for child in wanted.children}
    if len(rows) != len(found):
        return "it names an image twice"
    for digest, platform, *_ in sorted(found - wished, key=str):
        return f"it has {digest} for {platform or 'no platform'}, which is not wanted so"
    for digest, platform, *_ in sorted(wished - found, key=str):
        return f"it lacks {digest} for {platform or 'no platform'}"
    return None


_MEMBERS = {"schemaVersion", "mediaType", "manifests"}


def _said(row: Descriptor) -> tuple[str, Platform | None, str, int]:
    return row.digest, row.platform, row.media_type, row.size
