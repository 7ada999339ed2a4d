"""What each version is known to do: one row a fact of the field, with its source. No version is compared elsewhere.

Read in source at the tags named (repo@tag:path:line; cli = docker/cli, buildx = docker/buildx, buildkit =
moby/buildkit, moby = moby/moby); rows marked *run* were also seen on real engines (docs/proofs.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

Part = Literal["client", "engine", "buildx", "buildkit"]


@dataclass(frozen=True)
class Known:
    """One change of behaviour.

    Attributes:
        name: how the predictor asks for it.
        part: whose version decides.
        since: the first version that does it.
        text: what it does, as a clause.
        source: where that stands.
        until: the first version that does it no more.
    """

    name: str
    part: Part
    since: str
    text: str
    source: str
    until: str | None = None


NEWEST: Mapping[Part, str] = {"client": "29.7.2", "engine": "29.7.2", "buildx": "0.36.1", "buildkit": "0.32.2"}
"""The newest versions whose source was read; what is newer is answered as these, and said so."""

_ROWS = (
    Known(
        "client.plugin", "client", "23.0.0",
        "`docker build` is buildx, and the legacy builder where buildx is missing or broken",
        "cli@v23.0.0:cmd/docker/builder.go processBuilder; before: cli@v20.10.27:cli/command/cli.go:175; run",
    ),
    Known(
        "client.refuses-empty-switch", "client", "23.0.0",
        "a DOCKER_BUILDKIT that is set but empty ends every command with an error",
        "cli@v23.0.0:cmd/docker/builder.go (LookupEnv); cli@v23.0.5 takes it for unset",
        until="23.0.5",
    ),
    Known(
        "client.push-platform", "client", "27.0.0",
        "`docker push` takes --platform",
        "cli@v27.5.1:cli/command/image/push.go:65; run",
    ),
    Known(
        "engine.containerd-store", "engine", "24.0.0",
        "may keep its images in containerd's store",
        "moby@v24.0.9:daemon/daemon.go:806; no containerd-snapshotter in v23.0.18; run",
    ),
    Known(
        "engine.prefers-buildkit", "engine", "23.0.0",
        "its ping names BuildKit, so a client of 20.10 builds with its own BuildKit unless told otherwise",
        "moby@v23.0.0:api/server/backend/build/backend.go; run with client 20.10.24",
    ),
    Known(
        "engine.push-platform", "engine", "27.0.0",
        "its API (1.46) pushes one platform of an index",
        "cli@v27.5.1:cli/command/image/push.go:66 (annotation 1.46); moby API 1.46; run",
    ),
    Known(
        "buildx.attestations", "buildx", "0.10.0",
        "asks for provenance by default (mode=min, inline only), and knows --provenance, --sbom and --attest",
        "buildx@v0.10.0:build/build.go:591-604; run from 0.13.1 on",
    ),
    Known(
        "buildx.attestations-by-capability", "buildx", "0.10.1",
        "asks only a BuildKit that says it can attest",
        "buildx@v0.10.1:build/build.go:458",
    ),
    Known(
        "buildx.heeds-switch", "buildx", "0.10.4",
        "reads BUILDX_NO_DEFAULT_ATTESTATIONS",
        "buildx@v0.10.4:build/build.go:470; run from 0.13.1 on",
    ),
    Known(
        "buildx.load-knows-store", "buildx", "0.11.0",
        "--load sends an OCI archive to a containerd store",
        "buildx@v0.11.0:build/build.go:536 (OCIImporter)",
    ),
    Known(
        "buildx.attestations-by-driver", "buildx", "0.12.0",
        "asks only where the driver can export several manifests: not the docker driver on a graphdriver store",
        "buildx@v0.12.0:build/build.go:462 (MultiPlatform); run from 0.10.5 on",
    ),
    Known(
        "buildx.explains-refusals", "buildx", "0.12.0",
        "says what is not supported for which driver, and what to do",
        "buildx@v0.12.0:build/build.go:1609 (notSupported); before: `multiple platforms feature is currently not "
        "supported for docker driver`; run with 0.10.5, 0.11.2 and 0.12.1",
    ),
    Known(
        "buildx.names-driver", "buildx", "0.13.0",
        "names the driver where it refuses an attestation",
        "buildx@v0.13.0:build/build.go:260; before: `attestations are not supported by the current buildkitd`",
    ),
    Known(
        "buildx.several-outputs", "buildx", "0.13.0",
        "takes several outputs",
        "buildx@v0.13.0:build/build.go:294; before: `multiple outputs currently unsupported`",
    ),
    Known(
        "buildx.default-load", "buildx", "0.14.0",
        "driver-opt default-load brings results into the engine's store",
        "buildx@v0.14.0:driver/docker-container/factory.go",
    ),
    Known(
        "buildx.direct-push", "buildx", "0.22.0",
        "--push of the docker driver on the containerd store goes once, by BuildKit; before also by the engine",
        "buildx commit 4f7d145c0; buildx@v0.21.3:build/build.go:539-553",
    ),
    Known(
        "buildx.image-digest-loaded", "buildx", "0.24.0",
        "--iidfile of another driver's --load holds a digest that a containerd store knows",
        "buildx@v0.24.0:build/opt.go:243 (prefer-image-digest); run with 0.29.1, and 0.13.1 without it",
    ),
    Known(
        "buildx.image-digest", "buildx", "0.36.0",
        "--iidfile of the docker driver holds a digest that a containerd store knows",
        "buildx@v0.36.1:build/opt.go:492-497 (prefer-image-digest); docker/buildx#3952; run with 0.36.1",
    ),
    Known(
        "buildx.artifact-switch", "buildx", "0.36.1",
        "reads BUILDX_NO_DEFAULT_OCI_ARTIFACT",
        "buildx@v0.36.1:build/opt.go:69-70,516-524",
    ),
    Known(
        "buildkit.attestations", "buildkit", "0.11.0",
        "can attest (capability exporter.image.attestations)",
        "buildkit@v0.11.0:util/apicaps; moby vendor.mod of v24.0.0 (0.11.6)",
    ),
    Known(
        "buildkit.artifact-option", "buildkit", "0.19.0",
        "takes the exporter's attribute oci-artifact",
        "buildkit@v0.19.0:exporter/containerimage/exptypes/keys.go; run with engine 28.5.2 (0.25.2)",
    ),
    Known(
        "buildkit.oci", "buildkit", "0.31.0",
        "writes OCI media types unless told otherwise, and refuses attestations without them",
        "buildkit@v0.31.0:solver/llbsolver/compat/compat.go:13; exporter/containerimage/opts.go; run with 29.7.2",
    ),
    Known(
        "buildkit.artifact", "buildkit", "0.32.0",
        "stores an attestation as an OCI artifact",
        "buildkit@v0.32.0:exporter/containerimage/export.go:594-597; run with 29.7.2",
    ),
)  # fmt: skip

KNOWN: Mapping[str, Known] = {row.name: row for row in _ROWS}

_EMBEDDED = (
    ("19.03.0", "0.6.0"),
    ("20.10.0", "0.8.0"),
    ("23.0.0", "0.10.6"),
    ("24.0.0", "0.11.6"),
    ("25.0.0", "0.12.5"),
    ("26.0.0", "0.13.1"),
    ("26.1.5", "0.13.2"),
    ("27.0.1", "0.14.1"),
    ("27.5.1", "0.18.2"),
    ("28.0.0", "0.20.0"),
    ("28.1.1", "0.21.0"),
    ("28.2.2", "0.22.0"),
    ("28.3.3", "0.23.2"),
    ("28.4.0", "0.24.0"),
    ("28.5.2", "0.25.2"),
    ("29.1.0", "0.26.2"),
    ("29.1.5", "0.26.3"),
    ("29.2.0", "0.27.0"),
    ("29.3.0", "0.28.0"),
    ("29.4.0", "0.29.0"),
    ("29.5.0", "0.30.0"),
    ("29.6.0", "0.31.0"),
    ("29.6.2", "0.31.2"),
    ("29.7.0", "0.32.0"),
    ("29.7.2", "0.32.2"),
)
EMBEDDED = tuple((Version(engine), Version(buildkit)) for engine, buildkit in _EMBEDDED)
"""The BuildKit inside an engine, from that engine on (moby vendor.mod, before 22.06 vendor.conf, of each tag)."""

API_FLOORS = (
    (Version("19.03.0"), "1.12"),
    (Version("25.0.0"), "1.24"),
    (Version("29.0.0"), "1.44"),
    (Version("29.3.0"), "1.40"),
)
"""The oldest API that an engine takes unless told otherwise (moby daemon/config/config.go of each tag)."""


def embedded_buildkit(engine: Version) -> Version | None:
    """The BuildKit inside an engine; None: older than any we know."""
    return next((buildkit for since, buildkit in reversed(EMBEDDED) if engine >= since), None)


def engine_with(buildkit: Version) -> Version:
    """The first engine that embeds this BuildKit or a newer one.

    Raises:
        LookupError: no engine that we know does.
    """
    for engine, inside in EMBEDDED:
        if inside >= buildkit:
            return engine
    raise LookupError(f"no engine known embeds BuildKit {buildkit}")


def api_floor(engine: Version) -> str | None:
    """The oldest API that this engine takes unless told otherwise; None: older than any we know."""
    return next((floor for since, floor in reversed(API_FLOORS) if engine >= since), None)
