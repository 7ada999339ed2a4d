"""``docker manifest create`` and ``push``, for a merge host that has nothing better.

It takes flat sources of one registry only, and it writes lists in a spelling of its own (three blanks, ``size`` before
``digest``, entries by the names of their files, platforms as the configs spell them), so the tag gets another digest
than the other engines give. That list is made and looked at before anything is pushed: it must hold the wanted images
for the wanted platforms and nothing else, and what is pushed then must have its digest.

What the client knows of lists stands in a folder beside its configuration, where members of earlier merges stay. So it
is given a private one, in which everything but these lists is linked to its own: credentials are used and never copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from audit import versions
from audit.engines.able import Able
from audit.engines.merge._clients import (
    OCI_SOURCES,
    manifest_fault,
    manifest_is_far,
    manifest_is_index,
    manifest_is_mixed,
)
from audit.engines.merge._step import SCRATCH, Action, Confirm, MergeHost, MergeStep, Run
from audit.image.media import OCI_MANIFEST
from audit.posix import HOME

name = "manifest"
about = "docker manifest create and push, for flat sources; its list has a digest of its own"

_STORE = """store=$1
shift
@HOME@config=${DOCKER_CONFIG:-$h/.docker}
config=$(cd "$config" 2>/dev/null && pwd) || config=/nonexistent
for file in "$config"/* "$config"/.[!.]*; do
	case ${file##*/} in
	manifests) ;;
	*) [ ! -e "$file" ] || ln -s "$file" "$store/" || exit ;;
	esac
done
DOCKER_CONFIG=$store
export DOCKER_CONFIG
docker manifest create "$@" >/dev/null || exit
""".replace("@HOME@", HOME)
FORETELL = (
    _STORE
    + """made=$(docker manifest inspect "$1") || exit
printf '%s\\n' "$made"
printf %s "$made" | { sha256sum 2>/dev/null || shasum -a 256; } | {
	read -r digest rest
	printf 'sha256:%s\\n' "$digest"
}
"""
)
"""Prints the list as it would be pushed, which is how the client prints one that it has made, and its digest."""
PUSH = _STORE + 'docker manifest push "$1"\n'
"""Prints the digest on its last line."""
_EXPERIMENTAL = {"DOCKER_CLI_EXPERIMENTAL": "enabled"}
"""Needed before client 20.10."""


def able(step: MergeStep, host: MergeHost) -> Able:
    """Where all sources are flat, of the target's registry, and of types that the client reads."""
    if fault := next(_faults(step, host), None):
        return Able(ok=False, why=fault)
    shown = f"docker {versions.release(host.client)} on {host}"
    return Able(
        ok=True,
        why=f"{shown} can list these flat images",
        warnings=("docker manifest writes lists in a spelling of its own: the same images, under another digest",),
    )


def actions(step: MergeStep, host: MergeHost) -> tuple[Action, ...]:
    """The list is made and looked at, then made and pushed under every tag, and every tag looked at."""
    sources = [str(child.source) for child in step.merged.children]

    def run(script: str, tag: str, **more: Any) -> Run:
        words = ("sh", "-c", script, "sh", SCRATCH, tag, *sources)
        return Run(host=host.name, argv=words, environment=_EXPERIMENTAL, **more)

    return (
        run(FORETELL, str(step.tags[0]), gives="list", about="docker manifest create"),
        *(run(PUSH, str(tag), gives="digest", about="docker manifest push") for tag in step.tags),
        *(Confirm(target=tag, digest=step.merged.digest) for tag in step.tags),
    )


def spelt(raw: bytes) -> bytes:
    """An image's manifest as clients before 23.0 write it anew (distribution manifest/schema2, MarshalIndent).

    What they do not know is lost; so what comes back equal is pushed as it is.
    """
    body = json.loads(raw)
    known = {key: body[key] for key in ("schemaVersion", "mediaType") if key in body}
    known["config"] = _descriptor(body["config"])
    known["layers"] = [_descriptor(layer) for layer in body["layers"]]
    return json.dumps(known, indent=3, ensure_ascii=False).encode()


# ------------------------------------------------------------------- inside


def _descriptor(said: dict[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in ("mediaType", "size", "digest", "urls") if said.get(key)}


def _faults(step: MergeStep, host: MergeHost) -> Iterator[str]:
    merged, sources = step.merged, step.sources
    yield from (manifest_is_index(source.given or str(source.reference)) for source in sources if not source.flat)
    if merged.flat:
        yield "it makes lists only, and the single image shall be copied as it is"
    if any(child.descriptor.annotations for child in merged.children) or "annotations" in json.loads(merged.raw):
        yield "it writes no annotations"
    for source in sources:
        far = next((tag for tag in step.tags if tag.registry != source.reference.registry), None)
        if far is not None:
            yield manifest_is_far(source.reference.registry, str(far))
    types = {source.media_type for source in sources}
    if len(types) > 1:
        yield manifest_is_mixed()
    if host.client is None and host.why:
        yield host.why
    oci = next((source.given or str(source.reference) for source in sources if source.media_type == OCI_MANIFEST), None)
    if fault := manifest_fault(host.client, str(host), oci):
        yield fault
    if not versions.at_least(host.client, OCI_SOURCES):
        for child in merged.children:
            here = all(child.source.name == target for target in step.targets)
            if not here and (child.raw is None or _changes(child.raw)):
                yield (
                    f"client {versions.release(host.client)} on {host} writes manifests anew when it brings them into "
                    f"another repository, and {child.source} would get another digest"
                )


def _changes(raw: bytes) -> bool:
    try:
        return spelt(raw) != raw
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return True
