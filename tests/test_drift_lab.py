"""A worker reinstalled for real: the report names that as the cause, the index-shaped pushes as what follows, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.cli.app import run
from tests.lab import Lab, leaks, states
from tests.lab.seed import HOST_KEYS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), pytest.mark.xdist_group("lab")]


def _known(lab: Lab) -> Path:
    """The known_hosts that the lab's inventory names."""
    return lab.place.keys / "known_hosts"


def test_a_reinstalled_worker_is_named_as_the_cause_and_then_there_is_silence(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Baseline, reinstallation, the scheduled check; its new key accepted; one report, and none the next time."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    inventory = ["-i", str(lab.inventory), "-q"]

    def said(*words: str) -> tuple[int, str]:
        code = run(list(words))
        return code, capsys.readouterr().out

    said("check", "amd64", "arm64", *inventory)
    assert said("baseline", "set", "default")[0] == 0
    assert said("drift", "--quiet-if-clean") == (0, ""), "nothing has changed"
    worker = lab.workers["amd64"]
    with states.reinstalled(worker):
        said("check", "amd64", "arm64", *inventory)
        code, told = said("drift")
        assert code in (1, 3)
        assert "amd64" in told
        assert "host key" in told, "until somebody accepts it, that is all that can be told"
        known = tmp_path / "known_hosts"
        keys = [worker.read(f"/etc/ssh/ssh_host_{kind}_key.pub").split()[:2] for kind in HOST_KEYS]
        old = [line for line in _known(lab).read_text().splitlines() if not line.startswith(worker.address)]
        known.write_text("\n".join([*old, *(f"{worker.address} {' '.join(key)}" for key in keys), ""]))
        said("check", "amd64", "arm64", *inventory, "--known-hosts", str(known))
        code, told = said("drift")
        assert code == 1
        words = " ".join(told.split())
        cause, store, shape = (words.index(text) for text in ("reinstalled", "containerd", "index"))
        assert cause < store < shape, "the cause first, then what follows from it"
        assert "manifest list" in words
        assert not any(line.startswith("arm64") for line in told.splitlines()), "it has not changed"
        page = tmp_path / "page.html"
        assert said("report", "--from", "latest", "--report", f"html:{page}")[0] in (0, 1)
        text = page.read_text(encoding="utf-8")
        assert "Drift since baseline default" in text
        assert "reinstalled, or another machine under this name" in text
        said("check", "amd64", "arm64", *inventory, "--known-hosts", str(known))
        assert said("drift", "--since", "previous", "--quiet-if-clean") == (0, "")
        assert run(["history", "export"]) == 0
        kept = capsys.readouterr().out
        assert "arm64" in kept
        assert leaks(kept) == [], "the proxies' passwords that arm64 and amd64 hold stand in no table"
