"""What a right inventory becomes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from audit.errors import InventoryError, UsageError
from audit.inventory import listing, load
from audit.model import Fleet, Host, Source
from tests.inventory.conftest import Write

SAMPLE = Path(__file__).parent.parent.parent / "inventory"


def by_name(fleet: Fleet) -> dict[str, Host]:
    """Hosts by name."""
    return {host.name: host for host in fleet.hosts}


def test_every_variable_of_ours_and_of_ansibles(write: Write) -> None:
    """Each variable lands in its attribute with its type; variables of other people are left alone."""
    folder = write(
        {
            "hosts.yml": """
all:
  hosts:
    w1:
      ansible_host: 10.0.0.7
      ansible_port: "2222"
      ansible_user: root
      ansible_ssh_private_key_file: ~/.ssh/fleet
      ansible_ssh_common_args: -o ProxyJump=jump -o 'ProxyCommand=ssh -W %h:%p gate'
      ansible_ssh_extra_args: -v
      ansible_become: yes
      ansible_python_interpreter: /usr/bin/python3
      platform: linux/arm/v7
      emulated: on
      pool: "1.10"
      build_unit: builder@1.service
      merge_host: true
      timeout: 1h30m
      somebody_elses: {deep: [1, no, "{{ x }}"]}
"""
        }
    )
    assert load(folder / "hosts.yml").hosts == (
        Host(
            name="w1",
            address="10.0.0.7",
            port=2222,
            user="root",
            key_file="~/.ssh/fleet",
            ssh_args=("-o", "ProxyJump=jump", "-o", "ProxyCommand=ssh -W %h:%p gate", "-v"),
            become=True,
            platform="linux/arm/v7",
            emulated=True,
            pool="1.10",
            build_unit="builder@1.service",
            merge_host=True,
            timeout=5400.0,
            groups=("all", "ungrouped"),
            source=Source(file=str(folder / "hosts.yml"), line=4),
        ),
    )


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("'45'", 45), ("0.5", 0.5), ("2m30s", 150)]
)
def test_timeout_in_seconds_or_with_units(write: Write, written: str, seconds: float) -> None:
    """A timeout may be a number, or a duration as people write it."""
    fleet = load(write({"hosts.yml": f"all:\n  hosts:\n    w1:\n      timeout: {written}\n"}))
    assert fleet.hosts[0].timeout == seconds


@pytest.mark.parametrize("word", ["ssh", "smart", "paramiko", "ansible.builtin.ssh"])
def test_ways_to_say_ssh(write: Write, word: str) -> None:
    """Every one of Ansible's names for SSH is SSH, and local is local."""
    text = f"all:\n  hosts:\n    a: {{ansible_connection: {word}}}\n    b: {{ansible_connection: local}}\n"
    assert [host.connection for host in load(write({"hosts.yml": text})).hosts] == ["ssh", "local"]


def test_own_name_is_the_one_template(write: Write) -> None:
    """``{{ inventory_hostname }}`` and its short form are filled in, since their value is known."""
    text = (
        "all:\n  vars:\n    ansible_host: '{{ inventory_hostname }}.example.org'\n"
        "    pool: p-{{inventory_hostname_short}}\n  hosts:\n    w1.a:\n"
    )
    host = load(write({"hosts.yml": text})).hosts[0]
    assert (host.address, host.pool) == ("w1.a.example.org", "p-w1")


def test_unsafe_text_is_never_a_template(write: Write) -> None:
    """A value tagged !unsafe is taken as it stands, braces and all."""
    text = "all:\n  hosts:\n    w1:\n      pool: !unsafe '{{ x }}'\n"
    assert load(write({"hosts.yml": text})).hosts[0].pool == "{{ x }}"


def test_variables_of_others_may_be_encrypted(write: Write) -> None:
    """An inline vault value matters only in a variable that we use."""
    text = "all:\n  hosts:\n    w1:\n      password: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        3131\n"
    assert load(write({"hosts.yml": text})).names == ("w1",)


def test_merge_keys_and_aliases(write: Write) -> None:
    """Anchors, aliases and ``<<`` work as in Ansible, the mapping's own keys winning."""
    text = (
        "all:\n  hosts:\n    a: &a\n      pool: x\n      timeout: 5\n"
        "    b:\n      <<: *a\n      pool: y\n    c: *a\n    d: {<<: [{pool: z}, *a]}\n"
    )
    hosts = load(write({"hosts.yml": text})).hosts
    assert [(host.pool, host.timeout) for host in hosts] == [("x", 5), ("y", 5), ("x", 5), ("z", 5)]


