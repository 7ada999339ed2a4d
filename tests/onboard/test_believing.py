"""Which host key is believed, and by whom."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.cli import believing
from audit.cli.believing import Believer
from audit.errors import UsageError
from audit.model import Evidence, Fleet, Host, HostEvidence, Outcome
from audit.onboard import Identity
from audit.run import SavedRun

KEY, OTHER = "SHA256:" + "k" * 43, "SHA256:" + "o" * 43
HOST = Host(name="w", address="127.0.0.1")


class Machine:
    """Shows a key; answers once that is trusted."""

    def __init__(self, outcome: Outcome, *keys: str) -> None:
        """The keys that it shows, one a connection; the last one again and again."""
        self.outcome, self.keys, self.trusted = outcome, list(keys), list[str | None]()

    def ask(self, trusted: str | None) -> SavedRun:
        """One connection."""
        self.trusted.append(trusted)
        key = self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]
        outcome = Outcome.OK if key == trusted else self.outcome
        found = HostEvidence(outcome=outcome, detail="as it is", phase="hostkey", host_key=key)
        now = datetime(2026, 11, 26, tzinfo=UTC)
        evidence = Evidence(started=now, finished=now, hosts={"w": found}, script="0" * 64)
        return SavedRun(fleet=Fleet(hosts=(HOST,)), evidence=evidence)


def believed(machine: Machine, **more: Any) -> tuple[Identity, SavedRun | None]:
    """What becomes of it."""
    return Believer(HOST, None, **more).identity(machine.ask, None)


@pytest.fixture(autouse=True)
def _nobody_vouches(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ssh is asked."""
    monkeypatch.setattr("audit.wire.vouching.vouched", lambda *_: None)


@pytest.mark.parametrize("outcome", [Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED])
def test_a_fingerprint_that_was_compared(outcome: Outcome) -> None:
    """It is taken, and only it; the second time the machine is asked as any other."""
    machine = Machine(outcome, KEY)
    identity, saved = believed(machine, fingerprint=KEY)
    assert (identity.state, identity.how) == ("accepted", "its fingerprint was given")
    assert saved is not None
    assert machine.trusted == [None, KEY]


def test_another_fingerprint_takes_nothing() -> None:
    """One sentence that names both; the machine is not asked again."""
    machine = Machine(Outcome.HOSTKEY_CHANGED, KEY)
    with pytest.raises(UsageError, match="nothing was taken"):
        believed(machine, fingerprint=OTHER)
    assert machine.trusted == [None]


def test_first_use_is_for_what_was_never_known() -> None:
    """A new key is taken so, a changed one never."""
    assert believed(Machine(Outcome.HOSTKEY, KEY), first_use=True)[0].state == "accepted"
    identity, saved = believed(Machine(Outcome.HOSTKEY_CHANGED, KEY), first_use=True)
    assert (identity.state, saved) == ("changed", None)


def test_a_machine_that_shows_another_key_each_time() -> None:
    """Two machines behind one address: the key that was compared is not the one that answers."""
    identity, saved = believed(Machine(Outcome.HOSTKEY, KEY, OTHER), fingerprint=KEY)
    assert (identity.state, saved) == ("unreachable", None)
    assert "its key was not taken" in identity.detail


@pytest.mark.parametrize(("typed", "state"), [(KEY, "accepted"), ("k" * 43, "accepted"), ("yes", "new"), ("", "new")])
def test_what_the_console_says_is_typed_in(monkeypatch: pytest.MonkeyPatch, typed: str, state: str) -> None:
    """The fingerprint itself, not a yes."""
    monkeypatch.setattr(believing.sys, "stdin", io.StringIO(f"{typed}\n"))  # type: ignore[attr-defined]  # a module's own
    assert believed(Machine(Outcome.HOSTKEY, KEY), may_ask=True)[0].state == state


def test_a_login_that_is_refused_is_no_question_of_identity() -> None:
    """The key is the known one; the rules say what is wrong with the login."""
    identity, saved = believed(Machine(Outcome.AUTH, KEY))
    assert identity.state == "known"
    assert saved is not None
