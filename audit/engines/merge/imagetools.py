"""``docker buildx imagetools create``, on this machine or on a merge host.

It is only asked for an index that it gives to the byte. `made` says what it makes of its arguments; the sources may be
named in three ways, and the first one that gives the wanted index is taken:

- as they are, by digest;
- the images in them by digest, one by one, which leaves attestations behind;
- every entry by its whole descriptor, which buildx takes only where everything stands in one repository.

What cannot be known from here (a referrer that buildx since 0.30 adds, a config that says something else than the index
does) shows in a dry run on the host, whose bytes must have the wanted digest before anything is pushed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit import versions
from audit.engines.able import Able
from audit.engines.merge._clients import ANNOTATION, METADATA_FILE, PREFER_INDEX, imagetools_fault, imagetools_notes
from audit.engines.merge._step import SCRATCH, Action, MergeHost, MergeSource, MergeStep, Run
from audit.image.annotation import Annotation
from audit.image.descriptor import Descriptor
from audit.image.media import DOCKER_LIST, OCI_INDEX
from audit.image.platform import Platform
from audit.image.written import members, written

name = "imagetools"
about = "docker buildx imagetools create, on this machine or a merge host"

CREATE = ("docker", "buildx", "imagetools", "create")
INSPECT = ("docker", "buildx", "imagetools", "inspect", "--format", '{{printf "%s" .Manifest.Digest}}')
FORETELL = """made=$("$@" && printf x) || exit
made=${made%x}
made=${made%?}
printf %s "$made" | { sha256sum 2>/dev/null || shasum -a 256; } | {
	read -r digest rest
	printf 'sha256:%s\\n' "$digest"
}
"""
"""A dry run prints the index and a newline of its own: the digest is that of what stands before it."""
METADATA = """folder=$1 tag=$2
shift 2
"$@" "--metadata-file=$folder/metadata" || exit
digest=$(tr -d ' \\n' <"$folder/metadata" |
	sed -n 's/.*"containerimage.descriptor":{[^}]*"digest":"\\(sha256:[0-9a-f]*\\)".*/\\1/p')
