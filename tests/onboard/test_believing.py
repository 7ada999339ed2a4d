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
from audit.wire.sshfp import Wish, Word

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


def test_a_known_key_is_held_against_the_fingerprint_too() -> None:
    """A key that got into known_hosts unseen is not what was read on the console; the right one changes nothing."""
    with pytest.raises(UsageError, match="nothing was taken"):
        believed(Machine(Outcome.OK, KEY), fingerprint=OTHER)
    assert believed(Machine(Outcome.OK, KEY), fingerprint=KEY)[0].state == "known"


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("", "through bastion: bastion is not a known host"),
        ("", "its key SHA256:x is marked as revoked in known_hosts:1"),
        (KEY, "/r, which RevokedHostKeys names, cannot be read, and ssh believes no host then: mend it"),
    ],
    ids=["a jump host", "a revoked jump host", "a list that cannot be read"],
)
def test_what_is_not_about_its_own_key(key: str, detail: str) -> None:
    """Another machine's key, or a list at fault: the reason is told, and nothing is advised about this one's key."""
    machine = Machine(Outcome.HOSTKEY, key)
    real = machine.ask

    def ask(trusted: str | None) -> SavedRun:
        saved = real(trusted)
        found = saved.evidence.hosts["w"].model_copy(update={"detail": detail, "host_key": key or None})
        return saved.model_copy(update={"evidence": saved.evidence.model_copy(update={"hosts": {"w": found}})})

    identity, saved = Believer(HOST, None, fingerprint=KEY, first_use=True).identity(ask, None)
    assert (identity.state, identity.detail, saved) == ("unreachable", detail, None)


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


@pytest.mark.parametrize(
    ("typed", "state"),
    [(KEY, "accepted"), ("k" * 43, "accepted"), (f"{KEY}=", "accepted"), ("yes", "new"), ("", "new")],
)
def test_what_the_console_says_is_typed_in(monkeypatch: pytest.MonkeyPatch, typed: str, state: str) -> None:
    """The fingerprint itself, not a yes."""
    monkeypatch.setattr(believing.sys, "stdin", io.StringIO(f"{typed}\n"))  # type: ignore[attr-defined]  # a module's own
    assert believed(Machine(Outcome.HOSTKEY, KEY), may_ask=True)[0].state == state


def test_a_login_that_is_refused_is_no_question_of_identity() -> None:
    """The key is the known one; the rules say what is wrong with the login."""
    identity, saved = believed(Machine(Outcome.AUTH, KEY))
    assert identity.state == "known"
    assert saved is not None


def noted(said: str, wish: Wish = "yes") -> dict[str, Any]:
    """DNS that was asked for the key and said this."""
    word = Word(said, f"DNS said {said}")  # type: ignore[arg-type]  # one of its three
    return {"noted": lambda key: (word, wish) if key == KEY else None}


@pytest.mark.parametrize("outcome", [Outcome.HOSTKEY, Outcome.HOSTKEY_CHANGED])
def test_a_key_that_dns_vouches_for(outcome: Outcome) -> None:
    """It is taken, also instead of another one, where the operator wants it; else it is only shown."""
    machine = Machine(outcome, KEY)
    identity, _ = believed(machine, **noted("vouched"))
    assert (identity.state, identity.how, identity.dns) == ("accepted", "DNS said vouched", "")
    assert machine.trusted == [None, KEY]
    machine = Machine(outcome, KEY)
    identity, saved = believed(machine, **noted("vouched", "ask"))
    assert (identity.state in ("new", "changed"), identity.dns, saved) == (True, "DNS said vouched", None)
    assert machine.trusted == [None]
    assert not believed(Machine(outcome, OTHER), **noted("vouched"))[0].trusted, "another key was noted"
    assert not believed(Machine(outcome, KEY), **noted("nothing"))[0].trusted


def test_where_dns_names_another_key_only_a_person_is_believed(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Neither an authority nor a first use; the fingerprint given or typed in is, and DNS stands beside it."""
    monkeypatch.setattr("audit.wire.vouching.vouched", lambda *_: "an authority vouches")
    assert believed(Machine(Outcome.HOSTKEY, KEY), **noted("nothing"))[0].how == "an authority vouches"
    identity, saved = believed(Machine(Outcome.HOSTKEY, KEY), first_use=True, **noted("other"))
    assert (identity.state, identity.dns, saved) == ("new", "DNS said other", None)
    identity, _ = believed(Machine(Outcome.HOSTKEY, KEY), fingerprint=KEY, **noted("other"))
    assert (identity.state, identity.dns) == ("accepted", "DNS said other")
    monkeypatch.setattr(believing.sys, "stdin", io.StringIO(f"{KEY}\n"))  # type: ignore[attr-defined]  # a module's own
    capsys.readouterr()
    assert believed(Machine(Outcome.HOSTKEY, KEY), may_ask=True, **noted("other"))[0].state == "accepted"
    assert "DNS said other" in capsys.readouterr().err
