"""The command lines of the cells. Data only; each is what `fleet-audit predict --how` reads.

`@SCANNER@` stands for an SBOM generator in the lab's registry, `@OTHER@` for the station's own builder.
"""

from __future__ import annotations

_PUSH = "docker build{} && docker push"


def _pushed(*flags: str) -> tuple[str, ...]:
    return tuple(_PUSH.format(f" {flag}" if flag else "") for flag in flags)


def _with(*settings: str) -> tuple[str, ...]:
    return tuple(f"{setting} docker build && docker push" for setting in settings)


OFF = "BUILDX_NO_DEFAULT_ATTESTATIONS"
KIT = "DOCKER_BUILDKIT"

PLAIN = ("docker build && docker push",)
SWITCH = _with(*(f"{OFF}={value}" for value in ("1", "true", "0", "yes", "")))
SWITCH_MORE = _with(*(f"{OFF}={value}" for value in ("t", "False", "on")))
BUILDER = _with(*(f"{KIT}={value}" for value in ("0", "1", "garbage", "")))
BUILDER_SWITCH = _with(f"{KIT}=0 {OFF}=yes", f"{KIT}=1 {OFF}=1", f"{KIT}=1 {OFF}=", f"{KIT}=false", f"{KIT}=TRUE")
PROVENANCE = _pushed("--provenance=false", "--provenance=true", "--provenance=mode=max", "--attest type=provenance")
PROVENANCE_MORE = _pushed(
    "--provenance=mode=min",
    "--provenance mode=max,inline-only=true",
    "--provenance=mode=min,inline-only=true",
    "--attest type=provenance,mode=max",
    "--attest type=provenance,disabled=true",
    "--provenance=false --sbom=false",
)
SBOM_OFF = _pushed("--sbom=false")
SBOM_REFUSED = _pushed("--sbom=true", "--sbom=true --provenance=false", "--attest type=sbom")
SBOM = (
    "docker build --sbom=generator=@SCANNER@ && docker push",
    "docker build --attest type=sbom,generator=@SCANNER@ --provenance=false && docker push",
    f"{OFF}=1 docker build --sbom=generator=@SCANNER@ && docker push",
)
SWITCH_FLAG = (
    f"{OFF}=1 docker build --provenance=true && docker push",
    f"{OFF}=1 docker build --attest type=provenance,mode=max && docker push",
    f"{OFF}=yes docker build --provenance=false && docker push",
    f"{OFF}= docker build --provenance=true && docker push",
)
BY_BUILD = (
    "docker build --push",
    "docker build --push --provenance=false",
    f"{OFF}=1 docker build --push",
    f"{OFF}=yes docker build --push",
    f"{KIT}=0 docker build --push",
    f"{KIT}=1 docker build --push",
)
LOAD = _pushed("--load", "--load --provenance=false", "--load --provenance=mode=max")
OUTPUT = (
    "docker build --output type=image,push=true",
    "docker build --output type=image,push=true,attestation-inline=false",
    "docker build --output type=image,push=true,oci-mediatypes=true --provenance=false",
    "docker build --output type=image,push=true,oci-mediatypes=true",
    "docker build --output type=registry",
    "docker build --output type=docker && docker push",
)
OUTPUT_MORE = (
    "docker build --output type=image,push=true,oci-mediatypes=false",
    "docker build --output type=image,push=true,oci-mediatypes=false --provenance=false",
    "docker build --output type=image,push=true,attestation-inline=false --provenance=true",
    "docker build --output type=image,attestation-inline=false && docker push",
    "docker build --output type=image,oci-mediatypes=true --provenance=false && docker push",
    "docker build --output type=image && docker push",
    "docker build --output type=registry --provenance=false",
    "docker build --output type=docker --provenance=false && docker push",
    "docker build --output type=oci,dest=image.tar && docker push",
    "docker build --output type=local,dest=out && docker push",
    "docker build --output type=image,push=true,push-by-digest=true",
)
PLATFORM = (
    "docker build --platform linux/riscv64 && docker push",
    "docker build --platform linux/riscv64 --provenance=false && docker push",
    "DOCKER_DEFAULT_PLATFORM=linux/s390x docker build && docker push",
)
TWO = (
    "docker build --platform linux/amd64,linux/riscv64 && docker push",
    "docker build --platform linux/amd64,linux/riscv64 --provenance=false && docker push",
    "docker build --platform linux/amd64,linux/riscv64 --push",
    "docker build --platform linux/amd64,linux/riscv64 --push --provenance=false",
    "docker build --platform linux/amd64,linux/riscv64 --load && docker push",
    "docker build --build-arg BUILDKIT_MULTI_PLATFORM=1 && docker push",
    "docker build --build-arg BUILDKIT_MULTI_PLATFORM=1 --provenance=false && docker push",
)
TWO_MORE = (
    f"{OFF}=1 docker build --platform linux/amd64,linux/riscv64 --push",
    f"{KIT}=0 docker build --platform linux/amd64,linux/riscv64 && docker push",
    "docker build --platform linux/amd64,linux/riscv64 --provenance=mode=max && docker push",
    "docker build --platform linux/riscv64 --build-arg BUILDKIT_MULTI_PLATFORM=1 --push",
    "docker build --platform linux/amd64,linux/riscv64 --output type=image,push=true,attestation-inline=false",
    "docker build --platform linux/amd64,linux/riscv64"
    " --output type=image,push=true,oci-mediatypes=true --provenance=false",
    "docker build --build-arg BUILDKIT_MULTI_PLATFORM=true --push --provenance=false",
)
CHOSEN = (
    "docker build && docker push --platform linux/amd64",
    "docker build --provenance=false && docker push --platform linux/amd64",
    "docker build --platform linux/riscv64 && docker push --platform linux/riscv64",
    "docker build && docker push --platform linux/riscv64",
)
CHOSEN_TWO = (
    "docker build --platform linux/amd64,linux/riscv64 && docker push --platform linux/riscv64",
    "docker build --platform linux/amd64,linux/riscv64 --provenance=false && docker push --platform linux/riscv64",
)
NO_LOAD = (
    "BUILDX_NO_DEFAULT_LOAD=1 docker build && docker push",
    "BUILDX_NO_DEFAULT_LOAD=1 docker build --load && docker push",
    "BUILDX_NO_DEFAULT_LOAD=1 docker build --push",
    "BUILDX_NO_DEFAULT_LOAD=yes docker build && docker push",
    "BUILDX_NO_DEFAULT_LOAD=0 docker build && docker push",
)
BUILDX = (
    "docker buildx build && docker push",
    "docker buildx build --push",
    f"{KIT}=0 docker buildx build && docker push",
    f"{OFF}=1 docker buildx build && docker push",
    "docker buildx build --push --provenance=false",
    "docker buildx build --load --provenance=mode=max && docker push",
)
BAKE = (
    "docker buildx bake && docker push",
    "docker buildx bake --push",
    "docker buildx bake --provenance=false && docker push",
    "docker buildx bake --load && docker push",
    "docker buildx bake --provenance=mode=max --push",
    f"{OFF}=1 docker buildx bake --push",
    "docker buildx bake --set *.platform=linux/amd64,linux/riscv64 --push",
)

