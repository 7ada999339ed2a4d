"""A fact: what to run on the worker, and how to read the answer into a typed value.

A fact is a class in a file of `audit/facts/`, named after the file. It lists the probes that it needs and reads
their answers; it never runs anything. Whatever it cannot read becomes an `Unknown` with its reason.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Self, TypeVar, overload

from pydantic import Field, ValidationError

from audit.model import Answer, Host, HostEvidence, Model, Probe, Reason, Unknown

Drift = Literal["stable", "volatile", "identity"]
"""How a field counts when two runs are compared: it matters, it always moves, or it says which machine this is."""


def fact_field(description: str, *, drift: Drift = "stable", **settings: Any) -> Any:
    """A described field of a fact.

    Args:
        description: what it is, with its unit.
        drift: its class when runs are compared.
        settings: as for `pydantic.Field` (``default``, …).
    """
    return Field(description=description, json_schema_extra={"drift": drift}, **settings)


class CannotTell(Exception):  # noqa: N818 - it is a value on its way to being returned, not a fault
    """Raised inside `Fact.read` to make the whole fact this Unknown."""

    def __init__(self, unknown: Unknown) -> None:
        """Carry the value."""
        super().__init__(str(unknown))
        self.unknown = unknown


class Answers:
    """One host's answers, as the facts read them.

    Attributes:
        evidence: everything known of the host's collection.
        host: the host as declared.
    """

    def __init__(self, evidence: HostEvidence, host: Host) -> None:
        """Wrap one host's evidence."""
        self.evidence = evidence
        self.host = host

    def get(self, probe: str) -> Answer | Unknown:
        """The answer of one probe; an Unknown that names the host's outcome where nothing came."""
        found = self.evidence.answers.get(probe)
        if found is not None:
            return found
        try:
            reason = Reason(self.evidence.outcome.value)
        except ValueError:
            reason = Reason.HOSTKEY if "hostkey" in self.evidence.outcome else Reason.NOT_ASKED
        return Unknown(reason=reason, detail=self.evidence.detail)

    def answer(self, probe: str) -> Answer:
        """The answer of one probe, or CannotTell."""
        found = self.get(probe)
        if isinstance(found, Unknown):
            raise CannotTell(found)
        return found

    def text(self, probe: str) -> str:
        """What the probe printed, or CannotTell."""
        return self.answer(probe).stdout

    def json(self, probe: str) -> dict[str, Any]:
        """What the probe printed, as a JSON object, or CannotTell (garbled).

        Too deep a nesting and numbers that JSON does not have (NaN) are garbled too.
        """
        return parse_object(self.text(probe), probe)


def parse_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object from a worker, or CannotTell with the reason ``garbled``."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise CannotTell(
            Unknown(reason=Reason.GARBLED, detail=f"{what} is not JSON ({type(error).__name__})")
        ) from error
    if not isinstance(value, dict):
        raise CannotTell(Unknown(reason=Reason.GARBLED, detail=f"{what} is not a JSON object"))
    return value


class Fact(Model):
    """Base of all facts. A subclass's docstring says what it is, its fields say units and drift class."""

    probes: ClassVar[tuple[Probe, ...]] = ()

    @classmethod
    def fact_name(cls) -> str:
        """The fact's name: its file's."""
        return _file_of(cls.__module__)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """Read one host's answers.

        Raises:
            CannotTell: an answer that it needs is not there or cannot be read.
        """
        raise NotImplementedError


@cache
def _file_of(module: str) -> str:
    return module.rpartition(".")[2]


F = TypeVar("F", bound=Fact)


@cache
def all_facts() -> Mapping[str, type[Fact]]:
    """Every fact by name, in name order, by listing the folder."""
    import audit.facts

    found: dict[str, type[Fact]] = {}
    for module in sorted(pkgutil.iter_modules(audit.facts.__path__), key=lambda item: item.name):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"audit.facts.{module.name}")
        classes = [
            value
            for value in vars(loaded).values()
            if isinstance(value, type) and issubclass(value, Fact) and value.__module__ == loaded.__name__
        ]
        if len(classes) != 1:
            raise TypeError(f"audit/facts/{module.name}.py must define exactly one Fact, not {len(classes)}")
        found[module.name] = classes[0]
    return found


@cache
def all_probes() -> tuple[Probe, ...]:
    """Every probe that some fact asks for, once each, in name order."""
    found: dict[str, Probe] = {}
    for fact in all_facts().values():
        for probe in fact.probes:
            if found.setdefault(probe.name, probe) != probe:
                raise ValueError(f"two different probes are called {probe.name}")
    return tuple(found[name] for name in sorted(found))


class Facts(Mapping[str, "Fact | Unknown"]):
    """One host's facts: by name, or typed by class.

    ``facts[ImageStore]`` is an ``ImageStore`` or the `Unknown` that says why it is not there.
    """

    def __init__(self, values: Mapping[str, Fact | Unknown]) -> None:
        """Wrap the values by name."""
        self._values = dict(values)

    @overload
    def __getitem__(self, key: str) -> Fact | Unknown: ...
    @overload
    def __getitem__(self, key: type[F]) -> F | Unknown: ...
    def __getitem__(self, key: str | type[F]) -> Fact | F | Unknown:
        """By name or class; what was never asked is Unknown(not-asked)."""
        name = key if isinstance(key, str) else key.fact_name()
        found = self._values.get(name)
        return found or Unknown(reason=Reason.NOT_ASKED, detail=f"{name} was not collected")

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many."""
        return len(self._values)


def read_facts(evidence: HostEvidence, host: Host) -> Facts:
    """Read every fact of one host; never raises for what a worker said."""
    answers = Answers(evidence, host)
    return Facts({name: _read_one(fact, answers) for name, fact in all_facts().items()})


def _read_one(fact: type[Fact], answers: Answers) -> Fact | Unknown:
    try:
        return fact.read(answers)
    except CannotTell as missing:
        return missing.unknown
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Unknown(reason=Reason.GARBLED, detail=f"{fact.fact_name()}.{where}: {first['msg']}")
    except Exception as error:
        return Unknown(reason=Reason.CRASHED, detail=f"reading {fact.fact_name()}: {type(error).__name__}: {error}")
