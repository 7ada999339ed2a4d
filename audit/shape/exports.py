"""What BuildKit's exporters make of a build: nothing, one manifest or an index, in which media types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from audit.image.media import DOCKER_LAYER, OCI_LAYER
from audit.model import StoreKind
from audit.shape.how import How, Output, boolean
from audit.shape.instance import Instance, Say
from audit.shape.result import Fate
from audit.shape.wanted import Refused, Wanted
from audit.shape.world import World

NO_LISTS = "docker exporter does not currently support exporting manifest lists"
NO_LISTS_TO_FILE = "docker exporter does not support exporting manifest lists, use the oci exporter instead"
SEVERAL_OUTPUTS = "multiple outputs currently unsupported"
NO_PLATFORMS = "Multi-platform build is not supported for the docker driver"
NO_PLATFORMS_BEFORE = "multiple platforms feature is currently not supported for docker driver"
NO_NODES = "for multi-node builds currently not supported"
BY_DIGEST = "push-by-digest is currently not implemented for docker driver"
NO_OCI_TYPES = 'cannot export attestations with "oci-mediatypes=false"'


@dataclass(frozen=True)
class Image:
    """What was built.

    Attributes:
        oci: OCI media types, else Docker's.
        layers: media type of the layers that were built; empty: as `oci` says.
        index: an index round the manifests.
        platforms: of the images in it; one None: the worker's own.
        fate: what became of the attestations.
        artifact: they are kept as OCI artifacts.
        loaded: another driver's BuildKit built it, and it was loaded.
        paired: each attestation stands right behind its image, as where several nodes built; else behind all images.
        outputs: how many were asked for.
        pushed: BuildKit has pushed it; else it is in the engine's store.
        stored: it is in the engine's store.
    """

    oci: bool
    layers: str = ""
    index: bool = False
    platforms: tuple[str | None, ...] = (None,)
    fate: Fate = "none"
    artifact: bool = False
    loaded: bool = False
    paired: bool = False
    outputs: int = 1
    pushed: bool = False
    stored: bool = True

    @property
    def attested(self) -> bool:
        """Whether attestations stand beside the images."""
        return self.fate in ("kept", "artifact")


@dataclass(frozen=True)
class _Export:
    type: str  # image, docker (into the engine's store), oci, file
    output: Output | None = None
    push: bool = False

    def flag(self, name: str) -> bool | None:
        """An attribute that is a boolean; None: not given."""
        value = self.output.get(name) if self.output else None
        return None if value is None else boolean(value)

    @property
    def text(self) -> str:
        return self.output.text if self.output else "--push" if self.push else f"type={self.type}"


def exported(world: World, how: How, instance: Instance, asked: Wanted, say: Say) -> Image | None:
    """What the build leaves, in the order of buildx@v0.36.1:build/opt.go:376-590; None: nothing that can be pushed.

    Raises:
        Refused: the build ends with an error.
    """
    exports = _exports(world, how, instance, say)
    _artifact_switch(world)  # for its error; what it says is asked for again where it counts
    graph = instance.moby and world.store() is StoreKind.GRAPHDRIVER
    several = len(how.platforms) > 1
    for export in exports:
        _possible(world, export, instance, graph=graph, lists=several or bool(asked.explicit))
    if several and graph:
        why = "the docker driver on a graphdriver store builds one platform at a time"
        raise Refused("--platform", why, NO_PLATFORMS if world.can("buildx.explains-refusals") else NO_PLATFORMS_BEFORE)
    wanted = [export for export in exports if export.type in ("image", "docker")]
    if not wanted:
        return None
    pushing = [export for export in wanted if export.push]
    storing = wanted if instance.moby else [export for export in wanted if export.type == "docker"]
    stored = bool(storing)
    export = ((how.docker_push and storing) or pushing or wanted)[-1]
    if not pushing and not stored:
        say(export.text, "the result stays in the builder, where `docker push` does not find it")
        return None
    if graph:
        say("image_store", f"{world.store_text()} keeps no attestation: one flat manifest")
        fate: Fate = "dropped" if asked else "none"
        return Image(oci=False, platforms=how.platforms or (None,), fate=fate)  # the engine pushes, in its own types
    image = _image(world, how, instance, asked, export, stored, say)
    return replace(image, outputs=len(exports), paired=instance.shared(how.platforms))


def _exports(world: World, how: How, instance: Instance, say: Say) -> list[_Export]:
    """The outputs asked for, --push and --load among them, or the driver's default."""
    exports = []
    for output in how.outputs:
        kind = output.type
        if kind == "docker":
            kind = "docker-file" if output.get("dest") else "docker"
        elif kind not in ("image", "oci"):
            kind = "file"
        exports.append(_Export(kind, output, push=kind == "image" and boolean(output.get("push")) is True))
    if how.push:
        images = [export for export in exports if export.type == "image"]
        exports = [_Export("image", one.output, True) if one in images else one for one in exports]
        if not images:
            exports.append(_Export("image", None, True))
    if how.load and not any(export.type == "docker" for export in exports):
        exports.append(_Export("docker"))
    if len(exports) > 1 and not world.can("buildx.several-outputs"):
        raise Refused("--output", f"buildx {world.release('buildx')} takes one output", SEVERAL_OUTPUTS)
    if exports:
        return exports
    no_load = world.setting("BUILDX_NO_DEFAULT_LOAD")
    if no_load is not None and boolean(no_load.value):  # what is no boolean counts as false, with a warning
        say(no_load.name, f"{no_load}: the build leaves no image to push")
        return []
    if instance.moby:
        return [_Export("image")]
    if _loads(world):
        say("builders", "default-load brings the image into the engine's store")
        return [_Export("docker")]
    say("builders", "without --push or --load its result stays in the build cache")
    return []


