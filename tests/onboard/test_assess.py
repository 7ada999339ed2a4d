"""From what was found out to READY or a list: unknown is never fine, and a machine's own finding explains a pool's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit import flow
from audit.image.arrived import Arrived
from audit.model import Fleet, PolicyLayer, StoreKind, Wanted
from audit.onboard import Identity, Offers, Onboarding, Rehearsal, Seen, assess
from audit.onboard.seen import choices
from audit.onboard.told import FORMATS, schema
from audit.probe.report import Report
from audit.probe.result import HostProof, Told, WayProof
from audit.reports._style import Style
from audit.run import Run, SavedRun

RECORDED = Path(__file__).parent.parent / "recorded" / "lab-fleet.json"
NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
KEY = "SHA256:" + "k" * 43
OFFERS = Offers(
    rules=frozenset({"FA404", "FA301"}), by_hand={"FA506": "somebody decides"}, command="ansible-playbook -i inv p.yml",
    variables={"FA404": "attestations=suppress"},
)  # fmt: skip


@cache
def run(*names: str, wanted: str = "") -> Run:
    """The recorded fleet, or a part of it; under a policy that wants a shape."""
    saved = SavedRun.parse(RECORDED.read_text(encoding="utf-8"), RECORDED.name)
    if wanted:
        layer = PolicyLayer.model_validate({"scope": "group:all", "source": {"file": "p"}, "wanted": {"push": wanted}},
                                           strict=False)  # fmt: skip
        policy = saved.fleet.policy.model_copy(update={"layers": (*saved.fleet.policy.layers, layer)})
        saved = saved.model_copy(update={"fleet": Fleet(hosts=saved.fleet.hosts, policy=policy)})
    whole = flow.judged(saved)
    return whole.part([host for host in whole.fleet.hosts if host.name in names]) if names else whole


def seen(name: str, judged: Run, **more: Any) -> Seen:
    """A machine that is known, with a probe that agrees and a merge that is right, unless said otherwise."""
    way = WayProof.model_construct(
        way="docker build", reference="r", where="registry", prediction=judged.members[name].push, told=Told(number=0),
        arrived=Arrived(digest="sha256:" + "a" * 64, media_type="application/vnd.oci.image.manifest.v1+json",
                        kind="flat"),
        stored=False, agreement="agrees", differences=(), unknown=None, notes=(),
    )  # fmt: skip
    proof = Report(when=NOW, registry="r.example/scratch", hosts=(HostProof(host=name, ways=(way,)),))
    merge = Rehearsal(tag="r.example/scratch:x", digest="sha256:" + "b" * 64, platforms=("linux/amd64", "linux/arm64"))
    made = Seen(host=judged.hosts[name], identity=Identity("known", key=KEY), asked=NOW, run=judged, proof=proof,
                merge=merge, offers=OFFERS)  # fmt: skip
    return replace(made, **more)


def states(found: Onboarding) -> dict[str, str]:
    """By step."""
    return {step.id: step.state for step in found.steps}


def test_a_machine_with_nothing_to_do_is_ready() -> None:
    """Every step is fine or only worth reading."""
    found = assess(seen("amd64", run("amd64")))
    assert (found.ready, found.exit_code, found.todo) == (True, 0, ())
    assert set(states(found).values()) <= {"ok", "note"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"identity": Identity("changed", key=KEY, old=("SHA256:old",)), "run": None}, 1),
        ({"identity": Identity("new", key=KEY), "run": None}, 1),
        ({"identity": Identity("revoked", key=KEY), "run": None}, 1),
        ({"identity": Identity("unreachable", detail="no route"), "run": None}, 3),
        ({"proof": None, "no_proof": "no registry"}, 3),
        ({"merge": None, "no_merge": "no registry"}, 3),
        ({"merge": Rehearsal(flaws=("index: it is another one",))}, 1),
    ],
    ids=["changed", "new", "revoked", "unreachable", "no proof", "no merge", "flaw"],
)
def test_what_is_not_seen_is_not_ready(change: dict[str, Any], code: int) -> None:
    """Each missing piece alone keeps it from being ready, and the list names it."""
    found = assess(seen("amd64", run("amd64"), **change))
    assert not found.ready
    assert found.exit_code == code
    assert found.todo


def test_a_key_that_is_not_believed_is_all_that_is_to_do() -> None:
    """Nothing else was looked at; the command to go on has the fingerprint."""
    found = assess(seen("amd64", run("amd64"), identity=Identity("changed", key=KEY), run=None))
    assert {state for name, state in states(found).items() if name != "identity"} == {"unknown"}
    (todo,) = found.todo
    assert todo.command == f"fleet-audit onboard amd64 --accept-host-key {KEY}"


def test_a_pools_finding_is_mended_by_the_machines_own() -> None:
    """FA506 follows from FA404 there, and has its command; alone it is done by hand."""
    found = assess(seen("riscv64", run(wanted="flat")))
    by_rule = {todo.rule: todo for todo in (*found.todo, *found.later)}
    command = "ansible-playbook -i inv p.yml --limit riscv64 --tags FA404 -e attestations=suppress"
    assert by_rule["FA404"].command == by_rule["FA506"].command == command
    assert by_rule["FA506"].mended_by == "FA404"
    other = assess(seen("riscv64", run(wanted="flat"), offers=replace(OFFERS, rules=frozenset())))
    assert {todo.command for todo in other.todo if todo.rule == "FA506"} == {""}
    assert {todo.by_hand for todo in other.todo if todo.rule == "FA506"} == {"somebody decides"}


def test_the_severity_that_is_an_obstacle() -> None:
    """A warning is worth doing later, unless the policy of the command says otherwise."""
    lenient, strict = (assess(seen("ppc64le", run("ppc64le"), fail_on=one)) for one in ("error", "warning"))
    assert "FA301" in {todo.rule for todo in lenient.later}
    assert "FA301" in {todo.rule for todo in strict.todo}
    assert not strict.ready


def test_a_build_unit_that_does_not_run_is_an_obstacle() -> None:
    """It is a warning of the fleet's check; but a worker that was left out of service is not ready."""
    stopped = RECORDED.read_text(encoding="utf-8").replace("ActiveState=active", "ActiveState=inactive")
    whole = flow.judged(SavedRun.parse(stopped, "stopped"))
    found = assess(seen("amd64", whole.part([whole.hosts["amd64"]])))
    assert "FA405" in {todo.rule for todo in found.todo}
    assert not found.ready
    assert states(found)["unit"] == "todo"


