"""Channels against receivers on this machine: each gets one message, whole; whoever does not take it costs nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit.errors import UsageError
from audit.notify import addresses, channels_of, send
from tests.farm.receivers import mail, web

SUBJECT = "fleet-audit: 2 errors new"
BODY = "6 hosts checked.\n\nERROR FA404 w1: pushes an index & more\n   do: mend it\n\nReport: https://audit.example/r"
SECRET = "s3cr3t-t0k3n"


def test_a_webhook_gets_the_message_once_as_json() -> None:
    """Title, message with its lines, and rank; a login goes into the header and nowhere else."""
    with web() as hook:
        assert send(channels_of([hook.url(login=f"me:{SECRET}@")]), SUBJECT, BODY, "failure") == ()
    (posted,) = hook.got
    assert posted.path == "/hook"
    assert (posted.json["title"], posted.json["message"], posted.json["type"]) == (SUBJECT, BODY, "failure")
    assert posted.headers["User-Agent"] == "fleet-audit"
    assert SECRET.encode() not in posted.raw


def test_slack_gets_the_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Slack's web hook is sent: the subject as title, the text as it is, no picture from elsewhere."""
    from apprise.plugins.slack import NotifySlack

    with web() as hook:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{hook.port}/services")
        channels = channels_of(["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"])
        assert send(channels, SUBJECT, BODY, "failure") == ()
    (posted,) = hook.got
    assert posted.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    text = posted.raw.decode()
    assert SUBJECT in text
    assert "ERROR FA404 w1: pushes an index &amp; more\\n   do: mend it" in text
    assert "github" not in text
    assert posted.json["channel"] == "#ops"


def test_mattermost_gets_the_message_once() -> None:
    """A hook of Slack's shape: one text with the subject in it."""
    with web() as hook:
        assert send(channels_of([hook.url("mmost", "a1b2c3d4e5")]), SUBJECT, BODY, "warning") == ()
    (posted,) = hook.got
    assert SUBJECT in posted.json["text"]
    assert "ERROR FA404 w1: pushes an index" in posted.json["text"]


def test_a_mail_is_one_mail_with_a_readable_text() -> None:
    """The subject in its header; the lines of the text as they were."""
    with mail() as server:
        assert send(channels_of([server.url()]), SUBJECT, BODY, "failure") == ()
    ((wanted, found),) = server.got
    assert wanted == ("ops@example.org",)
    assert found["Subject"] == SUBJECT
    assert "audit@example.org" in found["From"]
    plain = found.get_body(("plain",))
    assert plain is not None
    assert [line.rstrip() for line in plain.get_content().strip().splitlines()] == BODY.splitlines()


def test_all_channels_get_it_side_by_side_and_a_bad_one_does_not_hold_the_others() -> None:
    """Six channels, four of them bad: one sentence each, by number and kind, within the limit."""
    moods = ("refuses", "hangs", "drips", "redirects")
    with web() as good, web("refuses") as one, web("hangs") as two, web("drips") as three, web("redirects") as four:
        urls = [hook.url(path=SECRET) for hook in (good, one, two, three, four)]
        before = time.monotonic()
        troubles = send(channels_of([*urls, "json://127.0.0.1:1/x"]), SUBJECT, BODY, "info", seconds=1.5)
        seconds = time.monotonic() - before
        counts = [len(hook.got) for hook in (good, one, two, three, four)]
    assert len(troubles) == len(moods) + 1
    assert [text[:15] for text in troubles] == [f"channel {number} (JSON" for number in (2, 3, 4, 5, 6)]
    assert all(text.endswith("did not take the message within 1.5 s") for text in troubles[1:3])
    assert seconds < 4
    assert counts == [1, 1, 1, 1, 1]
    assert SECRET not in "".join(troubles)


def test_an_answer_without_end_is_no_trouble() -> None:
    """Whoever answers 200 with a hundred megabytes has taken the message, or is left alone at the limit."""
    with web("shouts") as hook:
        troubles = send(channels_of([hook.url()]), SUBJECT, BODY, "info", seconds=5)
    assert len(hook.got) == 1
    assert all("did not take" in text for text in troubles)


def test_a_hanging_channel_does_not_hold_the_process() -> None:
    """Python's end waits for no thread of ours or of apprise's."""
    call = "send(channels_of(sys.argv[1:]), 's', 'b', 'info', seconds=0.3)"
    code = f"import sys; from audit.notify import channels_of, send; print({call})"
    with web("hangs") as hook:
        before = time.monotonic()
        argv = [sys.executable, "-c", code, hook.url()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        seconds = time.monotonic() - before
    assert "within 0.3 s" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert seconds < 3.5  # below apprise's own limit of 4 s for a read


def test_nothing_of_an_address_is_logged_or_printed(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not for a channel that refuses, nor for an address that is none, whoever listens to the log."""
    caplog.set_level(logging.DEBUG)
    with web("refuses") as hook:
        channels = channels_of([hook.url(path=SECRET, login=f"me:{SECRET}@")])
        (trouble,) = send(channels, SUBJECT, BODY, "failure")
    with pytest.raises(UsageError) as caught:
        channels_of([f"slack://{SECRET}"])
    with pytest.raises(UsageError) as other:
        channels_of([hook.url(), SECRET])
    assert "address number 2" in str(other.value)
    shown = "".join([*capfd.readouterr(), trouble, str(caught.value), str(other.value), repr(channels)])
    # urllib3 names hosts and paths in its debug log, which is off; apprise, whose log is on by default, says nothing.
    shown += "".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert SECRET not in shown
    assert not [record for record in caplog.records if record.name.startswith("apprise")]


def test_without_apprise_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with what to install."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError, match=r"install fleet-audit\[notify\]"):
        channels_of(["json://127.0.0.1/"])
    assert channels_of([]) == ()


def test_addresses_stand_in_a_file(tmp_path: Path) -> None:
    """One a line, comments and empty lines left out, each only once."""
    file = tmp_path / "notify"
    file.write_text(
        f"# ops\njson://h/{SECRET}\n\n  mailto://a@b.example?to=x@y.example,z@y.example \n", encoding="utf-8"
    )
    found = addresses([f"@{file}", "json://other/", f"json://h/{SECRET}"])
    assert found == (f"json://h/{SECRET}", "mailto://a@b.example?to=x@y.example,z@y.example", "json://other/")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read: No such file"), (b"", "holds no address"), (b"\xff\xfe", "holds no address"),
     (b"json://x/\n" * 10_000, "up to 64 KiB")],
    ids=["missing", "empty", "binary", "huge"],
)  # fmt: skip
def test_a_file_that_holds_none_is_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    """The file is named."""
    file = tmp_path / "notify"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        addresses([f"@{file}"])
    assert str(file) in str(caught.value)
