"""What docker makes of some of a night's tags, on a worker of the lab."""

from __future__ import annotations

from typing import Any

from tests.bench.night.workload import Workload
from tests.lab import Lab

_WORKER = "amd64"
_MOST = 3
_SHOWN = "{{.Os}}/{{.Architecture}}"


def pulled(lab: Lab, target: str, workload: Workload) -> dict[str, Any]:
    """A few tags of different kinds, for every platform that they have, pulled from the lab's registry itself.

    Windows images are left out: no docker on Linux takes them.
    """
    worker = lab.workers[_WORKER]
    folder = f"/root/{target.replace('/', '-')}"
    right, wrong = 0, {}
    tags = _chosen(workload)
    worker.write(f"{folder}/config.json", lab.docker_registry.docker_config("live"))
    try:
        for tag, platforms in tags.items():
            name = f"{lab.registry}/{target}:{tag}"
            for platform in platforms:
                pull = f"docker --config {folder} pull --quiet --platform {platform} {name}"
                done = worker.sh(f"{pull} && docker image inspect --format '{_SHOWN}' {name}", check=False, timeout=300)
                if done.returncode == 0 and done.stdout.split()[-1:] == [platform]:
                    right += 1
                else:
                    wrong[f"{tag} {platform}"] = (done.stderr or done.stdout).strip()[-300:]
            lab.forget(worker, [name])
    finally:
        worker.sh(f"rm -rf {folder}", check=False)
    return {"tags": list(tags), "right": right, "wrong": wrong}


def _chosen(workload: Workload) -> dict[str, list[str]]:
    """Tags that differ most in their platforms, with these."""
    found: dict[tuple[str, ...], str] = {}
    for merge in workload.merges:
        images = [workload.images[name] for name in merge.sources]
        if all(image.os == "linux" for image in images):
            found.setdefault(tuple(image.platform for image in images), merge.tag)
    most = sorted(found.items(), key=lambda item: -len(item[0]))[:_MOST]
    return {tag: list(platforms) for platforms, tag in most}
