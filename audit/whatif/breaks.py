"""What breaks downstream of a change: for each, what a user will see, and what to do before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from audit import versions
from audit.dockerfile import ERROR, LinkChown
from audit.fact import Facts
from audit.facts.build_env import BuildEnv
from audit.facts.builders import Builders
from audit.facts.buildx import Buildx
from audit.facts.disks import Disks
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.image.media import OCI_MANIFEST
from audit.model import Model, StoreKind, Unknown
from audit.shape import How, Prediction, predict
from audit.shape.how import Attest
from audit.shape.known import KNOWN
from audit.whatif.changes import Changes
from audit.whatif.known import newest_api

OLD_MERGER = "23.0.0"
"""`docker manifest create` takes OCI manifests from this client on (docker/cli commit 070825bc74)."""


class Break(Model):
    """One thing that breaks."""

    id: str = Field(description="e.g. `manifest-list`; the same for the same kind of break, always")
    what: str = Field(description="What happens")
    symptom: str = Field(description="What the user will read or see")
    fix: str = Field(description="What to do")
    only: str = Field(
        default="", description="Where it breaks at all, e.g. `where builds use --iidfile`; empty: always"
    )
    already: bool = Field(default=False, description="It is so now: the change does not bring it")


@dataclass(frozen=True)
class Side:
    """One worker at one time, and what the fleet beside it is."""

    facts: Facts
    prediction: Prediction
    flat_peers: tuple[str, ...] = ()
    old_mergers: tuple[str, ...] = ()
    refuses: str | None = None


def breaks(now: Side, then: Side, changes: Changes, how: How, links: Sequence[LinkChown]) -> tuple[Break, ...]:
    """Everything that breaks then, cause first; what is so now already is marked."""
    if then.refuses is not None:
        text = f"failed to start daemon: {then.refuses}"
        return (Break(id="engine-refuses", what="the engine does not start", symptom=text, fix=_START),)
    before = {one.id for one in _standing(now, how)}
    standing = (one.model_copy(update={"already": one.id in before}) for one in _standing(then, how))
    broken = {one.file + str(one.line) for one in links if link_fails(now, one, how)}
    linked = (_link(one, already=one.file + str(one.line) in broken) for one in links if link_fails(then, one, how))
    return (*_passing(now, then, changes), *standing, *linked)


_START = "do not roll this out: take the setting named out of daemon.json, or the change that it does not go with"


# ---------------------------------------------------------------- what the step itself costs


def _passing(now: Side, then: Side, changes: Changes) -> Iterator[Break]:
    yield from _floor(now, then)
    before, after = now.facts[ImageStore], then.facts[ImageStore]
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        return
    if (before.kind, before.driver) == (after.kind, after.driver):
        return
    gone = changes.wipe == "reinstall" or (changes.wipe == "data-root" and before.kind is StoreKind.GRAPHDRIVER)
    engine = now.facts[Engine]
    if not gone and (isinstance(engine, Unknown) or engine.images != 0):
        many = "" if isinstance(engine, Unknown) or engine.images is None else f"{engine.images} "
        place = images_under(now.facts) or "the old store"
        yield Break(
            id="images-vanish",
            what=f"{many}images of the {before.kind} store vanish from view, and their space under {place} stays taken",
            symptom="`docker images` shows none of them; `No such image: …`, or they are pulled and built again",
            fix="push what must be kept, and run `docker system prune --all` before the change, to free the space",
        )
    yield from _guard(now, then, after)


def _floor(now: Side, then: Side) -> Iterator[Break]:
    engine, client, env = then.facts[Engine], then.facts[DockerClient], then.facts[BuildEnv]
    if isinstance(engine, Unknown) or isinstance(client, Unknown) or client.kind != "docker":
        return
    floor = versions.parse(engine.min_api_version)
    if floor is None:
        return
    pin = None if isinstance(env, Unknown) else env.get("DOCKER_API_VERSION")
    version = versions.parse(client.version)
    spoken = pin.value if pin and pin.value else (newest_api(version) if version else None)
    asked = versions.parse(spoken)
    if asked is None or asked >= floor:
        return
    who = f"DOCKER_API_VERSION from {pin.place}" if pin and pin.value else f"the docker command {client.version}"
    before = now.facts[Engine]
    old = None if isinstance(before, Unknown) else versions.parse(before.min_api_version)
    yield Break(
        id="api-floor",
        what=f"{who} speaks API {spoken}, and the engine takes {engine.min_api_version} or newer",
        symptom=f"client version {spoken} is too old. Minimum supported API version is {engine.min_api_version}, "
        "please upgrade your client to a newer version",
        fix="take DOCKER_API_VERSION out"
        if pin and pin.value
        else f'upgrade the client too (docker=), or set {{"min-api-version": "{spoken}"}} in daemon.json for a while',
        already=old is not None and asked < old,
    )


def _guard(now: Side, then: Side, after: ImageStore) -> Iterator[Break]:
    """Only the containerd store keeps images outside of what `docker info` names."""
    disks, engine = then.facts[Disks], now.facts[Engine]
    if after.kind is not StoreKind.CONTAINERD or (not isinstance(disks, Unknown) and disks.same_file_system):
        return
    root = (None if isinstance(engine, Unknown) else engine.data_root) or "/var/lib/docker"
    to = "containerd's root" if isinstance(disks, Unknown) else disks.containerd_root_path or "containerd's root"
    sure = not isinstance(disks, Unknown) and disks.same_file_system is False
    yield Break(
        id="disk-guard",
        what=f"images move from {root} to {to}, {'on' if sure else 'perhaps on'} another file system",
        symptom="`no space left on device` while the pruner still sees a nearly empty disk",
        fix=f"let the pruner watch {to}, or mount a data disk there with RequiresMountsFor={to} in containerd.service",
        only=f"where a pruner or a disk alarm watches {root} (DockerRootDir)",
    )


def images_under(facts: Facts) -> str | None:
    """The folder that holds the images; None: not known."""
    store, disks, engine = facts[ImageStore], facts[Disks], facts[Engine]
    if isinstance(store, Unknown):
        return None
    if store.kind is StoreKind.GRAPHDRIVER:
        return None if isinstance(engine, Unknown) else engine.data_root
    return "containerd's root" if isinstance(disks, Unknown) else disks.containerd_root_path or "containerd's root"


# ---------------------------------------------------------------- what is so once it is done


def _standing(side: Side, how: How) -> Iterator[Break]:
    kind, builder = side.prediction.kind, side.prediction.builder
    if kind == "fails":
        yield _fails(side)
    if kind == "none":
        text = "`docker push`: An image does not exist locally with the tag"
        yield Break(id="nothing-to-push", what="the build leaves no image", symptom=text, fix=_last(side))
    if builder == "legacy":
        yield Break(
            id="legacy-builder",
            what="without buildx `docker build` falls back to the legacy builder: no BuildKit, no cache mounts, no "
            "heredocs, no secrets",
            symptom="DEPRECATED: The legacy builder is deprecated and will be removed in a future release.",
            fix="install docker-buildx-plugin (Debian and Ubuntu: docker-buildx) with the engine",
        )
    if kind == "index":
        yield _index(side)
    yield from _flat_oci(side)
    yield from _iidfile(side, how)
    yield from _explicit(side, how)


def _last(side: Side) -> str:
    return side.prediction.reasons[-1] if side.prediction.reasons else "see the reasons"


def _fails(side: Side) -> Break:
    errors = list(dict.fromkeys(shape.error or "" for shape in side.prediction.shapes))
    stages = sorted({shape.stage or "build" for shape in side.prediction.shapes})
    stage = " or the ".join(stages)
    return Break(
        id="fails",
        what=f"the {stage} fails: {_last(side)}",
        symptom=" | ".join(error for error in errors if error) or "an error",
        fix="take out what the reason names, or do not make this change",
    )


def _index(side: Side) -> Break:
    peers = f"; {', '.join(side.flat_peers[:4])} push flat" if side.flat_peers else ""
    more = f" and {len(side.flat_peers) - 4} more" if len(side.flat_peers) > 4 else ""
    return Break(
        id="manifest-list",
        what=f"the push is an index{peers}{more}",
        symptom="docker manifest create: … is a manifest list",
        fix="merge with `docker buildx imagetools create` (buildx 0.13 or newer), build with --provenance=false, or "
        "set BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the build unit",
    )


def _flat_oci(side: Side) -> Iterator[Break]:
    shapes = side.prediction.shapes
    if side.old_mergers and shapes and all(s.kind == "flat" and s.media_type == OCI_MANIFEST for s in shapes):
        yield Break(
            id="oci-manifest",
            what="the push is a flat OCI manifest, which docker clients before 23.0 cannot merge",
            symptom="docker manifest create: no such manifest",
            fix=f"merge elsewhere, or upgrade the client of {', '.join(side.old_mergers[:4])}",
            only=f"where merges run on {', '.join(side.old_mergers[:4])}",
        )


def _iidfile(side: Side, how: How) -> Iterator[Break]:
    store, buildx = side.facts[ImageStore], side.facts[Buildx]
    if isinstance(store, Unknown) or isinstance(buildx, Unknown) or store.kind is not StoreKind.CONTAINERD:
        return
    flat = side.prediction.kind == "flat" and side.prediction.builder == "buildx"
    if flat and versions.at_least(buildx.version, KNOWN["buildx.image-digest"].since) is False:
        yield Break(
            id="iidfile",
            what=f"--iidfile of buildx {versions.release(buildx.version)} holds the config's digest, which this store "
            "cannot look up",
            symptom="No such image: sha256:…",
            fix="buildx 0.36.0 or newer, or read containerimage.digest from --metadata-file",
            only="" if "--iidfile" in how.flags else "where builds use the digest of --iidfile or `docker build -q`",
        )


_ASKED = How(attests=(Attest(type="provenance", text="--provenance=true"),))


def _explicit(side: Side, how: How) -> Iterator[Break]:
    """By the predictor itself: the same build with one more flag."""
    store = side.facts[ImageStore]
    if how.attests or isinstance(store, Unknown) or store.kind is not StoreKind.GRAPHDRIVER:
        return
    if side.prediction.kind == "fails" or side.prediction.builder != "buildx":
        return
    asked = predict(side.facts, how.model_copy(update={"attests": _ASKED.attests}))
    if asked.kind == "fails":
        yield Break(
            id="explicit-attestation",
            what="this store keeps no attestation, and refuses one that is asked for",
            symptom=next((shape.error for shape in asked.shapes if shape.error), "") or "Attestation is not supported",
            fix="take --provenance, --sbom and --attest out, or keep the containerd store",
            only="where builds give --provenance, --sbom or --attest",
        )


# ---------------------------------------------------------------- Dockerfiles


def driver_of(facts: Facts, how: How) -> str | None:
    """The driver of the builder that this way of building takes; None: not known."""
    env, builders = facts[BuildEnv], facts[Builders]

    def variable(name: str) -> str:
        found = None if isinstance(env, Unknown) else env.get(name)
        return how.variable(name) or (found.value if found else "")

    name = how.builder or variable("BUILDX_BUILDER")
    if not name and how.command == "docker build" and not variable("aliases.builder"):
        return "docker"
    if isinstance(builders, Unknown):
        return "docker" if name == "default" else None
    builder = builders.named(name or builders.selected or "")
    return builder.driver if builder else None


def link_fails(side: Side, one: LinkChown, how: How) -> bool | None:
    """Whether the line fails on this worker; None: cannot tell."""
    builder, driver, store = side.prediction.builder, driver_of(side.facts, how), side.facts[ImageStore]
    if one.everywhere:
        return one.sure or None
    if builder == "legacy":
        return False
    if driver is None or (driver == "docker" and isinstance(store, Unknown)):
        return None
    graph = driver == "docker" and not isinstance(store, Unknown) and store.kind is StoreKind.GRAPHDRIVER
    if graph:
        return False
    return True if one.sure and builder is not None else None


def _link(one: LinkChown, *, already: bool) -> Break:
    inside = " (an ONBUILD: in builds from that image)" if one.onbuild else ""
    return Break(
        id="copy-link-chown",
        what=f"{one.file}:{one.line}: {one.instruction}{inside}: {one.why}",
        symptom=f"failed to solve: {ERROR}",
        fix=one.fix,
        already=already,
    )
