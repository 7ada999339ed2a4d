"""Whatever a worker says, reading it neither raises nor ends in CRASHED."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.fact import all_facts, all_probes, read_facts
from audit.model import Answer, Host, HostEvidence, Outcome, Reason, Unknown
from tests.facts.cases import PSEUDO, all_cases

HOST = Host(name="w", address="192.0.2.1", build_unit="b.service")
NAMES = (*(probe.name for probe in all_probes()), *PSEUDO)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = sorted(
    {
        *(
            "Client",
            "Server",
            "Version",
            "ServerVersion",
            "DriverStatus",
            "Driver",
            "ClientInfo",
            "Plugins",
            "Name",
            "Path",
        ),
        *(
            "Components",
            "RegistryConfig",
            "IndexConfigs",
            "Warnings",
            "auths",
            "credHelpers",
            "features",
            "hosts",
            "Err",
        ),
        *("containerd-snapshotter", "aliases", "Nodes", "Platforms", "auth", "log-driver", "DockerRootDir", "Mirrors"),
    }
)
WORDS = sorted(
    {
        *("json", "ls", "no-store", "none", "absent", "podman", "Docker version 28", "uname Linux w 6 x86_64", "bytes"),
        *("config present /etc/docker/daemon.json", "data-root /var/lib/docker", "root /var/lib/docker", "inodes"),
        *(
            "real /var/lib/docker",
            "containerd-root /c",
            "df /var/lib/docker",
            "/dev/vda ext4 10 2 8 20% /",
            "id uid=0(r)",
        ),
        *(
            "show LoadState=loaded",
            "show ActiveState=active",
            "set\tunit\t/u\tDOCKER_HOST=x",
            "source process",
            "pid 1",
        ),
        *("NAME/NODE DRIVER/ENDPOINT", "default *  docker", "  default  default  running", "cpus 0-3", "meta v1 /a"),
        *(
            "copy yes /a",
            "config /c",
            "socket yes /s",
            "ls srw-rw---- 1 root docker 0",
            "flag --host=tcp://:1",
            "env A",
        ),
        *("1795480097.5", "uptime 12.5 3", "process", "{}", "[]", "apk docker-cli /usr/bin/docker", "owner a /b"),
    }
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KEYS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(WORDS) | TREES.map(json.dumps), max_size=12).map("\n".join),
    TREES.map(json.dumps),
    TREES.map(lambda tree: "config present /etc/docker/daemon.json\npid 1\njson\n" + json.dumps(tree)),
    TREES.map(lambda tree: "ls\n" + json.dumps(tree)),
)
ANSWERS = st.builds(Answer, stdout=TEXTS, stderr=st.text(max_size=40), exit=st.integers(0, 255))


def check(answers: dict[str, Answer | Unknown]) -> None:
    """Every fact is there, and none has crashed."""
    facts = read_facts(HostEvidence(outcome=Outcome.OK, started=1e9, answers=answers), HOST)
    assert set(facts) == set(all_facts())
    for name, value in facts.items():
        if isinstance(value, Unknown):
            assert value.reason is not Reason.CRASHED, f"{name}: {value.detail}"
        else:
            value.model_dump_json()


@MANY
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANSWERS)))
def test_arbitrary_answers(answers: dict[str, Answer | Unknown]) -> None:
    """Arbitrary text and arbitrary JSON in any probe's answer."""
    check(answers)


def _recorded() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for _, file in all_cases():
        for name, answer in json.loads(file.read_text(encoding="utf-8"))["evidence"].get("answers", {}).items():
            whole = {"stdout": answer} if isinstance(answer, str) else answer
            if whole.get("kind", "answer") == "answer" and name in NAMES:
                found.setdefault(name, []).append(whole)
    return found


RECORDED = _recorded()


def _spoilt(value: Any, path: list[int], by: Any) -> Any:
    """The tree with one of its values replaced; the path picks which."""
    if not path or not isinstance(value, dict | list) or not value:
        return by
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _spoilt(value[key], path[1:], by)
    return copy


@MANY
@given(st.data())
def test_real_answers_with_one_value_replaced(data: st.DataObject) -> None:
    """A real worker's answers in which one value of a JSON document has another type, or one stretch is cut out."""
    answers: dict[str, Answer | Unknown] = {}
    victim = data.draw(st.sampled_from(sorted(RECORDED)))
    for name, known in RECORDED.items():
        answer = data.draw(st.sampled_from(known))
        text: str = answer["stdout"]
        if name == victim:
            head, marker, tail = text.rpartition("\n{") if not text.startswith("{") else ("", "", text[1:])
            try:
                tree = json.loads("{" + tail)
            except ValueError:
                low, high = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
                text = text[:low] + data.draw(st.text(max_size=5)) + text[high:]
            else:
                tree = _spoilt(tree, data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)), data.draw(TREES))
                text = head + marker[:1] + json.dumps(tree)
        answers[name] = Answer(stdout=text, stderr=answer.get("stderr", ""), exit=answer.get("exit", 0))
    check(answers)
