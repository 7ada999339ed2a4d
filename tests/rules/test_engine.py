"""The machinery under the rules: crashes, waivers, policy, causes, exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit.judge
import audit.rule
from audit.fact import Facts
from audit.facts.access import Access
from audit.facts.engine import Engine
from audit.facts.reach import Reach
from audit.judge import CRASHED, judge
from audit.model import (
    Evidence,
    Fleet,
    Host,
    HostEvidence,
    HostPolicy,
    Outcome,
    Policy,
    PolicyLayer,
    Reason,
    RuleSetting,
    Severity,
    Status,
    Unknown,
    Verdict,
    Waiver,
)
from audit.rule import (
    Check,
    Finding,
    FleetView,
    Now,
    Result,
    Rule,
    cannot_tell,
    fail,
    not_applicable,
    ok,
)
from audit.run import Run
from audit.shape import Prediction
from tests.rules.test_cases import facts_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rule(name: str, severity: Severity = Severity.ERROR, *, cause: bool = False) -> Rule:
    """A rule that is only its id."""
    return Rule(name, "t", severity, why="w", symptom="s", remedy="the rule's remedy", cause=cause)


def made(what: Rule, check: Callable[..., Any], *, fleet: bool = False) -> Check:
    """A rule file that is not on the disk, loaded as one that is."""
    module = ModuleType(f"audit.rules.{what.id.lower()}")
    vars(module).update({"rule": what, "check_fleet" if fleet else "check": check})
    return audit.rule._load(module, what.id.lower())


def says(result: Result) -> Callable[[], Result]:
    """A check that always says the same."""
    return lambda: result


@contextmanager
def only(*checks: Check) -> Iterator[None]:
    """Only these rules exist, in the order of their ids."""
    found = {check.rule.id: check for check in sorted(checks, key=lambda check: check.rule.id)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit.judge, "all_rules", lambda: found)
        yield


def fleet_of(*names: str, layers: Sequence[PolicyLayer] = ()) -> Fleet:
    """Hosts that are only their names, in the group ``all``."""
    return Fleet(hosts=tuple(Host(name=name, address=name) for name in names), policy=Policy(layers=tuple(layers)))


def run_of(fleet: Fleet, *checks: Check, now: datetime = NOON, facts: dict[str, Facts] | None = None) -> Run:
    """A run judged by these rules alone; each host was reached and nothing was asked of it."""
    with only(*checks):
        known = facts if facts is not None else {name: facts_of({}) for name in fleet.names}
        view, verdicts = judge(fleet, known, now)
    hosts = dict.fromkeys(fleet.names, HostEvidence(outcome=Outcome.OK))
    evidence = Evidence(script="0" * 64, started=now, finished=now, hosts=hosts)
    return Run(fleet, evidence, known, view, verdicts)


def waiver(name: str = "FA901", host: str = "*", until: date = date(2026, 12, 31)) -> Waiver:
    """A waiver that is only what it covers."""
    return Waiver(rule=name, host=host, reason="known", owner="ops", until=until)


def layer(**fields: Any) -> PolicyLayer:
    """A policy that holds for every host."""
    return PolicyLayer(scope="group:all", **fields)


# ---------------------------------------------------------------- loading


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "no `rule = Rule"),
        ({"rule": rule("FA902"), "check": says(ok("x"))}, "holds FA902"),
        ({"rule": rule("FA901")}, "either check or check_fleet"),
        (
            {"rule": rule("FA901"), "check": says(ok("x")), "check_fleet": lambda view: []},
            "either check or check_fleet",
        ),
    ],
)
def test_a_file_that_is_no_rule_is_refused(content: dict[str, object], words: str) -> None:
    """What does not keep to the contract is an error at import, not a rule that never fires."""
    module = ModuleType("audit.rules.fa901")
    vars(module).update(content)
    with pytest.raises(TypeError, match=words):
        audit.rule._load(module, "fa901")


def test_a_parameter_that_nobody_can_fill_is_refused() -> None:
    """Parameters are facts or one of four other types."""

    def check(number: int) -> Result:
        return ok(str(number))

    with pytest.raises(TypeError, match="parameter number"):
        made(rule("FA901"), check)


@pytest.mark.parametrize("name", ["FA1", "fa101", "FA1011", "XX101", ""])
def test_an_id_of_another_form_is_refused(name: str) -> None:
    """Ids are FA and three digits."""
    with pytest.raises(ValueError, match="not a rule id"):
        rule(name)


# ---------------------------------------------------------------- facts reach the checks


def test_arguments_come_by_type() -> None:
    """A check gets what its parameters' types name, in whatever order."""
    seen: list[object] = []

    def check(
        now: Now, push: Prediction, host: Host, policy: HostPolicy, reach: Reach, access: Access | Unknown
    ) -> Result:
        seen.extend([now.today, push.kind, host.name, policy.disk_free_percent, reach.outcome, access])
        return ok("seen", "x")

    run_of(fleet_of("a"), made(rule("FA901"), check))
    assert seen[:5] == [date(2026, 11, 24), "unknown", "a", 10.0, Outcome.OK]
    assert isinstance(seen[5], Unknown)