def _loads(world: World) -> bool:
    builder = world.builder
    if not world.can("buildx.default-load"):
        return False
    if builder is None or builder.default_load is None:
        name = builder.name if builder else "that is chosen"
        why = f"whether builder {name} loads its results by default is not known"
        return world.fork.choose("default-load", (False, True), why)
    return builder.default_load


def _artifact_switch(world: World) -> bool:
    """Whether attestations are to be kept the old way; buildx 0.36.1 and newer read this in every build.

    Raises:
        Refused: it is read, and no boolean.
    """
    switch = world.setting("BUILDX_NO_DEFAULT_OCI_ARTIFACT") if world.can("buildx.artifact-switch") else None
    if switch is None:
        return False
    value = boolean(switch.value)
    if value is None:
        why = f"{switch} is no boolean: the build ends with an error"
        raise Refused(switch.name, why, "invalid BUILDX_NO_DEFAULT_OCI_ARTIFACT: strconv.ParseBool")
    return value


def _possible(world: World, export: _Export, instance: Instance, *, graph: bool, lists: bool) -> None:
    """Refuse what this exporter cannot do, as buildx does before it asks BuildKit."""
    if graph and export.type in ("oci", "docker-file"):
        name = "OCI exporter" if export.type == "oci" else "Docker exporter"
        why = f"{export.text}: the docker driver on a graphdriver store has no such exporter"
        raise Refused("--output", why, f"{name} is not supported for the docker driver")
    if export.type == "docker-file" and lists:
        raise Refused("--output", f"{export.text} holds one manifest", NO_LISTS_TO_FILE)
    if export.type == "docker" and lists:
        if not world.can("buildx.load-knows-store"):
            raise Refused("--load", f"--load of buildx {world.release('buildx')} takes one manifest", NO_LISTS)
        if world.store() is StoreKind.GRAPHDRIVER:
            why = f"--load into {world.store_text()} takes one manifest without attestations"
            raise Refused("--load", why, NO_LISTS)
    if export.push and instance.moby and export.flag("push-by-digest"):
        raise Refused("--output", "push-by-digest needs another driver than docker", BY_DIGEST)


