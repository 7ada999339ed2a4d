"""Ansible's patterns, and hosts named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.inventory import ad_hoc, choose, local, select
from audit.model import Fleet, Host, Policy, PolicyLayer

FLEET = Fleet(
    hosts=tuple(
        Host(name=name, address=name, groups=("all", *groups.split()))
        for name, groups in (
            ("web1", "web eu"), ("web2", "web us"), ("web3", "web us"),
            ("db1", "db eu"), ("db2", "db us"), ("2001:db8::1", "six"),
        )
    ),
    policy=Policy(layers=(PolicyLayer(scope="group:all"),)),
)  # fmt: skip
EVERYONE = FLEET.names


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", "web1 web2 web3 db1 db2 2001:db8::1"),
        ("*", "web1 web2 web3 db1 db2 2001:db8::1"),
        ("web", "web1 web2 web3"),
        ("db1:web1", "web1 db1"),
        ("db1,web1", "web1 db1"),
        (" db1 , web1 ", "web1 db1"),
        ("web:db:&us", "web2 web3 db2"),
        ("web:!us", "web1"),
        ("!us:!six", "web1 db1"),
        ("&eu", "web1 db1"),
        ("us,!web3", "web2 db2"),
        ("*1", "web1 db1 2001:db8::1"),
        ("w*:d*:!*2", "web1 web3 db1"),
        ("web?", "web1 web2 web3"),
        ("~(web|db)1", "web1 db1"),
        ("~e", "web1 db1"),
        ("web[0]", "web1"),
        ("web[-1]", "web3"),
        ("web[0:1]", "web1 web2"),
        ("web[1:]", "web2 web3"),
        ("web[0-1]", "web1 web2"),
        ("web[0:1]:db", "web1 web2 db1 db2"),
        ("web[23]", ""),
        ("web*[0]", "web1"),
        ("[wd]*2", "web2 db2"),
        ("2001:db8::1", "2001:db8::1"),
        ("db1,2001:db8::1", "db1 2001:db8::1"),
    ],
)
def test_pattern(pattern: str, names: str) -> None:
    """A pattern gives these hosts in the fleet's order, or names the part that gives none."""
    if not names:
        with pytest.raises(UsageError, match="names no host and no group"):
            select(FLEET, pattern)
        return
    chosen = select(FLEET, pattern)
    assert chosen.names == tuple(names.split())
    assert chosen.policy is FLEET.policy


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("wbe", "'wbe' names no host and no group; did you mean web"),
        ("all:!nobody", "'nobody' names no host and no group"),
        ("web:&nobody", "'nobody'"),
        ("web[9]", r"'web\[9\]'"),
        ("x*", r"'x\*'"),
        ("~(", "no regular expression"),
        ("web:!web", "leaves no host"),
        ("", "the pattern is empty"),
        (",:", "the pattern is empty"),
        ("@/nowhere/list", "cannot be read"),
    ],
)
def test_wrong_pattern_is_named(pattern: str, says: str) -> None:
    """What names nothing is an error that names it: a slip must not widen or empty an audit."""
    with pytest.raises(UsageError, match=says):
        select(FLEET, pattern)


def test_pattern_from_a_file(tmp_path: Path) -> None:
    """``@file`` reads one pattern a line, with comments."""
    (tmp_path / "list").write_text("# retry\nweb1\n\ndb:!db2\n")
    assert select(FLEET, f"@{tmp_path / 'list'}").names == ("web1", "db1")


TERMS = st.sampled_from(["web", "db", "eu", "us", "six", "web1", "db2", "*1", "~web"])


@given(st.lists(TERMS, min_size=1, max_size=4), st.lists(TERMS, max_size=2), st.lists(TERMS, max_size=2), st.randoms())
def test_algebra(some: list[str], required: list[str], excluded: list[str], random: object) -> None:
    """Union, intersection and difference are those of sets, in any order of the terms."""

    def names(term: str) -> set[str]:
        return set(select(FLEET, term).names)

    expected = set().union(*map(names, some))
    for term in required:
        expected &= names(term)
    for term in excluded:
        expected -= names(term)
    terms = [*some, *(f"&{term}" for term in required), *(f"!{term}" for term in excluded)]
    random.shuffle(terms)  # type: ignore[attr-defined]  # hypothesis' Random, typed as object
    for separator in ":,":
        if not expected:
            with pytest.raises(UsageError, match="leaves no host"):
                select(FLEET, separator.join(terms))
        else:
            chosen = select(FLEET, separator.join(terms))
            assert chosen.names == tuple(name for name in EVERYONE if name in expected)


@pytest.mark.parametrize(
    ("target", "address", "user", "port"),
    [
        ("other", "other", None, None),
        ("root@10.0.0.7:2222", "10.0.0.7", "root", 2222),
        ("[::1]:22", "::1", None, 22),
        ("user@h", "h", "user", None),
        ("::1", "::1", None, None),
        ("u@[fe80::1%eth0]:23", "fe80::1%eth0", "u", 23),
        ("u@2001:db8::1", "2001:db8::1", "u", None),
        ("ssh://opam@navajo:60022", "navajo", "opam", 60022),
    ],
)
def test_ad_hoc_host(target: str, address: str, user: str | None, port: int | None) -> None:
    """A host off the command line is called what was typed, and reached as it says."""
    assert ad_hoc([target, target]).hosts == (Host(name=target, address=address, user=user, port=port),)


@pytest.mark.parametrize(
    "target", ["", "a b", "h:0", "h:99999", "-oProxyCommand=x", "u@-x", "-u@h", "[x]:22", "h:ssh", "a@b@c"]
)
def test_no_host_at_all(target: str) -> None:
    """What ssh could misread, or could not read, is refused."""
    with pytest.raises(UsageError, match="is no host"):
        ad_hoc([target])


def test_choose_prefers_the_inventory() -> None:
    """Known names, groups and patterns select; the rest is ad hoc, under the same policy."""
    chosen = choose(FLEET, ["us", "!web3", "root@10.0.0.7:2222", "web1"])
    assert chosen.names == ("web1", "web2", "db2", "root@10.0.0.7:2222")
    assert chosen.policy is FLEET.policy
    assert choose(FLEET, ["elsewhere"]).names == ("elsewhere",)
    assert select(chosen, "root@10.0.0.7:2222").names == ("root@10.0.0.7:2222",)
    assert select(chosen, ",".join(["us", "root@10.0.0.7:2222"])).names == ("web2", "db2", "root@10.0.0.7:2222")


def test_choose_without_an_inventory() -> None:
    """Without an inventory hosts are ad hoc, and a pattern says what it lacks."""
    assert choose(Fleet(), ["w1", "w2"]).names == ("w1", "w2")
    with pytest.raises(UsageError, match="needs an inventory"):
        choose(Fleet(), ["w*"])


def test_local_is_this_machine() -> None:
    """--local is one host without SSH, under the policy that is given."""
    fleet = local(FLEET.policy)
    assert (fleet.names, fleet.hosts[0].connection, fleet.policy) == (("localhost",), "local", FLEET.policy)
    assert local().policy == Policy()