def test_an_unknown_fact_ends_in_unknown_without_a_call() -> None:
    """A check that wants a fact is never called without it."""

    def check(engine: Engine) -> Result:
        raise AssertionError(engine)

    facts = {"a": Facts({"engine": Unknown(reason=Reason.TIMEOUT, detail="8 s are over")})}
    [verdict] = run_of(fleet_of("a"), made(rule("FA901"), check), facts=facts).verdicts
    assert (verdict.status, verdict.message) == (Status.UNKNOWN, "engine is not known: 8 s are over")
    assert verdict.remedy == "the rule's remedy"


def test_a_host_without_facts_is_unknown() -> None:
    """A host that nobody collected passes nothing."""

    def check(engine: Engine) -> Result:
        return ok(engine.version, "x")

    [verdict] = run_of(fleet_of("a"), made(rule("FA901"), check), facts={}).verdicts
    assert verdict.status is Status.UNKNOWN


# ---------------------------------------------------------------- crashes


def crash() -> Result:
    """A check with a bug."""
    raise ZeroDivisionError("by zero")


def crash_fleet(view: FleetView) -> list[Finding]:
    """A fleet check with one."""
    raise ZeroDivisionError(len(view.members))


def test_a_crashed_rule_is_unknown_and_exit_4() -> None:
    """Our own bug reads as unknown, is told as our own, and the other rules go on."""
    run = run_of(fleet_of("a", "b"), made(rule("FA901"), crash), made(rule("FA902"), says(ok("fine", "x"))))
    first, second, third, fourth = run.verdicts
    assert first.status is third.status is Status.UNKNOWN
    assert first.message.startswith(CRASHED)
    assert "ZeroDivisionError: by zero" in first.message
    assert second.status is fourth.status is Status.PASS
    assert len(run.faults) == 2
    assert run.exit_code() == run.exit_code(None, 0.0) == 4


def test_a_crashed_fleet_rule_is_unknown_and_exit_4() -> None:
    """A fleet rule is no exception."""
    run = run_of(fleet_of("a"), made(rule("FA901"), crash_fleet, fleet=True))
    [verdict] = run.verdicts
    assert (verdict.subject, verdict.status) == ("fleet", Status.UNKNOWN)
    assert verdict.message.startswith(CRASHED)
    assert run.exit_code() == 4


def test_a_crash_wins_over_findings_and_cannot_be_waived() -> None:
    """A waiver accepts a state of the fleet, not a bug of ours."""
    fleet = fleet_of("a", layers=[layer(waivers=(waiver(),))])
    run = run_of(fleet, made(rule("FA901"), crash), made(rule("FA902"), says(fail("bad"))))
    assert [verdict.status for verdict in run.verdicts] == [Status.UNKNOWN, Status.FAIL]
    assert run.exit_code() == 4


# ---------------------------------------------------------------- waivers