def _image(world: World, how: How, instance: Instance, asked: Wanted, export: _Export, stored: bool, say: Say) -> Image:
    """BuildKit's own decision (buildkit@v0.32.2:exporter/containerimage/writer.go:72-130, export.go:81)."""
    loading = export.type == "docker" and not instance.moby
    if loading and world.store() is StoreKind.GRAPHDRIVER:
        if _several(how, say):
            raise Refused("--load", f"loading into {world.store_text()} takes one manifest", NO_LISTS)
        dropped: Fate = "dropped" if asked else "none"
        if asked:
            say("image_store", f"loading into {world.store_text()} drops the default attestation")
        return Image(oci=False, platforms=how.platforms or (None,), fate=dropped, loaded=True)
    archive = loading and world.can("buildx.load-knows-store")
    if loading and instance.shared(how.platforms):
        why = f"builder {instance.name} shares these platforms among its nodes, and --load takes the work of one"
        raise Refused("--load", why, NO_NODES)
    inline = export.flag("attestation-inline")
    keeps_all = inline if inline is not None else not loading
    several = _several(how, say)
    kept = bool(asked) and (keeps_all or asked.lasting or several)
    if asked and not kept:
        why = "loading drops what is inline only" if loading else "attestation-inline=false drops what is inline only"
        say(export.text, f"{why}, the default attestation")
    oci = _oci(world, export, kept=kept, archive=archive)
    artifact = kept and oci and _artifact(world, export, say)
    index = several or kept
    if not loading and instance.moby:
        say("image_store", f"{world.store_text()} keeps what the build made{world.store_why()}")
    if kept:
        where = "the push is" if not loading or stored else "it is"
        say("known", f"{where} an OCI index: image and attestation manifest")
    elif index:
        say("known", "the push is an index of the platforms' manifests")
    else:
        say("known", "the push is one flat manifest")
    return Image(
        oci=oci,
        layers=_layers(export, oci),
        index=index,
        platforms=how.platforms or (None,),
        fate=("artifact" if artifact else "kept") if kept else "dropped" if asked else "none",
        artifact=artifact,
        loaded=loading,
        pushed=export.push,
        stored=stored,
    )


def _several(how: How, say: Say) -> bool:
    """Whether the result is an index whatever stands in it."""
    if len(how.platforms) > 1:
        say("--platform", f"--platform {','.join(how.platforms)}: an index of {len(how.platforms)} images")
        return True
    if boolean(how.multi_platform):
        say("--build-arg", "BUILDKIT_MULTI_PLATFORM: an index, even of one image")
        return True
    return False


def _oci(world: World, export: _Export, *, kept: bool, archive: bool) -> bool:
    """Whether the media types are OCI's."""
    given = export.flag("oci-mediatypes")
    if given is False and kept and world.can("buildkit.oci"):
        why = f"{export.text}: attestations need OCI media types"
        raise Refused("--output", why, NO_OCI_TYPES, attestation=True)
    compression = export.output.get("compression") if export.output else None
    if kept or archive or compression in ("zstd", "estargz"):
        return True
    return given if given is not None else world.can("buildkit.oci")


def _artifact(world: World, export: _Export, say: Say) -> bool:
    given = export.flag("oci-artifact")
    if given is not None and world.can("buildkit.artifact-option"):
        say(export.text, f"oci-artifact={str(given).lower()}")
        return given
    if not world.can("buildkit.artifact"):
        return False
    if _artifact_switch(world):
        say("BUILDX_NO_DEFAULT_OCI_ARTIFACT", "attestations are kept the old way, not as OCI artifacts")
        return False
    return True


def _layers(export: _Export, oci: bool) -> str:
    compression = export.output.get("compression") if export.output else None
    if compression == "zstd":
        return OCI_LAYER.replace("+gzip", "+zstd")
    if compression == "uncompressed":
        return (OCI_LAYER if oci else DOCKER_LAYER).removesuffix("+gzip").removesuffix(".gzip")
    return OCI_LAYER if oci else DOCKER_LAYER