[ -n "$digest" ] || digest=$(docker buildx imagetools inspect --format '{{printf "%s" .Manifest.Digest}}' "$tag")
printf '%s\\n' "$digest"
"""
"""Merges, and prints the digest that the tool noted; it is read back where it noted none."""
_DOCKER = "application/vnd.docker."


def able(step: MergeStep, host: MergeHost) -> Able:
    """Where there is a right buildx, and it would make this very index."""
    if host.buildx is None and host.why:
        return Able(ok=False, why=host.why)
    if fault := imagetools_fault(host.buildx, str(host)):
        return Able(ok=False, why=fault)
    found = _naming(step, host)
    if isinstance(found, str):
        return Able(ok=False, why=found)
    across = any(source.reference.name != target for source in step.sources for target in step.targets)
    notes = imagetools_notes(
        host.buildx, str(host), indexes=not all(source.flat for source in step.sources), across=across
    )
    shown = f"buildx {versions.release(host.buildx)} on {host}"
    return Able(ok=True, why=f"{shown} makes this very index of {found.about}", warnings=tuple(notes))


def actions(step: MergeStep, host: MergeHost) -> tuple[Action, ...]:
    """A dry run whose bytes must be ours, the merge itself, and its digest: as noted, or read back from every tag."""
    found = _naming(step, host)
    if isinstance(found, str):
        raise TypeError(f"actions were asked for what it is not able to do: {found}")
    words = (
        *(f"--tag={tag}" for tag in step.tags),
        *(["--prefer-index=false"] if step.merged.flat else []),
        *(f"--annotation={one}" for one in found.annotations),
        *found.arguments,
    )
    at, tags = host.name, step.tags
    what = " ".join(CREATE)
    look = ("sh", "-c", FORETELL, "sh", *CREATE, "--dry-run", *words)
    first = Run(host=at, argv=look, gives="foretold", about=f"{what} --dry-run")
    if versions.at_least(host.buildx, METADATA_FILE):
        noting = ("sh", "-c", METADATA, "sh", SCRATCH, str(tags[0]), *CREATE, *words)
        return first, Run(host=at, argv=noting, gives="digest", about=what)
    read = [
        Run(host=at, argv=(*INSPECT, str(tag)), gives="digest", about=" ".join(INSPECT[:4])) for tag in tags
    ]  # fmt: skip
    return first, Run(host=at, argv=(*CREATE, *words), about=what), *read


@dataclass(frozen=True)
class Naming:
    """A way to name what is merged.

    Attributes:
        about: for messages.
        arguments: as they are written.
        rows: the members of the descriptors that each of them brings.
        annotations: what is asked for besides.
        copied: the bytes of the only source, where buildx copies these.
    """

    about: str
    arguments: tuple[str, ...]
    rows: tuple[tuple[Mapping[str, Any], ...], ...]
    annotations: tuple[Annotation, ...] = ()
    copied: bytes | None = None


def plainly(sources: Sequence[MergeSource], annotations: Sequence[Annotation]) -> Naming:
    """The sources as they are, by digest."""
    return Naming(
        "the sources",
        tuple(str(one.reference) for one in sources),
        tuple(_brought(one) for one in sources),
        tuple(annotations),
    )


def made(naming: Naming) -> bytes:
    """What ``imagetools create`` makes of it (buildx@v0.29.1:util/imagetools/create.go, Combine)."""
    if naming.copied is not None:
        return naming.copied
    joined: dict[str, dict[str, Any]] = {}
    for row in (row for rows in naming.rows for row in rows):
        old = joined.setdefault(row["digest"], dict(row))
        if "platform" in row:
            old["platform"] = row["platform"]
        if row.get("annotations"):
            old["annotations"] = old.get("annotations", {}) | row["annotations"]
    docker = all(row["mediaType"].startswith(_DOCKER) for row in joined.values())
    if docker:
        return written(DOCKER_LIST, [members(row) for row in joined.values()], {})
    for one in naming.annotations:
        for row in joined.values():
            if one.where == "manifest-descriptor" and one.platform in (None, _platform(row)):
                row["annotations"] = row.get("annotations", {}) | {one.key: one.value}
    own = {one.key: one.value for one in naming.annotations if one.where == "index"}
    return written(OCI_INDEX, [members(row) for row in joined.values()], own)


# ------------------------------------------------------------------- inside


def _naming(step: MergeStep, host: MergeHost) -> Naming | str:
    """The first way that gives the wanted index, or why there is none."""
    if step.merged.flat and not versions.at_least(host.buildx, PREFER_INDEX):
        return f"buildx {versions.release(host.buildx)} on {host} wraps a single image (0.15 can copy it as it is)"
    ways = list(_ways(step))
    right = [way for way in ways if made(way) == step.merged.raw]
    if not right:
        return _why_not(step)
    usable = [way for way in right if not way.annotations or versions.at_least(host.buildx, ANNOTATION)]
    if not usable:
        return f"buildx {versions.release(host.buildx)} on {host} has no --annotation (0.12 has)"
    return usable[0]


def _ways(step: MergeStep) -> Iterator[Naming]:
    sources, merged = step.sources, step.merged
    only = sources[0] if len(sources) == 1 and not step.annotations else None
    if only is not None and merged.copied:
        yield Naming("the only source", (str(only.reference),), (), copied=merged.raw)
        return
    if only is None or only.flat:  # the only index is copied as it is, with what was to be left out
        yield plainly(sources, step.annotations)
    children = merged.children
    yield Naming(
        "the images in the sources",
        tuple(str(child.source) for child in children),
        tuple((_plain(child.descriptor, child.platform),) for child in children),
        step.annotations,
    )
    if {child.source.name for child in children} == set(step.targets):
        rows = [members(child.descriptor.raw) for child in children]
        yield Naming(
            "the entries' whole descriptors",
            tuple(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows),
            tuple((row,) for row in rows),
            tuple(one for one in step.annotations if one.where == "index"),
        )


def _brought(source: MergeSource) -> tuple[Mapping[str, Any], ...]:
    if not source.flat:
        return tuple(members(child.raw) for child in source.children)
    row = Descriptor(media_type=source.media_type, digest=source.reference.digest or "", size=source.size)
    return (_plain(row, source.platforms[0] if source.platforms else None),)


def _plain(row: Descriptor, platform: Platform | None) -> dict[str, Any]:
    """An image by its digest: its platform comes from its config, without os.version and os.features."""
    said: dict[str, Any] = {"mediaType": row.media_type, "digest": row.digest, "size": row.size}
    if platform is not None:
        said["platform"] = platform.model_copy(update={"os_version": "", "os_features": ()}).members()
    return said


def _platform(row: Mapping[str, Any]) -> Platform | None:
    return Platform.of(row["platform"]) if "platform" in row else None


def _why_not(step: MergeStep) -> str:
    merged = step.merged
    versioned = [one for one in merged.platforms if one.os_version or one.os_features]
    if versioned and any(source.flat for source in step.sources):
        shown = ", ".join(str(one) for one in versioned[:3])
        return (
            f"it writes neither os.version nor os.features of {shown}, and so leaves such images indistinguishable "
            "(in one repository it can be told them)"
        )
    kept = {child.digest for child in merged.children}
    if lost := sum(row.digest not in kept for source in step.sources for row in source.children):
        return (
            f"it keeps every entry of an index, where {lost} shall be left out, and to name the others one by one "
            "would change them (in one repository it can be told them)"
        )
    brought = list(dict.fromkeys(row["digest"] for source in step.sources for row in _brought(source)))
    differs = "the order of the entries" if brought != [child.digest for child in merged.children] else "an entry"
    return f"its index would have another digest: {differs} would differ (in one repository it can be told them)"