def one_verdict(result: Result, *waivers: Waiver, now: datetime = NOON) -> Verdict:
    """What a rule says of host ``a`` under these waivers."""
    fleet = fleet_of("a", layers=[layer(waivers=waivers)])
    [verdict] = run_of(fleet, made(rule("FA901"), says(result)), now=now).verdicts
    return verdict


@pytest.mark.parametrize("result", [fail("bad"), cannot_tell("dark")], ids=["fail", "unknown"])
def test_a_waived_verdict_keeps_what_was_seen(result: Result) -> None:
    """WAIVED, with the waiver, and still with its message and remedy."""
    given_up = waiver(host="a*")
    verdict = one_verdict(result, given_up)
    assert (verdict.status, verdict.waiver) == (Status.WAIVED, given_up)
    assert (verdict.message, verdict.remedy) == (result.message, "the rule's remedy")


@pytest.mark.parametrize("result", [ok("fine", "x"), not_applicable("no")], ids=["pass", "n/a"])
def test_a_waiver_leaves_what_is_no_finding(result: Result) -> None:
    """Nothing to waive, nothing waived."""
    verdict = one_verdict(result, waiver())
    assert (verdict.status, verdict.waiver) == (result.status, None)


@pytest.mark.parametrize(
    "other", [waiver("FA902"), waiver(host="b"), waiver(host="A"), waiver(until=date(2026, 11, 23))]
)
def test_a_waiver_for_something_else_does_not_count(other: Waiver) -> None:
    """Another rule, another host, another case of letters, another time."""
    verdict = one_verdict(fail("bad"), other)
    assert (verdict.status, verdict.waiver) == (Status.FAIL, None)


def test_an_expired_waiver_does_not_hide_one_that_holds() -> None:
    """The first that holds counts."""
    holds = waiver(until=date(2026, 11, 24))
    assert one_verdict(fail("bad"), waiver(until=date(2020, 1, 1)), holds).waiver == holds


@given(until=st.dates(date(1990, 1, 1), date(2090, 1, 1)), hours=st.integers(-12, 14))
def test_a_waiver_ends_with_its_last_day(until: date, hours: int) -> None:
    """It holds to the last second of `until`, UTC, and not a second longer, whatever zone the moment is told in."""
    zone = timezone(timedelta(hours=hours))
    last = datetime.combine(until, time(23, 59, 59), UTC).astimezone(zone)
    assert one_verdict(fail("bad"), waiver(until=until), now=last).status is Status.WAIVED
    after = last + timedelta(seconds=1)
    assert one_verdict(fail("bad"), waiver(until=until), now=after).status is Status.FAIL


RESULTS = [
    ok("fine", "x"),
    fail("bad"),
    fail("worse", severity=Severity.NOTE),
    cannot_tell("dark"),
    not_applicable("no"),
]
WAIVERS = st.builds(
    waiver,
    st.sampled_from(["FA901", "FA902", "FA903", "FA904"]),
    st.sampled_from(["*", "a", "b", "?", "c", "pool:*", "fleet", "[ab]"]),
    st.dates(date(2026, 11, 20), date(2026, 11, 28)),
)


@given(
    results=st.tuples(*[st.sampled_from(RESULTS)] * 4),
    waivers=st.lists(WAIVERS, max_size=6),
    more=WAIVERS,
    cause=st.booleans(),
)
def test_one_more_waiver_never_adds_a_failure(
    results: tuple[Result, ...], waivers: list[Waiver], more: Waiver, cause: bool
) -> None:
    """Nothing gets worse, nothing else changes, and nothing vanishes from the verdicts."""
    checks = [
        made(rule("FA901", cause=cause), says(results[0])),
        made(rule("FA902"), says(results[1])),
        made(rule("FA903"), says(results[2])),
        made(rule("FA904"), lambda view: [Finding("pool:x", results[3], ("a", "b"))], fleet=True),
    ]
    before = run_of(fleet_of("a", "b", layers=[layer(waivers=tuple(waivers))]), *checks)
    after = run_of(fleet_of("a", "b", layers=[layer(waivers=(*waivers, more))]), *checks)
    assert len(before.verdicts) == len(after.verdicts) == 7
    for old, new in zip(before.verdicts, after.verdicts, strict=True):
        if new != old:
            assert old.status in (Status.FAIL, Status.UNKNOWN)
            assert (new.status, new.waiver) == (Status.WAIVED, more)
            assert replace(new, status=old.status, waiver=None, because=old.because) == old
    assert after.exit_code() <= before.exit_code() or (before.exit_code(), after.exit_code()) == (1, 3)


