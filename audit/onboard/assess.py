"""From what was found out to steps, and to what is to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from audit import summary
from audit.drift import told
from audit.drift.model import Node
from audit.model import Unknown
from audit.onboard.judged import hinders, judged, todo
from audit.onboard.model import STEPS, Onboarding, Step, StepId, Todo
from audit.onboard.seen import Seen
from audit.rule import Member


def assess(seen: Seen) -> Onboarding:
    """Every step, and whether the machine is ready.

    Args:
        seen: what the shell found out.

    Returns:
        All steps of `STEPS`, in order: what was not come to is unknown, and says why.
    """
    host = seen.host
    built: Mapping[str, Callable[[Seen], Step]] = {
        "identity": _identity, "facts": _facts, "peers": _peers, "past": _past, "pushes": _pushes, "proof": _proof,
        "merge": _merge,
    }  # fmt: skip
    reached = member(seen)
    steps = tuple(
        built[name](seen) if name in built else judged(seen, name, reached) or _not_come_to(seen, name)
        for name in STEPS
    )
    found = [*_identity_todo(seen), *todo(seen), *_proof_todo(seen)]
    now = tuple(one for one in found if _blocks(seen, one))
    return Onboarding(
        when=seen.run.when if seen.run is not None else seen.asked,
        host=host.name,
        address=host.address,
        pool=host.pool,
        like=seen.like,
        steps=steps,
        todo=now,
        later=tuple(one for one in found if one not in now),
    )


def _blocks(seen: Seen, one: Todo) -> bool:
    return one.severity == "unknown" or hinders(seen, one.rule, one.severity)


# ---------------------------------------------------------------- identity


def _identity(seen: Seen) -> Step:
    one = seen.identity
    old = tuple(f"known until now: {key}" for key in one.old)
    dns = (one.dns,) if one.dns else ()
    since = (f"the last check that reached it: {one.since}",) if one.since else ()
    match one.state:
        case "known":
            return Step(id="identity", state="ok", text=f"it shows the host key that is known: {one.key}", lines=since)
        case "accepted":
            how = f"; {one.how}" if one.how else ""
            text = f"its host key was taken into known_hosts: {one.key}{how}"
            return Step(id="identity", state="ok", text=text, lines=(*dns, *old, *since))
        case "new":
            return Step(
                id="identity", state="todo", text=f"no key is known for it; it shows {one.key}", lines=(*dns, *since)
            )
        case "changed":
            text = f"it shows another host key than the one known: {one.key}"
            return Step(id="identity", state="todo", text=text, lines=(*dns, *old, *since))
        case "revoked":
            return Step(id="identity", state="todo", text=f"it shows a host key that is marked as revoked: {one.key}")
        case "unreachable":
            return Step(id="identity", state="unknown", text=f"it could not be asked: {one.detail}", lines=since)


def _identity_todo(seen: Seen) -> Iterator[Todo]:
    one = seen.identity
    if one.state in ("new", "changed"):
        what = "its host key is not known" if one.state == "new" else "its host key is another one than before"
        mark = one.key.rpartition(" ")[2]
        fix = (
            "compare the fingerprint on the machine's own console (`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub`); "
            "only where it is the same, take it"
        )
        again = f"fleet-audit onboard {seen.host.name} --accept-host-key {mark}"
        yield Todo(what=what, rule="FA002", severity="error", fix=fix, command=again)
    elif one.state == "revoked":
        fix = "make new host keys on the machine (`ssh-keygen -A` after the old ones are gone), and begin again"
        yield Todo(what="its host key is revoked", rule="FA002", severity="error", fix=fix, by_hand="trust is yours")
    elif one.state == "unreachable":
        yield Todo(
            what=f"it could not be asked: {one.detail}", rule="FA001", severity="unknown", by_hand="nobody answers",
            fix="see to network, address and sshd, and begin again",
        )  # fmt: skip


# ---------------------------------------------------------------- what it is


def _not_come_to(seen: Seen, name: StepId) -> Step:
    why = seen.stopped or (
        "its host key is not trusted yet"
        if not seen.identity.trusted
        else f"it was not reached: {seen.identity.detail}"
    )
    return Step(id=name, state="unknown", text=f"not looked at: {why}")


def member(seen: Seen) -> Member | None:
    """The machine as the run sees it; None: it was not reached."""
    if seen.run is None or not seen.run.evidence.hosts[seen.host.name].reached:
        return None
    return seen.run.members[seen.host.name]


def _facts(seen: Seen) -> Step:
    one = member(seen)
    if one is None:
        return _not_come_to(seen, "facts")
    lost = tuple(f"{name}: {fact}" for name, fact in one.facts.items() if isinstance(fact, Unknown))
    text = f"docker {summary.engine_text(one)}, store {summary.store_text(one)}, buildx {summary.buildx_text(one)}"
    return Step(id="facts", state="note" if lost else "ok", text=text, lines=lost)


def _peers(seen: Seen) -> Step:
    if member(seen) is None:
        return _not_come_to(seen, "peers")
    if seen.peer is not None:
        causes, dark = seen.peer.causes, (*seen.peer.dark, *(told.only(one, seen.peer.before, seen.peer.after)
                                                           for one in seen.peer.lost))  # fmt: skip
    elif seen.pool is not None:
        mine = [one for one in seen.pool.hosts if one.host == seen.host.name]
        causes = mine[0].causes if mine else ()
        dark = tuple(told.loss(one) for one in mine[0].lost) if mine else ()
    else:
        pool = seen.host.pool_name
        text = (
            f"it is alone in its pool {pool}: name a peer with --like"
            if pool not in ("-", seen.host.name)
            else "there is nobody to compare it with: name a peer with --like, or give it a pool"
        )
        return Step(id="peers", state="note", text=text)
    lines = tuple(_tree(causes))
    if dark:
        return Step(id="peers", state="unknown", text=f"cannot be compared with {seen.like}", lines=(*dark, *lines))
    if not lines:
        return Step(id="peers", state="ok", text=f"like {seen.like} in everything that counts")
    # What differs is no fault by itself: the rules say which difference does harm.
    return Step(id="peers", state="note", text=f"differs from {seen.like}", lines=lines)


def _past(seen: Seen) -> Step:
    if member(seen) is None:
        return _not_come_to(seen, "past")
    if seen.past is None:
        text = "no earlier check reached it" if seen.first else "its past is not known: the history cannot be read"
        return Step(id="past", state="note", text=text)
    mine = [one for one in seen.past.hosts if one.host == seen.host.name]
    lines = tuple(_tree(mine[0].causes)) if mine else ()
    since = told.side(seen.past.before)
    if not lines:
        return Step(id="past", state="ok", text=f"nothing has changed since {since}")
    return Step(id="past", state="note", text=f"changed since {since}", lines=lines)


def _tree(causes: tuple[Node, ...]) -> Iterator[str]:
    for cause in causes:
        for line in told.lines(cause):
            if line.node is None or line.node.role != "verdict":  # verdicts have a step of their own
                yield f"{'  ' * line.depth}{line.text}"


# ---------------------------------------------------------------- proof


def _pushes(seen: Seen) -> Step:
    one = member(seen)
    if one is None:
        return _not_come_to(seen, "pushes")
    shape = one.push.shape
    text = f"a plain build and push there leaves {shape.text if shape is not None else summary.push_text(one)}"
    if shape is not None and shape.kind == "fails":
        text = "a plain build there fails"
    wanted = one.policy.wanted.push
    if one.push.shape is None:
        return Step(id="pushes", state="unknown", text=text, lines=tuple(one.push.missing))
    because = tuple(f"because {said}" for said in one.push.reasons[-2:])
    if wanted is not None and one.push.shape.kind != wanted:
        return Step(id="pushes", state="todo", text=f"{text}; the policy wants {wanted}", lines=because)
    return Step(id="pushes", state="ok", text=f"{text}, as the policy wants" if wanted else text, lines=because)


def _proof(seen: Seen) -> Step:
    if member(seen) is None:
        return _not_come_to(seen, "proof")
    proof = next((one for one in seen.proof.hosts if one.host == seen.host.name), None) if seen.proof else None
    if proof is None or seen.proof is None:
        return Step(id="proof", state="unknown", text=seen.no_proof or "nothing was built")
    lines = [f"{way.way}: predicted {way.predicted_text}, seen {way.arrived_text}" for way in proof.ways]
    lines += [said for way in proof.ways for said in way.differences]
    lines += [f"left behind: {said}" for said in (*proof.left, *seen.proof.notes)]
    if proof.agreement == "differs":
        return Step(id="proof", state="todo", text="what it pushed is not what was predicted", lines=tuple(lines))
    if proof.agreement == "unknown":
        said = proof.unknown or next((way.unknown for way in proof.ways if way.unknown), "")
        return Step(id="proof", state="unknown", text=f"not proved: {said}", lines=tuple(lines))
    if seen.proof.registry is None:
        return Step(id="proof", state="unknown", text=seen.no_proof or "built, and not pushed", lines=tuple(lines))
    if any(way.arrived is None for way in proof.ways):
        log = tuple(line for way in proof.ways for line in way.told.log[-3:])
        text = "nothing arrived at the registry, as was predicted"
        return Step(id="proof", state="todo", text=text, lines=(*lines, *log))
    shown = ", ".join(dict.fromkeys(way.arrived_text for way in proof.ways))
    return Step(id="proof", state="ok", text=f"built and pushed to {seen.proof.registry}: {shown}", lines=tuple(lines))


def _merge(seen: Seen) -> Step:
    if member(seen) is None:
        return _not_come_to(seen, "merge")
    one = seen.merge
    if one is None:
        return Step(id="merge", state="unknown", text=seen.no_merge or "no merge was tried")
    lines = (*one.sources, *((one.engine,) if one.engine else ()), *((one.legacy,) if one.legacy else ()), *one.notes)
    if one.flaws:
        return Step(
            id="merge", state="todo", text="its push does not merge with the others", lines=(*one.flaws, *lines)
        )
    text = f"merged into {one.tag} and verified: {', '.join(one.platforms)}"
    return Step(id="merge", state="note" if one.notes else "ok", text=text, lines=one.notes or lines)


def _proof_todo(seen: Seen) -> Iterator[Todo]:
    if member(seen) is None:
        return
    for name, step in (("proof", _proof(seen)), ("merge", _merge(seen))):
        if step.state == "todo":
            what = f"{name}: {step.text}"
            fix = "; ".join(step.lines[:3])
            yield Todo(what=what, severity="error", fix=fix, by_hand="it is no setting of the machine")
        elif step.state == "unknown":
            yield Todo(what=f"{name}: {step.text}", severity="unknown", by_hand="it was not come to")
