"""Which engine is taken, and what every other one is told; programs on this machine, as engines have them run."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit.engines.merge import ORDER, Able, MergeHost, MergeStep, Run
from audit.errors import StepError, UsageError
from audit.image.index import merge
from audit.image.merged import Source
from audit.image.reference import Reference
from audit.merging import Choice, Place, carry_out, choose, choosing
from audit.merging.resolving import prepare
from tests.farm.registry import Registry
from tests.image.made import flat
from tests.merging.stock import LIVE, named
from tests.registry.conftest import Dial

Engines = Callable[..., list[str]]


@pytest.fixture
def step() -> MergeStep:
    """Two flat images."""
    sources: list[Source] = [flat("linux/amd64"), flat("linux/arm64")]
    return prepare(sources, [Reference.parse("registry.example/live/app:1")])


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Engines that are able or not, as is said; returns who was asked."""

    def made(**able: str) -> list[str]:
        asked: list[str] = []

        def engine(name: str, why: str) -> SimpleNamespace:
            def judge(_step: MergeStep, _host: MergeHost) -> Able:
                asked.append(name)
                return Able(ok=not why, why=why or "it is able")

            return SimpleNamespace(name=name, about="", able=judge, actions=lambda _step, _host: ())

        monkeypatch.setattr(choosing, "all_engines", lambda: {name: engine(name, why) for name, why in able.items()})
        return asked

    return made


def nobody() -> MergeHost:
    """Must not be asked."""
    raise AssertionError("the merge host was asked though no engine needs it")


def test_the_first_of_the_order_that_is_able(step: MergeStep, engines: Engines) -> None:
    """The ones before it say why not, the ones after it are not even asked; our own needs no host."""
    engines(registry="", imagetools="", manifest="")
    choice = choose(step, "auto", ORDER, nobody)
    assert choice.engine == "registry"
    assert choice.others == (
        ("imagetools", "registry comes first and is able"), ("manifest", "registry comes first and is able"),
    )  # fmt: skip
    asked = engines(registry="", imagetools="no buildx", manifest="")
    other = choose(step, "auto", ("imagetools", "manifest", "registry"), MergeHost)
    assert other.engine == "manifest"
    assert other.others == (("imagetools", "no buildx"), ("registry", "manifest comes first and is able"))
    assert asked == ["imagetools", "manifest"]


def test_the_one_that_was_asked_for(step: MergeStep, engines: Engines) -> None:
    """Or none: then nothing is done, and the sentence has every reason."""
    engines(registry="", manifest="")
    assert choose(step, "manifest", ORDER, MergeHost).others == (
        ("registry", "manifest was asked for"), ("imagetools", "manifest was asked for"),
    )  # fmt: skip
    with pytest.raises(StepError, match=r"nothing was changed \(imagetools: it is not part of this installation\)"):
        choose(step, "imagetools", ORDER, nobody)
    engines(registry="down", manifest="an index is among the sources")
    with pytest.raises(StepError, match=r"registry: down; imagetools: it is not.*; manifest: an index is among"):
        choose(step, "auto", ORDER, MergeHost)
    with pytest.raises(UsageError, match="'magic' is no merge engine: write auto, registry, manifest"):
        choose(step, "magic", ORDER, nobody)


def test_a_host_is_asked_once(step: MergeStep, engines: Engines) -> None:
    """However many engines need to know."""
    engines(imagetools="no", manifest="no", registry="")
    asked: list[int] = []

    def host() -> MergeHost:
        asked.append(1)
        return MergeHost()

    choose(step, "auto", ("imagetools", "manifest", "registry"), host)
    assert asked == [1]


# ------------------------------------------------------------------- programs


def test_a_program_is_run(tmp_path: Path) -> None:
    """With its words as they are, its input, its variables; what it prints comes back."""
    said = Place().run(Run(argv=("sh", "-c", 'cat; echo "$1"; echo "$WHO"', "sh", "a b'$(x)"), stdin="in\n",
                           environment={"WHO": "us; rm"}))  # fmt: skip
    assert said.splitlines() == ["in", "a b'$(x)", "us; rm"]


def test_a_program_that_fails() -> None:
    """One sentence with what was being done, how it ended, and its last words."""
    with pytest.raises(StepError, match=r"this machine: merging failed \(exit status 3\): no such manifest"):
        Place().run(Run(argv=("sh", "-c", "echo no such manifest >&2; exit 3"), about="merging"))
    with pytest.raises(StepError, match=r"sh failed \(exit status 4\): it said nothing"):
        Place().run(Run(argv=("sh", "-c", "exit 4")))


@pytest.mark.parametrize(
    ("script", "client", "buildx", "why"),
    [
        (
            'case $1 in --version) echo "Docker version 28.5.2+dfsg4, build x";;'
            ' buildx) echo "github.com/docker/buildx 0.29.1+ds1 abc";; esac',
            "28.5.2+dfsg4", "0.29.1+ds1", "",
        ),
        ('[ "$1" = --version ] && echo "Docker version 20.10.24, build x" || { echo no buildx >&2; exit 1; }',
         "20.10.24", None, ""),
        ('echo "podman version 5.4.2"', None, None, "what is called docker on this machine is podman"),
        ("exit 127", None, None, "this machine has no docker command"),
        ('head -c 100000 /dev/zero | tr "\\\\0" x', None, None, "this machine has no docker command"),
    ],
)  # fmt: skip
def test_which_clients_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, client: str | None, buildx: str | None, why: str
) -> None:
    """Versions as they say them, and why there are none; whatever a program prints is read to its bound."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(docker.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert Place().ask() == MergeHost(client=client, buildx=buildx, why=why)


def test_what_a_program_made_is_compared(registry: Registry, dial: Dial) -> None:
    """Another digest than the one that was worked out is an error; so is a tag that stands for another one."""
    sources = [flat("linux/amd64"), flat("linux/arm64")]
    step = prepare(sources, [named(registry, f"{LIVE}:1")])
    wanted = merge(sources)
    other = f"sha256:{'0' * 64}"

    def chosen(says: str) -> Choice:
        return Choice(
            engine="imagetools", able=Able(ok=True, why=""), host=MergeHost(),
            actions=(Run(argv=("echo", says), gives="digest", about="imagetools create"),),
        )  # fmt: skip

    with pytest.raises(StepError, match="imagetools create gave nothing, where a digest was to come"):
        carry_out(dial(registry), chosen(""), step)
    with pytest.raises(StepError, match=f"gave {other}, where {wanted.digest} was wanted; see what stands there"):
        carry_out(dial(registry), chosen(other), step)
    with pytest.raises(StepError, match="no such manifest"):
        carry_out(dial(registry), chosen(wanted.digest), step)
    registry.manifests[(LIVE, "1")] = (wanted.media_type, b'{"manifests": []}')
    with pytest.raises(
        StepError, match=r"after the merge by imagetools, where .* was wanted; see whether somebody else"
    ):
        carry_out(dial(registry), chosen(wanted.digest), step)
    registry.manifests[(LIVE, "1")] = (wanted.media_type, wanted.raw)
    assert carry_out(dial(registry), chosen(wanted.digest), step).engine == "imagetools"