# ---------------------------------------------------------------- policy


def test_a_rule_that_is_off_says_nothing() -> None:
    """Off for all, on again for one host."""
    off = layer(rules={"FA901": RuleSetting(enabled=False)})
    on = PolicyLayer(scope="host:b", rules={"FA901": RuleSetting(enabled=True)})
    run = run_of(fleet_of("a", "b", layers=[off, on]), made(rule("FA901"), says(fail("bad"))))
    assert [verdict.subject for verdict in run.verdicts] == ["b"]


def test_a_fleet_rule_that_is_off_says_nothing() -> None:
    """The group ``all`` decides for the fleet's rules."""
    off = layer(rules={"FA901": RuleSetting(enabled=False)})
    run = run_of(fleet_of("a", layers=[off]), made(rule("FA901"), crash_fleet, fleet=True))
    assert run.verdicts == ()


def test_a_cause_that_is_off_explains_nothing() -> None:
    """Nobody is sent to a rule that does not speak."""
    off = layer(rules={"FA901": RuleSetting(enabled=False)})
    checks = (made(rule("FA901", cause=True), says(fail("bad"))), made(rule("FA902"), says(cannot_tell("dark"))))
    [verdict] = run_of(fleet_of("a", layers=[off]), *checks).verdicts
    assert verdict.because is None


@pytest.mark.parametrize(
    ("result", "policy", "severity"),
    [
        (fail("bad"), None, Severity.WARNING),
        (fail("bad", severity=Severity.ERROR), None, Severity.ERROR),
        (fail("bad"), Severity.NOTE, Severity.NOTE),
        (fail("bad", severity=Severity.ERROR), Severity.NOTE, Severity.NOTE),
    ],
)
def test_severity_policy_then_result_then_rule(result: Result, policy: Severity | None, severity: Severity) -> None:
    """The owner of the fleet has the last word."""
    layers = [layer(rules={"FA901": RuleSetting(severity=policy)})] if policy else []
    run = run_of(fleet_of("a", layers=layers), made(rule("FA901", Severity.WARNING), says(result)))
    assert run.verdicts[0].severity is severity
    assert run.exit_code() == (1 if severity is Severity.ERROR else 0)


# ---------------------------------------------------------------- causes


def statuses_and_causes(*results: tuple[str, bool, Result], layers: Sequence[PolicyLayer] = ()) -> list[str]:
    """``FA902 unknown FA901`` for each rule, in order."""
    checks = [made(rule(name, cause=cause), says(result)) for name, cause, result in results]
    run = run_of(fleet_of("a", layers=layers), *checks)
    return [f"{verdict.rule} {verdict.status} {verdict.because or '-'}" for verdict in run.verdicts]


def test_unknowns_follow_from_the_first_cause() -> None:
    """The first failed cause explains every later unknown, a later cause's unknown too; a failure stands for itself."""
    assert statuses_and_causes(
        ("FA901", True, ok("fine", "x")),
        ("FA902", False, cannot_tell("dark")),
        ("FA903", True, fail("no docker")),
        ("FA904", True, cannot_tell("dark")),
        ("FA905", True, fail("bad")),
        ("FA906", False, cannot_tell("dark")),
        ("FA907", False, ok("fine", "x")),
    ) == [
        "FA901 pass -",
        "FA902 unknown -",
        "FA903 fail -",
        "FA904 unknown FA903",
        "FA905 fail -",
        "FA906 unknown FA903",
        "FA907 pass -",
    ]


