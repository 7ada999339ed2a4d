"""Reading a worker's output: whatever it holds, nothing is raised and nothing wrong is believed."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.wire.frames import STDERR_CAP, STDOUT_CAP, TAIL, ended, parse, posix_cksum
from tests.farm import reply

NONCE = "0123456789abcdef"
MARK = f"FA{NONCE}"
SCRIPT = f"fa_nonce={NONCE} fa_become=no\ngo one - 'x'\ngo two - 'y'\n".encode()


@pytest.mark.skipif(shutil.which("cksum") is None, reason="cksum is not installed")
@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 65535, 65536, 100_000])
def test_posix_cksum_is_that_of_the_program(size: int) -> None:
    """Our CRC is the one that the worker's cksum prints."""
    data = bytes((number * 7 + number // 251) % 256 for number in range(size))
    printed = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.split()
    assert [int(word) for word in printed[:2]] == [posix_cksum(data), size]


def test_a_whole_stream_is_read_whole() -> None:
    """Sections, hello, count and end are all there, and nothing is noise."""
    stream = parse(reply.whole(SCRIPT, reply.sections(SCRIPT)), NONCE)
    assert {name: (section.stdout, section.exit, section.fault) for name, section in stream.sections.items()} == {
        "one": (b"hi\n", 0, ""),
        "two": (b"hi\n", 0, ""),
    }
    assert (stream.hello, stream.count, stream.ended, stream.noise) == ("1700000000.5", 2, True, 0)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    """Arbitrary output gives a stream and no section out of thin air."""
    assert parse(data, NONCE).sections == {}


@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [
                    f"\n{MARK} {kind}".encode()
                    for kind in ("H", "O", "E", "C", "N", "Z", "O one 1 2 3\n", "C\n", "", "O ")
                ]
            ),
            st.just(reply.section(MARK, "one", b"text")),
        ),
        max_size=12,
    )
)
def test_any_order_of_pieces_is_read_without_an_error(pieces: list[bytes]) -> None:
    """Pieces of the format in any order never raise, and never make an answer that was not printed whole."""
    for section in parse(b"".join(pieces), NONCE).sections.values():
        assert section.fault or section.stdout in (None, b"text", b"") or section.exit is not None


@given(at=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255), data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_changed_byte_is_believed(at: int, byte: int, data: st.DataObject) -> None:
    """Whichever byte of a whole stream changes, no section gives another answer than it was."""
    good = reply.whole(SCRIPT, reply.sections(SCRIPT, data.draw(st.binary(max_size=40))))
    at %= len(good)
    spoilt = good[:at] + bytes([byte]) + good[at + 1 :]
    wanted = parse(good, NONCE).sections
    for name, section in parse(spoilt, NONCE).sections.items():
        if not section.fault and section.stdout is not None and spoilt != good:
            assert name in wanted
            assert (section.stdout, section.exit) == (wanted[name].stdout, wanted[name].exit)


@given(end=st.integers(min_value=0))
def test_a_cut_stream_gives_only_whole_sections(end: int) -> None:
    """Wherever a stream is cut, what is believed is what was printed, and the end is not claimed."""
    good = reply.whole(SCRIPT, reply.sections(SCRIPT))
    stream = parse(good[: end % len(good)], NONCE)
    assert not stream.ended
    assert all(section.fault or section.stdout == b"hi\n" for section in stream.sections.values())


@given(noise=st.binary(max_size=60), at=st.integers(min_value=0, max_value=4))
def test_noise_between_sections_harms_nothing(noise: bytes, at: int) -> None:
    """Text that somebody else prints between two sections is noise."""
    parts = reply.sections(SCRIPT)
    end = reply.whole(SCRIPT, parts)[sum(map(len, parts)) :]
    data = b"".join([*parts[:at], noise, *parts[at:], end])
    stream = parse(data, NONCE)
    assert [section.stdout for section in stream.sections.values()] == [b"hi\n", b"hi\n"]
    assert not any(section.fault for section in stream.sections.values())


@pytest.mark.parametrize(
    ("text", "stdout", "exit_status", "fault"),
    [
        (b"x:0", b"x", 0, ""),
        (b":137", b"", 137, ""),
        (b"a:b:3", b"a:b", 3, ""),
        (b"x", b"x", None, "its exit status is missing"),
        (b"x:", b"x:", None, "its exit status is missing"),
        (b"x:9999", b"x:9999", None, "its exit status is missing"),
    ],
)
def test_the_exit_status_follows_the_last_colon(
    text: bytes, stdout: bytes, exit_status: int | None, fault: str
) -> None:
    """A probe's output may hold colons; only the last one is ours."""
    data = f"\n{MARK} O one 1 2 {len(text)}\n".encode() + text + f"\n{MARK} C\n".encode()
    section = parse(data, NONCE).sections["one"]
    assert (section.stdout, section.exit, section.fault) == (stdout, exit_status, fault)


def test_more_than_the_cap_is_truncated() -> None:
    """What the worker cut at the cap is told as truncated and holds the cap's bytes."""
    text = b"x" * (STDOUT_CAP + TAIL)
    data = f"\n{MARK} O one 1 2 {len(text)}\n".encode() + text + f"\n{MARK} C\n".encode()
    section = parse(data, NONCE).sections["one"]
    assert section.truncated
    assert section.stdout == b"x" * STDOUT_CAP
    assert section.fault == ""


def test_a_length_in_characters_is_accepted() -> None:
    """A shell that counts characters where it should count bytes is understood."""
    text = "hé:0".encode()
    data = f"\n{MARK} O one 1 2 4\n".encode() + text + f"\n{MARK} C\n".encode()
    assert parse(data, NONCE).sections["one"].stdout == "hé".encode()


@pytest.mark.parametrize("times", ["nan inf", "- -", "5 1", "1", "1 2 3 4", "1e999 1e999"])
def test_odd_times_are_no_error(times: str) -> None:
    """The worker's clock may say anything; the seconds stay a number."""
    data = f"\n{MARK} O one {times} 3\n".encode() + b"x:0" + f"\n{MARK} C\n".encode()
    assert 0 <= parse(data, NONCE).sections["one"].seconds <= 86400


def test_the_end_line_is_found_only_when_it_is_whole() -> None:
    """Reading stops at the end line, not in the middle of it."""
    data = reply.whole(SCRIPT, reply.sections(SCRIPT))
    assert ended(data, NONCE)
    assert not ended(data[:-1], NONCE)
    assert not ended(data, "another")


def test_reading_is_linear() -> None:
    """Eight megabytes of marker lines are read in about a second at most."""
    data = f"\n{MARK} O a 1 2 3".encode() * (8_000_000 // 30)
    begun = time.process_time()
    parse(data, NONCE)
    assert time.process_time() - begun < 3
    assert STDERR_CAP < STDOUT_CAP
