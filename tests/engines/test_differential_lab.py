"""The index algebra against the real `docker buildx imagetools create`: the same sources, the same bytes.

210 random source sets are pushed to the lab's registry and merged by `audit.merging.prepare` here and by dry runs of
buildx 0.29.1 and 0.13.1 on two workers. Every digest must be equal but where a kind of `KINDS` justifies it, and each
kind is counted. What the real tool makes must also be what `audit.engines.merge.imagetools.made` says of it, for the
engine relies on that; and where the engine is able, the words that it would run must give our index to the byte.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shlex
import tarfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from audit.engines.merge import MergeHost, MergeSource, MergeStep, Run, all_engines
from audit.engines.merge.imagetools import CREATE, Naming, made, plainly
from audit.image.annotation import Annotation
from audit.image.media import ATTESTATION, REFERENCE_DIGEST, REFERENCE_TYPE
from audit.image.merged import MergeRefused
from audit.image.reference import Reference
from audit.kept import Kept
from audit.merging import Asked, prepare, resolve
from audit.merging.resolving import described
from audit.registry import Client, Credentials, Options, Tls
from tests.engines.sets import Set, World, world
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600), pytest.mark.xdist_group("lab")]

SEED, MANY = 4, 210
WORKERS = {"0.29.1": "amd64", "0.13.1": "s390x"}
_PLUGIN = "/usr/libexec/docker/cli-plugins/docker-buildx"

KINDS = {
    "os.version": "os.version and os.features of a flat image are written; the tool leaves Windows releases alike",
    "order": "an attestation before its image is put right after it, where every other one stands",
    "two images": "two images for one platform are refused; the tool lists both, and readers take either",
    "two platforms": "one image that is said to be for two platforms is refused; the tool keeps the last one",
    "orphan": "an attestation without its image is refused; the tool keeps it",
    "nested": "an index inside an index is refused; Docker cannot see into what the tool keeps",
    "nowhere": "an entry without system and architecture is refused; whoever pulls what the tool writes must guess",
}
"""Every difference that there may be, and why it is there."""
REFUSALS = (
    ("two images", r"two different images are for "),
    ("two platforms", r"is said to be for .*; one image cannot be both"),
    ("orphan", r" attests .*, which is not among the sources"),
    ("nested", r" is an index itself"),
    ("nowhere", r"which nothing runs on|says neither an operating system nor an architecture|it says no platform"),
)
_EITHER = {"os.version": 19, "order": 14, "two images": 22, "two platforms": 1, "orphan": 18, "nested": 1, "nowhere": 6}
COUNTS = {
    "0.29.1": _EITHER | {"sets": 211, "same digest": 132, "engine's own words": 17, "not meaningful": 0},
    "0.13.1": _EITHER | {"sets": 207, "same digest": 128, "engine's own words": 17, "not meaningful": 4},
}
"""How many sets are of which kind; one may be of two."""


class Real(NamedTuple):
    """What the tool did."""

    exit: int
    made: bytes
    said: str


class Pool:
    """Everything pushed, in a repository of this test's own."""

    def __init__(self, lab: Lab, client: Client, folder: Path) -> None:
        """Push it."""
        self.lab, self.client = lab, client
        self.name = Reference.parse(f"{lab.registry}/staging/sets-{uuid.uuid4().hex[:12]}:x")
        self.kept = Kept(folder)
        self.world, self.sets = world(SEED, MANY)
        self._push(self.world)

    def _push(self, made: World) -> None:
        there: set[str] = set()
        for one in made.pushed.values():
            for blob in one.blobs:
                digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
                if digest not in there:
                    self.client.upload(self.name, digest, len(blob), blob)
                there.add(digest)
            self.client.put(self.name.at(one.digest), one.media_type, one.raw)

    def ours(self, one: Set) -> tuple[tuple[MergeSource, ...], MergeStep | str]:
        """The sources as resolved, and the step, or why there is none."""
        asked = [Asked(self.name.at(source.digest)) for source in one.sources]
        found = resolve(self.client, asked, children=False, kept=self.kept)
        sources = tuple(described(source) for source in found)
        try:
            notes = asked_for(one)
            return sources, prepare(found, [self.name], annotations=notes, prefer_index=one.prefer_index)
        except MergeRefused as refused:
            return sources, str(refused)

    def words(self, one: Set, version: str) -> list[str]:
        """The tool's arguments as a person would write them."""
        flags = [f"--tag={self.name}", *(f"--annotation={note}" for note in asked_for(one))]
        if not one.prefer_index and version != "0.13.1":
            flags.append("--prefer-index=false")
        return [*flags, *(str(self.name.at(source.digest)) for source in one.sources)]


def asked_for(one: Set) -> tuple[Annotation, ...]:
    """What is asked for in a set."""
    return tuple(note for text in one.annotations for note in Annotation.parse(text))


@pytest.fixture
def pool(lab: Lab, tmp_path: Path) -> Iterator[Pool]:
    """The sources, pushed."""
    credentials = Credentials(username="live", password=lab.credentials["live"])
    tls = {lab.registry: Tls(ca_file=lab.ca)}
    options = Options(tls=tls, credentials={lab.registry: credentials}, environment={})
    with Client(options) as client:
        yield Pool(lab, client, tmp_path)