def test_an_unknown_cause_explains_as_well() -> None:
    """A host that does not answer is unknown, and so is all the rest, because of that."""
    assert statuses_and_causes(("FA901", True, cannot_tell("dark")), ("FA902", False, cannot_tell("dark"))) == [
        "FA901 unknown -",
        "FA902 unknown FA901",
    ]


@pytest.mark.parametrize("result", [ok("fine", "x"), not_applicable("no")], ids=["pass", "n/a"])
def test_a_cause_that_holds_explains_nothing(result: Result) -> None:
    """Nor one whose question does not arise."""
    assert statuses_and_causes(("FA901", True, result), ("FA902", False, cannot_tell("dark")))[1] == "FA902 unknown -"


def test_a_rule_that_is_no_cause_explains_nothing() -> None:
    """Only what is marked."""
    assert statuses_and_causes(("FA901", False, fail("bad")), ("FA902", False, cannot_tell("dark")))[1].endswith("-")


def test_a_waived_cause_still_explains() -> None:
    """Accepting that a host is down does not turn its consequences into riddles."""
    waived = [layer(waivers=(waiver(),))]
    assert statuses_and_causes(("FA901", True, fail("bad")), ("FA902", False, cannot_tell("dark")), layers=waived) == [
        "FA901 waived -",
        "FA902 unknown FA901",
    ]


# ---------------------------------------------------------------- the fleet's rules


def test_fleet_rules_come_last_and_see_the_hosts_verdicts() -> None:
    """Host by host in the inventory's order, rules in the ids' order, then the fleet's rules whatever their ids."""
    seen: list[bool] = []

    def check_fleet(view: FleetView) -> list[Finding]:
        seen.extend(view.healthy(member) for member in view.members)
        return [Finding("pool:x", fail("split"), ("b", "a")), Finding("pool:y", ok("one kind", "x"))]

    def check(host: Host) -> Result:
        return fail("bad") if host.name == "a" else ok("fine", "x")

    fleet = fleet_of("b", "a")
    run = run_of(fleet, made(rule("FA901"), check_fleet, fleet=True), made(rule("FA902"), check))
    assert [(verdict.rule, verdict.subject) for verdict in run.verdicts] == [
        ("FA902", "b"),
        ("FA902", "a"),
        ("FA901", "pool:x"),
        ("FA901", "pool:y"),
    ]
    assert run.verdicts[2].hosts == ("b", "a")
    assert seen == [True, False]


def test_what_a_host_that_is_none_of_ours_cannot_tell_does_not_arise() -> None:
    """After a final `not_applicable`, an UNKNOWN is n/a; a crash stays a crash, an earlier UNKNOWN stays unknown."""
    run = run_of(
        fleet_of("mac"),
        made(rule("FA100"), says(cannot_tell("dark"))),
        made(rule("FA101"), says(not_applicable("no docker on Darwin", final=True))),
        made(rule("FA102"), says(cannot_tell("dark"))),
        made(rule("FA103"), crash),
        made(rule("FA104"), says(ok("fine", "seen"))),
    )
    assert [verdict.status for verdict in run.verdicts] == [
        Status.UNKNOWN,
        Status.NOT_APPLICABLE,
        Status.NOT_APPLICABLE,
        Status.UNKNOWN,
        Status.PASS,
    ]
    assert run.verdicts[2].message == "does not arise on such a host, see FA101"
    assert not run.verdicts[2].remedy


def test_a_fleet_finding_can_be_waived_by_its_subject() -> None:
    """``pool:x`` is a host pattern like another."""
    fleet = fleet_of("a", layers=[layer(waivers=(waiver(host="pool:x"),))])
    found = [Finding("pool:x", fail("split")), Finding("pool:y", fail("split"))]
    run = run_of(fleet, made(rule("FA901"), lambda view: found, fleet=True))
    assert [verdict.status for verdict in run.verdicts] == [Status.WAIVED, Status.FAIL]


