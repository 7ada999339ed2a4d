"""Two checks against each other, a check against its pools' majorities, and two hosts of one check."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from audit.drift.comparing import differences
from audit.drift.consequences import Oracle
from audit.drift.counting import Counting, Damping, day_of
from audit.drift.model import Difference, DriftReport, HostDrift, HostNote, Side, WaiverEnd
from audit.drift.presence import notes, renamed
from audit.drift.transitions import Transition, transitions
from audit.drift.tree import Mode, tree
from audit.model import Ignore
from audit.snapshot import HostRow, Snapshot


def drift(
    before: Snapshot,
    after: Snapshot,
    *,
    ignore: Sequence[Ignore] = (),
    damping: Damping | None = None,
    listed: Collection[str] | None = None,
    mode: Mode = "time",
) -> DriftReport:
    """What differs between two checks, causes first.

    Args:
        before: the older check, or a baseline.
        after: the newer one.
        ignore: rules of the policy; what they speak of stays counted in `DriftReport.held`.
        damping: how often a difference must have been seen; at once where not given. Its checks also tell which hosts
            are stale, and which were known and are gone.
        listed: the hosts of the inventory, where it is known: a host that is gone may be gone from there.
        mode: ``peers`` where `before` is made of majorities (`audit.drift.peers`).

    Returns:
        Equal checks give an empty report, whatever the order of their hosts.
    """
    damping = damping or Damping()
    counting = Counting(ignore, day_of(after.at), damping)
    moved = renamed(before.hosts, after.hosts)
    then = {row.name: row for row in before.hosts}
    turned = _turned(before, after, moved, counting)
    by_host: dict[str, list[Transition]] = {}
    for one in turned:
        by_host.setdefault(one.subject, []).append(one)
    oracle = Oracle(before.hosts, after.hosts)
    missing: set[str] = set()
    hosts = []
    for row in after.hosts:
        was = moved.get(row.name) or then.get(row.name)
        if was is not None:
            found = _host(was, row, by_host.get(row.name, ()), oracle, counting, missing, mode)
            if found is not None:
                hosts.append(found)
    names = {row.name for row in after.hosts} | set(then)
    return DriftReport(
        before=_side(before),
        after=_side(after),
        peers=mode == "peers",
        hosts=tuple(hosts),
        notes=tuple(_noted(before, after, moved, counting, listed)) if mode == "time" else _dark(after),
        fleet=tuple(one for one in turned if one.subject not in names),
        turned=tuple(one for one in turned if one.subject in names),
        waivers=_waivers(before, after, counting),
        held=tuple(counting.held),
        expired=counting.expired,
        remarks=_remarks(missing, before, after),
    )


def _side(snapshot: Snapshot) -> Side:
    return Side(
        run=snapshot.run,
        at=snapshot.at,
        hosts=len(snapshot.hosts),
        reached=sum(row.reached for row in snapshot.hosts),
        complete=snapshot.complete,
    )


def _host(
    was: HostRow,
    row: HostRow,
    turned: Sequence[Transition],
    oracle: Oracle,
    counting: Counting,
    missing: set[str],
    mode: Mode,
) -> HostDrift | None:
    """One host; None: nothing differs. Of a host that was not reached only a new host key is told."""
    found = tuple(differences(was, row, missing)) if was.reached and row.reached else _new_key(was, row)
    counted: list[Difference] = []
    lost: list[Difference] = []
    volatile: list[Difference] = []
    for one in found:
        if one.kind == "volatile":
            volatile.append(one)
        elif counting.counts(one.path, row.name, row.groups, counting.damping.field(row.name, one)):
            (lost if one.kind in ("lost", "found") else counted).append(one)
    if not counted and not lost and not volatile:
        return None
    causes = tree(was, row, counted, turned, oracle, mode) if counted else ()
    return HostDrift(
        host=row.name,
        pool=row.pool,
        before=was.name if was.name != row.name and mode == "time" else None,
        causes=causes,
        lost=tuple(lost),
        volatile=tuple(volatile),
    )


def _new_key(was: HostRow, row: HostRow) -> tuple[Difference, ...]:
    """The host key that a host showed before it was left alone for that."""
    if row.outcome != "hostkey-changed":
        return ()
    old, new = ((one.facts.get("reach") or {}).get("host_key") for one in (was, row))
    if old is None or new is None or old == new:
        return ()
    return (Difference(fact="reach", field="host_key", kind="identity", before=old, after=new),)


# ---------------------------------------------------------------- verdicts


def _turned(
    before: Snapshot, after: Snapshot, moved: Mapping[str, HostRow], counting: Counting
) -> tuple[Transition, ...]:
    """Verdicts that got worse or better, of what both checks looked at."""
    old = {row.name: row for row in before.hosts}
    now = {row.name: row for row in after.hosts}
    names = {row.name: name for name, row in moved.items()}
    if names:
        rows = tuple(
            row.model_copy(update={"subject": names[row.subject]}) if row.subject in names else row
            for row in before.verdicts
        )
        before = before.model_copy(update={"verdicts": rows})
        old |= {name: old[was] for was, name in names.items()}
    found = []
    for one in transitions(before, after):
        row = now.get(one.subject)
        if not (one.worse or one.better) or (row is None and one.subject in old):
            continue
        if row is not None and not (row.reached and one.subject in old and old[one.subject].reached):
            continue
        groups = row.groups if row is not None else ()
        if counting.counts(one.rule, one.subject, groups, counting.damping.verdict(one)):
            found.append(one)
    return tuple(found)


def _waivers(before: Snapshot, after: Snapshot, counting: Counting) -> tuple[WaiverEnd, ...]:
    """Waivers that held then and do not now; those of hosts that cannot be told now are left for the next time."""
    ended = [row for row in before.verdicts if row.status == "waived"]
    if not ended:
        return ()
    wanted = {(row.subject, row.rule) for row in ended}
    now = {(row.subject, row.rule): row for row in after.verdicts if (row.subject, row.rule) in wanted}
    dark = {row.name for row in after.hosts if not row.reached}
    found = []
    for row in ended:
        new = now.get((row.subject, row.rule))
        if new is None or new.status in ("waived", "unknown") or row.subject in dark:
            continue
        if any(rule.covers(row.rule, row.subject) and not rule.expired(counting.today) for rule in counting.ignore):
            continue
        found.append(WaiverEnd(
            rule=row.rule, subject=row.subject, until=row.waived_until, now=new.status, message=new.message
        ))  # fmt: skip
    return tuple(found)


# ---------------------------------------------------------------- the rest


def _noted(
    before: Snapshot,
    after: Snapshot,
    moved: Mapping[str, HostRow],
    counting: Counting,
    listed: Collection[str] | None,
) -> Iterator[HostNote]:
    groups = {row.name: row.groups for row in (*before.hosts, *after.hosts)}
    for one in notes(before, after, moved, counting.damping.recent, listed):
        seen = counting.damping.presence(one) if one.what not in ("stale", "unlisted") else counting.damping.runs
        if counting.counts(f"host.{one.what}", one.host, groups.get(one.host, ()), seen):
            yield one


def _dark(after: Snapshot) -> tuple[HostNote, ...]:
    return tuple(
        HostNote(host=row.name, what="unreachable", pool=row.pool, detail=f"{row.outcome}: {row.detail}")
        for row in after.hosts
        if not row.reached
    )


def _remarks(missing: set[str], before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    found = []
    if missing:
        versions = " and ".join(dict.fromkeys(one.tool_version or "?" for one in (before, after)))
        names = sorted(missing)
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        found.append(f"not in both checks (fleet-audit {versions}): {', '.join(names[:6])}{more}")
    if after.at < before.at:
        found.append("the newer check is older by its clock than the one that it is compared with")
    return tuple(found)