def test_folder_is_read_in_name_order_without_what_ansible_ignores(write: Write) -> None:
    """Several files of a folder are one inventory; backups, notes and hidden files are passed over."""
    folder = write(
        {
            "b.yml": "all:\n  hosts:\n    w1: {pool: b}\n    w2:\n",
            "a.yml": "arm:\n  hosts:\n    w1: {pool: a}\n",
            "sub/c.yaml": "arm:\n  hosts:\n    w3:\n",
            "hosts": "---\nx86:\n  hosts:\n    w4:\n",
            **dict.fromkeys(
                ("a.yml.bak", "a.yml~", ".a.yml.swp", "README.md", "old.orig", "ansible.cfg", "x.retry", "n.txt"), "{{"
            ),
        }
    )
    fleet = load(folder)
    assert fleet.names == ("w1", "w2", "w4", "w3")
    assert fleet.hosts[0].pool == "b"
    assert fleet.hosts[0].source == Source(file=str(folder / "a.yml"), line=3)


def test_later_sources_win(write: Write) -> None:
    """Of several inventories given, the later one's variables and group_vars win."""
    folder = write(
        {
            "one/hosts.yml": "arm:\n  hosts:\n    w1:\n",
            "one/group_vars/arm.yml": "pool: one\ntimeout: 1\n",
            "two/hosts.yml": "arm:\n  hosts:\n    w2:\n",
            "two/group_vars/arm.yml": "pool: two\n",
        }
    )
    hosts = load([folder / "one", folder / "two"]).hosts
    assert [(host.pool, host.timeout) for host in hosts] == [("two", 1), ("two", 1)]


def test_precedence_from_all_down_to_the_host(write: Write) -> None:
    """all < parent < child < host in one kind of file, and files of group_vars above an inventory's own vars."""
    inventory = """
all:
  vars: {pool: all-vars, timeout: 1, platform: linux/amd64, ansible_user: all-vars}
  children:
    parent:
      vars: {pool: parent-vars, timeout: 2, ansible_user: parent-vars}
      children:
        child:
          vars: {pool: child-vars}
          hosts:
            w1: {ansible_port: 1}
            w2:
"""
    fleet = load(
        write(
            {
                "hosts.yml": inventory,
                "group_vars/all.yml": "ansible_user: all-file\n",
                "group_vars/parent": "build_unit: parent.service\nemulated: true\n",
                "group_vars/child/a.yml": "emulated: false\nmerge_host: true\n",
                "group_vars/child/b.json": '{"merge_host": false}',
                "host_vars/w1.yaml": "ansible_port: 2\n",
            }
        )
    )
    first, second = fleet.hosts
    assert first.groups == ("all", "parent", "child")
    assert (first.pool, first.timeout, first.platform) == ("child-vars", 2, "linux/amd64")
    assert first.user == "all-file"  # Ansible lays group_vars/all above every group's vars in the inventory file
    assert (first.build_unit, first.emulated, first.merge_host) == ("parent.service", False, False)
    assert (first.port, second.port) == (2, None)


def test_group_priority_decides_between_equals(write: Write) -> None:
    """Groups of one depth are laid in the order of their names, unless ansible_group_priority says otherwise."""
    text = "a:\n  vars: {pool: a%s}\n  hosts: {w1: }\nb:\n  vars: {pool: b}\n  hosts: {w1: }\n"
    assert load(write({"hosts.yml": text % ""})).hosts[0].pool == "b"
    assert load(write({"hosts.yml": text % ", ansible_group_priority: 10"})).hosts[0].pool == "a"


def test_host_in_several_groups_keeps_its_first_place(write: Write) -> None:
    """A host may stand in many groups; its line is the first, its groups are all of them."""
    folder = write({"hosts.yml": "b:\n  hosts:\n    w1:\na:\n  hosts:\n    w1: {pool: x}\n"})
    host = load(folder).hosts[0]
    assert (host.source.line, host.groups, host.pool) == (3, ("all", "a", "b"), "x")


