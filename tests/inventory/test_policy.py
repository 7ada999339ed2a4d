"""The variable audit_policy, read and merged."""

from __future__ import annotations

from datetime import date

import pytest

from audit.inventory import load
from audit.model import PolicyLayer, RuleSetting, Severity, Source, StoreKind, Thresholds, Waiver, Wanted
from tests.inventory.conftest import Write

HOSTS = "all:\n  children:\n    riscv:\n      hosts:\n        riscv-01:\n        riscv-02: {pool: rv}\n"
WHOLE = """\
# comment
audit_policy:
  rules:
    FA312: off
    FA313: "on"
    FA314: warning
    FA315: {enabled: true, severity: note}
  thresholds: {disk_free_percent: 15, clock_skew_seconds: 2}
  wanted: {engine: ">=28", buildx: ">=0.13,<0.29", store: graphdriver, push: flat, registries: [registry.example.org]}
  waivers:
    - {rule: FA204, host: "riscv-*", reason: "known", owner: "mark", until: 2026-12-31}
    - rule: FA205
      reason: all of them
      owner: mark
      until: "2027-01-02"
"""


def test_a_whole_policy_is_one_layer(write: Write) -> None:
    """Every part of the user's format becomes its type, each waiver with its own line."""
    folder = write({"hosts.yml": HOSTS, "group_vars/riscv/policy.yml": WHOLE})
    file = str(folder / "group_vars/riscv/policy.yml")
    assert load(folder, known_rules={"FA204", "FA205", "FA312", "FA313", "FA314", "FA315"}).policy.layers == (
        PolicyLayer(
            scope="group:riscv",
            rules={
                "FA312": RuleSetting(enabled=False),
                "FA313": RuleSetting(enabled=True),
                "FA314": RuleSetting(severity=Severity.WARNING),
                "FA315": RuleSetting(enabled=True, severity=Severity.NOTE),
            },
            thresholds=Thresholds(disk_free_percent=15, clock_skew_seconds=2),
            wanted=Wanted(
                engine=">=28",
                buildx=">=0.13,<0.29",
                store=StoreKind.GRAPHDRIVER,
                push="flat",
                registries=("registry.example.org",),
            ),
            waivers=(
                Waiver(
                    rule="FA204",
                    host="riscv-*",
                    reason="known",
                    owner="mark",
                    until=date(2026, 12, 31),
                    source=Source(file=file, line=11),
                ),
                Waiver(
                    rule="FA205",
                    reason="all of them",
                    owner="mark",
                    until=date(2027, 1, 2),
                    source=Source(file=file, line=12),
                ),
            ),
            source=Source(file=file, line=2),
        ),
    )


def test_every_place_is_a_layer_and_the_more_specific_wins(write: Write) -> None:
    """vars of a group, group_vars, a host's variables and host_vars each make a layer; the host has the last word."""

    def policy(engine: int, rule: str) -> str:
        return f"{{wanted: {{engine: '>={engine}'}}, rules: {{{rule}: off}}}}"

    hosts = HOSTS.replace("    riscv:\n", f"    riscv:\n      vars: {{audit_policy: {policy(2, 'FA002')}}}\n").replace(
        "riscv-01:", f"riscv-01: {{audit_policy: {policy(3, 'FA003')}}}"
    )
    fleet = load(
        write(
            {
                "hosts.yml": hosts,
                "group_vars/all.yml": f"audit_policy: {policy(1, 'FA001')}",
                "host_vars/riscv-01/x.yml": f"audit_policy: {policy(4, 'FA004')}",
            }
        )
    )
    assert [layer.scope for layer in fleet.policy.layers] == [
        "group:riscv", "host:riscv-01", "group:all", "host:riscv-01",
    ]  # fmt: skip
    first, second = (fleet.policy.for_host(host) for host in fleet.hosts)
    assert (first.wanted.engine, second.wanted.engine) == (">=4", ">=2")
    assert (sorted(first.rules), sorted(second.rules)) == (["FA001", "FA002", "FA003", "FA004"], ["FA001", "FA002"])


@pytest.mark.parametrize("host", ["riscv-01", "*", "pool:rv", "pool:*", "fleet"])
def test_waivers_may_speak_of_hosts_pools_and_the_fleet(write: Write, host: str) -> None:
    """A waiver's pattern is held against every subject that a rule may have."""
    waiver = f"{{rule: FA101, host: '{host}', reason: r, owner: o, until: 2026-12-31}}"
    folder = write({"hosts.yml": HOSTS, "group_vars/all.yml": f"audit_policy: {{waivers: [{waiver}]}}"})
    assert load(folder).policy.waivers[0].host == host


def test_empty_policy(write: Write) -> None:
    """A policy of which only the headings are written says nothing and is no error."""
    folder = write({"hosts.yml": HOSTS, "group_vars/all.yml": "audit_policy:\n  rules:\n  wanted:\n  waivers:\n"})
    assert load(folder).policy.for_host(load(folder).hosts[0]).rules == {}
