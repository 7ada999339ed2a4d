"""What really stands in the registry, read from its disk: a look that is not counted, and not taken from a client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.image.media import ATTESTATION, INDEXES, REFERENCE_DIGEST, REFERENCE_TYPE
from tests.bench.merge.sources import Pushed


@dataclass(frozen=True)
class Disk:
    """The folder of Debian's docker-registry (distribution's filesystem driver)."""

    storage: Path

    def digest(self, repository: str, tag: str) -> str | None:
        """What a tag stands for; None where there is none."""
        with contextlib.suppress(OSError):
            return (self._repository(repository) / "_manifests/tags" / tag / "current/link").read_text()
        return None

    def read(self, digest: str) -> bytes:
        """The bytes of a manifest."""
        algorithm, _, digits = digest.partition(":")
        return (self._top / "blobs" / algorithm / digits[:2] / digits / "data").read_bytes()

    def wrong(self, repository: str, digest: str, pushed: Sequence[Pushed], *, attested: bool) -> str:
        """Why an index is not the merge of these sources; empty where it is.

        Args:
            repository: it stands there, and so must everything in it.
            digest: of the index.
            pushed: the sources.
            attested: whether their attestations must be in it, too.
        """
        index = json.loads(self.read(digest))
        if index.get("mediaType") not in INDEXES:
            return f"it is {index.get('mediaType')}, not an index"
        rows = index["manifests"]
        proofs = [row for row in rows if row.get("annotations", {}).get(REFERENCE_TYPE) == ATTESTATION]
        images = {row["digest"]: row["platform"]["architecture"] for row in rows if row not in proofs}
        expected = {one.image: one.tag.rpartition("-")[2] for one in pushed}
        if images != expected:
            return f"its images are {images}, where {expected} are wanted"
        found = {row["digest"]: row["annotations"].get(REFERENCE_DIGEST) for row in proofs}
        wanted = {one.attestation: one.image for one in pushed if one.attestation} if attested else {}
        if found != wanted:
            return f"its attestations are {found}, where {wanted} are wanted"
        missing = [name for name in self._named(rows) if not self._linked(repository, *name)]
        return f"{repository} has not {missing[:3]}" if missing else ""

    def _named(self, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
        """Every manifest and every blob, with the folder that the registry links them in."""
        for row in rows:
            yield "_manifests/revisions", row["digest"]
            manifest = json.loads(self.read(row["digest"]))
            for blob in (manifest["config"], *manifest["layers"]):
                yield "_layers", blob["digest"]

    def _linked(self, repository: str, kind: str, digest: str) -> bool:
        return (self._repository(repository) / kind / Path(*digest.split(":")) / "link").is_file()

    @property
    def _top(self) -> Path:
        return self.storage / "docker/registry/v2"

    def _repository(self, name: str) -> Path:
        return self._top / "repositories" / name
