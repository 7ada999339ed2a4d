"""What a worker prints is believed only where it has its form, and its last words are the ones that count."""

from __future__ import annotations

import pytest

from audit.buildstep import Hearing, last_words
from audit.buildstep.answers import MOST_KEPT

N = "ab" * 16
DIGEST = f"sha256:{7:064d}"


def heard(*lines: str, stream: str = "stdout") -> Hearing:
    """A session that printed these lines."""
    found = Hearing(N, "1-arm64")
    for line in lines:
        found.take(stream, line)
    return found


def test_a_digest_counts_only_while_pushing() -> None:
    """A Dockerfile that prints such a line gives no digest; neither does another tag's, nor stderr's."""
    line = f"1-arm64: digest: {DIGEST} size: 12"
    assert heard(f"FB{N} B", line, f"FB{N} E 0").digest is None
    assert heard(f"FB{N} P", line.replace("arm64", "amd64")).digest is None
    assert heard(f"FB{N} P", line, stream="stderr").digest is None
    assert heard(f"FB{N} P", line, f"FB{N} Q 0").digest == DIGEST


@pytest.mark.parametrize(
    "line", ["FB0000 E 0", f"FB{N}E 0", f" FB{N} E 0", f"FB{N} E x", f"FB{N} E 9999", f"FB{N} Z 0"]
)
def test_lines_that_are_not_ours_say_nothing(line: str) -> None:
    """Another run's nonce, a wrong number, an unknown kind."""
    found = heard(line)
    assert (found.build, found.phase) == (None, "connecting")


@pytest.mark.parametrize("digest", ["", "sha256:12", "sha512:" + "0" * 64, DIGEST + "0"])
def test_a_digest_of_the_metadata_has_its_form(digest: str) -> None:
    """Anything else is none."""
    assert heard(f"FB{N} G {digest}").digest is None
    assert heard(f"FB{N} G {DIGEST}").digest == DIGEST


def test_memory_is_bounded() -> None:
    """A log of any length keeps its end only, and its count."""
    found = heard(*(f"line {number}" for number in range(MOST_KEPT + 10)))
    assert (len(found.lines), found.count, found.lines[0]) == (MOST_KEPT, MOST_KEPT + 10, "line 10")


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["#4 0.7 oops", "#4 ERROR: process did not complete: exit code: 7", "------", " > [2/2] RUN x:", "0.7 oops",
          "Dockerfile:3", "   3 | >>> RUN x", "ERROR: failed to solve: exit code: 7", "View build details: docker://x"],
         "ERROR: failed to solve: exit code: 7"),
        (["Step 3/3 : RUN false", "The command '/bin/sh -c false' returned a non-zero code: 1"],
         "The command '/bin/sh -c false' returned a non-zero code: 1"),
        (["ab: Preparing", "denied: requested access to the resource is denied"],
         "denied: requested access to the resource is denied"),
        (["one", "two"], "two"),
        (["#9 12.3 E: Unable to fetch: no space left on device"], "E: Unable to fetch: no space left on device"),
        ([], ""),
        (["------"], "------"),
    ],
)  # fmt: skip
def test_last_words(lines: list[str], wanted: str) -> None:
    """The last line that speaks of an error; frames, excerpts and links are passed over."""
    assert last_words(lines) == wanted


def test_last_words_are_short() -> None:
    """However long the line was."""
    assert last_words(["error " + "x" * 1000], most=50) == "error " + "x" * 43 + "…"
