"""What a running build shows: each line behind its platform, and nothing that a worker writes comes to life."""

from __future__ import annotations

import pytest

from audit.cli.buildlines import Board, showing


def test_lines_stand_behind_their_platform(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: lines alone; escape sequences are shown, not sent."""
    with showing(["linux/amd64", "linux/arm/v7"], quiet=False) as watchers:
        watchers.line("linux/amd64", "step \x1b[2J1")
        watchers.phase("linux/amd64", "w1", "building")
        watchers.note("linux/arm/v7", "tries w2")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "amd64  | step \\x1b[2J1\narm-v7 | fleet-audit: tries w2\n"


def test_who_wants_quiet_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither lines nor notes."""
    with showing(["linux/amd64"], quiet=True) as watchers:
        watchers.line("linux/amd64", "x")
        watchers.note("linux/amd64", "x")
    assert capsys.readouterr().err == ""


def test_the_board_counts_from_the_attempt() -> None:
    """Seconds begin anew with another worker, not with another phase."""
    now = [0.0]
    board = Board(["linux/amd64", "linux/arm64"], clock=lambda: now[0])
    assert board.line() == "nothing has begun"
    board.phase("linux/amd64", "w1", "connecting")
    now[0] = 5.0
    board.phase("linux/amd64", "w1", "building")
    board.phase("linux/arm64", "w2", "building")
    now[0] = 7.0
    assert board.line() == "amd64 building on w1 7 s · arm64 building on w2 2 s"
    board.phase("linux/amd64", "w3", "building")
    assert board.line().startswith("amd64 building on w3 0 s")
