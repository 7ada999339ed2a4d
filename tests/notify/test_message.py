"""What is told, and in which words: chosen transitions, causes first, at most twenty lines, nothing that acts."""

from __future__ import annotations

from typing import Any

import pytest

from audit.drift.transitions import Transition, transitions
from audit.model import Severity
from audit.snapshot import HostRow, Snapshot, VerdictRow
from audit.telling import MOST_LINES, chosen, standing, told
from tests.reports.fleet import clean, hostile, story, tiny_rules

NIGHT = 1_764_122_400.0
"""2025-11-26 02:00 UTC."""


def row(subject: str, rule: str = "FA404", status: str = "fail", severity: str = "error", **more: Any) -> VerdictRow:
    """One verdict."""
    words = {"message": f"{rule} says so of {subject}"} | more
    return VerdictRow(rule=rule, subject=subject, status=status, severity=severity, **words)


def check(*rows: VerdictRow, at: float = NIGHT) -> Snapshot:
    """A check of the hosts that the rows are of."""
    names = dict.fromkeys(one.subject for one in rows if one.subject != "fleet" and ":" not in one.subject)
    return Snapshot(at=at, hosts=tuple(HostRow(name=name, outcome="ok") for name in names), verdicts=rows)


def turned(before: str | None, after: str | None) -> Transition:
    """One verdict that turned."""
    return Transition(subject="w1", rule="FA404", before=before, after=after, severity="error", message="m")


@pytest.mark.parametrize(
    ("before", "after", "on"),
    [
        (None, "fail", "new worse any"),
        ("pass", "fail", "new worse any"),
        ("waived", "fail", "new worse any"),
        ("unknown", "fail", "new worse any"),
        ("pass", "unknown", "worse any"),
        ("fail", "unknown", "worse any"),
        ("fail", "pass", "any"),
        ("fail", "n/a", "any"),
        ("fail", None, "any"),
        ("fail", "waived", "any"),
        ("unknown", "pass", "any"),
    ],
)
def test_what_is_worth_a_message(before: str | None, after: str | None, on: str) -> None:
    """Findings always; what can no longer be told unless only findings are wanted; what ended where all is wanted."""
    found = [wanted for wanted in ("new", "worse", "any") if chosen([turned(before, after)], wanted, check())]
    assert found == on.split()


def test_nothing_that_turned_is_no_message() -> None:
    """The same check twice is silence."""
    with tiny_rules():
        now = Snapshot.of(story())
        assert told(chosen(transitions(now, now), "any", now), now) is None


def test_the_story_reads_well() -> None:
    """Subject with the counts; each finding once for all its hosts; the cause before its consequence; the link last."""
    with tiny_rules():
        now = Snapshot.of(story())
        message = told(chosen(transitions(None, now), "worse", now), now, before=NIGHT, link="https://audit.example/r")
    assert message is not None
    assert message.kind == "failure"
    assert message.subject == "fleet-audit: 6 errors, 1 warning and 1 note new"
    assert message.body.splitlines() == [
        "9 hosts checked 2026-11-24 03:00 UTC, compared with 2025-11-26 02:00 UTC.",
        "",
        "WARN FA204 riscv-06: only 2.0 % free under /var/lib/docker",
        "   do: mend it",
        "NOTE FA301 amd64-2: buildx is missing: `docker build` is the legacy builder",
        "   do: install it",
        "ERROR FA404 riscv-[01-05] (5 hosts): pushes an OCI index; "
        '`docker manifest create` will say "... is a manifest list"',
        "   do: merge with `docker buildx imagetools create`, or set BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the unit: "
        "`ansible-playbook -i inventory/ playbooks/remediate.yml --tags fa404 "
        "--limit riscv-01,riscv-02,riscv-03,riscv-04,riscv-05`",
        "ERROR FA501 pool linux-riscv64: some push an index, some flat",
        "   do: mend it",
        "",
        "Report: https://audit.example/r",
    ]


def test_an_unreachable_host_is_one_line() -> None:
    """What cannot be told because of it is not told by itself; the subject counts the host once."""
    before = check(row("w1", "FA001", "pass"), row("w1", "FA404", "pass"), row("w1", "FA204", "pass"))
    rows = [row("w1", name, "unknown", because="FA001") for name in ("FA204", "FA404")]
    now = check(row("w1", "FA001", "unknown", message="connect timed out"), *rows)
    message = told(chosen(transitions(before, now), "worse", now), now, before=before.at)
    assert message is not None
    assert message.subject == "fleet-audit: 1 host not told"
    assert message.body.splitlines()[2:] == ["?? FA001 w1: connect timed out"]
    assert message.kind == "warning"


