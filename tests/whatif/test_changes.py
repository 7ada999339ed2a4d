"""`--set` and `--unset`: what is understood, and a clear sentence for what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Unknown
from audit.shape.known import NEWEST
from audit.whatif.changes import REINSTALL, UPGRADE, WIPE, Changes, parse_changes
from audit.whatif.then import facts_then
from tests.whatif.test_whatif import base_facts


@pytest.mark.parametrize(
    ("sets", "unsets", "expected"),
    [
        (["docker=29.7"], [], {"engine": "29.7", "client": "29.7"}),
        (["docker=v28.3.3+1"], [], {"engine": "28.3.3+1", "client": "28.3.3+1"}),
        (["engine=24.0.7-0ubuntu4.1"], [], {"engine": "24.0.7-0ubuntu4.1", "client": None}),
        (["client=20.10.24"], [], {"engine": None, "client": "20.10.24"}),
        (["buildx=none"], [], {"buildx": "none"}),
        (["wipe=true"], [], {"wipe": "data-root", "engine": None}),
        (["wipe=false"], [], {"wipe": None}),
        (["wipe=upgrade"], [], {"wipe": "upgrade", "engine": NEWEST["engine"], "client": NEWEST["client"]}),
        (["wipe=upgrade", "docker=29.1"], [], {"wipe": "upgrade", "engine": "29.1", "client": "29.1"}),
        (["env.DOCKER_BUILDKIT="], [], {"env": (("DOCKER_BUILDKIT", ""),)}),
        (["env.DOCKER_HOST=tcp://h:1?a=b"], [], {"env": (("DOCKER_HOST", "tcp://h:1?a=b"),)}),
        ([], ["env.DOCKER_BUILDKIT"], {"env": (("DOCKER_BUILDKIT", None),)}),
        (["features.buildkit=true"], ["features.x"], {"features": (("buildkit", True), ("x", None))}),
        (["data-root=/srv/d/"], ["storage-driver"], {"daemon": (("data-root", "/srv/d"), ("storage-driver", None))}),
    ],
)
def test_what_is_understood(sets: list[str], unsets: list[str], expected: dict[str, object]) -> None:
    """Each key lands in its own field, as the type that it is."""
    found = parse_changes(sets, unsets)
    assert {name: getattr(found, name) for name in expected} == expected
    assert len(found.said) == len(sets) + len(unsets)


@pytest.mark.parametrize(
    ("sets", "unsets", "words"),
    [
        (["dokcer=29.7"], [], "did you mean docker?"),
        (["nonsense=1"], [], "known are docker=29.7"),
        (["docker"], [], "write KEY=VALUE"),
        (["=1"], [], "unknown key ''"),
        (["docker="], [], "'' is no version"),
        (["docker=dev"], [], "'dev' is no version"),
        (["docker=29"], [], "at least major.minor"),
        (["docker=29.7 rm"], [], "is no version"),
        (["docker=none"], [], "'none' is no version"),
        (["buildx=latest"], [], "or none"),
        (["docker=29.7", "engine=28.0"], [], "docker is set already"),
        (["engine=28.0", "docker=29.7"], [], "engine is set already"),
        (["buildx=0.30.0", "buildx=0.31.0"], [], "buildx is set already"),
        (["env.DOCKER_BUILDKIT=1"], ["env.DOCKER_BUILDKIT"], "set already"),
        (["wipe=yes"], [], "write true (data-root emptied)"),
        (["features.containerd-snapshotter=yes"], [], "is no boolean; write true or false"),
        (["features.containerd-snapshotter=True"], [], "is no boolean"),
        (["features.=true"], [], "no name of a feature"),
        (["env.PATH=/bin"], [], "PATH is no variable"),
        (["storage-driver="], [], "--unset storage-driver"),
        (["data-root=here"], [], "absolute path"),
        (["min-api-version=v1.44"], [], "is no API version"),
        ([], ["docker"], "can be taken out are env.NAME"),
        ([], ["storage-drive"], "did you mean storage-driver?"),
    ],
)
def test_what_is_not_is_told_in_a_sentence(sets: list[str], unsets: list[str], words: str) -> None:
    """A UsageError that names the key, what is wrong and what would be right."""
    with pytest.raises(UsageError) as caught:
        parse_changes(sets, unsets)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@given(st.lists(st.text(max_size=30) | st.sampled_from(["docker=", "env.", "features.", "wipe="]), max_size=4))
def test_any_text_is_changes_or_a_usage_error(sets: list[str]) -> None:
    """Nothing that a user types ends in another error."""
    try:
        found = parse_changes(sets)
    except UsageError:
        return
    assert found.said == tuple(sets)


VERSIONS = st.sampled_from(
    ["19.03.15", "20.10.27", "23.0.18", "24.0.9", "28.5.2", "29.0.0", "29.0.1", "29.7.2", "31.0"]
)
WISHES = st.lists(
    st.one_of(
        VERSIONS.map(lambda version: f"engine={version}"),
        st.sampled_from(["true", "reinstall", "upgrade"]).map(lambda how: f"wipe={how}"),
        st.sampled_from(["true", "false"]).map(lambda on: f"features.containerd-snapshotter={on}"),
        st.sampled_from(["overlay2", "overlayfs", "vfs", "btrfs", "nosuch"]).map(lambda name: f"storage-driver={name}"),
        st.just("userns-remap=default"),
        st.just("data-root=/elsewhere"),
        st.sampled_from(["1.24", "1.44", "1.12"]).map(lambda api: f"min-api-version={api}"),
    ),
    max_size=4,
    unique_by=lambda wish: wish.partition("=")[0],
)


@given(st.sampled_from(["amd64", "riscv64", "ppc64le", "bookworm", "podman", "bookworm-nosocket"]), WISHES)
def test_a_store_is_known_only_with_an_engine_that_starts(name: str, sets: list[str]) -> None:
    """Whatever is asked: an engine that refuses has no store, and a containerd store has the type that tells it."""
    host, facts = base_facts(name)
    then = facts_then(facts, parse_changes(sets), host)
    store = then.facts[ImageStore]
    if then.refuses is not None:
        assert isinstance(store, Unknown)
        assert isinstance(then.facts[Engine], Unknown)
    elif not isinstance(store, Unknown):
        assert (store.kind == "containerd") == (store.driver_type is not None)
        assert store.kind != "containerd" or store.driver not in ("overlay2", "vfs")


@pytest.mark.parametrize("name", ["amd64", "arm64", "s390x", "ppc64le", "riscv64", "trixie-containerd", "hidden"])
def test_the_usual_futures_are_those_that_the_facts_foretell(name: str) -> None:
    """Wipe, upgrade and reinstall give the store that `image_store` names by itself."""
    host, facts = base_facts(name)
    now = facts[ImageStore]
    assert not isinstance(now, Unknown)
    foretold = [(WIPE, now.after_wipe), (UPGRADE, now.after_upgrade), (REINSTALL, now.after_reinstall)]
    for changes, kind in foretold:
        store = facts_then(facts, changes, host).facts[ImageStore]
        assert not isinstance(store, Unknown)
        assert store.kind == kind


@pytest.mark.parametrize("name", ["amd64", "riscv64", "podman", "bookworm-nosocket"])
def test_no_change_changes_nothing(name: str) -> None:
    """Without a change every fact is the one of now."""
    host, facts = base_facts(name)
    assert dict(facts_then(facts, Changes(), host).facts) == dict(facts)
