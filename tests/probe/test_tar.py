"""The contexts that are sent to a worker."""

from __future__ import annotations

import io
import tarfile

import pytest

from audit.probe import tar

NONCE = "0123456789abcdef"


@pytest.mark.parametrize("sizes", [(0,), (1,), (511, 512, 513), (5, 0, 100_000)])
def test_an_archive_reads_back(sizes: tuple[int, ...]) -> None:
    """Python's own reader finds every file, whole, with its mode."""
    files = {f"file-{number}": bytes([65 + number]) * size for number, size in enumerate(sizes)}
    with tarfile.open(fileobj=io.BytesIO(tar.archive(files)), mode="r:") as read:
        assert [(member.name, member.mode, member.isreg()) for member in read] == [(n, 0o644, True) for n in files]
        for name, content in files.items():
            taken = read.extractfile(name)
            assert taken is not None
            assert taken.read() == content


def test_the_bytes_are_the_same_every_time() -> None:
    """Nothing of the clock or the user is in them."""
    assert tar.image_context(NONCE, "l") == tar.image_context(NONCE, "l")


@pytest.mark.parametrize("make", [tar.image_context, tar.link_context])
def test_a_context_is_marked_by_its_run(make: object) -> None:
    """Label first, a Dockerfile of the run's own name, and no instruction that another run's cache could serve."""
    assert callable(make)
    with tarfile.open(fileobj=io.BytesIO(make(NONCE, "org.example")), mode="r:") as read:
        taken = read.extractfile(tar.dockerfile_name(NONCE))
        assert taken is not None
        lines = taken.read().decode().splitlines()
    assert lines[0].startswith("FROM scratch")
    assert lines[1] == f"LABEL org.example={NONCE}"
    assert NONCE in lines[-1]