UNKNOWN_FLAGS = (
    "docker build --provenance=false && docker push",
    "docker build --sbom=true && docker push",
    "docker build --attest type=provenance && docker push",
    "docker build --push",
    "docker build --load && docker push",
    "docker build --output type=image,push=true",
    "docker build --platform linux/riscv64 && docker push",
    "docker build --platform linux/amd64,linux/riscv64 && docker push",
    "docker build && docker push --platform linux/amd64",
    "docker buildx build && docker push",
    "docker buildx bake --push",
    f"{KIT}=0 docker build --provenance=false && docker push",
    "BUILDX_NO_DEFAULT_LOAD=1 docker build && docker push",
    "DOCKER_DEFAULT_PLATFORM=linux/s390x docker build && docker push",
    "docker build --build-arg BUILDKIT_MULTI_PLATFORM=1 && docker push",
)
LEGACY_WITH_BUILDX = (
    f"{KIT}=0 docker build --provenance=false && docker push",
    f"{KIT}=0 docker build --sbom=true && docker push",
    f"{KIT}=0 docker build --load && docker push",
    f"{KIT}=0 docker build --platform linux/riscv64 && docker push",
    f"{KIT}=0 docker build && docker push --platform linux/amd64",
)
OLD = (
    f"{KIT}=1 docker build --provenance=false && docker push",
    f"{KIT}=1 docker build --push",
    f"{KIT}=1 docker build --platform linux/riscv64 && docker push",
    f"{KIT}=1 docker build --platform linux/amd64,linux/riscv64 && docker push",
    f"{KIT}=1 {OFF}=yes docker build && docker push",
    f"{KIT}=1 docker build --output type=local,dest=out && docker push",
    f"{KIT}=1 docker build --build-arg BUILDKIT_MULTI_PLATFORM=1 && docker push",
)

