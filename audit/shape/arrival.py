"""What the push makes of the image that was built, and which digest can be believed then."""

from __future__ import annotations

from audit.facts.engine import Engine
from audit.image.media import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from audit.model import StoreKind
from audit.shape.exports import Image
from audit.shape.how import How
from audit.shape.instance import Instance, Say
from audit.shape.result import Attestations, BuilderKind, Child, Digests, Shape
from audit.shape.world import World

PUSH_LINE = "the `digest: sha256:…` that docker push prints"
METADATA = "containerimage.digest in --metadata-file"
REGISTRY = "the registry's own answer (Docker-Content-Digest)"


class PushRefused(Exception):  # noqa: N818 - an outcome on its way out, not a fault
    """`docker push` ends with an error: what it rests on, why, and what the user reads."""

    def __init__(self, on: str, why: str, text: str) -> None:
        """Keep the parts."""
        super().__init__(text)
        self.on, self.why, self.text = on, why, text


def by_docker_push(
    world: World, how: How, builder: BuilderKind, image: Image, asked: tuple[str, ...], say: Say
) -> Shape:
    """What `docker push` leaves of an image in the engine's store (moby daemon/containerd/image_push.go).

    Raises:
        PushRefused: it ends with an error.
    """
    if world.store() is StoreKind.GRAPHDRIVER:
        image = Image(oci=False, platforms=image.platforms, fate=image.fate, loaded=image.loaded)
    stripped = False
    if how.push_platform:
        image, stripped = _one_platform(world, how.push_platform, image, say)
    trusted = Digests.model_construct(trust=PUSH_LINE, lies=_lies(world, builder, image, stripped=stripped))
    return _shape(builder, image, asked, trusted)


def by_buildkit(world: World, instance: Instance, builder: BuilderKind, image: Image, asked: tuple[str, ...]) -> Shape:
    """What --push leaves: the image as it was built."""
    lies: tuple[str, ...] = ()
    if image.outputs > 1 and image.index:
        lies = ("--iidfile: the digest of what another output made",)
    elif not image.index and not (instance.moby and world.can("buildx.image-digest")):
        lies = ("--iidfile: the config's digest",)
    return _shape(builder, image, asked, Digests.model_construct(trust=METADATA, lies=lies))


def _one_platform(world: World, wanted: str, image: Image, say: Say) -> tuple[Image, bool]:
    """`docker push --platform`: one manifest, without what stands beside it."""
    if not world.can("client.push-platform"):
        raise PushRefused("--platform", f"client {world.release('client')} cannot push one platform", "unknown flag")
    if not world.can("engine.push-platform"):
        why = f"engine {world.release('engine')} cannot push one platform"
        raise PushRefused("--platform", why, '"--platform" requires API version 1.46')
    engine = world.fact(Engine)
    own = f"{engine.os or 'linux'}/{engine.arch}" if engine and engine.arch else None
    there = [platform or own for platform in image.platforms]
    if None not in there and _plain(wanted) not in {_plain(platform) for platform in there if platform}:
        why = f"the image has no {wanted}, only {', '.join(str(platform) for platform in there)}"
        raise PushRefused("--platform", why, "platform")
    if not image.index:
        return image, False
    say("docker push --platform", f"only the manifest of {wanted} is pushed, without its attestation")
    fate = "stripped" if image.attested else image.fate
    return Image(oci=image.oci, layers=image.layers, platforms=(wanted,), fate=fate), True


def _plain(platform: str) -> str:
    """As containerd normalises it, as far as it matters here."""
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    system, _, rest = platform.partition("/")
    arch, _, variant = rest.partition("/")
    arch = names.get(arch, arch)
    return f"{system}/{arch}" if not variant or (arch, variant) == ("arm64", "v8") else f"{system}/{arch}/{variant}"


def _lies(world: World, builder: BuilderKind, image: Image, *, stripped: bool) -> tuple[str, ...]:
    """What looks like the pushed digest and is not (moby daemon/containerd/image_inspect.go:146-186)."""
    if world.store() is StoreKind.GRAPHDRIVER:
        return (
            "--iidfile and the image's Id: the config's digest",
            "RepoDigests: empty before the push",
        )
    if stripped:
        return ("RepoDigests, --iidfile and the image's Id: still the index",)
    lies = ["RepoDigests: filled without any push"]
    fixed = "buildx.image-digest-loaded" if image.loaded else "buildx.image-digest"
    if builder == "buildx" and not image.index and not world.can(fixed):
        lies.insert(0, "--iidfile: the config's digest, which this engine cannot look up")
    return tuple(lies)


def _shape(builder: BuilderKind, image: Image, asked: tuple[str, ...], digests: Digests) -> Shape:
    manifest = OCI_MANIFEST if image.oci else DOCKER_MANIFEST
    children: list[Child] = []
    if image.index:
        children = [
            Child.model_construct(media_type=manifest, role="image", platform=platform, artifact=False)
            for platform in image.platforms
        ]
        if image.attested:
            one = Child.model_construct(
                media_type=OCI_MANIFEST, role="attestation", platform="unknown/unknown", artifact=image.artifact
            )
            behind = [one] * len(image.platforms)
            pairs = (child for pair in zip(children, behind, strict=True) for child in pair)
            children = list(pairs) if image.paired else children + behind
    outer = (OCI_INDEX if image.oci else DOCKER_LIST) if image.index else manifest
    return Shape.model_construct(
        kind="index" if image.index else "flat",
        builder=builder,
        media_type=outer,
        children=tuple(children),
        manifest=manifest,
        config=OCI_CONFIG if image.oci else DOCKER_CONFIG,
        layers=image.layers or (OCI_LAYER if image.oci else DOCKER_LAYER),
        attestations=Attestations.model_construct(asked=asked, fate=image.fate),
        digests=digests,
    )
