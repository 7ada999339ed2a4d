"""What is merged in one night: which images go into which tags, and how many layers they have and share.

`opam-rebuild.json` is the shape of a public nightly rebuild, counted in its Dockerfiles; nothing else of it is here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

FILE = Path(__file__).parent / "opam-rebuild.json"
RISCV = "linux/riscv64"
_UNKNOWN_LAYERS = 1
"""Of an image whose layers nobody has counted (``archive``): one of its own, since without any it would run nowhere."""
_VERSIONS = {"ltsc2019": "10.0.17763.8146", "ltsc2022": "10.0.20348.4405", "ltsc2025": "10.0.26100.7171"}


@dataclass(frozen=True)
class Image:
    """One image as a worker pushes it.

    Attributes:
        name: of its staging tag.
        platform: ``os/architecture``.
        base: images with the same base share `base_layers` layers; empty where it shares none.
        base_layers, own_layers: their numbers.
        attested: it is pushed as an index of the image and of its attestation; else flat, as Docker's schema 2.
    """

    name: str
    platform: str
    base: str
    base_layers: int
    own_layers: int
    attested: bool = False

    @property
    def os(self) -> str:
        """As its config says."""
        return self.platform.partition("/")[0]

    @property
    def architecture(self) -> str:
        """As its config says."""
        return self.platform.partition("/")[2]

    @property
    def os_version(self) -> str:
        """The build number of its Windows release; empty for Linux."""
        return next((version for word, version in _VERSIONS.items() if self.os == "windows" and word in self.name), "")

    @property
    def told(self) -> str:
        """The platform as a plan writes it: three Windows releases in one tag are told apart by their versions."""
        return f"{self.os}({self.os_version})/{self.architecture}" if self.os_version else self.platform

    def layers(self) -> Iterator[str]:
        """A name for every layer; equal names are the same layer."""
        yield from (f"base {self.base} {number}" for number in range(self.base_layers))
        yield from (f"own {self.name} {number}" for number in range(self.own_layers))

    def blobs(self) -> Iterator[str]:
        """A name for every blob: layers, config, and the two of an attestation."""
        yield from self.layers()
        yield f"config {self.name}"
        if self.attested:
            yield from (f"proof {self.name}", f"proof config {self.name}")


@dataclass(frozen=True)
class Merge:
    """One tag and its sources, in their order."""

    tag: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Floor:
    """The fewest requests that the protocol has for a cold night; tokens come on top.

    Attributes:
        reads: manifests read, where the builds have not handed them over: one of a flat image, three of an attested.
        mounts: distinct blobs.
        children: manifests put by digest.
        tags: indexes put by tag.
    """

    reads: int
    mounts: int
    children: int
    tags: int

    @property
    def handed_over(self) -> int:
        """Where nothing has to be read."""
        return self.mounts + self.children + self.tags

    @property
    def unread(self) -> int:
        """Where every manifest has to be read."""
        return self.reads + self.handed_over


@dataclass(frozen=True)
class Workload:
    """A night, or a part of one.

    Attributes:
        images: by name.
        merges: in their order.
        staging, target: repositories, without their registry.
        picked: which part it is, in words.
    """

    images: dict[str, Image]
    merges: tuple[Merge, ...]
    staging: str
    target: str
    picked: str = field(default="all of it", compare=False)

    @property
    def sets(self) -> dict[tuple[str, ...], list[str]]:
        """Distinct sources, in the order in which they come first, with the tags that are merged of them."""
        found: dict[tuple[str, ...], list[str]] = {}
        for merge in self.merges:
            found.setdefault(merge.sources, []).append(merge.tag)
        return found

    @property
    def blobs(self) -> set[str]:
        """The names of all distinct blobs."""
        return {blob for image in self.images.values() for blob in image.blobs()}

    @property
    def floor(self) -> Floor:
        """What it takes at least."""
        attested = sum(image.attested for image in self.images.values())
        return Floor(len(self.images) + 2 * attested, len(self.blobs), len(self.images) + attested, len(self.merges))

    @property
    def by_docker_manifest(self) -> int:
        """Requests of `docker manifest create` and `push`, one process a tag, by the formula measured of it.

        Five for every blob of every child (ping, token, mount, token, HEAD), three for a child's manifest, and seven a
        tag besides 4 a source; attested sources, which it refuses, are taken for flat ones.
        """
        total = 0
        for merge in self.merges:
            sources = len(merge.sources)
            blobs = sum(
                image.base_layers + image.own_layers + 1 for image in map(self.images.__getitem__, merge.sources)
            )
            total += 4 * sources + 5 * blobs + 3 * sources + 3
        return total

    def attesting(self, platforms: str | Collection[str]) -> Workload:
        """The same night with attested images of these platforms (or of these systems), and of no other."""
        wanted = (platforms,) if isinstance(platforms, str) else platforms
        images = {name: replace(image, attested=image.platform in wanted or image.os in wanted)
                  for name, image in self.images.items()}  # fmt: skip
        return replace(self, images=images)

    def scaled(self, scale: float) -> Workload:
        """A part of it: whole families of images, so that layers are shared as in the whole.

        A family is what descends from one release, in all its architectures: a night of every tenth set would have
        all base layers, and few images on them. Families are taken in the file's order as long as the part owes them;
        where none of these has attested images, half of the part is the beginning of the first family that has.

        Raises:
            ValueError: the scale is not above 0 and at most 1.
        """
        if not 0 < scale <= 1:
            raise ValueError(f"a scale is above 0 and at most 1, not {scale}")
        if scale == 1:
            return self
        share = Fraction(scale).limit_denominator(10_000)
        families = self._families()
        owed: Fraction = Fraction(0)
        taken: list[tuple[str, ...]] = []
        for sets in families.values():
            owed += share * len(sets)
            if 2 * owed >= len(sets):
                owed -= len(sets)
                taken += sets
        if not any(map(self._attested, taken)):
            sets = next(sets for sets in families.values() if any(map(self._attested, sets)))
            wanted = max(1, round(share * len(self.sets)))
            # Half of what was taken makes way, the first of it, so that the part stays as large as it should be.
            taken = [*sets[: (wanted + 1) // 2], *taken[::-1]][:wanted]
        return self._of(taken)

    def _attested(self, sources: tuple[str, ...]) -> bool:
        return any(self.images[name].attested for name in sources)

    def _families(self) -> dict[str, list[tuple[str, ...]]]:
        """Sets by the release that their first image descends from."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for sources in self.sets:
            found.setdefault(_release(self.images[sources[0]]), []).append(sources)
        return found

    def _of(self, sets: Iterable[tuple[str, ...]]) -> Workload:
        kept = dict.fromkeys(sets)
        names = ", ".join(dict.fromkeys(_release(self.images[sources[0]]) for sources in kept))
        merges = tuple(merge for merge in self.merges if merge.sources in kept)
        used = {source for merge in merges for source in merge.sources}
        images = {name: image for name, image in self.images.items() if name in used}
        picked = f"{len(kept)} of {len(self.sets)} source sets: {names}"
        return replace(self, images=images, merges=merges, picked=picked)


def load(file: Path = FILE) -> Workload:
    """The whole night, with the riscv64 images attested, as the one worker of a fleet whose buildx is new."""
    said = json.loads(file.read_text(encoding="utf-8"))
    images = {
        name: Image(
            name=name,
            platform=one["platform"],
            base=one["base"] or "",
            base_layers=one["base_layers"] or 0,
            own_layers=_UNKNOWN_LAYERS if one["own_layers"] is None else one["own_layers"],
            attested=one["platform"] == RISCV,
        )
        for name, one in said["images"].items()
    }
    merges = tuple(Merge(one["tag"], tuple(one["sources"])) for one in said["merges"])
    return Workload(images, merges, said["staging"], said["target"])


def _release(image: Image) -> str:
    return image.base.partition("/")[0] or image.name