# ---------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), 0),
        ((ok("fine", "x"), not_applicable("no")), 0),
        ((fail("bad"),), 1),
        ((fail("meh", severity=Severity.WARNING),), 0),
        ((cannot_tell("dark"),), 3),
        ((cannot_tell("dark"), fail("bad")), 1),
        ((cannot_tell("dark"), fail("meh", severity=Severity.NOTE)), 3),
    ],
)
def test_exit_code(results: tuple[Result, ...], code: int) -> None:
    """0 clean and whole, 1 findings, 3 nothing found but not everything seen; 1 wins over 3."""
    checks = [made(rule(f"FA90{number}"), says(result)) for number, result in enumerate(results)]
    assert run_of(fleet_of("a"), *checks).exit_code() == code


def test_fail_on_and_min_coverage() -> None:
    """Both ends can be moved; half of the hosts are seen here."""

    def check(host: Host) -> Result:
        return fail("meh", severity=Severity.WARNING) if host.name == "a" else cannot_tell("dark")

    run = run_of(fleet_of("a", "b"), made(rule("FA901"), check))
    assert run.coverage == 50.0
    assert run.exit_code(Severity.WARNING) == run.exit_code(Severity.NOTE) == 1
    assert run.exit_code(Severity.ERROR) == 3
    assert run.exit_code(None, min_coverage=50.0) == 0
    assert run.exit_code(None, min_coverage=50.1) == 3


# ---------------------------------------------------------------- the real rules together

GIB = 2**30
STOCK: dict[str, Any] = {
    "access": {"user": "root", "uid": 0, "groups": ["root"], "sudo": "not-asked", "socket": "/run/docker.sock",
               "socket_owner": "root:docker 660", "socket_usable": True},
    "clock": {"offset_seconds": 0.0, "error_seconds": 0.1, "synchronized": True},
    "machine": {"arch": "x86_64", "platform": "linux/amd64", "system": "Linux", "kernel": "6.12", "hostname": "w"},
    "docker_client": {"kind": "docker", "path": "/usr/bin/docker", "version": "28.5.2+dfsg4", "api_version": "1.51",
                      "origin": "docker.io", "package": "docker-cli 28.5.2+dfsg4-1", "context": "default"},
    "engine": {"version": "28.5.2+dfsg4", "api_version": "1.51", "min_api_version": "1.24", "os": "linux",
               "arch": "amd64", "name": "w", "cgroup_version": "2", "cgroup_driver": "systemd"},
    "image_store": {"kind": "graphdriver", "driver": "overlay2", "backing_fs": "extfs", "why": "default",
                    "why_text": "engine 28 takes a graphdriver unless told otherwise", "prior_drivers": ["overlay2"],
                    "after_wipe": "graphdriver", "after_upgrade": "graphdriver", "after_reinstall": "containerd"},
    "daemon_config": {"path": "/etc/docker/daemon.json", "present": False},
    "build_env": {"shell": []},
    "sockets": {"tcp": []},
    "disks": {
        "data_root": {"path": "/var/lib/docker", "mount": "/", "device": "/dev/vda1", "size": 99 * GIB,
                      "free": 50 * GIB, "inodes": 1000, "inodes_free": 900},
        "containerd_root": {"path": "/var/lib/containerd", "mount": "/", "device": "/dev/vda1", "size": 99 * GIB,
                            "free": 50 * GIB, "inodes": 1000, "inodes_free": 900},
        "containerd_root_path": "/var/lib/containerd", "containerd_root_source": "default", "same_file_system": True,
    },
}  # fmt: skip


def real(fleet: Fleet, facts: dict[str, Facts]) -> list[Verdict]:
    """What the host rules of FA0xx to FA2xx say."""
    return [verdict for verdict in judge(fleet, facts, NOON)[1] if verdict.rule < "FA3"]


