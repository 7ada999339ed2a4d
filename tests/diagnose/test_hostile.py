"""Logs that nobody should have to read: endless, without lines, noise, full of what nearly matches."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.diagnose import MOST_EVIDENCE, Diagnosis, diagnose
from audit.symptoms import all_symptoms
from audit.wire.redact import redact

MIB = 1 << 20
LINE = b"#12 34.567 Get:123 http://mirror.example/debian trixie/main amd64 libsomething2 amd64 1.2.9-1 [345 kB]\n"


def ordinary(mib: int) -> Iterator[bytes]:
    """So many MiB of an ordinary build's log, and a failure at the end of it."""
    piece = LINE * (MIB // len(LINE))
    for _ in range(mib):
        yield piece
    yield b"ERROR: failed to solve: invalid user index: -1\n"


def read(pieces: Iterator[bytes]) -> Diagnosis:
    """The diagnosis with the real redactor."""
    return diagnose(pieces, redact=redact)


@pytest.mark.slow
def test_a_long_log_takes_bounded_memory_and_bounded_time() -> None:
    """40 MiB need less than 8 MiB of memory, and at least 10 MB a second of processor time (48 were measured)."""
    start = time.process_time()
    found = read(ordinary(40))
    seconds = time.process_time() - start
    assert found.matches[0].id == "S22"
    assert found.matches[0].line == found.lines == 40 * (MIB // len(LINE)) + 1
    assert found.bytes / 1e6 / seconds > 10
    tracemalloc.start()
    try:
        read(ordinary(16))
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_one_line_of_fifty_megabytes() -> None:
    """A cause stands in the middle of a line without an end, far from both of its ends, and is found."""

    def pieces() -> Iterator[bytes]:
        for place in range(50):
            yield LINE[:-1] * (MIB // len(LINE))
            if place == 25:
                yield b" docker.io/team/app:1 is a manifest list "

    found = read(pieces())
    assert [match.id for match in found.matches] == ["S1"]
    assert found.matches[0].says.startswith("docker.io/team/app:1 is an index")
    assert len(found.matches[0].evidence) <= MOST_EVIDENCE + 5
    assert found.lines == 1


def test_one_piece_of_any_size_is_as_good_as_many() -> None:
    """A caller may give the whole log as one piece."""
    log = b"".join(ordinary(3))
    assert read(iter([log])) == read(log[at : at + 999_999] for at in range(0, len(log), 999_999))


def test_noise_says_nothing() -> None:
    """Random bytes, with NULs, escapes and broken UTF-8, end in a diagnosis that knows nothing."""
    dice = random.Random(20261124)
    found = read(dice.randbytes(MIB) for _ in range(8))
    assert not found.failures
    assert found.bytes == 8 * MIB


def test_lines_that_nearly_match_cost_little() -> None:
    """A log that begins every signature and ends none is read at a megabyte a second at least."""
    keys = [one.key[:-1] for symptom in all_symptoms().values() for one in symptom.signatures]
    begun = ("\n".join(keys) + "\n").encode()
    whole = (" ".join(one.key for s in all_symptoms().values() for one in s.signatures) + "\n").encode()
    for piece in (begun * (MIB // len(begun)), whole * (MIB // 4 // len(whole))):
        start = time.process_time()
        read(iter([piece]))
        assert time.process_time() - start < 10 * len(piece) / MIB


def test_evidence_is_one_short_line() -> None:
    """Whatever stands round the cause: no control character but spaces, no more than its length."""
    line = b"\x1b]0;title\x07" + b"\t\x00y" * 3000 + b" no space left on device " + b"z" * 3000 + b"\n"
    [match] = read(iter([line])).matches
    assert "no space left on device" in match.evidence
    assert len(match.evidence) <= MOST_EVIDENCE + 5
    assert "\n" not in match.evidence


def test_a_secret_at_the_edge_of_the_evidence_is_not_half_shown() -> None:
    """The line is redacted before it is shortened."""
    line = b"no space left on device " + b"x" * 250 + b" --password correct-horse-battery\n"
    [match] = read(iter([line])).matches
    assert "correct" not in match.evidence


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"is a manifest list", b"\r", b"\n", b"\x1b[31m", b"{", b'\\"', b"\xff\xfe", b"EOF"]),
        ),
        max_size=30,
    ),
    st.integers(1, 50),
)
def test_no_bytes_make_it_fail(parts: list[bytes], size: int) -> None:
    """Any bytes in any pieces end in a diagnosis whose lines exist."""
    data = b"".join(parts)
    found = read(data[at : at + size] for at in range(0, len(data), size))
    assert all(1 <= match.line <= found.lines for match in found.matches)
