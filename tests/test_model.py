"""The nouns: order, merging of policy layers, waivers."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from audit.model import (
    Fleet,
    Host,
    Policy,
    PolicyLayer,
    RuleSetting,
    Severity,
    Status,
    StoreKind,
    Thresholds,
    Waiver,
    Wanted,
)


def test_enums_compare_by_their_order() -> None:
    """The worst status and severity are the greatest, so that max() is a summary."""
    assert max(Status) is Status.FAIL
    assert min(Status) is Status.PASS
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR
    assert sorted([Status.UNKNOWN, Status.PASS, Status.WAIVED]) == [Status.PASS, Status.WAIVED, Status.UNKNOWN]
    assert Severity.ERROR >= "warning"
    assert not Severity.NOTE > Severity.NOTE
    assert Severity.NOTE <= Severity.NOTE


def test_the_more_specific_layer_wins() -> None:
    """A host's own setting beats its group's, which beats `all`; what is not set stays."""
    policy = Policy(
        layers=(
            PolicyLayer(
                scope="group:all",
                rules={"FA301": RuleSetting(severity=Severity.NOTE), "FA302": RuleSetting(enabled=False)},
                thresholds=Thresholds(disk_free_percent=20.0),
                wanted=Wanted(engine=">=26", store=StoreKind.GRAPHDRIVER),
            ),
            PolicyLayer(scope="host:w1", wanted=Wanted(engine=">=28")),
            PolicyLayer(
                scope="group:arm64",
                rules={"FA301": RuleSetting(enabled=False)},
                thresholds=Thresholds(clock_skew_seconds=1.0),
            ),
        )
    )
    merged = policy.for_host(Host(name="w1", address="w1", groups=("all", "arm64")))
    assert merged.rules["FA301"] == RuleSetting(enabled=False, severity=Severity.NOTE)
    assert merged.rules["FA302"].enabled is False
    assert (merged.disk_free_percent, merged.inodes_free_percent, merged.clock_skew_seconds) == (20.0, 10.0, 1.0)
    assert merged.wanted == Wanted(engine=">=28", store=StoreKind.GRAPHDRIVER)
    other = policy.for_host(Host(name="w2", address="w2"))
    assert other.wanted.engine == ">=26"
    assert other.rules["FA301"].enabled is None


def test_a_waiver_holds_through_its_last_day() -> None:
    """`until` is the last day on which it holds."""
    waiver = Waiver(rule="FA204", host="riscv-*", reason="known", owner="mark", until=date(2026, 12, 31))
    assert waiver.covers("FA204", "riscv-7")
    assert not waiver.covers("FA204", "arm-1")
    assert not waiver.covers("FA205", "riscv-7")
    assert not waiver.expired(date(2026, 12, 31))
    assert waiver.expired(date(2027, 1, 1))


@pytest.mark.parametrize(
    "wrong", [{"name": "a", "address": "a", "port": 0}, {"name": "a", "address": "a", "port": "22"}, {"name": "a"}]
)
def test_nothing_is_coerced(wrong: dict[str, object]) -> None:
    """A wrong type, a port out of range and a missing value are refused, not bent."""
    with pytest.raises(ValidationError):
        Host.model_validate(wrong)


def test_a_fleet_survives_json() -> None:
    """What is saved reads back equal."""
    fleet = Fleet(
        hosts=(Host(name="w1", address="10.0.0.1", ssh_args=("-J", "jump"), groups=("all", "x")),),
        policy=Policy(
            layers=(
                PolicyLayer(
                    scope="group:all",
                    waivers=(Waiver(rule="FA001", reason="r", owner="o", until=date(2027, 1, 1)),),
                ),
            )
        ),
    )
    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet
