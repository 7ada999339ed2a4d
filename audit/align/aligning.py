"""Which workers push another shape, and what on each of them gives the wanted one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from audit import versions
from audit.align.model import Align, HostAlign, Target, Wanted, Way, WayId
from audit.errors import UsageError
from audit.facts.buildx import Buildx
from audit.facts.engine import Engine
from audit.facts.image_store import ImageStore
from audit.model import Fleet, Host, Unknown
from audit.rule import Member
from audit.run import Run
from audit.shape import How, Prediction, parse_how, predict
from audit.shape.known import NEWEST
from audit.whatif.changes import Changes
from audit.whatif.compare import compare, shape_text
from audit.whatif.then import facts_then

SWITCH = "BUILDX_NO_DEFAULT_ATTESTATIONS"
_FLAG = {"flat": "--provenance=false", "index": "--provenance=mode=min"}
_SCRIPTS = "every script and pipeline that builds there must say it, each time"


def align(run: Run, to: Target) -> Align:
    """What each worker must change so that all push one shape; nothing is changed.

    Args:
        run: a check of those that shall be alike.
        to: the shape, or that of most; where the policy of all wants one shape, most means that.

    Raises:
        UsageError: there is nobody, or no majority: the sentence says who pushes what.
    """
    if not len(run.fleet):
        raise UsageError("align: no host is selected")
    wanted, because = _wanted(run, to)
    return Align(to=wanted, because=because, hosts=tuple(_host(run, member, wanted) for member in run.view.members))


def _wanted(run: Run, to: Target) -> tuple[Wanted, str]:
    policies = {member.policy.wanted.push for member in run.view.members}
    policy = policies.pop() if len(policies) == 1 else None
    if to != "majority":
        against = f", though the policy wants {policy}" if policy is not None and policy != to else ""
        return to, f"asked for{against}"
    if policy is not None:
        return policy, "the policy wants it"
    kinds = Counter(member.push.kind for member in run.view.members if member.push.kind in ("flat", "index"))
    (flat, index), total = (kinds["flat"], kinds["index"]), len(run.fleet)
    if flat == index:
        raise UsageError(
            f"align: {flat} push flat images and {index} an index ({total - flat - index} cannot be told), so there is "
            "no majority: say --to flat or --to index"
        )
    found: Wanted = "flat" if flat > index else "index"
    return found, f"{max(flat, index)} of {total} do already"


def _host(run: Run, member: Member, wanted: Wanted) -> HostAlign:
    host, evidence = member.host, run.evidence.hosts[member.host.name]
    base = HostAlign(host=host.name, pool=host.pool_name, state="unknown", now="")
    if not evidence.reached:
        return base.model_copy(update={"now": f"{evidence.outcome}: {evidence.detail}"})
    now = shape_text(member.push)
    if member.push.kind == wanted:
        return base.model_copy(update={"state": "aligned", "now": now})
    if member.push.kind == "unknown":
        return base.model_copy(update={"now": now})
    ways = tuple(_ways(run, member, wanted))
    state = "change" if any(way.works for way in ways) else "impossible"
    return base.model_copy(update={"state": state, "now": now, "ways": ways})


@dataclass(frozen=True)
class _Step:
    """One change of a worker, in words, as `whatif` takes it, and as the playbooks do."""

    id: WayId
    what: str
    changes: Changes
    tag: str = ""
    variable: str = ""


def _ways(run: Run, member: Member, wanted: Wanted) -> Iterator[Way]:
    """Least intrusive first: at one build, of one service, of the worker's engine; two or three together at last."""
    flag = _flag(member, wanted)
    yield flag
    steps = tuple(_steps(member, wanted))
    found = flag.works
    for many in range(1, len(steps) + 1):
        for chosen in combinations(steps, many):
            way = _change(run, member, wanted, chosen)
            found |= way.works
            if many == 1 or way.works:
                yield way
        if found:
            return


