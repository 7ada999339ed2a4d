"""What reads an image: services that run it, scanners, updaters, scripts."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

_OFF = (
    "Build with --provenance=false, or with BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the environment of the build service; "
    "this helps for new pushes only."
)
_CHILD = "Deploy by the digest of the image's own manifest: `docker buildx imagetools inspect IMAGE` lists it."

SYMPTOMS = (
    Symptom(
        id="S3",
        title="AWS Lambda does not take an index",
        nature="configuration",
        where="AWS Lambda, when a function is made or updated",
        cause="The tag names an index (image and attestation), and Lambda takes a flat manifest only.",
        do="build without attestations, or deploy by the digest of the image inside the index",
        fixes=(_OFF, _CHILD),
        signatures=(
            seen(r"image manifest, config or layer media type (?P<type>[^\s\"']{0,120})", "is not supported", score=93),
            seen("manifest or layer media type", "is not supported", score=91),
        ),
        refs=(
            "aws/aws-lambda-roadmap#82",
            "docker/buildx#1533",
            "serverless/serverless#12808",
            "terraform-aws-modules/terraform-aws-lambda#741",
            "aws-samples/bedrock-chat#890",
        ),
        rules=("FA404",),
    ),
    Symptom(
        id="S4",
        title="Cloud Run does not find the image",
        nature="configuration",
        where="Cloud Run before February 2023",
        cause="Cloud Run did not take an index then, and said that there was no image; it does since February 2023.",
        do="check that the image exists; where it does, build without attestations",
        fixes=("Check the name, and that the service may read the repository.", _OFF),
        signatures=(
            seen(r"Image '(?P<image>[^'\n]{1,200})' not found", score=57, says="Cloud Run does not find {image}"),
            seen(r"\bImage not found", score=30),
        ),
        refs=(
            "docker/buildx#1533",
            "docker/build-push-action#755",
            "docker/build-push-action#769",
            "docker/build-push-action#778",
            "docker/setup-buildx-action#187",
        ),
    ),
    Symptom(
        id="S6",
        title="ECR cannot scan an index",
        nature="configuration",
        where="Amazon ECR's image scan",
        cause="The tag names an index, and ECR scans images only.",
        do="scan by the digest of the image inside the index",
        fixes=("Start the scan for the digest of each image inside the index.", _OFF),
        signatures=(seen(r"artifact with media type '?(?P<type>[^\s']{1,120})'? cannot be scanned", score=93),),
        refs=("moby/buildkit#3499", "actions/runner-images#13474"),
        rules=("FA404",),
    ),
    Symptom(
        id="S12",
        title="a client that does not know OCI indexes asks for one",
        nature="configuration",
        where="Cloud Foundry's lifecycle, .NET's registry client and other readers of GHCR",
        cause="The client's Accept header lists no OCI index, and the registry has nothing else under that name.",
        do="update the client; until then build without attestations",
        fixes=("Update what reads the registry.", _OFF),
        signatures=(
            seen("OCI index found, but Accept header does not support OCI indexes", score=95),
            seen("OCI manifest found, but Accept header does not support OCI manifests", score=93),
        ),
        refs=(
            "cloudfoundry/dockerapplifecycle#13",
            "docker/build-push-action#778",
        ),
        leads_to=("R-source", "S8", "R-lag"),
    ),
    Symptom(
        id="S13",
        title="an updater does not understand unknown/unknown and keeps the old digest",
        nature="configuration",
        where="opam-health-check with docker_hub 0.1.1",
        cause="Its parser stops at the attestation's platform, so that it never sees the new digest.",
        do="update the reader (docker_hub 0.2.0 or newer), and look at how old its digest is",
        fixes=("Update it; let it skip entries of the platform unknown/unknown.", _OFF),
        signatures=(seen("Could not get digest", score=76),),
        refs=("ocurrent/opam-health-check#111",),
    ),
    Symptom(
        id="S14",
        title="an updater commits a digest that nobody can pull",
        nature="configuration",
        where="argocd-image-updater with the digest strategy",
        cause="Probably it took the digest of an entry that is no image; the report is still open.",
        do="tell it the platform, or update it",
        fixes=("Set the platforms annotation of the application, and update argocd-image-updater.", _OFF),
        signatures=(
            *(
                seen(r"(?:argocd-)?image-?updater", said, score=60)
                for said in ("manifest unknown", "no match for platform", "cannot be pulled", "not found")
            ),
        ),
        refs=("argoproj-labs/argocd-image-updater#530",),
    ),
    Symptom(
        id="S15",
        title="Watchtower asks for a kind of manifest that is not there",
        nature="configuration",
        where="Watchtower of 2023 and its forks",
        cause="Its HEAD request lists no OCI index, so that the registry answers 404; it falls back to a whole pull.",
        do="update Watchtower",
        fixes=("Update Watchtower, or move to a fork that is kept up.", _OFF),
        signatures=(
            seen("registry responded to head request with", score=88),
            seen("Could not do a head request for", score=86),
            seen("registry responded with invalid HEAD request", score=86),
        ),
        refs=(
            "containrrr/watchtower#1528",
            "deconz-community/deconz-docker#172",
            "dgtlmoon/changedetection.io#1332",
        ),
    ),
    Symptom(
        id="S16",
        title="Azure cannot read the image",
        nature="configuration",
        where="Azure Container Instances and ACR tasks of 2023",
        cause="They did not take an index then (confirmed for ACR tasks, probable for Container Instances).",
        do="build without attestations, after a look at the name and the login",
        fixes=(_OFF, "Check the image's name and the credentials too: the text is the same for them."),
        signatures=(seen("InaccessibleImage", score=80),),
        refs=("n8n-io/n8n#5394", "docker/build-push-action#778", "microsoft/azure-pipelines-tasks#19358"),
    ),
    Symptom(
        id="S17",
        title="a check of platforms counts the attestation",
        nature="configuration",
        where="release scripts of one's own",
        cause="The index lists its attestation under the platform unknown/unknown, and the script takes it for an "
        "image.",
        do="leave entries with the annotation vnd.docker.reference.type out of the check",
        fixes=("Filter by the annotation vnd.docker.reference.type, not by the number of entries.", _OFF),
        signatures=(
            *(
                seen(rf"\b{said}\b", r"[^\n]{0,200}\bunknown/unknown", score=58)
                for said in ("got", "found", "actual", "expected", "unexpected", "mismatch")
            ),
        ),
        refs=("docker-library/repo-info#80",),
    ),
    Symptom(
        id="S18",
        title="no attestation belongs to the digest that was verified",
        nature="configuration",
        where="Conforma, `gh attestation verify`, cosign",
        cause="A merge makes an index with a digest of its own, which nobody attested; or a script took the first "
        "digest out of a log.",
        do="sign and attest the digest of the final index",
        fixes=(
            "Attest after the merge, by the digest that the merge reports (--metadata-file), never by one out of a "
            "log.",
            "Or verify the image inside the index by its own digest.",
        ),
        signatures=(
            seen("No attestations contain a subject that match", score=88),
            seen("no matching attestations", score=84),
            seen("no attestation matches", score=84),
            seen("none of the attestations matched", score=84),
            seen("no attestations found", score=76),
        ),
        refs=("slauger/openvox-operator#431", "sysadminsmedia/homebox#1685", "sigstore/cosign#3552"),
    ),
    Symptom(
        id="S19",
        title="the digest differs between two builds of the same input",
        nature="permanent",
        where="checks for reproducible builds",
        cause="Provenance holds the time and the number of the build, so that the index changes though the image does "
        "not.",
        do="compare the digests of the images inside the index",
        fixes=("Compare the children's digests, not the index's.", _OFF),
        signatures=(
            seen(
                r"digests? (?:differs?|changed|do(?:es)? not match|mismatch)",
                r"(?:rebuild|second build|same (?:input|source|"
                r"commit)|reproduc)",
                score=46,
            ),
            seen("not reproducible", "digest", score=50),
            seen("reproducib", r"digests?[^\n]{0,60}differ", score=50),
        ),
        refs=("docker/cli#6996", "moby/buildkit#3421"),
    ),
    Symptom(
        id="S21",
        title="an import into containerd lacks the content of other platforms",
        nature="permanent",
        where="`kind load`, `k3d image import`, `ctr images import`",
        cause="`docker save` on the containerd store writes the whole index, and only one platform's content.",
        do="save one platform with `docker save --platform`, and import that archive",
        fixes=(
            "`docker save --platform linux/ARCH -o image.tar IMAGE` (client and engine 28 or newer), then `kind load "
            "image-archive image.tar`.",
            "Or push to a registry that the cluster pulls from.",
        ),
        signatures=(
            seen(r"ctr: content digest (?P<digest>sha256:[0-9a-f]{6,64}): not found", score=90),
            seen(r"ctr: content digest", "not found", score=88),
        ),
        refs=("kubernetes-sigs/kind#3795", "kubernetes-sigs/kind#4247", "k3d-io/k3d#1538"),
        rules=("FA201",),
    ),
    Symptom(
        id="S28",
        title="the same image has another ID on another worker",
        nature="configuration",
        where="fleets whose engines keep images in different stores",
        cause="The ID is the config's digest on a graphdriver, and the manifest's or index's digest on the containerd "
        "store.",
        do="compare the digest of the config, or what the registry serves",
        fixes=(
            "Compare config digests, or digests at the registry, never `docker image inspect`'s Id.",
            "Give the members of a pool one store.",
        ),
        signatures=(
            seen(r"image IDs? (?:differs?|mismatch|do(?:es)? not match)", score=52),
            seen(r"image IDs? is", "expected", r"sha256:", score=44),
        ),
        refs=("docker/cli#6670", "moby/moby#48401", "microsoft/component-detection#1633"),
        rules=("FA501",),
    ),
)