def test_a_fleet_of_stock_workers_prints_one_line() -> None:
    """Forty of Debian's 28.5.2 on overlay2: one finding, a note, in the same words everywhere; nothing unknown."""
    fleet = fleet_of(*(f"w{number:02}" for number in range(40)))

    def named(name: str) -> Facts:
        told = {"machine": {**STOCK["machine"], "hostname": name}, "engine": {**STOCK["engine"], "name": name}}
        return facts_of({**STOCK, **told})

    verdicts = real(fleet, {name: named(name) for name in fleet.names})
    worse = {(v.rule, v.status, v.severity, v.message) for v in verdicts if v.status >= Status.UNKNOWN}
    message = "a reinstall with engine 29 turns the store from graphdriver into containerd"
    assert worse == {("FA204", Status.FAIL, Severity.NOTE, message)}


DARK = {
    Outcome.UNREACHABLE: ("connect", "FA001"),
    Outcome.TIMEOUT: ("probe", "FA001"),
    Outcome.GARBLED: ("probe", "FA001"),
    Outcome.NOT_ASKED: ("resolve", "FA001"),
    Outcome.HOSTKEY: ("hostkey", "FA002"),
    Outcome.HOSTKEY_CHANGED: ("hostkey", "FA002"),
    Outcome.AUTH: ("auth", "FA003"),
    Outcome.DENIED: ("probe", "FA003"),
}


@pytest.mark.parametrize("outcome", DARK)
def test_each_dark_host_has_one_cause(outcome: Outcome) -> None:
    """Whatever keeps us out is told once; no rule but the first three passes, and each unknown points to that one."""
    phase, cause = DARK[outcome]
    facts = facts_of({"reach": {"outcome": outcome.value, "phase": phase, "detail": "dark"}})
    verdicts = real(fleet_of("a"), {"a": facts})
    first = next(verdict for verdict in verdicts if verdict.status >= Status.UNKNOWN)
    assert (first.rule, first.because) == (cause, None)
    assert all(v.because == cause for v in verdicts if v.status is Status.UNKNOWN and v.rule != cause)
    assert [v.rule for v in verdicts if v.status is Status.FAIL] == (
        ["FA002"] if outcome is Outcome.HOSTKEY_CHANGED else []
    )
    assert {v.rule for v in verdicts if v.status is Status.PASS} <= {"FA001", "FA002", "FA003"}


def test_every_outcome_is_dark_or_answered() -> None:
    """A new outcome must be placed on purpose."""
    assert set(Outcome) == {*DARK, Outcome.OK, Outcome.PARTIAL}


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("no docker", "FA101", {"docker_client": {"kind": "absent"}, "engine": {"unknown": "absent"}}),
    ("podman", "FA102", {"docker_client": {"kind": "podman"}, "engine": {"unknown": "absent"}}),
    (
        "no right to the socket",
        "FA103",
        {
            "access": {**STOCK["access"], "user": "opam", "uid": 1000, "socket_usable": False},
            "engine": {"unknown": "denied"},
        },
    ),
    ("dockerd dead", "FA104", {"engine": {"unknown": "absent", "detail": "Cannot connect"}}),
    ("dockerd stopped", "FA104", {"engine": {"unknown": "timeout", "detail": "8 s are over"}}),
    (
        "API refused",
        "FA107",
        {
            "engine": {
                "unknown": "denied",
                "detail": "client version 1.43 is too old. Minimum supported API version is 1.44",
            }
        },
    ),
]


@pytest.mark.parametrize(
    ("cause", "told"), [(cause, told) for _, cause, told in BROKEN], ids=[name for name, *_ in BROKEN]
)
def test_each_broken_worker_has_one_cause(cause: str, told: dict[str, Any]) -> None:
    """A worker without a usable engine fails one rule, and what cannot be known follows from it."""
    facts = facts_of({**STOCK, "image_store": {"unknown": "absent"}, **told})
    verdicts = real(fleet_of("a"), {"a": facts})
    assert [v.rule for v in verdicts if v.status is Status.FAIL] == [cause]
    assert {v.because for v in verdicts if v.status is Status.UNKNOWN} == {cause}
