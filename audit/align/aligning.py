"""Which shape each pool shall push, and which of its workers push another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from audit.align.model import Align, HostAlign, PoolAlign, State, Target, Wanted
from audit.align.ways import ways
from audit.errors import UsageError
from audit.rule import Member
from audit.run import Run
from audit.whatif.compare import shape_text

NO_POOL = "-"
"""The pool of hosts for which neither pool nor platform is declared: they are no peers of each other."""
_NO_PEERS = "is in no pool, so it has no peers: declare its platform or pool, or say --to flat or --to index"
_NAMES = 3


def align(run: Run, to: Target) -> Align:
    """What each worker must change so that all of a pool push one shape; nothing is changed.

    Args:
        run: a check of those that shall be alike, pool by pool.
        to: the shape, or that of most of the pool; where the policy of the pool wants one shape, most means that.

    Raises:
        UsageError: there is nobody.
    """
    if not len(run.fleet):
        raise UsageError("align: no host is selected")
    return Align(asked=to, pools=tuple(_pool(run, name, members, to) for name, members in run.view.pools().items()))


def _pool(run: Run, name: str, members: Sequence[Member], to: Target) -> PoolAlign:
    wanted, because = _wanted(name, members, to)
    return PoolAlign(pool=name, to=wanted, because=because, hosts=tuple(_host(run, one, wanted) for one in members))


def _wanted(name: str, members: Sequence[Member], to: Target) -> tuple[Wanted | None, str]:
    by_policy: dict[Wanted | None, list[str]] = {}
    for member in members:
        by_policy.setdefault(member.policy.wanted.push, []).append(member.host.name)
    said: dict[Wanted, list[str]] = {push: hosts for push, hosts in by_policy.items() if push is not None}
    if to != "majority":
        against = {push: hosts for push, hosts in said.items() if push != to}
        return to, f"asked for{_though(against, by_policy)}" if against else "asked for"
    if len(said) == 1:
        ((push, hosts),) = said.items()
        return push, "the policy wants it" if len(by_policy) == 1 else f"the policy wants it of {_some(hosts)}"
    wanted, because = _majority(name, members)
    if len(said) > 1:
        because = f"the policy wants {_each(said)}, so it does not decide; {because}"
    return wanted, because


def _majority(name: str, members: Sequence[Member]) -> tuple[Wanted | None, str]:
    kinds = Counter(member.push.kind for member in members if member.push.kind in ("flat", "index"))
    (flat, index), total = (kinds["flat"], kinds["index"]), len(members)
    if name == NO_POOL:
        return None, "they are in no pool"
    if total == 1 and flat + index:
        return ("flat" if flat else "index"), "it is alone in its pool"
    if not flat + index:
        return None, "nobody's push is known"
    if flat == index:
        return None, f"{flat} flat, {index} index: no majority; say --to flat or --to index"
    found: Wanted = "flat" if flat > index else "index"
    return found, "all do already" if max(flat, index) == total else f"{max(flat, index)} of {total} do already"


def _though(against: dict[Wanted, list[str]], by_policy: dict[Wanted | None, list[str]]) -> str:
    if len(by_policy) == 1:
        return f", though the policy wants {next(iter(against))}"
    return f", though the policy wants {_each(against)}"


def _each(said: dict[Wanted, list[str]]) -> str:
    return " and ".join(f"{push} of {_some(hosts)}" for push, hosts in sorted(said.items()))


def _some(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _NAMES} more" if len(hosts) > _NAMES else ""
    return ", ".join(hosts[:_NAMES]) + more


def _host(run: Run, member: Member, wanted: Wanted | None) -> HostAlign:
    host, evidence = member.host, run.evidence.hosts[member.host.name]
    base = HostAlign(host=host.name, state="unknown", now="")
    if not evidence.reached:
        return base.model_copy(update={"now": f"not known ({evidence.outcome}: {evidence.detail})"})
    now = shape_text(member.push)
    if member.push.kind == "unknown":
        return base.model_copy(update={"now": now})
    if wanted is None:
        if host.pool_name == NO_POOL:
            return base.model_copy(update={"now": f"pushes {now}, and {_NO_PEERS}"})
        return base.model_copy(update={"state": "undecided", "now": now})
    if member.push.kind == wanted:
        return base.model_copy(update={"state": "aligned", "now": now})
    found = tuple(ways(run, member, wanted))
    state: State = "change" if any(way.works for way in found) else "impossible"
    push = member.push  # without buildx it is the reason for that which decides
    why = "; ".join(dict.fromkeys(push.decisive if push.builder == "buildx" else push.reasons))
    return base.model_copy(update={"state": state, "now": now, "why": why, "ways": found})
