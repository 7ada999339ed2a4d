"""The worker as the predictor asks about it: a question at a time, and a fork where the answer is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from packaging.version import Version

from audit import versions
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.builders import Builder, Builders
from audit.facts.buildx import Buildx
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import StoreKind, Unknown
from audit.shape.how import How
from audit.shape.known import KNOWN, NEWEST, Part, engine_with

F = TypeVar("F", bound=Fact)
T = TypeVar("T")

_WORDS = {
    "docker_client": "the docker client",
    "buildx": "the buildx plugin",
    "image_store": "the image store",
    "engine": "the engine",
    "build_env": "the environment of the builds",
    "builders": "the list of builders",
}
UNKNOWN_SWITCHES: dict[str, tuple[str | None, ...]] = {
    "DOCKER_BUILDKIT": (None, "1", "0", "yes"),
    "BUILDX_NO_DEFAULT_ATTESTATIONS": (None, "1", "yes"),
    "BUILDX_NO_DEFAULT_LOAD": (None, "1"),
    "BUILDX_NO_DEFAULT_OCI_ARTIFACT": (None, "1", "yes"),
}
"""What a switch may be where the environment is unknown: unset, what makes a difference, what is no boolean."""


class Untold(Exception):  # noqa: N818 - an outcome on its way out, not a fault
    """Nothing can be said of what this worker does; the text says why."""


_OLDEST = Version("0")
_WITH_CONTAINERD = KNOWN["engine.containerd-store"].since
SOME = "some builder"
MOST = 3
"""Builders that are looked at where the variable that names one is unknown."""


@dataclass(frozen=True)
class Told:
    """A variable or a key of config.json, and where it was set."""

    name: str
    value: str
    place: str

    def __str__(self) -> str:
        """For people: ``NAME=value from place``."""
        return f"{self.name}={self.value or ' (empty)'} from {self.place}"


class Fork:
    """One reading of everything that is not known; `after` gives the next reading.

    The reading is the list of options taken, in the order in which they were asked for; a reading that begins the same
    asks the same, so that trying the last option that has a successor visits all of them.
    """

    def __init__(self, script: Sequence[int] = ()) -> None:
        """Begin with these choices; what is asked beyond them takes its first option."""
        self._script = tuple(script)
        self._taken: list[int] = []
        self._width: list[int] = []
        self._answers: dict[str, object] = {}
        self._bounds: dict[str, tuple[Version, Version | None]] = {}
        self.why: list[str] = []

    def choose(self, key: str, options: Sequence[T], why: str) -> T:
        """The answer of this reading to one question; the same question has the same answer."""
        if key not in self._answers:
            place = len(self._taken)
            index = self._script[place] if place < len(self._script) else 0
            self._taken.append(index)
            self._width.append(len(options))
            self._answers[key] = options[index]
            self.why.append(why)
        return self._answers[key]  # type: ignore[return-value]  # put there under the same key with these options

    def at_least(self, what: str, floor: Version, why: str) -> bool:
        """Whether a version that is not known is `floor` or newer; never against an earlier answer."""
        low, high = self._bounds.get(what, (_OLDEST, None))
        if floor <= low:
            return True
        if high is not None and floor >= high:
            return False
        answer = self.choose(f"{what} {floor}", (True, False), why)
        self._bounds[what] = (floor, high) if answer else (low, floor)
        return answer

    def bound(self, what: str, low: Version) -> None:
        """A version that is not known is at least this one, as something else tells."""
        known, high = self._bounds.get(what, (_OLDEST, None))
        self._bounds[what] = (max(known, low), high)

    def after(self) -> tuple[int, ...] | None:
        """The script of the next reading; None: this was the last."""
        for place in range(len(self._taken) - 1, -1, -1):
            if self._taken[place] + 1 < self._width[place]:
                return (*self._taken[:place], self._taken[place] + 1)
        return None


class World:
    """One worker under one reading."""

    def __init__(self, facts: Facts, how: How, fork: Fork) -> None:
        """Ask these facts; `how` may set variables that win over the worker's."""
        self.facts = facts
        self.how = how
        self.fork = fork
        self.assumed: list[str] = []
        self.builder: Builder | None = None  # another builder than the engine's own, once it is chosen
        self.elsewhere = False  # the engine is that of another context, which was not asked

    def fact(self, kind: type[F]) -> F | None:
        """A fact, or None where it is unknown."""
        known = self.facts[kind]
        return None if isinstance(known, Unknown) else known

    def dark(self, kind: type[Fact]) -> str:
        """Why a fact is unknown, as a clause."""
        known = self.facts[kind]
        if isinstance(known, Unknown):
            return is_dark(kind, known)
        return f"{_WORDS[kind.fact_name()]} does not tell"

    # -- versions

    def can(self, name: str) -> bool:
        """Whether this worker's version of the part does what the row of that name says."""
        row = KNOWN[name]
        if not self._at_least(row.part, Version(row.since)):
            return False
        return row.until is None or not self._at_least(row.part, Version(row.until))

    def _at_least(self, part: Part, floor: Version) -> bool:
        if part == "buildkit" and self.builder is None:
            return self._at_least("engine", engine_with(floor))
        text, why = self._version(part)
        version = versions.parse(text)
        if version is None:
            if text:
                why = f"the version {text!r} of {_PARTS[part]} cannot be read"
            if part == "engine" and self.store() is StoreKind.CONTAINERD:
                self.fork.bound(part, Version(_WITH_CONTAINERD))
            return self.fork.at_least(part, floor, why)
        newest = NEWEST[part]
        if version > Version(newest):
            said = f"{_PARTS[part]} {versions.release(text)} is newer than any we know: answered as {newest}"
            if said not in self.assumed:
                self.assumed.append(said)
        return version >= floor

    def _version(self, part: Part) -> tuple[str | None, str]:
        if part == "client":
            client = self.fact(DockerClient)
            return (client.version if client else None), self.dark(DockerClient)
        if part == "buildx":
            buildx = self.fact(Buildx)
            return (buildx.version if buildx else None), self.dark(Buildx)
        if part == "buildkit":
            assert self.builder is not None
            return self.builder.buildkit, f"the BuildKit of builder {self.builder.name} is not known"
        engine = None if self.elsewhere else self.fact(Engine)
        why = "the engine of another context was not asked" if self.elsewhere else self.dark(Engine)
        return (engine.version if engine else None), why

    def release(self, part: Part) -> str:
        """A version for people; ``of unknown version`` where it is not known."""
        text, _ = self._version(part)
        return versions.release(text) if text else "of unknown version"

    # -- settings

    def setting(self, name: str) -> Told | None:
        """A variable or key in force for the build."""
        given = self.how.variable(name)
        if given is not None:
            return Told(name, given, "the command line")
        env = self.fact(BuildEnv)
        if env is not None:
            found = env.get(name)
            return Told(name, found.value, found.place) if found else None
        options = UNKNOWN_SWITCHES.get(name) or self._names(name)
        value = self.fork.choose(f"setting {name}", options, self.dark(BuildEnv)) if options else None
        return None if value is None else Told(name, value, "an environment that could not be read")

    def _names(self, name: str) -> tuple[str | None, ...]:
        """What an unknown variable that names a builder may be: unset, or any builder that there is."""
        listed = self.builders()
        here = {"default", (client.context if (client := self.fact(DockerClient)) else None) or "default"}
        others = [SOME] if listed is None else [one.name for one in listed.builders if one.name not in here][:MOST]
        if name == "BUILDX_BUILDER" and others:
            return (None, *others)
        if name == "aliases.builder" and (listed is None or listed.selected in others):
            return (None, "buildx")
        return ()

    def value(self, name: str) -> str:
        """Empty where it is not set: most readers take the two for the same."""
        setting = self.setting(name)
        return setting.value if setting else ""

    # -- the rest

    def store(self) -> StoreKind:
        """The image store of the engine that builds or takes the image.

        Raises:
            Untold: the facts contradict each other.
        """
        store = None if self.elsewhere else self.fact(ImageStore)
        engine = None if self.elsewhere else self.fact(Engine)
        old = engine is not None and versions.at_least(engine.version, _WITH_CONTAINERD) is False
        if store is not None:
            if old and store.kind is StoreKind.CONTAINERD:
                raise Untold(
                    f"the facts contradict each other: engine {self.release('engine')} has no containerd store"
                )
            return store.kind
        if old:
            return StoreKind.GRAPHDRIVER
        why = "the engine of another context was not asked" if self.elsewhere else self.dark(ImageStore)
        return self.fork.choose("store", (StoreKind.CONTAINERD, StoreKind.GRAPHDRIVER), why)

    def store_text(self) -> str:
        """The store for people."""
        store = None if self.elsewhere else self.fact(ImageStore)
        kind = self.store()
        return f"{store.driver} ({kind} store)" if store else f"a {kind} store"

    def store_why(self) -> str:
        """Why it is that store, in brackets; empty where it is not known."""
        store = None if self.elsewhere else self.fact(ImageStore)
        if store is None or store.why == "unknown":
            return ""
        fresh = "; no old graphdriver data" if store.prior_drivers == () and store.why == "default" else ""
        return f" ({store.why_text}{fresh})"

    def has_buildx(self) -> str:
        """``present``, ``missing`` or ``broken``."""
        buildx = self.fact(Buildx)
        return buildx.state if buildx else self.fork.choose("buildx", ("present", "missing"), self.dark(Buildx))

    def builders(self) -> Builders | None:
        """The builders that buildx lists; None: not known."""
        return self.fact(Builders)


_PARTS: dict[Part, str] = {
    "client": "the docker client",
    "engine": "the engine",
    "buildx": "buildx",
    "buildkit": "BuildKit",
}


def is_dark(kind: type[Fact], unknown: Unknown) -> str:
    """Why a fact is unknown, as a clause."""
    return f"{_WORDS[kind.fact_name()]} is not known ({unknown})"


def said(setting: Setting) -> str:
    """A setting for people, with where it comes from."""
    return f"{setting.name}={setting.value or ' (empty)'} from {setting.place}"