_BATCH = """d=$(mktemp -d) || exit
trap 'rm -rf "$d"' EXIT
GOGC=off
export d GOGC
cat >"$d/cases"
one='sed -n "$1p" "$d/cases" | sh >"$d/$1.out" 2>"$d/$1.err"; echo $? >"$d/$1.exit"'
seq 1 "$(wc -l <"$d/cases")" | xargs -P 3 -n 1 sh -c "$one" sh
tar -C "$d" -cf - . | base64 -w 0
"""


def real(lab: Lab, version: str, cases: Sequence[Sequence[str]]) -> list[Real]:
    """Many dry runs on one worker, in one session."""
    lines = "".join(f"{shlex.join([_PLUGIN, *CREATE[2:], '--dry-run', *words])}\n" for words in cases)
    done = lab.workers[WORKERS[version]].sh(_BATCH, stdin=lines, timeout=500)
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(done.stdout))) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                files[member.name.removeprefix("./")] = file.read()
    return [
        Real(int(files[f"{number}.exit"]), files[f"{number}.out"][:-1], files[f"{number}.err"].decode())
        for number in range(1, len(cases) + 1)
    ]


def kinds(step: MergeStep | str, found: Real) -> frozenset[str]:
    """Which kinds of `KINDS` tell one from the other; empty where the bytes are equal."""
    if isinstance(step, str):
        named = [kind for kind, pattern in REFUSALS if re.search(pattern, step)]
        assert named, f"refused for a reason that is none of KINDS: {step}"
        return frozenset(named[:1])
    if step.merged.raw == found.made:
        return frozenset()
    ours, theirs = json.loads(step.merged.raw), json.loads(found.made)
    mends = {"os.version": _without_versions, "order": _after_images}
    for chosen in (("os.version",), ("order",), ("os.version", "order")):
        one, other = ours, theirs
        for kind in chosen:
            one, other = mends[kind](one), mends[kind](other)
        if one == other:
            return frozenset(chosen)
    raise AssertionError(f"not explained:\n{step.merged.raw.decode()}\n{found.made.decode()}")


def _without_versions(index: Mapping[str, Any]) -> Any:
    rows = []
    for row in index["manifests"]:
        platform = {key: value for key, value in row.get("platform", {}).items() if not key.startswith("os.")}
        rows.append(row | ({"platform": platform} if platform else {}))
    return {**index, "manifests": rows}


def _after_images(index: Mapping[str, Any]) -> Any:
    proofs = [row for row in index["manifests"] if row.get("annotations", {}).get(REFERENCE_TYPE) == ATTESTATION]
    rows = []
    for row in index["manifests"]:
        if row not in proofs:
            rows += [row, *(one for one in proofs if one["annotations"][REFERENCE_DIGEST] == row["digest"])]
    return {**index, "manifests": rows}


def foretold(one: Set, sources: Sequence[MergeSource]) -> bytes:
    """What the engine thinks that the tool makes of it, our own algebra left aside."""
    if len(sources) == 1 and not one.annotations and not (sources[0].flat and one.prefer_index):
        return made(Naming("the only source", (), (), copied=one.sources[0].raw))
    return made(plainly(sources, asked_for(one)))


def test_the_same_digest(lab: Lab, pool: Pool) -> None:
    """Every set has the digest that the real tool gives it, or differs in a kind that is justified and counted."""
    resolved = {one.number: pool.ours(one) for one in pool.sets}
    engine = all_engines()["imagetools"]

    def run(version: str) -> Counter[str]:
        host = MergeHost(name="m1", buildx=version)
        # A single image that shall be copied as it is: 0.13.1 has no flag for it.
        asked = [one for one in pool.sets if one.prefer_index or len(one.sources) > 1 or version != "0.13.1"]
        able: list[tuple[MergeStep, list[str]]] = []
        for number, (_, step) in resolved.items():
            if isinstance(step, MergeStep) and number % 8 == 0 and engine.able(step, host).ok:
                _, merge, *_ = engine.actions(step, host)
                assert isinstance(merge, Run)
                able.append((step, list(merge.argv[len(CREATE) :])))
        done = real(lab, version, [*(pool.words(one, version) for one in asked), *(words for _, words in able)])
        counts: Counter[str] = Counter({"not meaningful": len(pool.sets) - len(asked), "sets": len(asked)})
        for one, found in zip(asked, done, strict=False):
            sources, step = resolved[one.number]
            assert found.exit == 0, found.said
            different = kinds(step, found)
            if "nowhere" not in different:  # the tool may say its own system there, which no engine is asked to do
                assert foretold(one, sources) == found.made, one
            counts.update(different or ["same digest"])
            if isinstance(step, MergeStep) and not different:
                assert hashlib.sha256(found.made).hexdigest() == step.merged.digest.removeprefix("sha256:")
        for (step, words), found in zip(able, done[len(asked) :], strict=True):
            assert (found.exit, found.made) == (0, step.merged.raw), (words, found.said)
        counts["engine's own words"] = len(able)
        return counts

    with ThreadPoolExecutor(len(WORKERS)) as threads:
        found = dict(zip(WORKERS, threads.map(run, WORKERS), strict=True))
    assert {version: dict(counts) for version, counts in found.items()} == COUNTS
    assert set().union(*found.values()) >= set(KINDS), "a kind of difference that no set shows is not proved"
