"""The verbs `merge` and `verify` as a user calls them: stdout, stderr, exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from audit.image.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX
from tests.farm.registry import PASSWORD, USER, Registry, basic
from tests.farm.spoilers import answers
from tests.image.made import digest, entry, image
from tests.merging.conftest import Command
from tests.merging.stock import LIVE, STAGING, lacking, named, put_attested, put_image, put_index, tags
from tests.registry.conftest import Pki

AMD, ARM, RISC = "linux/amd64", "linux/arm64", "linux/riscv64"


@pytest.fixture
def sources(registry: Registry) -> list[str]:
    """Two flat images and an attested one, by tag."""
    put_image(registry, "1-amd64", AMD, DOCKER_MANIFEST)
    put_image(registry, "1-arm64", ARM, DOCKER_MANIFEST)
    put_attested(registry, "1-riscv64", RISC)
    return [f"{registry.address}/{STAGING}:1-{name}" for name in ("amd64", "arm64", "riscv64")]


# ------------------------------------------------------------------- merge


def test_the_name_and_the_digest_alone_on_stdout(registry: Registry, command: Command, sources: list[str]) -> None:
    """What a script reads is one line a tag; what a person reads is on stderr."""
    names = [named(registry, f"{LIVE}:1.0"), named(registry, f"{LIVE}:latest")]
    told = command("merge", "-t", names[0], "--tag", names[1], *sources, http=[registry])
    assert told.code == 0, told.err
    found = tags(registry)
    assert told.out == "".join(f"{registry.address}/{LIVE}:{tag}@{found[tag]}\n" for tag in ("1.0", "latest"))
    assert lacking(registry) == []
    assert told.err == "".join(f"fleet-audit: {line}\n" for line in (
        f"an OCI index of 3 images ({AMD}, {ARM}, {RISC}) and 1 attestation",
        f"{AMD}, {ARM} have no attestation, where other images of it have one",
        "by registry: it speaks with the registry itself, which mounts the blobs",
        "placing 8 blobs",
        "pushing 4 manifests",
        f"tagging {names[0].familiar}",
        f"tagging {names[1].familiar}",
    ))  # fmt: skip


def test_quiet(registry: Registry, command: Command, sources: list[str]) -> None:
    """-q leaves stderr empty."""
    told = command("merge", "-q", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    assert (told.code, told.err) == (0, "")
    assert told.out.count("\n") == 1


def test_unchanged(registry: Registry, command: Command, sources: list[str]) -> None:
    """A second time nothing is pushed; the line on stdout is the same, and sources by digest are one request."""
    first = command("merge", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    registry.asked.clear()
    again = command("merge", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    assert again.out == first.out
    assert "nothing was to be done: that is what stands there already" in again.err
    assert {one.method for one in registry.asked} == {"HEAD"}
    found = [
        f"{registry.address}/{STAGING}@{tags(registry, STAGING)[name]}" for name in ("1-amd64", "1-arm64", "1-riscv64")
    ]
    registry.asked.clear()
    by_digest = command("merge", "-t", named(registry, f"{LIVE}:1.0"), *found, http=[registry])
    assert by_digest.out == first.out
    assert registry.kinds() == [f"HEAD /v2/{LIVE}/manifests/1.0"]


def test_without_a_cache_everything_is_asked_anew(registry: Registry, command: Command, sources: list[str]) -> None:
    """--no-cache neither reads nor leaves anything."""
    for _ in range(2):
        registry.asked.clear()
        command("merge", "--no-cache", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
        assert "HEAD" not in {one.method for one in registry.asked}


def test_json(registry: Registry, command: Command, sources: list[str]) -> None:
    """Everything about the merge, with the digests that the tags were resolved to, and what it cost."""
    told = command("merge", "--format", "json", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    body = json.loads(told.out)
    assert body["schema_version"] == 1
    assert body["digest"] == tags(registry)["1.0"]
    assert (body["media_type"], body["pushed"], body["unchanged"]) == (OCI_INDEX, True, False)
    assert body["tags"] == [f"{registry.address}/{LIVE}:1.0"]
    assert body["engine"] == "registry"
    assert [one["given"] for one in body["sources"]] == sources
    assert [one["reference"].partition("@")[2] for one in body["sources"]] == [
        tags(registry, STAGING)[name] for name in ("1-amd64", "1-arm64", "1-riscv64")
    ]  # fmt: skip
    assert [one["attested"] for one in body["sources"]] == [False, False, True]
    assert len(body["index"]["manifests"]) == 4
    assert body["requests"]["total"] == len(registry.asked)
    assert body["requests"]["by_kind"]["POST mount"] == 8


def test_dry_run(registry: Registry, command: Command, sources: list[str]) -> None:
    """The very bytes on stdout, what would come on stderr, and nothing is written."""
    told = command("merge", "--dry-run", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    assert told.code == 0
    assert {one.method for one in registry.asked} == {"GET"}
    assert tags(registry) == {}
    wanted = digest(told.out.rstrip("\n").encode())
    assert f"{wanted} by registry: it speaks with the registry itself, which mounts the blobs" in told.err
    assert "to come: 13 requests (8 POST mount, 5 PUT manifest)" in told.err
    assert "not by imagetools: " in told.err
    done = command("merge", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry])
    assert done.out.rstrip().endswith(wanted)
    as_json = command(
        "merge", "--dry-run", "--format", "json", "-t", named(registry, f"{LIVE}:2"), *sources, http=[registry]
    )
    body = json.loads(as_json.out)
    assert (body["digest"], body["pushed"], body["forecast"]["requests"]) == (wanted, False, 13)
    nameless = command("merge", "--dry-run", *sources, http=[registry])
    assert (nameless.code, nameless.out) == (0, told.out)


def test_across_registries(registry: Registry, far: Registry, command: Command, sources: list[str]) -> None:
    """The forecast says how many bytes come through here; the tag is whole there."""
    dry = command("merge", "--dry-run", "-t", named(far, f"{LIVE}:1.0"), *sources, http=[registry, far])
    total = sum(len(raw) for raw in registry.blobs[STAGING].values())
    assert f"{total:,} bytes of blobs through this machine" in dry.err
    told = command("merge", "-t", named(far, f"{LIVE}:1.0"), *sources, http=[registry, far])
    assert told.out == f"{far.address}/{LIVE}:1.0@{tags(far)['1.0']}\n"
    assert lacking(far) == []
    assert tags(registry) == {}


def test_attestations(registry: Registry, command: Command, sources: list[str]) -> None:
    """--attest drop, require and --orphans, as the algebra has them."""
    dropped = command("merge", "--attest", "drop", "-t", named(registry, f"{LIVE}:1"), *sources, http=[registry])
    assert dropped.code == 0
    assert "1 attestation was left out, as was asked for" in dropped.err
    required = command("merge", "--attest", "require", "-t", named(registry, f"{LIVE}:2"), *sources, http=[registry])
    assert required.code == 5
    assert "has no attestation, and one is required" in required.err
    rows = json.loads(registry.manifests[(STAGING, "1-riscv64")][1])["manifests"]
    put_index(registry, "orphan", entry(image(AMD), AMD), rows[1])
    put_image(registry, "", AMD)
    words = ("-t", named(registry, f"{LIVE}:3"), f"{registry.address}/{STAGING}:orphan")
    refused = command("merge", *words, http=[registry])
    assert refused.code == 5
    assert "which is not among the sources" in refused.err
    assert command("merge", "--orphans", "drop", *words, http=[registry]).code == 0
    assert set(tags(registry)) == {"1", "3"}
    assert lacking(registry) == []


def test_flat_copies_and_lists(registry: Registry, command: Command, sources: list[str]) -> None:
    """--no-prefer-index copies a single flat image; with an index it becomes a Docker list of one."""
    copied = command("merge", "--no-prefer-index", "-t", named(registry, f"{LIVE}:flat"), sources[0], http=[registry])
    assert copied.out.strip().endswith(tags(registry, STAGING)["1-amd64"])
    assert "one flat image, copied as it is from" in copied.err
    command("merge", "-t", named(registry, f"{LIVE}:list"), sources[0], http=[registry])
    assert registry.manifests[(LIVE, "list")][0] == DOCKER_LIST


def test_annotations(registry: Registry, command: Command, sources: list[str]) -> None:
    """They stand in the index that is pushed."""
    command("merge", "--annotation", "who=us", "--annotation", f"manifest-descriptor[{ARM}]:a=b", "-t",
            named(registry, f"{LIVE}:1.0"), *sources, http=[registry])  # fmt: skip
    body = json.loads(registry.manifests[(LIVE, "1.0")][1])
    assert body["annotations"] == {"who": "us"}
    assert [row.get("annotations", {}).get("a") for row in body["manifests"]] == [None, "b", None, None]


def test_credentials(
    registry: Registry, pki: Pki, command: Command, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--registry-user with its password's variable; how the registry wants to be told is remembered, no secret is."""
    registry.auth = "bearer"
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", PASSWORD)
    words = ("--registry-user", USER, "-t", named(registry, f"{LIVE}:1.0"), *sources)
    told = command("merge", *words, http=[registry])
    assert told.code == 0, told.err
    assert sum(one.path == "/token" for one in registry.asked) == 1
    registry.asked.clear()
    assert command("merge", *words, http=[registry]).out == told.out
    assert registry.asked[0].path == "/token", "it is not refused first any more"
    assert len(registry.asked) == 1 + 4
    from platformdirs import user_cache_path

    kept = b"".join(path.read_bytes() for path in user_cache_path("fleet-audit").rglob("*") if path.is_file())
    assert kept
    assert PASSWORD.encode() not in kept
    assert basic().encode() not in kept
    assert not any(token.encode() in kept for token in registry.tokens)