_O = "docker buildx build --builder @OTHER@"
OTHER = (
    f"{_O} --push",
    f"{_O} --push --provenance=false",
    f"{_O} --push --provenance=mode=max",
    f"{OFF}=1 {_O} --push",
    f"{OFF}=yes {_O} --push",
    f"{OFF}= {_O} --push",
    f"{_O} && docker push",
    f"{_O} --load && docker push",
    f"{_O} --load --provenance=false && docker push",
    f"{_O} --load --provenance=true && docker push",
    f"{_O} --load --provenance=mode=max && docker push",
    f"{_O} --output type=image,push=true,attestation-inline=false",
    f"{_O} --output type=image,push=true,oci-mediatypes=true --provenance=false",
    f"{_O} --output type=registry",
    f"{_O} --platform linux/amd64,linux/riscv64 --push",
    f"{_O} --platform linux/amd64,linux/riscv64 --push --provenance=false",
    f"{_O} --platform linux/amd64,linux/riscv64 --load && docker push",
    f"{_O} --build-arg BUILDKIT_MULTI_PLATFORM=1 --push --provenance=false",
    "docker build --builder @OTHER@ --push",
    "BUILDX_BUILDER=@OTHER@ docker build --push",
    "BUILDX_BUILDER=@OTHER@ docker build && docker push",
    f"{KIT}=0 docker build --builder @OTHER@ && docker push",
    "docker buildx bake --builder @OTHER@ --push",
)
OTHER_MORE = (
    f"{_O} --output type=image,push=true,attestation-inline=false --provenance=true",
    f"{_O} --output type=docker && docker push",
    f"{_O} --output type=oci,dest=image.tar && docker push",
    f"{_O} --platform linux/riscv64 --push",
    f"{_O} --platform linux/amd64,linux/riscv64 --load --provenance=false && docker push",
    f"{_O} --build-arg BUILDKIT_MULTI_PLATFORM=1 --load && docker push",
    f"{_O} --load --sbom=generator=@SCANNER@ --provenance=false && docker push",
    f"{_O} --push --sbom=generator=@SCANNER@",
    f"{_O} --load && docker push --platform linux/amd64",
)
ELSEWHERE = (f"{_O} --output type=image && docker push",)
"""Where the builder's engine is not the worker's own: behind a bridge to its own, the image would be in its store."""
SELECTED = (
    "docker build && docker push",
    "docker build --push",
    "docker buildx build && docker push",
    "docker buildx build --push",
    "docker buildx build --load && docker push",
    "docker buildx bake --push",
    "BUILDX_BUILDER=default docker buildx build && docker push",
    "docker buildx build --builder default --push",
)
LOADER = (
    f"{_O} && docker push",
    f"{_O} --provenance=false && docker push",
    f"{_O} --provenance=true && docker push",
    f"{_O} --push",
    f"BUILDX_NO_DEFAULT_LOAD=1 {_O} && docker push",
    f"{_O} --platform linux/amd64,linux/riscv64 && docker push",
    "BUILDX_BUILDER=@OTHER@ docker build && docker push",
)
ALIAS = (
    "docker build && docker push",
    f"{KIT}=0 docker build && docker push",
    f"{KIT}=1 docker build && docker push",
    f"{KIT}=garbage docker build && docker push",
    "docker build --push",
    f"{OFF}=1 docker build && docker push",
)
