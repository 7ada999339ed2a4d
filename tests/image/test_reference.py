"""Names of images: what `docker pull` understands, and a sentence for everything else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audit.errors import UsageError
from audit.image.reference import Reference

A, B = "a" * 64, "b" * 128
LONGEST = f"r.example/{'p' * 255}:{'t' * 128}"


@pytest.mark.parametrize(
    ("text", "whole", "familiar"),
    [
        ("debian", "docker.io/library/debian:latest", "debian"),
        ("debian:sid", "docker.io/library/debian:sid", "debian:sid"),
        ("ocaml/opam", "docker.io/ocaml/opam:latest", "ocaml/opam"),
        ("index.docker.io/ocaml/opam:x", "docker.io/ocaml/opam:x", "ocaml/opam:x"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian"),
        (f"debian@sha256:{A}", f"docker.io/library/debian@sha256:{A}", f"debian@sha256:{A}"),
        (f"a/b:1@sha256:{A}", f"docker.io/a/b:1@sha256:{A}", f"a/b:1@sha256:{A}"),
        (f"x@sha512:{B}", f"docker.io/library/x@sha512:{B}", f"x@sha512:{B}"),
        (f"x:latest@sha256:{A}", f"docker.io/library/x:latest@sha256:{A}", f"x:latest@sha256:{A}"),
        ("localhost/a", "localhost/a:latest", "localhost/a"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000/a/b:1"),
        ("ghcr.io/a/b__c/d-e.f", "ghcr.io/a/b__c/d-e.f:latest", "ghcr.io/a/b__c/d-e.f"),
        ("[2001:db8::1]/a:t", "[2001:db8::1]/a:t", "[2001:db8::1]/a:t"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"),
        ("host:5000", "docker.io/library/host:5000", "host:5000"),
        ("Host/a", "Host/a:latest", "Host/a"),
        ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c"),
        (f"docker.io/library/{A}:x", f"docker.io/library/{A}:x", f"library/{A}:x"),
        (LONGEST, LONGEST, LONGEST),
    ],
)  # fmt: skip
def test_reads_as_docker_does(text: str, whole: str, familiar: str) -> None:
    """Defaults, ports, IPv6, tags and digests; both forms can be read again."""
    reference = Reference.parse(text)
    assert (str(reference), reference.familiar) == (whole, familiar)
    assert Reference.parse(whole) == Reference.parse(familiar) == reference


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" debian", "white space"),
        ("debian\n", "white space"),
        ("https://ghcr.io/a/b", "it is a URL"),
        (A, "an image's id"),
        ("Debian", "must be in lower case"),
        ("ghcr.io/A/b", "must be in lower case"),
        ("debian:", "the tag after the colon is empty"),
        ("debian@", "the digest after the @ is empty"),
        ("debian@sha256:abc", "needs 64 lower-case hex digits"),
        (f"debian@sha256:{A.upper()}", "needs 64 lower-case hex digits"),
        (f"debian@sha512:{A}", "needs 128 lower-case hex digits"),
        ("debian@md5:abc", "neither sha256: nor sha512:"),
        ("a//b", "a slash too many"),
        ("a/", "a slash too many"),
        ("/a", "a slash too many"),
        ("ghcr.io/", "the repository is empty"),
        ("a/-b", "cannot be part of a repository"),
        ("a/b..c", "cannot be part of a repository"),
        ("a/b___c", "cannot be part of a repository"),
        ("a b/c", "cannot be part of a repository"),
        ("host:0/a", "no number from 1 to 65535"),
        ("host:65536/a", "no number from 1 to 65535"),
        ("host:x/a", "no number from 1 to 65535"),
        ("-host.x/a", "no host name"),
        ("a..b/c", "no host name"),
        ("[::g]/a", "no host name"),
        ("[1:2]/a", "no IPv6 address"),
        (f"a:{'t' * 129}", "the tag has 129 characters; 128 are allowed"),
        ("a:-t", "begins with none of"),
        ("a:b:c", "letters, digits"),
        ("a:é", "letters, digits"),
        (f"r.example/{'p' * 256}", "the repository has 256 characters; 255 are allowed"),
        ("p" * 249, "255 are allowed"),
        ("x" * 3000, "3000 characters"),
    ],
)
def test_says_what_is_wrong(text: str, why: str) -> None:
    """A sentence that names the text and the fault, as one printable line."""
    with pytest.raises(UsageError, match="is no name of an image") as told:
        Reference.parse(text)
    assert why in str(told.value)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 700


_word = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
_repository = st.lists(_word, min_size=2, max_size=4).map("/".join)
_host = st.sampled_from(["docker.io", "localhost", "ghcr.io", "r:5000", "[::1]", "[2001:db8::2]:443", "UPPER"])
_tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_digest = st.one_of(
    st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), st.from_regex(r"sha512:[0-9a-f]{128}", fullmatch=True)
)


@given(_host, _repository, st.one_of(st.none(), _tag), st.one_of(st.none(), _digest))
def test_round_trip(host: str, repository: str, tag: str | None, digest: str | None) -> None:
    """Whatever is made can be written in full and familiarly, and read again as the same."""
    reference = Reference(
        registry=host, repository=repository, tag=tag or ("x" if digest is None else None), digest=digest
    )
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference
    assert Reference.model_validate_json(reference.model_dump_json()) == reference


@given(st.one_of(st.text(), st.text("ab/:@.-_[]0X\n%", max_size=40)))
def test_anything_is_read_or_refused(text: str) -> None:
    """No text ends in another error, and what is read can be read again."""
    with contextlib.suppress(UsageError):
        reference = Reference.parse(text)
        assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "parts",
    [
        {"registry": "docker.io", "repository": "debian", "tag": "x"},
        {"registry": "index.docker.io", "repository": "a/b", "tag": "x"},
        {"registry": "plain", "repository": "a/b", "tag": "x"},
        {"registry": "ghcr.io", "repository": "a/b"},
        {"registry": "ghcr.io", "repository": "a/b", "tag": "x", "more": 1},
    ],
)
def test_parts_that_no_text_means_are_refused(parts: dict[str, str]) -> None:
    """A reference that would be written as another one cannot be made."""
    with pytest.raises(ValidationError):
        Reference.model_validate(parts)


def test_neighbours() -> None:
    """The same repository under another tag or digest; and what names the manifest."""
    reference = Reference.parse(f"ghcr.io/a/b:1@sha256:{A}")
    assert reference.name == "ghcr.io/a/b"
    assert reference.wanted == f"sha256:{A}"
    assert str(reference.tagged("2")) == "ghcr.io/a/b:2"
    assert str(reference.tagged("2").at(f"sha256:{A}")) == f"ghcr.io/a/b@sha256:{A}"
    with pytest.raises(UsageError, match="the tag"):
        reference.tagged("no tag")
    with pytest.raises(UsageError, match="the digest"):
        reference.at("sha256:short")
