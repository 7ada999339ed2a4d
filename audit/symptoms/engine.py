"""What the engine, and the machine under it, say."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

SYMPTOMS = (
    Symptom(
        id="S26",
        title="layers were pushed uncompressed",
        nature="configuration",
        where="`docker load` and `docker push` on the containerd store",
        cause="The containerd store pushes layers as they were loaded; those of `docker load` are plain tar, so that "
        "the image grows and a reader that expects gzip stops.",
        do="push from the archive with a tool that compresses (skopeo, crane, buildx)",
        fixes=(
            "Copy the archive with `skopeo copy docker-archive:… docker://…` or `crane push`, or build with --push.",
            "A worker with a graphdriver compresses at each push.",
        ),
        signatures=(seen("gzip: invalid header", score=70),),
        refs=("NixOS/nix#15252", "NixOS/nix#15246"),
        rules=("FA201",),
    ),
    Symptom(
        id="S31",
        title="the base image has no image for this platform",
        nature="permanent",
        where="FROM, or a pull",
        cause="The tag holds no entry for the platform: upstream never built it, or dropped it (debian:12 lost s390x).",
        do="take the platform out of the build, or use a base image that has it",
        fixes=(
            "Drop that platform from the build matrix, or pin a base image that still has it.",
            "`docker buildx imagetools inspect IMAGE` lists the platforms.",
        ),
        signatures=(
            seen(
                r"no matching manifest for (?P<platform>[\w./-]{1,60})",
                score=78,
                says="the image has no entry for {platform}",
            ),
            seen("no match for platform in manifest", score=78),
        ),
        rules=("FA105", "FA407"),
        leads_to=("R-source",),
    ),
    Symptom(
        id="D-api-old",
        title="client and engine have no API version in common",
        nature="configuration",
        where="a docker client, or a library that pins an API version",
        cause="Engine 29.0 to 29.2 lets nothing below API 1.44 in, 29.3 and newer nothing below 1.40; an old client "
        "or library speaks an older one.",
        do="upgrade the client or library; until then set min-api-version in daemon.json",
        fixes=(
            "Upgrade the client or library that says it.",
            'Or let older ones in: {"min-api-version": "1.24"} in daemon.json, and restart the engine.',
            "Or upgrade the engine to 29.3 or newer, which lets 1.40 in again.",
        ),
        signatures=(
            seen(
                r"client version (?P<client>[\d.]{1,12}) is too old",
                score=93,
                says="a client of API {client} is too old for this engine",
            ),
            seen(
                r"client version (?P<client>[\d.]{1,12}) is too new",
                score=93,
                says="a client of API {client} is too new for this engine",
            ),
        ),
        refs=(
            "traefik/traefik#12253",
            "containrrr/watchtower#2122",
            "portainer/portainer#12925",
            "testcontainers/testcontainers-java#11212",
            "docker/buildx#3555",
            "actions/runner-images#13474",
        ),
        rules=("FA107", "FA113", "FA106"),
    ),
    Symptom(
        id="D-no-image",
        title="the build left no image to push",
        nature="configuration",
        where="`docker push` or `docker tag` after a build",
        cause="A builder of its own keeps its result in its cache unless --load or --push is given, and so does every "
        "builder with BUILDX_NO_DEFAULT_LOAD=1.",
        do="build with --push (or --load)",
        fixes=(
            "Give --push or --load, or set `default-load=true` on the builder.",
            "Unset BUILDX_NO_DEFAULT_LOAD in the build service's environment.",
        ),
        signatures=(
            seen(
                r"An image does not exist locally with the tag: (?P<tag>[^\s\"']{1,200})",
                score=70,
                says="there is no image {tag} on this worker to push",
            ),
            seen("Build result will only remain in the build cache", score=64),
        ),
        rules=("FA408",),
    ),
    Symptom(
        id="D-disk",
        title="the disk is full",
        nature="configuration",
        where="a worker, or the registry",
        cause="No room (or no inode) is left where the engine, containerd or the registry writes. On the containerd "
        "store that is containerd's root, which a pruner that watches /var/lib/docker does not see.",
        do="free the disk that holds the images, then run it again",
        fixes=(
            "`docker system df`, then `docker system prune` and `docker builder prune` on that worker.",
            "Look at /var/lib/containerd as well as /var/lib/docker, and at `df -i`.",
        ),
        signatures=(
            seen("no space left on device", score=90),
            seen("disk quota exceeded", score=88),
        ),
        refs=("moby/moby#52539", "docker/cli#6645"),
        rules=("FA207", "FA208", "FA209", "FA206"),
        leads_to=("R-network", "R-server", "R-shape", "R-source", "R-lag", "D-no-image"),
    ),
    Symptom(
        id="D-daemon",
        title="the Docker engine does not answer",
        nature="configuration",
        where="the docker client",
        cause="dockerd is not running, or the client asks at the wrong place (DOCKER_HOST, a context).",
        do="look at `systemctl status docker` on that worker",
        fixes=(
            "`systemctl status docker` and `journalctl -u docker` say why it is down.",
            "Check DOCKER_HOST and `docker context ls` of the user that builds.",
        ),
        signatures=(
            seen("Cannot connect to the Docker daemon", score=84),
            seen("error during connect:", "docker", score=66),
        ),
        rules=("FA104", "FA116"),
        leads_to=("R-network",),
    ),
    Symptom(
        id="D-socket",
        title="this user may not use the Docker socket",
        nature="configuration",
        where="the docker client",
        cause="The user is not in the group that owns the socket, or has not logged in anew since.",
        do="add the build user to the group docker, and restart what runs as it",
        fixes=("Add the user to the group of the socket, and restart its service or session.",),
        signatures=(
            seen("permission denied while trying to connect to the Docker", score=88),
            seen("permission denied", r"docker\.sock", score=86),
            seen(r"docker\.sock", "permission denied", score=86),
        ),
        rules=("FA103",),
        leads_to=("D-daemon",),
    ),
    Symptom(
        id="D-foreign",
        title="a program of another processor was run",
        nature="configuration",
        where="RUN in a build, or a container",
        cause="The image is for another platform than the worker, and no emulator is installed; "
        "DOCKER_DEFAULT_PLATFORM or a base image pinned by a single platform's digest is the usual reason.",
        do="build on a worker of that platform, or give the right base image",
        fixes=(
            "Build on a native worker; pin base images by the digest of the index.",
            "Unset DOCKER_DEFAULT_PLATFORM where it is not meant.",
        ),
        signatures=(
            seen("exec format error", score=82),
            seen("does not match the detected host platform", score=60),
        ),
        rules=("FA105", "FA407"),
    ),
    Symptom(
        id="D-store",
        title="the engine does not start with the image store that its configuration asks for",
        nature="configuration",
        where="dockerd's log",
        cause="daemon.json names a store or driver that this engine cannot use as it is set up.",
        do="correct daemon.json, then start the engine",
        fixes=(
            "userns-remap and an explicit containerd-snapshotter exclude each other: drop one.",
            "A storage-driver that is not registered: remove it, or name one that is.",
        ),
        signatures=(
            seen("not compatible with userns remapping", score=92),
            seen("graphdriver is explicitly enabled but", score=92),
        ),
        refs=("moby/moby#47377",),
        rules=("FA205", "FA111"),
        leads_to=("D-daemon",),
    ),
    Symptom(
        id="D-lxc",
        title="containers do not start inside this LXC guest",
        nature="configuration",
        where="runc 1.3.3 or newer inside LXC or Proxmox",
        cause="The newer runc sets a sysctl that the guest's AppArmor profile forbids.",
        do="update LXC on the host, or run the worker in a virtual machine",
        fixes=("Update the host's LXC and its AppArmor profile.", "Or move the worker into a virtual machine."),
        signatures=(seen("ip_unprivileged_port_start", "permission denied", score=90),),
        refs=("containerd/containerd#12484", "opencontainers/runc#4968", "opencontainers/runc#4972", "lxc/lxc#4630"),
    ),
)
