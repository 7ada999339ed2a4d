"""Making one tag out of several images, and pushing what is not whole."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

_DIGEST = r"sha256:[0-9a-f]{6,64}"

SYMPTOMS = (
    Symptom(
        id="S1",
        title="a source of `docker manifest create` is an index",
        nature="configuration",
        where="`docker manifest create`",
        cause="`docker manifest create` takes flat manifests only. The worker pushed an OCI index (image and "
        "attestation): its engine has the containerd image store, or the builder is a container, and buildx adds "
        "provenance by itself.",
        do="merge with `docker buildx imagetools create`, or turn the attestation off where it was built",
        fixes=(
            "Merge with a tool that takes an index: `docker buildx imagetools create` (buildx 0.13 or newer); "
            "the images stay as they are.",
            "Or build with --provenance=false, or with BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the environment of the "
            "build service; this helps for new pushes only.",
            "`fleet-audit check` names the workers that push an index.",
        ),
        signatures=(
            seen(
                r"(?P<ref>[^\s\"']{1,200}) is a manifest list",
                score=93,
                says="{ref} is an index, and `docker manifest create` takes flat manifests only",
            ),
        ),
        refs=(
            "docker/buildx#1509",
            "ocurrent/ocurrent#474",
            "cockroachdb/cockroach#164559",
            "kubernetes-sigs/aws-ebs-csi-driver#1489",
            "docker/build-push-action#1339",
        ),
        rules=("FA404", "FA502", "FA501", "FA204"),
        leads_to=("R-source",),
    ),
    Symptom(
        id="S2",
        title="`docker manifest` finds no manifest that it can read",
        nature="permanent",
        where="`docker manifest inspect` and `create`",
        cause="Where a pull of the same name works: a client before 23.0 cannot read OCI manifests and indexes, and "
        "says that there is none. Otherwise the name is wrong, is not there yet, or this account may not see it.",
        do="try `docker buildx imagetools inspect` on that name: it reads every kind",
        fixes=(
            "Use `docker buildx imagetools inspect` and `create` in the place of `docker manifest`, or a client of "
            "23.0 or newer.",
            "Where imagetools finds nothing either: wait for the build of that platform, or correct the name.",
        ),
        signatures=(
            seen(
                r"no such manifest: (?P<ref>[^\s\"']{1,200})",
                score=62,
                says="`docker manifest` finds nothing that it can read under {ref}",
            ),
        ),
        refs=("docker/buildx#1509", "docker/build-push-action#764"),
        rules=("FA109",),
    ),
    Symptom(
        id="S20",
        title="a push of an index whose other platforms are not on this machine",
        nature="permanent",
        where="`docker push` on the containerd store",
        cause="The tag names an index, and only one of its platforms was pulled or kept; a push sends the whole index.",
        do="push the one platform with `docker push --platform`, or copy the index with `docker buildx imagetools "
        "create`",
        fixes=(
            "`docker push --platform linux/ARCH` (client and engine 27 or newer) sends the one that is there.",
            "`docker buildx imagetools create -t NEW OLD` copies the index from registry to registry, without this "
            "machine.",
        ),
        signatures=(
            seen("missing content: content digest", score=91),
            seen("trying to push a manifest list/index", score=91),
            seen(
                "references multiple platform specific manifests, but not all of them are available locally", score=91
            ),
            seen("multiple matching manifests found but no specific platform requested", score=88),
            seen("does not provide any platform", score=70),
            seen(rf"content digest {_DIGEST}: not found", score=52),
        ),
        refs=("docker/cli#4959", "moby/moby#48731", "moby/moby#52897", "moby/moby#50194"),
        rules=("FA201",),
        leads_to=("R-source",),
    ),
    Symptom(
        id="S29",
        title="a single-platform tag became a list",
        nature="configuration",
        where="what reads a tag that `docker buildx imagetools create` wrote",
        cause="imagetools wraps a single flat source into an index of one unless it is told not to.",
        do="copy with `--prefer-index=false`",
        fixes=(
            "`docker buildx imagetools create --prefer-index=false` (buildx 0.15 or newer) copies a flat manifest as "
            "it is.",
            "Where an index is fine, let the reader take one.",
        ),
        signatures=(
            *(
                seen(wanted, r"manifest\.v[12]\+json", got, score=56)
                for wanted in ("expected", "wanted")
                for got in (r"manifest\.list\.v2\+json", r"image\.index\.v1\+json")
            ),
            *(
                seen("unexpected media type", got, score=54)
                for got in (r"manifest\.list\.v2\+json", r"image\.index\.v1\+json")
            ),
        ),
        refs=("docker/buildx#2481",),
    ),
    Symptom(
        id="S30",
        title="the image is of another Windows build than the host",
        nature="permanent",
        where="a pull or run on Windows",
        cause="The merged tag does not say which Windows build each image is for: `imagetools create` writes no "
        "os.version, so that all entries are windows/amd64 and the wrong one is taken.",
        do="merge again with os.version in each entry",
        fixes=(
            "Merge with a tool that copies os.version: `docker manifest create` does, imagetools does not.",
            "Where the tag holds no image for this Windows build at all, build one.",
        ),
        signatures=(
            seen(r"no matching manifest for windows/(?P<arch>\w{1,20})", score=84),
            seen(
                r"Windows version (?P<image>[\d.]{1,30})-based image is incompatible with a (?P<host>[\d.]{1,30}) host",
                score=88,
                says="an image for Windows {image} was chosen on a host of {host}",
            ),
            seen("container operating system does not match the host operating system", score=88),
        ),
        refs=("docker/cli#2722", "estesp/manifest-tool#27", "estesp/manifest-tool#28"),
    ),
    Symptom(
        id="R-placing",
        title="a blob could not be mounted into the target repository",
        nature="permanent",
        where="`docker manifest push`",
        cause="The registry answered a mount with an upload: the blob is not in the source repository, or the account "
        "may not pull there; or source and target are on different registries, where nothing can be mounted.",
        do="check that the account may pull from the source repository, and that both are on one registry",
        fixes=(
            "Log in as an account with pull on the source and push on the target repository.",
            "Copy with `docker buildx imagetools create`, which uploads what it cannot mount.",
            "Where the same line tells of a time-out or a refusal, that is the cause, not the mount.",
        ),
        signatures=(
            seen("cannot use source images from a different registry", score=90),
            seen(
                r"error mounting (?P<blob>[^\s\"']{1,200}) to (?P<ref>[^\s\"']{1,200})",
                score=50,
                says="{blob} could not be mounted into {ref}",
            ),
            seen("failed to mount blob", score=25),
        ),
        refs=("google/go-containerregistry#1609", "google/go-containerregistry#1679"),
    ),
    Symptom(
        id="R-local-list",
        title="a local manifest list of an earlier try is in the way",
        nature="permanent",
        where="`docker manifest create`",
        cause="`docker manifest create` keeps its list on disk; one of an earlier, broken run is there. With --amend "
        "it would keep the old digests of tags that moved since.",
        do="`docker manifest rm` the list, then create it again",
        fixes=(
            "`docker manifest rm LIST` before each create; do not use --amend on tags that move.",
            "Or merge with imagetools, which keeps nothing on disk.",
        ),
        signatures=(seen("refusing to amend an existing manifest list", score=92),),
        refs=("stackrox/stackrox#22856",),
    ),
    Symptom(
        id="R-shape",
        title="what was to be pushed is not a manifest that can be merged or stored",
        nature="permanent",
        where="a merge, or a registry's check of it",
        cause="The source, its platform, a digest or a name is not what the tool or the registry takes; the same "
        "input will be refused again.",
        do="correct the input that the line names",
        fixes=(
            "`must have an OS and Architecture`: `docker manifest annotate` it, or build with a platform.",
            "A digest that does not agree: fetch the source again, and merge by digest instead of by tag.",
            "413 or too large: the manifest or the layer is larger than the registry or a proxy before it lets "
            "through.",
        ),
        signatures=(
            seen("must have an OS and Architecture to be pushed", score=86),
            seen("schema1 manifests are not allowed", score=86),
            seen("unsupported os/arch combination", score=86),
            seen("internal digest mismatch", score=84),
            seen("provided digest did not match", score=70),
            seen("invalid size mismatch", score=70),
            seen(
                "413 Request Entity Too Large",
                score=66,
                says="the upload is larger than the registry or a proxy allows",
            ),
            seen("413 Payload Too Large", score=66, says="the upload is larger than the registry or a proxy allows"),
            seen("annotations are not supported yet", score=74),
            seen("invalid reference format", score=60, says="the image's name is not well written"),
            seen("name invalid", score=50),
            seen("digest invalid", score=54),
            seen("size invalid", score=50),
            seen("tag invalid", score=50),
            seen("manifest invalid", score=36),
        ),
        refs=("hexpm/bob#245",),
    ),
    Symptom(
        id="D-imagetools",
        title="imagetools was not told what to write where",
        nature="permanent",
        where="`docker buildx imagetools create`",
        cause="A source, a tag or a repository is missing on the command line.",
        do="name each source with its repository and digest, and give --tag",
        fixes=("Write sources as repository@sha256:…, and the target with --tag.",),
        signatures=(
            seen("multiple repositories specified, cannot infer repository", score=86),
            seen("can't push with no tags specified", score=86),
            seen("no repositories specified, please set a reference in tag or source", score=86),
            seen("valid sources are digests, references and descriptors", score=86),
            seen(
                "none of the manifests match the provided platforms",
                score=86,
                says="no source has an image for the platforms asked for",
            ),
        ),
    ),
)
