"""What registries answer to an index, and what becomes of its untagged children."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

_FLAT = (
    "Or build flat images: --provenance=false, or BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the build service's environment."
)

SYMPTOMS = (
    Symptom(
        id="S5",
        title="a tag shows as several artifacts of 0 bytes",
        nature="harmless",
        where="Google Container Registry's listing",
        cause="An index stands there as one tagged and two untagged entries: the image and its attestation.",
        do="leave the untagged entries where they are: nothing is lost",
        fixes=("Move to Artifact Registry, which shows an index as one.", _FLAT),
        signatures=(
            seen(r"gcr\.io/[^\s\"']{1,200}", r"\b0 (?:bytes|B)\b", score=14),
            seen("3 artifacts", r"\b0 bytes", score=12),
        ),
        refs=("docker/buildx#1533",),
    ),
    Symptom(
        id="S7",
        title="a clean-up rule and the untagged children of an index",
        nature="configuration",
        where="ECR's lifecycle rules, GHCR's clean-up actions",
        cause="The children of an index carry no tag. A rule for untagged images deletes them while the index needs "
        "them, or never frees them because the index refers to them.",
        do="clean up with a tool that knows an index's children",
        fixes=(
            "Delete the index first, then what nothing refers to any more.",
            "On GHCR use an action that reads the indexes, such as dataaxiom/ghcr-cleanup-action.",
            _FLAT,
        ),
        signatures=(
            seen("ImageReferencedByManifestList", score=86),
            seen("referenced by manifest list", score=80),
            seen("delete-only-untagged-versions", score=30),
            seen("lifecycle", "untagged", r"(?:expire|delet)", score=44),
        ),
        refs=(
            "aws/containers-roadmap#1596",
            "aws/containers-roadmap#2613",
            "actions/delete-package-versions#90",
            "actions/delete-package-versions#162",
        ),
    ),
    Symptom(
        id="S8",
        title="a tag on GHCR points to a manifest that is gone",
        nature="permanent",
        where="a pull from ghcr.io",
        cause="A clean-up of untagged versions deleted the children of the index that the tag names.",
        do="push the image again, then clean up with a tool that knows an index's children",
        fixes=(
            "Push the tag again; what was deleted does not come back.",
            "Clean up with dataaxiom/ghcr-cleanup-action or another that reads the indexes.",
            "Where nothing was cleaned up, the name or tag is wrong.",
        ),
        signatures=(
            seen(
                r"ghcr\.io/(?P<ref>[^\s\"']{1,200})",
                "manifest unknown",
                score=56,
                says="ghcr.io/{ref} points to a manifest that is gone",
            ),
        ),
        refs=("chizkiyahu/delete-untagged-ghcr-action#45", "snok/container-retention-policy#97"),
    ),
    Symptom(
        id="S9",
        title="the platform unknown/unknown is an attestation",
        nature="harmless",
        where="listings of GHCR, Gitea and other registries, `imagetools inspect`",
        cause="An attestation stands in the index as an entry of its own, with the platform unknown/unknown.",
        do="leave it: it is only how it looks",
        fixes=("Leave it, or leave entries marked vnd.docker.reference.type out of the listing.", _FLAT),
        signatures=(seen("unknown/unknown", score=5),),
        refs=("go-gitea/gitea#24973", "docker/build-push-action#820", "docker/build-push-action#900"),
    ),
    Symptom(
        id="S10",
        title="the registry does not take an OCI index or its attestation",
        nature="configuration",
        where="self-hosted Quay, Artifactory before 7.11.1, Harbor 1, Replicated, an old local registry",
        cause="The registry is older than OCI indexes, or checks the media types of what is in them.",
        do="upgrade the registry, or build without attestations",
        fixes=(
            "Upgrade the registry to a version that stores OCI indexes (Artifactory: 7.11.1).",
            "Build with --provenance=false, or with BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the build service's "
            "environment.",
        ),
        signatures=(
            seen("error from registry: manifest invalid", score=64),
            seen(r"failed commit on ref \"(?:index|manifest)-sha256", "400 Bad Request", score=66),
            seen(r"/manifests/[^\s\"']{1,200}", "400 Bad Request", score=60),
        ),
        refs=(
            "actions/runner-images#13474",
            "docker/buildx#1513",
            "docker/buildx#1653",
            "replicatedhq/replicated-docs#1617",
            "sixeyed/diamol#77",
        ),
        rules=("FA404",),
        leads_to=("R-shape",),
    ),
    Symptom(
        id="S11",
        title="the registry has no place for the index (404 on PUT)",
        nature="configuration",
        where="an old Gitea, Yandex's registry, one report of GitLab's",
        cause="The registry answers 404 to a manifest of a kind that it does not know.",
        do="upgrade the registry, or build without attestations",
        fixes=(
            "Upgrade the registry.",
            "Build with --provenance=false, or with BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the build service's "
            "environment.",
            "Check that the repository exists and its name is right.",
        ),
        signatures=(
            seen(r"failed commit on ref \"(?:index|manifest)-sha256", "404 Not Found", score=72),
            seen("PUT", r"/manifests/[^\s\"']{1,200}", "404 Not Found", score=66),
            seen(r"failed commit on ref \"(?:index|manifest)-sha256", score=24),
        ),
        refs=("go-gitea/gitea#37093", "docker/buildx#1513", "docker/buildx#1653"),
        rules=("FA404",),
    ),
    Symptom(
        id="R-lag",
        title="the registry does not see yet what was just pushed",
        nature="transient",
        where="a push or merge right after another",
        cause="The registry answers from a copy that does not have the blob or manifest yet, or it dropped one that "
        "nothing referred to.",
        do="retry after a few seconds; mount or push the missing blobs again",
        fixes=(
            "Retry after 1, 3 and 9 seconds.",
            "Where it stays: push the image that holds the missing blob again.",
            "With a client before 23.0, `docker manifest push` changes the children's bytes: use a newer one.",
        ),
        signatures=(
            seen("manifest blob unknown", score=66),
            seen("MANIFEST_BLOB_UNKNOWN", score=66),
            seen("blob unknown to registry", score=66),
            seen("unknown blob", score=64),
            seen("blob upload unknown", score=66),
            seen("BLOB_UPLOAD_UNKNOWN", score=66),
            seen(r"@sha256:[0-9a-f]{6,64}", "manifest unknown", score=42),
        ),
        refs=("GoogleContainerTools/jib#4301", "infobloxopen/konk#626", "int128/docker-manifest-create-action#858"),
        leads_to=("R-source",),
    ),
    Symptom(
        id="R-quay-race",
        title="Quay refused a good manifest that was pushed twice at once",
        nature="transient",
        where="quay.io",
        cause="The same manifest was pushed under two tags at the same moment.",
        do="retry, one tag after the other",
        fixes=(
            "Retry once, with the pushes of one manifest one after the other.",
            "Where it stays, the manifest itself is refused: see S10.",
        ),
        signatures=(
            seen(r"\bquay\.io/[^\s\"']{1,200}", "manifest invalid", score=68),
            seen(r"\bquay\.io/[^\s\"']{1,200}", "MANIFEST_INVALID", score=68),
        ),
        refs=("GoogleContainerTools/jib#2470", "containers/buildah#2594", "containers/podman#8353"),
        leads_to=("R-shape",),
    ),
    Symptom(
        id="R-source",
        title="the image that was asked for is not at the registry",
        nature="permanent",
        where="a pull, or a merge that reads its sources",
        cause="The name or tag does not exist there: it was never pushed, the build of that platform failed, it was "
        "deleted, or it is misspelt.",
        do="check that the build of that image ended well, then the name",
        fixes=(
            "Look for the build that should have pushed it; merge when it is there.",
            "Correct the name; a private repository without a login looks the same.",
        ),
        signatures=(
            seen(r"manifest for (?P<ref>[^\s\"']{1,200}) not found", score=48, says="{ref} is not at the registry"),
            seen("name unknown", score=46),
            seen("repository name not known to registry", score=48),
            seen("manifest unknown", score=34),
            seen("failed to resolve source metadata for", "not found", score=44),
            seen(r"failed to resolve reference", "not found", score=44),
        ),
    ),
)
