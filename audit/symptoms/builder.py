"""What the docker client, buildx and BuildKit say about a build."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

SYMPTOMS = (
    Symptom(
        id="S22",
        title="COPY --link --chown with a name, where the copy stands on an empty layer",
        nature="permanent",
        where="a build on the containerd store, or in a builder of its own",
        cause="With --link the copy is made on an empty layer, which has no /etc/passwd to look the name up in. On a "
        "graphdriver --link is ignored, so that the same Dockerfile builds there.",
        do="write the owner as numbers: --chown=1000:1000",
        fixes=(
            "Use a numeric uid:gid in `COPY --link --chown` (and in `ADD`).",
            "Or leave --link out. --chmod only hides it.",
        ),
        signatures=(
            seen("invalid user index: -1", score=96),
            seen("invalid group index: -1", score=94),
        ),
        refs=("docker/buildx#1526", "docker/buildx#1408", "ocurrent/docker-base-images#352"),
        rules=("FA201", "FA501", "FA204"),
    ),
    Symptom(
        id="S27",
        title="the digest that --iidfile wrote is not known to the engine",
        nature="configuration",
        where="`docker tag` or `docker run` after `docker build --iidfile`",
        cause="On the containerd store, with attestations off, buildx before 0.36 writes the config's digest, which "
        "the engine cannot look up.",
        do="upgrade buildx to 0.36 or newer on that worker",
        fixes=(
            "Upgrade buildx to 0.36 or newer.",
            "Or take `containerimage.digest` from --metadata-file, or use the tag given with -t.",
        ),
        signatures=(
            seen(
                r"No such image: (?P<digest>sha256:[0-9a-f]{6,64})",
                score=78,
                says="{digest} is not known to the engine",
            ),
        ),
        refs=("docker/buildx#3952", "moby/moby#45458"),
        rules=("FA310",),
    ),
    Symptom(
        id="D-attest-refused",
        title="attestations were asked for on a store that cannot keep them",
        nature="configuration",
        where="a build on the docker driver with a graphdriver",
        cause="--provenance, --sbom or --attest was given (docker/build-push-action gives it by itself), and the "
        "docker driver keeps attestations on the containerd store only.",
        do="leave the flag out (--provenance=false), or build in a builder of its own",
        fixes=(
            "Build with --provenance=false there.",
            "Or `docker buildx create --use` a docker-container builder, and push from it.",
        ),
        signatures=(seen("Attestation is not supported for the docker driver", score=94),),
        refs=("docker/build-push-action#1339",),
        rules=("FA201", "FA501"),
    ),
    Symptom(
        id="D-load-list",
        title="--load cannot take an index into this image store",
        nature="permanent",
        where="a build with --load in a builder of its own, on a graphdriver",
        cause="The result is an index (an attestation was asked for, or several platforms), and a graphdriver stores "
        "flat images only.",
        do="push instead of --load, or build one platform with --provenance=false",
        fixes=("Use --push.", "Or build one platform, with --provenance=false and without --sbom."),
        signatures=(
            seen("docker exporter does not currently support exporting manifest lists", score=94),
            seen("exporting multiple references to image store is currently unsupported", score=92),
        ),
        rules=("FA201", "FA501"),
    ),
    Symptom(
        id="D-multi-platform",
        title="this builder builds for one platform only",
        nature="configuration",
        where="a build for several platforms on the docker driver with a graphdriver",
        cause="The docker driver builds several platforms at once on the containerd store only.",
        do="build each platform on its own worker and merge, or use a builder of its own",
        fixes=(
            "Build each platform on a native worker, and merge the tags.",
            "Or `docker buildx create --use` a docker-container builder.",
        ),
        signatures=(
            seen("Multi-platform build is not supported for the docker driver", score=94),
            seen("multiple platforms feature is currently not supported for docker driver", score=94),
            seen(
                "push-by-digest is currently not implemented for docker driver",
                score=92,
                says="the docker driver cannot push by digest",
            ),
        ),
        rules=("FA201",),
    ),
    Symptom(
        id="D-boolean",
        title="a switch in the environment is no boolean",
        nature="configuration",
        where="the environment of the build",
        cause="A variable such as BUILDX_NO_DEFAULT_ATTESTATIONS or DOCKER_BUILDKIT is empty or a word that Go does "
        "not take for a boolean: `yes` and `on` are not.",
        do="write 1 or 0, or unset the variable, in the environment of the build service",
        fixes=(
            "Write 1, true, 0 or false; an empty value is an error too, so unset it instead.",
            "Look at the unit's Environment= and EnvironmentFile=: they win over your shell.",
        ),
        signatures=(
            seen(
                r"invalid (?P<name>[A-Z][A-Z_]{2,60})",
                r"strconv\.ParseBool: parsing",
                score=92,
                says="{name} in the environment is no boolean",
            ),
            seen(r"strconv\.ParseBool: parsing", score=88),
            seen("environment variable expects boolean value", score=88),
        ),
        rules=("FA401", "FA402"),
    ),
    Symptom(
        id="D-buildx-missing",
        title="buildx is missing or broken on this worker",
        nature="configuration",
        where="the docker client",
        cause="The buildx plugin is a package of its own, which --no-install-recommends leaves out; or a stale copy in "
        "~/.docker/cli-plugins hides the packaged one.",
        do="install the buildx package on that worker",
        fixes=(
            "Install docker-buildx-plugin (Docker's packages) or docker-buildx (the distribution's).",
            "Remove a stale ~/.docker/cli-plugins/docker-buildx of the user that builds.",
        ),
        signatures=(
            seen("BuildKit is enabled but the buildx component is missing or broken", score=94),
            seen("'buildx' is not a docker command", score=92),
            seen("unknown command: docker buildx", score=92),
            seen('unknown command "buildx" for "docker"', score=92),
        ),
        refs=("docker/buildx#1603", "ocurrent/docker-base-images#356"),
        rules=("FA301", "FA302", "FA303"),
        leads_to=("D-unknown-flag",),
    ),
    Symptom(
        id="D-legacy",
        title="the legacy builder ran, since buildx is missing or turned off",
        nature="harmless",
        where="`docker build`",
        cause="The client found no buildx plugin (or DOCKER_BUILDKIT=0), and fell back to the old builder: flags such "
        "as --provenance are unknown there, and it pushes other media types.",
        do="install the buildx package, unless it is meant to be so",
        fixes=(
            "Install docker-buildx-plugin or docker-buildx.",
            "Unset DOCKER_BUILDKIT=0 in the build service's environment.",
        ),
        signatures=(seen("The legacy builder is deprecated and will be removed", score=18),),
        rules=("FA301",),
    ),
    Symptom(
        id="D-unknown-flag",
        title="this docker does not know a flag that was given",
        nature="configuration",
        where="the docker client",
        cause="The client or buildx is too old for the flag, or the legacy builder runs because buildx is missing "
        "(--provenance, --sbom, --attest, --push and --load are buildx's; `docker push --platform` needs a client of "
        "27).",
        do="install or upgrade buildx on that worker, or leave the flag out",
        fixes=(
            "Install or upgrade buildx (0.10 or newer for --provenance), and the client.",
            "Unset DOCKER_BUILDKIT=0: the legacy builder knows none of these flags.",
        ),
        signatures=(
            seen(r"unknown flag: (?P<flag>--[\w-]{1,60})", score=86, says="this docker does not know {flag}"),
            seen(r"unknown shorthand flag: ", score=80),
        ),
        rules=("FA301", "FA304", "FA109"),
    ),
    Symptom(
        id="D-oci-types",
        title="Docker media types were asked for together with attestations",
        nature="permanent",
        where="a build with --output …,oci-mediatypes=false",
        cause="BuildKit 0.31 and newer refuses it; older ones quietly used OCI types.",
        do="leave oci-mediatypes=false out, or add --provenance=false",
        fixes=("Leave oci-mediatypes=false out, or turn attestations off.",),
        signatures=(seen("cannot export attestations with", "oci-mediatypes=false", score=94),),
    ),
)
