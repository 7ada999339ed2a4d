"""The socket that leads through a jump host."""

from __future__ import annotations

from typing import cast

import paramiko
import pytest

from audit.wire.network import ThroughJump


class Gone:
    """A channel whose connection has ended: it cannot say that it closes."""

    def __init__(self, error: Exception) -> None:
        """What closing ends with."""
        self.error = error

    def settimeout(self, seconds: float) -> None:
        """As a channel's."""

    def close(self) -> None:
        """Fails."""
        raise self.error


@pytest.mark.parametrize("error", [EOFError(), OSError("Socket is closed"), paramiko.SSHException("no session")])
def test_closing_what_has_gone_is_no_error(error: Exception) -> None:
    """paramiko closes it in a thread of its own, whose traceback nobody could catch; afterwards nothing is read."""
    through = ThroughJump(cast(paramiko.Channel, Gone(error)))
    through.close()
    assert through.recv(1) == b""