def test_what_ended_is_good_news() -> None:
    """Findings that are gone, with the rule's present word."""
    before, now = check(row("w1"), row("w2")), check(row("w1", status="pass", message="pushes flat"), row("w2"))
    message = told(chosen(transitions(before, now), "any", now), now, before=before.at)
    assert message is not None
    assert (message.subject, message.kind) == ("fleet-audit: 1 finding ended", "success")
    assert message.body.splitlines()[-1] == "ended FA404 w1: pushes flat"


def test_a_thousand_findings_are_twenty_lines() -> None:
    """The most severe stay, in their order; the others are counted; no line is longer than mail can carry."""
    rows = [
        row(f"w{n}", f"FA{n}", severity=("note", "warning", "error")[n % 3], message="x" * 5000) for n in range(1000)
    ]
    rows += [row(f"some-long-name-{n * n}", "FA404", message="alike") for n in range(1000)]
    now = check(*rows)
    message = told(chosen(transitions(None, now), "worse", now), now, link="https://audit.example/r")
    assert message is not None
    lines = message.body.splitlines()
    assert len(lines) == MOST_LINES
    assert max(map(len, lines)) <= 300
    assert all(line.startswith("ERROR ") for line in lines[2:-3])
    assert lines[-3] == "… and 319 more errors, 333 more warnings, 334 more notes."
    assert len(message.subject) < 100


def test_a_command_is_whole_or_not_there() -> None:
    """A remedy that is too long, or that a chat would change, is the manual page's name instead."""
    for remedy in (f"`docker pull {'x' * 400}`", "`echo 1 >/etc/x`", "`docker pull https://h/x`"):
        now = check(row("w1", remedy=remedy))
        message = told(chosen(transitions(None, now), "worse", now), now)
        assert message is not None
        assert message.body.splitlines()[-1] == "   do: `fleet-audit explain FA404`"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "\n\nBcc: x@y.example\n\nhi",
        "<!channel>",
        "<@U123>",
        "@everyone",
        " @here",
        "<script>alert(1)</script>",
        "[click](https://evil.example)",
        "https://evil.example/x",
        "\u202eevil",
        "\u200b",
        "\r\n.\r\nMAIL FROM:<x>",
    ],
)
def test_hostile_words_do_not_act(text: str) -> None:
    """No line of theirs, no tag, mention or link; the subject holds no word of a worker."""
    with tiny_rules():
        now = Snapshot.of(hostile(text))
        message = told(chosen(transitions(None, now), "any", now), now)
        plain = Snapshot.of(hostile(""))
        same = told(chosen(transitions(None, plain), "any", plain), plain)
    assert message is not None
    assert same is not None
    assert message.subject == same.subject
    assert len(message.body.splitlines()) == len(same.body.splitlines()) <= MOST_LINES
    assert message.body.replace("\n", "").isprintable()
    for mark in ("<", ">", "](", "://", "@everyone", "@here", "@U123"):
        assert mark not in message.body


def test_each_host_is_compared_with_its_newest_check() -> None:
    """A check of one host in between does not make the others new, and nobody is gone who was not asked."""
    full = check(row("w1"), row("w2"), row("w3", status="pass"), at=1.0)
    one = check(row("w1", status="pass"), at=2.0)
    before = standing(check(row("w1"), row("w2")), [one, full])
    assert before is not None
    assert before.at == 2.0
    assert [(found.subject, found.status) for found in before.verdicts] == [("w1", "pass"), ("w2", "fail")]
    assert standing(check(row("w9")), [one, full]) is None
    assert standing(check(row("w1")), []) is None


def test_pools_are_compared_with_a_check_of_the_same_hosts() -> None:
    """A check of half a pool says nothing of the pool; with a host more it is still the pool."""
    names = ("w1", "w2", "w3", "w4")
    full = check(*(row(name, status="pass") for name in names), row("pool:a", "FA501"))
    one = check(row("w1", status="pass"), row("pool:a", "FA501", "pass"))

    def pool(*hosts: str) -> list[str]:
        now = check(*(row(name, status="pass") for name in hosts), row("pool:a", "FA501"))
        before = standing(now, [one, full])
        return [found.status for found in before.verdicts if found.subject == "pool:a"] if before else []

    assert pool(*names) == ["fail"]
    assert pool(*names, "w5") == ["fail"]
    assert pool("w1") == ["pass"]


def test_every_severity_has_a_place() -> None:
    """The words of the message know all that a rule may be."""
    for severity in Severity:
        now = check(row("w1", severity=severity.value))
        message = told(chosen(transitions(None, now), "new", now), now)
        assert message is not None
        assert message.subject == f"fleet-audit: 1 {severity.value} new"
    with tiny_rules():
        assert transitions(None, Snapshot.of(clean())) == ()
