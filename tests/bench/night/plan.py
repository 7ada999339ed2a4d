"""What the builds hand over to the merges: a plan by digest, and the sources' manifests in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.night.stock import Stocked


def plan(stocked: Stocked, address: str, target: str = "", *, distinct: bool = True) -> str:
    """The plan's text: every source by the digest that its build has told, with its platform; JSON is YAML, too.

    Args:
        stocked: the sources, pushed.
        address: of the registry, as the command reaches it.
        target: repository of the tags; empty: the workload's own.
        distinct: one entry for each set of sources, with all its tags; else an entry for every tag, as the pipelines
            that were copied here have them.
    """
    workload = stocked.workload
    target = f"{address}/{target or workload.target}"
    staging = f"{address}/{stocked.repository}"
    rows = list(workload.sets.items()) if distinct else [(one.sources, [one.tag]) for one in workload.merges]
    entries = [
        {
            "tags": [f"{target}:{tag}" for tag in tags],
            "sources": [
                {"image": f"{staging}@{stocked.digests[name]}", "platform": workload.images[name].told}
                for name in sources
            ],
        }
        for sources, tags in rows
    ]
    return json.dumps({"version": 1, "merges": entries}, indent=1)


def hand_over(stocked: Stocked, folder: Path) -> Path:
    """Every source's manifests in OCI image layout, without any blob of an image; the folder is made.

    `index.json` names what the staging tags stand for; the children of an index lie beside it.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
    rows = []
    for name, image in stocked.images.items():
        for manifest in image.manifests:
            (blobs / manifest.digest.partition(":")[2]).write_bytes(manifest.raw)
        rows.append(image.top.row(annotations={"org.opencontainers.image.ref.name": name}))
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": rows}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
