"""How the pushes are merged: the first engine of the order that is able, and why not each other one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.engines.merge import (
    ORDER,
    imagetools_fault,
    imagetools_notes,
    manifest_fault,
    manifest_is_far,
    manifest_is_index,
    manifest_is_mixed,
)
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.image.media import OCI_MANIFEST
from audit.image.reference import Reference
from audit.model import Unknown
from audit.plan.model import BuildStep, MergeEngine, MergePlan, NotChosen, Request
from audit.plan.workers import Standing


def merge_of(
    request: Request, steps: Sequence[BuildStep], hosts: Sequence[Standing]
) -> tuple[MergePlan | None, str | None]:
    """The merge of these steps; None where nothing is to be merged, with the problem where there is one."""
    if not request.tags:
        return None, None
    host = next((one for one in hosts if one.member.host.merge_host and not one.unfit), None)
    order = _order(request.engine)
    faults = {name: _fault(name, request, steps, host) for name in order}
    chosen = next((name for name in order if faults[name] is None), None)
    if chosen is None:
        return None, "no engine can merge: " + "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    others = tuple(
        NotChosen(name=name, why=_not_chosen(name, chosen, request, steps, host))
        for name in ORDER
        if name != chosen
    )  # fmt: skip
    remote = host.name if host is not None and chosen != "registry" else None
    return (
        MergePlan(
            tags=request.tags,
            sources=tuple(step.staging for step in steps),
            engine=chosen,
            host=remote,
            why=_why(chosen, request),
            not_chosen=others,
            notes=tuple(_notes(chosen, request, steps, host)),
        ),
        None,
    )


def _order(engine: str) -> tuple[MergeEngine, ...]:
    names: tuple[MergeEngine, ...] = ("registry", "imagetools", "manifest")
    ordered = tuple(sorted(names, key=ORDER.index))
    return ordered if engine == "auto" else tuple(name for name in ordered if name == engine)


def _why(chosen: MergeEngine, request: Request) -> str:
    if request.engine != "auto":
        return f"--engine {chosen}"
    return f"the first of {', '.join(ORDER)} that is able"


def _not_chosen(
    name: str, chosen: MergeEngine, request: Request, steps: Sequence[BuildStep], host: Standing | None
) -> str:
    fault = _fault(name, request, steps, host)
    if fault is not None:
        return fault
    return (
        f"able, but --engine {chosen} is asked for" if request.engine != "auto" else f"able, but {chosen} comes first"
    )


def _fault(name: str, request: Request, steps: Sequence[BuildStep], host: Standing | None) -> str | None:
    """Why an engine cannot; None: it can."""
    if name == "registry":
        return None
    if host is None:
        return "no fit host is declared as merge_host; the buildx of this machine is looked at when merging"
    return _imagetools(host) if name == "imagetools" else _manifest(request, steps, host)


def _imagetools(host: Standing) -> str | None:
    buildx = host.member.facts[Buildx]
    if isinstance(buildx, Unknown):
        return f"the buildx of {host.name} is not known ({buildx})"
    if buildx.state != "present":
        return f"buildx is {buildx.state} on {host.name}"
    # An empty version is one that cannot be read; None would be no buildx at all.
    return imagetools_fault(buildx.version or "", host.name)


def _manifest(request: Request, steps: Sequence[BuildStep], host: Standing) -> str | None:
    """It takes flat sources only, of the target's registry, in types that its client reads."""
    indexes = [step.staging for step in steps if step.shape.kind == "index"]
    if indexes:
        return manifest_is_index(indexes[0])
    staging = Reference.parse(request.staging)
    away = next((tag for tag in request.tags if Reference.parse(tag).registry != staging.registry), None)
    if away is not None:
        return manifest_is_far(staging.registry, away)
    if len({step.shape.media_type for step in steps}) > 1:
        return manifest_is_mixed()
    client = host.member.facts[DockerClient]
    version = client.version or "" if not isinstance(client, Unknown) and client.kind == "docker" else None
    oci = next((step.staging for step in steps if step.shape.media_type == OCI_MANIFEST), None)
    return manifest_fault(version, host.name, oci)


def _notes(chosen: MergeEngine, request: Request, steps: Sequence[BuildStep], host: Standing | None) -> Iterator[str]:
    kinds = {step.shape.kind for step in steps}
    if len(kinds) > 1:
        yield "flat manifests and indexes are merged: some platforms will have an attestation and others none"
    if chosen == "imagetools" and host is not None:
        buildx = host.member.facts[Buildx]
        across = any(Reference.parse(tag).name != Reference.parse(request.staging).name for tag in request.tags)
        if not isinstance(buildx, Unknown):
            yield from imagetools_notes(buildx.version, host.name, indexes="index" in kinds, across=across)
