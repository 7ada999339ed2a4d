"""Facts are described: the classes, every field, every field of what they hold."""

from __future__ import annotations

import inspect

import pytest

from audit.fact import Fact, all_facts, all_probes
from audit.model import Model

FACTS = sorted(all_facts().items())


@pytest.mark.parametrize(("name", "fact"), FACTS, ids=[name for name, _ in FACTS])
def test_fact_is_described(name: str, fact: type[Fact]) -> None:
    """A docstring of its own, and for each field a description and a drift class."""
    assert (fact.__doc__ or "") not in ("", Fact.__doc__)
    for field, info in fact.model_fields.items():
        assert info.description, f"{name}.{field}"
        extra = info.json_schema_extra
        assert isinstance(extra, dict), f"{name}.{field}"
        assert extra["drift"] in ("stable", "volatile", "identity"), f"{name}.{field}"


@pytest.mark.parametrize(("name", "fact"), FACTS, ids=[name for name, _ in FACTS])
def test_parts_are_described(name: str, fact: type[Fact]) -> None:
    """The models that a fact's file defines have docstrings."""
    module = inspect.getmodule(fact)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == fact.__module__:
            assert value.__doc__, f"{name}: {value.__name__}"


def test_every_probe_is_asked_for_by_a_fact() -> None:
    """No probe is run for nothing."""
    from audit.facts import _probes_docker, _probes_machine
    from audit.model import Probe

    declared = {
        value.name
        for file in (_probes_docker, _probes_machine)
        for value in vars(file).values()
        if isinstance(value, Probe)
    }
    assert {probe.name for probe in all_probes()} == declared