def test_a_remedy_is_told_what_the_policy_wants() -> None:
    """Of attestations and of the store; where nothing is wanted, what does the least."""
    assert choices(Wanted()) == {"FA404": "attestations=suppress"}
    wanted = Wanted(push="index", store=StoreKind.CONTAINERD)
    assert choices(wanted) == {"FA404": "attestations=keep", "FA201": "image_store=containerd"}


def test_nobody_to_compare_it_with() -> None:
    """Alone in its pool, or in none: what may be done about it is said."""
    said = {
        name: next(step.text for step in assess(seen(name, run(name))).steps if step.id == "peers")
        for name in ("riscv64", "trixie-containerd")
    }
    assert said["riscv64"] == "it is alone in its pool linux-riscv64: name a peer with --like"
    assert said["trixie-containerd"].endswith("name a peer with --like, or give it a pool")


def test_what_cannot_be_told_is_an_obstacle() -> None:
    """A login without the right to the socket: reach is to be mended, the rest is unknown; nothing is fine."""
    found = assess(seen("bookworm-nosocket", run("bookworm-nosocket")))
    assert not found.ready
    assert states(found)["reach"] == "todo"
    assert states(found)["pushes"] == "unknown"


def test_every_format_says_the_same() -> None:
    """Text, JSON and Markdown: the verdict, each step, each thing to do; nothing hostile acts."""
    evil = "\x1b[31m<b>|`evil`\n# x"
    machine = seen("riscv64", run(wanted="flat"))
    found = assess(replace(machine, identity=Identity("known", key=evil, since=evil), like=evil))
    shown = {name: "".join(render(found, Style(verbosity=1))) for name, render in FORMATS.items()}
    for name, text in shown.items():
        assert "\x1b" not in text, name
        assert "\n# x" not in text, name
    assert "<b>" not in shown["markdown"].replace("&lt;b>", "")
    document = json.loads(shown["json"])
    jsonschema.validate(document, schema())
    assert (document["ready"], document["exit_code"]) == (False, 1)
    assert [step["id"] for step in document["steps"]] == [step.id for step in found.steps]
    for todo in found.todo:
        assert todo.rule is None or todo.rule in shown["text"]
        assert todo.rule is None or todo.rule in shown["markdown"]
    assert "NOT READY" in shown["text"]
    assert "NOT READY" in shown["markdown"]