def _steps(member: Member, wanted: Wanted) -> Iterator[_Step]:
    unit = member.host.build_unit
    where = f"in {unit}" if unit else "where the builds get their environment"
    env, word = ("1", f"{SWITCH}=1 {where}") if wanted == "flat" else (None, f"no {SWITCH} {where}")
    yield _Step(
        "environment", word, Changes(env=((SWITCH, env),), said=(f"env.{SWITCH}",)), "FA404" if unit else "",
        f"attestations={'suppress' if wanted == 'flat' else 'keep'}",
    )  # fmt: skip
    buildx = member.facts[Buildx]
    if not isinstance(buildx, Unknown) and buildx.state != "present":
        newest = NEWEST["buildx"]
        yield _Step(
            "buildx", "the buildx plugin installed", Changes(buildx=newest, said=(f"buildx={newest}",)), "FA301"
        )
    engine = member.facts[Engine]
    if not isinstance(engine, Unknown) and versions.at_least(engine.version, NEWEST["engine"]) is False:
        newest = NEWEST["engine"]
        upgrade = Changes(engine=newest, client=NEWEST["client"], wipe="upgrade", said=(f"docker={newest}",))
        yield _Step("engine", f"docker upgraded to {newest}", upgrade)
    store = member.facts[ImageStore]
    if not isinstance(store, Unknown) and (store.kind == "containerd") is (wanted == "flat"):
        name, on = ("overlay2", False) if wanted == "flat" else ("containerd", True)
        said = f"features.containerd-snapshotter={str(on).lower()}"
        yield _Step(
            "store", f"the image store {name}", Changes(features=(("containerd-snapshotter", on),), said=(said,)),
            "FA201", f"image_store={name}",
        )  # fmt: skip


def _flag(member: Member, wanted: Wanted) -> Way:
    line = f"docker build {_FLAG[wanted]}"
    found = predict(member.facts, parse_how(line))
    return Way(id="flag", what=f"{_FLAG[wanted]} at each build", works=found.kind == wanted, leaves=_leaves(found),
               risks=(_SCRIPTS,))  # fmt: skip


def _change(run: Run, member: Member, wanted: Wanted, steps: Sequence[_Step]) -> Way:
    changes = Changes(
        env=tuple(one for step in steps for one in step.changes.env),
        features=tuple(one for step in steps for one in step.changes.features),
        engine=next((step.changes.engine for step in steps if step.changes.engine), None),
        client=next((step.changes.client for step in steps if step.changes.client), None),
        wipe=next((step.changes.wipe for step in steps if step.changes.wipe), None),
        buildx=next((step.changes.buildx for step in steps if step.changes.buildx), None),
        said=tuple(one for step in steps for one in step.changes.said),
    )
    then = facts_then(member.facts, changes, member.host)
    found = predict(then.facts, How())
    refused = f"the engine refuses it: {then.refuses}" if then.refuses else ""
    works = found.kind == wanted and not refused
    variables = "".join(f" -e {step.variable}" for step in steps if step.variable)
    tags = ",".join(step.tag for step in steps)
    return Way(
        id=steps[-1].id,
        what=", and ".join(step.what for step in steps),
        works=works,
        leaves=refused or _leaves(found),
        risks=_cost(wanted, steps) + _risks(run, member.host, changes, run.when) if works else (),
        playbook=f"--tags {tags}{variables}" if all(step.tag for step in steps) else "",
    )


def _cost(wanted: Wanted, steps: Sequence[_Step]) -> tuple[str, ...]:
    lost = wanted == "flat" and any(step.id == "environment" for step in steps)
    return ("no build of that service attests its provenance any more",) if lost else ()


def _leaves(found: Prediction) -> str:
    last = found.reasons[-1] if found.reasons and found.kind in ("fails", "none") else ""
    return f"{shape_text(found)}: {last}" if last else shape_text(found)


def _risks(run: Run, host: Host, changes: Changes, when: datetime) -> tuple[str, ...]:
    """What `whatif` says breaks with it, and which rules fail then."""
    fleet = Fleet(hosts=(host,), policy=run.fleet.policy)
    (one,) = compare(fleet, {host.name: run.facts[host.name]}, changes, when).hosts
    broken = [f"{found.what}{f' ({found.only})' if found.only else ''}" for found in one.breaks
              if not found.already and found.id != "manifest-list"]  # fmt: skip
    return tuple(
        dict.fromkeys((*broken, *(("the engine starts anew, which ends what builds",) if changes.restarts else ())))
    )
