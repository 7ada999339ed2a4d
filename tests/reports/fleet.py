"""A small fleet by hand, and five tiny rules: what the goldens show does not change when a rule is added."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import audit.judge
import audit.run
from audit.fact import Fact, Facts
from audit.facts.build_env import BuildEnv, Setting
from audit.facts.buildx import Buildx
from audit.facts.clock import Clock
from audit.facts.disks import Disks, FileSystem
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.facts.reach import Reach
from audit.judge import judge
from audit.model import (
    Evidence,
    Fleet,
    Host,
    HostEvidence,
    Outcome,
    Policy,
    PolicyLayer,
    Reason,
    Severity,
    Source,
    StoreKind,
    Unknown,
    Waiver,
)
from audit.rule import Check, Finding, FleetView, Result, Rule, cannot_tell, fail, not_applicable, ok
from audit.run import Run
from audit.shape import Prediction

STARTED = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
FINISHED = STARTED + timedelta(seconds=3.2)


# ---------------------------------------------------------------- rules


def _reached(reach: Reach) -> Result:
    if reach.outcome is Outcome.OK:
        return ok("answered", f"in {reach.seconds} s")
    return cannot_tell(reach.detail, f"ended in phase {reach.phase}", remedy="look at the machine's console")


def _disk(disks: Disks) -> Result:
    root = disks.data_root
    if root is None:
        return not_applicable("there is no data-root")
    proof = f"{root.path} is on {root.device} ({root.fstype}), {root.free} of {root.size} bytes free"
    if root.free_percent < 10:
        return fail(f"only {root.free_percent:.1f} % free under {root.path}", proof)
    return ok("enough room", proof)


def _buildx(buildx: Buildx) -> Result:
    if buildx.state != "present":
        return fail(f"buildx is {buildx.state}: `docker build` is the legacy builder", buildx.error or "no copy found")
    return ok(f"buildx {buildx.version}", f"{buildx.path} says {buildx.version}")


def _push(host: Host, push: Prediction) -> Result:
    if push.kind == "unknown":
        return cannot_tell(*push.missing)
    if push.kind == "index":
        return fail(
            'pushes an OCI index; `docker manifest create` will say "... is a manifest list"',
            *push.reasons,
            remedy="merge with `docker buildx imagetools create`, or set BUILDX_NO_DEFAULT_ATTESTATIONS=1 in the unit: "
            f"`ansible-playbook -i inventory/ playbooks/remediate.yml --tags fa404 --limit {host.name}`",
        )
    return ok(f"pushes {push.kind}", *push.reasons)


def _peers(view: FleetView) -> list[Finding]:
    found = []
    for pool, members in view.pools().items():
        kinds = {member.push.kind for member in members if member.push.kind != "unknown"}
        names = tuple(member.host.name for member in members if member.push.kind == "index")
        result = ok("all push alike") if len(kinds) < 2 else fail("some push an index, some flat", *sorted(kinds))
        found.append(Finding(f"pool:{pool}", result, names if len(kinds) > 1 else ()))
    return found


def _check(rule: Rule, run: Callable[..., Any], wants: Mapping[str, type], *, fleet: bool = False) -> Check:
    return Check(rule, run, fleet, {name: (kind, False) for name, kind in wants.items()})


def _rule(number: str, title: str, severity: Severity, **more: Any) -> Rule:
    return Rule(
        f"FA{number}",
        title,
        severity,
        more.pop("why", f"Why {title.lower()} matters."),
        more.pop("symptom", "the build fails with `no space left on device`"),
        more.pop("remedy", "mend it"),
        **more,
    )


CHECKS = {
    check.rule.id: check
    for check in (
        _check(_rule("001", "The host answers", Severity.ERROR, cause=True), _reached, {"reach": Reach}),
        _check(_rule("204", "The data-root has room", Severity.WARNING), _disk, {"disks": Disks}),
        _check(_rule("301", "buildx is there", Severity.NOTE, remedy="install it"), _buildx, {"buildx": Buildx}),
        _check(
            _rule("404", "A plain push is flat", Severity.ERROR, refs=("https://docs.docker.com/build/attestations/",)),
            _push,
            {"host": Host, "push": Prediction},
        ),
        _check(_rule("501", "A pool pushes alike", Severity.ERROR), _peers, {}, fleet=True),
    )
}


@contextmanager
def tiny_rules() -> Iterator[None]:
    """The five rules in the place of the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit.judge, "all_rules", lambda: CHECKS)
        patch.setattr(audit.run, "all_rules", lambda: CHECKS)
        yield


# ---------------------------------------------------------------- facts