def test_a_token_server_that_moved(
    registry: Registry, far: Registry, command: Command, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was remembered of it is forgotten with the first failure, so that the next run asks anew."""
    monkeypatch.setenv("FLEET_AUDIT_REGISTRY_PASSWORD", PASSWORD)
    registry.auth = "bearer"
    words = ("--registry-user", USER, "-t", named(registry, f"{LIVE}:1.0"), *sources)
    assert command("merge", *words, http=[registry]).code == 0
    registry.spoil("*", "/token", answers(404))
    assert command("merge", *words, http=[registry]).code == 5
    registry.spoilt.clear()
    registry.asked.clear()
    assert command("merge", *words, http=[registry]).code == 0
    assert registry.asked[0].path != "/token"


# ------------------------------------------------------------------- verify


@pytest.fixture
def merged(registry: Registry, command: Command, sources: list[str]) -> str:
    """The three, merged; the tag's digest."""
    assert command("merge", "-q", "-t", named(registry, f"{LIVE}:1.0"), *sources, http=[registry]).code == 0
    registry.asked.clear()
    return tags(registry)["1.0"]


def checked(command: Command, registry: Registry, *words: Any) -> tuple[int, str]:
    """Exit code and stdout of verify; with the platforms that are there."""
    told = command("verify", named(registry, f"{LIVE}:1.0"), "--expect", f"{AMD},{ARM},{RISC}", *words, http=[registry])
    assert told.err == ""
    return told.code, told.out


def test_what_is_right(registry: Registry, command: Command, sources: list[str], merged: str) -> None:
    """One line that says what was looked at; each manifest and config is read once, each blob asked for with --deep."""
    right = f"right: {registry.address}/{LIVE}:1.0@{merged}: {AMD}, {ARM}, {RISC}, 1 attestation"
    assert checked(command, registry) == (0, f"{right}\n")
    assert [one.method for one in registry.asked] == ["GET"] * 8
    registry.asked.clear()
    assert checked(command, registry, "--sources", ",".join(sources), "--deep") == (
        0, f"{right}, equal to 3 sources, 8 blobs there\n",
    )  # fmt: skip
    assert [one.method for one in registry.asked].count("HEAD") == 8
    assert checked(command, registry, "-q") == (0, "")


def test_verify_as_json(registry: Registry, command: Command, merged: str) -> None:
    """The entries, the findings, and what it cost."""
    code, out = checked(command, registry, "--format", "json")
    body = json.loads(out)
    assert (code, body["digest"], body["findings"]) == (0, merged, [])
    assert [one["platform"] for one in body["entries"]] == [AMD, ARM, RISC, "unknown/unknown"]
    assert [one["role"] for one in body["entries"]] == ["image"] * 3 + ["attestation"]
    assert body["requests"]["total"] == len(registry.asked)


def remove_child(registry: Registry) -> None:
    """An image's manifest is gone, as a clean-up of untagged ones leaves it."""
    del registry.manifests[(LIVE, tags(registry, STAGING)["1-amd64"])]


def remove_blob(registry: Registry) -> None:
    """A layer is gone."""
    del registry.blobs[LIVE][digest(f"{AMD} ".encode())]


def rebuild(registry: Registry) -> None:
    """A staging image was pushed again."""
    put_image(registry, "1-amd64", AMD, note="again")


def dim(registry: Registry) -> None:
    """The registry cannot be asked for one child."""
    registry.spoil("GET", tags(registry, STAGING)["1-amd64"], answers(503))


def spoil_config(registry: Registry) -> None:
    """A config of other bytes."""
    wanted = json.loads(registry.manifests[(STAGING, "1-amd64")][1])["config"]
    registry.blobs[LIVE][wanted["digest"]] = b"x" * wanted["size"]


@pytest.mark.parametrize(
    ("spoil", "words", "code", "says"),
    [
        (lambda _: None, ["--expect", "linux/s390x"], 5, ["wrong: platforms: linux/s390x is missing"]),
        (remove_child, [], 5, ["wrong: children: sha256:", "the index names it, but it is not there"]),
        (remove_blob, [], 0, ["right: "]),
        (remove_blob, ["--deep"], 5, ["wrong: blobs: blob sha256:", "it is not in "]),
        (rebuild, ["--sources"], 5, [
            "wrong: sources: R/staging/app:1-amd64 has sha256:", "now, which is not in the index; it was built again",
            "is in the index, but in none of the sources",
        ]),
        (dim, [], 3, ["unknown: children: sha256:", "it could not be read"]),
        (spoil_config, [], 5, ["wrong: architecture: the config of sha256:", "the bytes have the digest"]),
    ],
)  # fmt: skip
def test_what_is_wrong(
    registry: Registry, command: Command, sources: list[str], merged: str, spoil: Any, words: Sequence[str], code: int,
    says: list[str],
) -> None:  # fmt: skip
    """Exit code 5 where something is wrong, 3 where something could not be told; a line for each."""
    spoil(registry)
    more = [*words, ",".join(sources)] if words == ["--sources"] else words
    found, out = checked(command, registry, *more)
    assert found == code, out
    for part in says:
        assert part.replace("R/", f"{registry.address}/") in out


def test_a_stale_architecture_is_told(registry: Registry, command: Command) -> None:
    """A warning, and the tag is right all the same; --apart says how old is too old."""
    put_image(registry, "1-amd64", AMD, created="2026-11-20T10:00:00Z")
    put_image(registry, "1-arm64", ARM, created="2026-10-20T10:00:00Z")
    words = [f"{registry.address}/{STAGING}:1-{name}" for name in ("amd64", "arm64")]
    command("merge", "-t", named(registry, f"{LIVE}:1.0"), *words, http=[registry])
    told = command("verify", named(registry, f"{LIVE}:1.0"), http=[registry])
    assert told.code == 0
    assert told.out.startswith(f"warning: age: {ARM} was built 31.0 days before the newest image of the tag")
    assert "\nright: " in told.out
    older = command("verify", named(registry, f"{LIVE}:1.0"), "--apart", "800h", http=[registry])
    assert older.out.startswith("right: ")


def test_an_image_of_another_architecture(registry: Registry, command: Command) -> None:
    """A worker pushed its own architecture under another's name: the index says one thing, the config another."""
    raw = put_image(registry, "", RISC, repository=LIVE)
    put_index(registry, "1.0", entry(raw, ARM), repository=LIVE)
    told = command("verify", named(registry, f"{LIVE}:1.0"), "--expect", ARM, http=[registry])
    assert told.code == 5
    assert f"stands under {ARM}, but was built for {RISC}; see which worker built it" in told.out


def test_verify_of_what_is_not_there(registry: Registry, command: Command) -> None:
    """No such tag is wrong; a registry that cannot be asked is unknown."""
    told = command("verify", named(registry, f"{LIVE}:1.0"), http=[registry])
    assert (told.code, told.out) == (5, "")
    assert "no such manifest" in told.err
    registry.auth = "basic"
    told = command("verify", named(registry, f"{LIVE}:1.0"), http=[registry])
    assert told.code == 3
    assert "could not be read, so nothing is known of it" in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--expect", "amd65"], "'amd65' is no platform"),
        (["--expect", ","], "--expect: name at least one platform"),
        (["--sources", "a/B:1"], "'a/B:1' is no name of an image"),
        (["--apart", "soon"], "--apart: 'soon' is no duration"),
        (["--apart", "-1h"], "--apart -1h: write a duration"),
        (["--format", "yaml"], "--format yaml: write text or json"),
    ],
)
def test_wrong_usage_of_verify(registry: Registry, command: Command, words: list[str], says: str) -> None:
    """Exit code 2, before anything is asked."""
    told = command("verify", named(registry, f"{LIVE}:1.0"), *words, http=[registry])
    assert told.code == 2, told
    assert says in told.err
    assert registry.asked == []


def test_a_credential_file_that_cannot_be_read(
    registry: Registry, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is wrong usage for verify too, not something unknown about the tag."""
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{")
    told = command("verify", named(registry, f"{LIVE}:1.0"), http=[registry])
    assert told.code == 2
    assert "DOCKER_AUTH_CONFIG" in told.err