def test_relative_paths_stay_relative(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source is named as the user gave it, so that reports can be read elsewhere."""
    folder = write({"hosts.yml": "all:\n  hosts:\n    w1:\n"})
    monkeypatch.chdir(folder.parent)
    assert str(load(Path("inventory")).hosts[0].source) == "inventory/hosts.yml:3"


def test_ports_and_addresses_as_host_names(write: Write) -> None:
    """A name may carry a port, and may be an IPv6 address."""
    text = "all:\n  hosts:\n    w1:2222:\n    '[2001:db8::7]:22':\n    2001:db8::8:\n    v[1:2]:23:\n"
    hosts = load(write({"hosts.yml": text})).hosts
    assert [(host.name, host.port) for host in hosts] == [
        ("w1", 2222), ("2001:db8::7", 22), ("2001:db8::8", None), ("v1", 23), ("v2", 23),
    ]  # fmt: skip


def test_a_group_named_like_a_file_with_dots(write: Write) -> None:
    """A host's file may be its bare name, dots and all."""
    fleet = load(write({"hosts.yml": "all:\n  hosts:\n    w1.example.org:\n", "host_vars/w1.example.org": "pool: x\n"}))
    assert fleet.hosts[0].pool == "x"


def test_a_loaded_fleet_is_valid_and_travels_as_json(write: Write) -> None:
    """What load gives survives its own JSON: it is what --save writes."""
    fleet = load(SAMPLE)
    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet


def test_no_source() -> None:
    """An empty list of sources is a usage error."""
    with pytest.raises(UsageError, match="no inventory"):
        load([])


def test_sample_fleet() -> None:
    """The sample in inventory/ loads, has five architectures, and teaches a policy."""
    fleet = load(SAMPLE)
    hosts = by_name(fleet)
    assert {host.platform for host in fleet.hosts} == {
        "linux/amd64", "linux/arm64", "linux/ppc64le", "linux/riscv64", "linux/s390x",
    }  # fmt: skip
    assert {host.pool for host in fleet.hosts} == {"amd64", "arm64", "ppc64le", "riscv64", "s390x"}
    assert hosts["riscv64-qemu-01"].timeout == 180
    assert hosts["riscv64-bm-01.builders.example.org"].build_unit == "riscv-builder.service"
    assert [host.name for host in fleet.hosts if host.merge_host] == ["amd64-03.builders.example.org"]
    assert fleet.policy.for_host(hosts["s390x-01.builders.example.org"]).wanted.engine == ">=26.1"
    assert fleet.policy.for_host(hosts["riscv64-qemu-01"]).wanted.engine == ">=28"


def test_listing_is_plain_data() -> None:
    """A row a host, with address and port as a person writes them."""
    rows = listing(load(SAMPLE))
    row = next(row for row in rows if row["name"] == "arm64-02.builders.example.org")
    assert row["address"] == "arm64-02.builders.example.org:2222"
    assert row["groups"] == ["builders", "arm64"]
    assert str(row["source"]).endswith("hosts.yml:25")


@pytest.mark.parametrize("style", ["explicit", "range"])
@pytest.mark.slow
def test_ten_thousand_hosts(write: Write, style: str) -> None:
    """10,000 hosts load in seconds of processor time: twice the hosts, about twice the time."""
    lines = "".join(
        f"    w{i}:\n      ansible_host: 10.0.{i // 256}.{i % 256}\n      ansible_port: 22\n"
        "      platform: linux/arm64\n      pool: arm\n      build_unit: worker.service\n"
        for i in range(10_000)
    )
    text = "all:\n  hosts:\n" + (lines if style == "explicit" else "    w[00001:10000]:\n")
    folder = write({"hosts.yml": text})
    began = time.process_time()
    assert len(load(folder)) == 10_000
    assert time.process_time() - began < (20 if style == "explicit" else 3)


@pytest.mark.parametrize("name", ["emulator", "poll", "platform_name", "pools_by_site", "ansible_facts", "my_timeout"])
def test_near_words_of_other_people_are_tolerated(write: Write, name: str) -> None:
    """A real word that happens to be near one of ours is no slip."""
    assert load(write({"hosts.yml": f"all:\n  hosts:\n    w1:\n      {name}: 1\n"})).names == ("w1",)


def test_one_word_under_hosts(write: Write) -> None:
    """Ansible takes a single bare host name without a colon; so do we."""
    assert load(write({"hosts.yml": "all:\n  hosts: w1\n"})).names == ("w1",)


def test_message_has_place_first(write: Write) -> None:
    """An error reads file:line: key: what, in one line."""
    folder = write({"hosts.yml": "all:\n  hosts:\n    w1:\n      pool: no\n"})
    with pytest.raises(InventoryError) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{folder}/hosts.yml:4: all.hosts.w1.pool: is read by YAML as the boolean")