def facts_of(
    *,
    store: str = "overlay2",
    buildx: str = "present",
    free: int = 400,
    env: tuple[Setting, ...] = (),
    text: str = "",
    version: str = "28.5.2+dfsg4",
) -> Facts:
    """One worker's facts; `text` is put in wherever a worker may say what it likes."""
    containerd = store != "overlay2"
    values: list[Fact] = [
        Reach(outcome=Outcome.OK, phase="done", seconds=1.5, detail=text, host_key=f"SHA256:abc{text}"),
        DockerClient(kind="docker", path=f"/usr/bin/docker{text}", version="28.5.2", api_version="1.51"),
        Engine(version=f"{version}{text}", api_version="1.51", os="linux", warnings=(text,) if text else ()),
        ImageStore(
            kind=StoreKind.CONTAINERD if containerd else StoreKind.GRAPHDRIVER,
            driver=f"{store}{text}",
            why="default" if containerd else "prior-data",
            why_text=f"found out{text}",
        ),
        Buildx(
            state="present" if buildx == "present" else "missing",
            version=f"0.29.1{text}" if buildx == "present" else None,
            path=f"/usr/libexec/docker/cli-plugins/docker-buildx{text}",
            error=text or None,
        ),
        BuildEnv(service=env, shell=()),
        Disks(
            data_root=FileSystem(
                path=f"/var/lib/docker{text}", mount="/", device=f"/dev/vda1{text}", fstype="ext4", size=1000, free=free
            )
        ),
        Clock(offset_seconds=0.25, error_seconds=0.01, synchronized=True),
    ]
    return Facts({value.fact_name(): value for value in values})


def unreached(detail: str) -> Facts:
    """The facts of a host that did not answer."""
    names = ("docker_client", "engine", "image_store", "buildx", "build_env", "disks", "clock")
    lost = {name: Unknown(reason=Reason.TIMEOUT, detail=detail) for name in names}
    return Facts({"reach": Reach(outcome=Outcome.TIMEOUT, phase="connect", seconds=10.0, detail=detail), **lost})


# ---------------------------------------------------------------- runs


def run_of(
    hosts: tuple[Host, ...], facts: Mapping[str, Facts], policy: Policy | None = None, interrupted: str | None = None
) -> Run:
    """Judge these facts by the five rules; call it inside `tiny_rules`."""
    fleet = Fleet(hosts=hosts, policy=policy or Policy())
    reaches = {name: known[Reach] for name, known in facts.items()}
    evidence = Evidence(
        script="5c" * 32,
        started=STARTED,
        finished=FINISHED,
        interrupted=interrupted,
        hosts={
            name: HostEvidence(
                outcome=reach.outcome,
                detail=reach.detail,
                phase=reach.phase,
                seconds=reach.seconds,
                host_key=reach.host_key,
            )
            for name, reach in reaches.items()
            if isinstance(reach, Reach)
        },
    )
    view, verdicts = judge(fleet, facts, FINISHED)
    run = Run(fleet, evidence, facts, view, verdicts, "0.0.0")
    return _settled(run)


def _settled(run: Run) -> Run:
    """Evaluate what is cached, so that the run may leave `tiny_rules`."""
    _ = run.rules, run.faults, run.by_subject
    return run


def host(name: str, pool: str, line: int, **more: Any) -> Host:
    """A host of inventory/hosts.yml."""
    return Host(
        name=name, address=f"10.0.0.{line}", pool=pool, source=Source(file="inventory/hosts.yml", line=line), **more
    )


def story() -> Run:
    """The story's fleet: two pools, one of them split, one host out of reach, one finding waived, one note."""
    hosts = (
        host("amd64-1", "linux-x86_64", 4, platform="linux/amd64"),
        host("amd64-2", "linux-x86_64", 5, platform="linux/amd64"),
        *(host(f"riscv-{n:02}", "linux-riscv64", 10 + n, platform="linux/riscv64", emulated=True) for n in range(1, 7)),
        host("w7", "linux-s390x", 20, platform="linux/s390x"),
    )
    fresh = facts_of(store="overlayfs")
    facts = {
        "amd64-1": facts_of(),
        "amd64-2": facts_of(buildx="missing", free=31),
        **{f"riscv-{n:02}": fresh for n in range(1, 6)},
        "riscv-06": facts_of(free=20, version="26.1.5"),
        "w7": unreached("connect timed out after 10 s"),
    }
    waiver = Waiver(rule="FA204", host="amd64-2", reason="new disk is ordered", owner="mark", until=date(2026, 12, 31))
    return run_of(hosts, facts, Policy(layers=(PolicyLayer(scope="group:all", waivers=(waiver,)),)))


def clean() -> Run:
    """Two hosts with nothing to say of them."""
    hosts = (host("amd64-1", "linux-x86_64", 4), host("amd64-2", "linux-x86_64", 5))
    return run_of(hosts, {one.name: facts_of() for one in hosts})


def hostile(text: str) -> Run:
    """Every text that a worker or an inventory can choose holds `text`."""
    waiver = Waiver(
        rule="FA204",
        host="w4*",
        reason=f"r{text}",
        owner=f"o{text}",
        until=date(2026, 12, 31),
        source=Source(file=f"p{text}"),
    )
    common = {"address": f"a{text}", "platform": f"linux/{text}", "groups": ("all", f"g{text}")}
    hosts = tuple(
        Host(name=f"{name}{text}", pool=f"pool{text}", source=Source(file=f"inv{text}", line=3), **common)  # type: ignore[arg-type]  # as above
        for name in ("w1", "w2", "w3", "w4")
    )
    facts = {
        hosts[0].name: facts_of(text=text, free=1, store="overlayfs"),
        hosts[1].name: facts_of(text=text, buildx="missing"),
        hosts[2].name: unreached(f"lost{text}"),
        hosts[3].name: facts_of(text=text, free=1),
    }
    layers = (PolicyLayer(scope=f"host:{hosts[3].name}", waivers=(waiver,)),)
    return run_of(hosts, facts, Policy(layers=layers), interrupted=f"SIG{text}")
