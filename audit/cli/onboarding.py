"""What `fleet-audit onboard` does, in order; each part is a value or the reason why there is none."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit import flow, inert
from audit.cli import check as checking
from audit.cli import probe as probing
from audit.cli.believing import Believer
from audit.cli.recorded import history_of, place_of, snapshot_of
from audit.cli.recorded import record as remember
from audit.drift import drift
from audit.drift.pair import diff
from audit.drift.peers import against_peers
from audit.errors import FleetAuditError, IncompleteError, UsageError
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.model import Fleet, Host
from audit.onboard import Offers, Onboarding, Seen, assess
from audit.onboard.seen import choices
from audit.onboard.told import text as told
from audit.onboarding import companions
from audit.onboarding.applying import Ansible, folder, offered
from audit.onboarding.rehearsing import rehearse
from audit.probe.ways import LINES, Way, way_of
from audit.run import Run, SavedRun
from audit.shape import parse_how
from audit.snapshot import Snapshot

if TYPE_CHECKING:
    from audit.cli.settings import Settings
    from audit.probe.report import Report
    from audit.probing import Target
    from audit.reports._style import Style
    from audit.wire import Dns


@dataclass(frozen=True)
class Asked:
    """What the command line says; see `audit.cli.onboard`."""

    name: str
    like: str | None
    pool: str | None
    fingerprint: str | None
    first_use: bool
    sshfp: bool
    apply: bool
    yes: bool
    merge_with: tuple[str, ...]
    playbooks: Path | None
    baseline: str
    quiet: bool
    verbose: int


def run(asked: Asked, settings: Settings, style: Style) -> tuple[Onboarding, int]:
    """All of it.

    Returns:
        What is to be printed, and the exit code.

    Raises:
        UsageError: something was asked for that cannot be.
        StepError: a playbook failed.
    """
    one = _One.of(asked, settings)
    found = one.look()
    if not asked.apply:
        return found, one.code(found)
    rules = [todo.mended_by for todo in found.todo if todo.mended_by is not None]
    if rules:
        if not asked.quiet:
            sys.stderr.writelines(told(found, style))
        found = one.mend(tuple(dict.fromkeys(rules)))
    if found.ready:
        found = one.call_good(found)
    return found, one.code(found)


class _One:
    """One machine on its way."""

    def __init__(self, asked: Asked, settings: Settings, fleet: Fleet, host: Host, *, declared: bool) -> None:
        self.asked, self.settings, self.host, self.declared = asked, settings, host, declared
        self.merged = settings.registry is not None and not asked.merge_with
        self.fleet = companions.asked(fleet, host, like=asked.like, pool=asked.pool, merged=self.merged)
        self.stopped: list[int] = []
        self.dns: Dns | None = None
        self.recorded: str | None = None
        self.sources = checking.inventory_of(settings)

    @classmethod
    def of(cls, asked: Asked, settings: Settings) -> _One:
        """UsageError: there is no such host, peer or pool."""
        sources = checking.inventory_of(settings)
        whole = flow.fleet_of([], sources) if sources else Fleet()
        host, declared = companions.machine(whole, asked.name, like=asked.like, pool=asked.pool)
        return cls(asked, settings, whole, host, declared=declared)

    def tell(self, line: str) -> None:
        if not self.asked.quiet:
            print(f"fleet-audit: {inert.terminal(line)}", file=sys.stderr)

    def code(self, found: Onboarding) -> int:
        return 128 + self.stopped[0] if self.stopped else found.exit_code

    # ---------------------------------------------------------------- looking

    def look(self) -> Onboarding:
        """Every step once."""
        from audit.wire import Dns

        begun = datetime.now(UTC)
        self.dns = Dns(judged=(self.host.address, self.host.port), always=self.asked.sshfp)
        believer = Believer(
            self.host, self.settings.known_hosts, fingerprint=self.asked.fingerprint, first_use=self.asked.first_use,
            may_ask=sys.stdin.isatty() and not self.asked.yes, noted=self.dns.noted,
        )  # fmt: skip
        identity, saved = believer.identity(self.ask_trusting, self.earlier)
        seen = Seen(host=self.host, identity=identity, asked=begun, fail_on=self.settings.fail_on, offers=self.offers())  # type: ignore[arg-type]  # never was refused
        if self.stopped:
            return assess(replace(seen, stopped="it was interrupted"))
        if saved is None:
            return assess(seen)
        judged = flow.judged(saved)
        seen = replace(seen, run=judged, **self.compared(judged))
        if judged.evidence.hosts[self.host.name].reached:
            seen = replace(seen, **self.proved(judged))
        if not self.stopped:
            self.recorded = remember(judged, saved, self.settings, exit_code=0, quiet=self.asked.quiet)
        return assess(seen)

    def ask_trusting(self, key: str | None) -> SavedRun:
        """All that are to be asked; the machine is known by this key from now on, if it shows it."""
        from audit.wire import Trusted

        trusted = Trusted(self.host.address, self.host.port, key) if key is not None else None
        options = replace(checking.wire_options(self.settings), trusted=trusted, dns=self.dns)
        asked = self.asked
        return checking.ask(self.fleet, options, quiet=asked.quiet, verbose=asked.verbose, stopped=self.stopped)

    @cached_property
    def earlier(self) -> Snapshot | None:
        """The machine as the last check saw it that reached it, before we came."""
        try:
            with history_of(self.settings, create=False) as history:
                history.host_life(self.host.name)  # raises where no check had it
                for run in history.runs(200):
                    rows = [row for row in history.listed(run.id)["hosts"] if row["name"] == self.host.name]
                    if rows and rows[0]["outcome"] in ("ok", "partial"):
                        whole = snapshot_of(history.snapshot(run.id), str(place_of(self.settings)))
                        return _only(whole, self.host.name)
        except FleetAuditError:
            return None
        return None

    # ---------------------------------------------------------------- comparing

    def compared(self, judged: Run) -> dict[str, Any]:
        """Against the peer or the pool's majority, and against its own past."""
        now = Snapshot.of(judged)
        found: dict[str, Any] = {}
        pool = self.asked.pool or self.host.pool_name
        if self.asked.like is not None:
            found = {"like": self.asked.like, "peer": diff(now, self.asked.like, self.host.name)}
        else:
            rows = [row for row in now.hosts if (row.pool or "") == pool or row.name == self.host.name]
            mates = [row for row in rows if row.reached and row.name != self.host.name]
            if len(mates) >= 2:
                alike = now.model_copy(update={"hosts": tuple(row.model_copy(update={"pool": pool}) for row in rows)})
                found = {"like": f"the majority of pool {pool}", "pool": against_peers(alike)}
            elif mates:
                found = {"like": mates[0].name, "peer": diff(now, mates[0].name, self.host.name)}
        earlier = self.earlier
        if earlier is not None:
            found |= {"past": drift(earlier, _only(now, self.host.name)), "first": False}
        return found

    def offers(self) -> Offers:
        """What playbooks can do for it."""
        try:
            place = folder(self.asked.playbooks)
        except UsageError:
            if self.asked.apply or self.asked.playbooks is not None:
                raise
            return Offers()
        rules, by_hand = offered(place)
        words = [word for source in self.sources for word in ("-i", str(source))] or ["-i", f"{self.host.address},"]
        command = shlex.join(["ansible-playbook", *words, str(place / "onboard.yml")])
        wanted = self.fleet.policy.for_host(self.host).wanted
        return Offers(rules=rules, by_hand=by_hand, command=command, variables=choices(wanted))

    # ---------------------------------------------------------------- proving

    def proved(self, judged: Run) -> dict[str, Any]:
        """The probe builds, and the merge rehearsed with them."""
        if self.settings.registry is None:
            why = "nothing was pushed: name a registry with --registry (and a scratch repository with --repository)"
            return {"no_proof": why, "no_merge": why}
        from audit.probing import registry_name

        name = registry_name(self.settings.registry, self.settings.probe_repository)
        hosts = companions.builders(judged, self.host) if self.merged else (self.host,)
        self.confirm(hosts, name)
        found: dict[str, Any] = {}
        with probing.target_of(self.settings, name) as target:
            assert target is not None

            def meanwhile(arrived: dict[str, Reference]) -> None:
                found.update(self.rehearsed(target, arrived, hosts))

            try:
                target.check()
                found["proof"] = self.probe(judged.part(hosts), target, meanwhile)
            except IncompleteError as error:
                return {"no_proof": str(error), "no_merge": str(error)}
        return found

    def probe(self, part: Run, target: Target, meanwhile: Any) -> Report:
        from audit import probing as probes
        from audit.cli.progress import watching

        stop = threading.Event()
        if self.stopped:
            stop.set()
        options = checking.wire_options(self.settings)
        asked = self.asked
        with (
            checking._signals(stop, self.stopped),
            watching(part.fleet, quiet=asked.quiet, verbose=asked.verbose) as on_event,
        ):
            return probes.probe(
                part,
                _ways,
                target,
                options,
                limit=probing.BUILD_LIMIT,
                on_event=on_event,
                stop=stop,
                meanwhile=meanwhile,
            )

    def rehearsed(self, target: Target, arrived: dict[str, Reference], hosts: Sequence[Host]) -> dict[str, Any]:
        """The merge, while what was pushed is still there."""
        from audit.merging import Asked as Source

        mine = arrived.get(self.host.name)
        if mine is None:
            return {"no_merge": "nothing of the machine arrived at the registry"}
        others = [Reference.parse(text) for text in self.asked.merge_with]
        others += [reference for name, reference in arrived.items() if name != self.host.name]
        if not others:
            return {"no_merge": "there is no fit worker of another platform; name images with --merge-with"}
        platform = Platform.parse(self.host.platform) if self.host.platform else None
        source = Source(mine, wanted=platform, given=f"the build of {self.host.name}")
        merge = rehearse(target.client, target.name, source, others, platform)
        lacking = tuple(f"without {one.platform}: nothing of {one.name} arrived" for one in hosts
                        if one.name not in arrived)  # fmt: skip
        return {"merge": replace(merge, notes=(*merge.notes, *lacking))}

    def confirm(self, hosts: Sequence[Host], name: str) -> None:
        """UsageError: nobody can be asked, or the answer was no."""
        if self.asked.yes:
            return
        shown = ", ".join(host.name for host in hosts)
        _ask(
            f"This builds a small test image on {shown}, pushes it to {name}, merges what arrived under a scratch tag, "
            "and removes everything again.",
            "onboard builds and pushes test images: add --yes to let it",
        )

    # ---------------------------------------------------------------- mending

    def mend(self, rules: tuple[str, ...]) -> Onboarding:
        """Run the playbook for these rules, shown first; then look again."""
        ansible = Ansible.find()
        if not self.declared:
            raise UsageError(
                f"--apply: {self.host.name} is not in the inventory, with which playbooks are run; add it there first "
                f"(`fleet-audit inventory add {self.host.name}`)"
            )
        offers = self.offers()
        more = [word for rule in rules if rule in offers.variables for word in ("-e", offers.variables[rule])]
        sources = [word for source in self.sources for word in ("-i", str(source))]
        book = str(folder(self.asked.playbooks) / "onboard.yml")
        words = [*sources, book, "--limit", self.host.name, "--tags", ",".join(rules), *more]
        env = {}
        if self.settings.known_hosts is not None:
            known = shlex.quote(
                str(self.settings.known_hosts.resolve())
            )  # before what the inventory says: ssh takes the first
            env["ANSIBLE_SSH_ARGS"] = f"-o UserKnownHostsFile={known} -C -o ControlMaster=auto -o ControlPersist=60s"
        self.tell(f"what `{ansible.program.name} {' '.join(words)}` would change:")
        ansible.run([*words, "--check", "--diff"], self.line, env=env)
        if not self.asked.yes:
            _ask(f"This changes {self.host.name} as shown.", "--apply changes the machine: add --yes to let it")
        ansible.run(words, self.line, env=env)
        self.tell(f"{self.host.name} is looked at again")
        again = self.look()
        left = {one.rule for one in (*again.todo, *again.later)}
        mended = tuple(f"{rule}: {'mended' if rule not in left else 'still there'}" for rule in rules)
        return again.model_copy(update={"applied": mended})

    def line(self, line: str) -> None:
        if line.strip() and not self.asked.quiet:
            print(f"  {inert.terminal(line)}", file=sys.stderr)

    def call_good(self, found: Onboarding) -> Onboarding:
        """Put the machine as it is now into the baseline."""
        if self.recorded is None:
            return found
        with history_of(self.settings, create=False) as history:
            history.set_baseline(self.asked.baseline, self.recorded, [self.host.name])
        return found.model_copy(update={"baseline": self.asked.baseline})


def _ways(host: Host) -> tuple[Way, ...]:
    """A plain build and push; on a machine that stands for another platform, of that platform."""
    line = f"{LINES[0]} --platform={host.platform}" if host.emulated and host.platform else LINES[0]
    return (way_of(parse_how(line)),)


def _only(snapshot: Snapshot, name: str) -> Snapshot:
    """The same check of one host."""
    hosts = tuple(row for row in snapshot.hosts if row.name == name)
    verdicts = tuple(row for row in snapshot.verdicts if row.subject == name)
    return snapshot.model_copy(update={"hosts": hosts, "verdicts": verdicts})


def _ask(what: str, alone: str) -> None:
    """UsageError: nobody can be asked, or the answer was no."""
    if not sys.stdin.isatty():
        raise UsageError(alone)
    print(inert.terminal(what), file=sys.stderr)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was done")
