"""A night, phase by phase: merged cold, again, with every source attested; killed; and looked at by others."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.bench.merge.shelf import installed
from tests.bench.night.command import Command, Ran, must
from tests.bench.night.expected import check_parts, check_tags, expected, with_http, with_skopeo
from tests.bench.night.injuries import Wounds
from tests.bench.night.kills import kills as killed
from tests.bench.night.plan import hand_over, plan
from tests.bench.night.proxy import Proxy, proxying
from tests.bench.night.pulls import pulled
from tests.bench.night.stock import Stocked, stock
from tests.bench.night.upstream import Upstream, of_lab, of_own
from tests.bench.night.workload import Workload, load
from tests.lab import Lab

PHASES = ("cold", "again", "unread", "attested", "kills")
"""In their order. ``again`` is that of ``cold``, and is left out with it."""
KILL_SCALE = 0.05
SPEED = 10.0
_UNLIMITED = 1e9
_TOKEN_SECONDS = 300.0


@dataclass
class Rehearsal:
    """What the phases share.

    Attributes:
        workload: what is merged.
        upstream: where.
        folder: for everything that is written.
        speed: of all clocks.
        seed: of all that is left to chance.
        program: words that stand for ``fleet-audit``.
        readers: whether others than Python's own http client look at the tags.
        tell: told how far it is.
        figures: what was found, phase by phase.
    """

    workload: Workload
    upstream: Upstream
    folder: Path
    speed: float
    seed: int
    program: tuple[str, ...]
    readers: bool
    tell: Callable[[str], None]
    figures: dict[str, Any] = field(default_factory=dict)

    def cold(self, proxy: Proxy, stocked: Stocked, *, again: bool) -> None:
        """Handed over by the builds, with all injuries; then unchanged, without any: looked at, and trusted."""
        run = self._merged(proxy, stocked, "cold", handed_over=True)
        if not again:
            return
        for name, trust in (("again", False), ("again_trusted", True)):
            count = proxy.phase(name)
            ran = must(replace(run, trust_journal=trust).run(), name)
            self._note(name, count.figures(), ran)

    def unread(self, proxy: Proxy, stocked: Stocked) -> None:
        """Nothing is handed over, so that every source has to be read."""
        self._merged(proxy, stocked, "unread", handed_over=False)

    def attested(self, proxy: Proxy) -> None:
        """Every Linux image is attested."""
        workload = self.workload.attesting("linux")
        stocked = stock(self.upstream.shop, workload, f"{workload.staging}-attested", seed=self.seed)
        self._merged(proxy, stocked, "attested", handed_over=True)

    def _merged(self, proxy: Proxy, stocked: Stocked, name: str, *, handed_over: bool) -> Command:
        """One cold night into a repository of its own, and whether every tag is right."""
        workload = stocked.workload
        floor = workload.floor
        target = workload.target if name == "cold" else f"{workload.target}-{name}"
        file = self.folder / f"{name}.json"
        file.write_text(plan(stocked, proxy.address, target, distinct=False), encoding="utf-8")
        command = Command(
            file, proxy.address, self.folder / f"home-{name}", self.speed, program=self.program,
            manifests=hand_over(stocked, self.folder / f"manifests-{name}") if handed_over else None,
        )  # fmt: skip
        least = floor.handed_over if handed_over else floor.unread
        count = proxy.phase(name, Wounds(span=least), seed=self.seed)
        self.tell(f"{name}: {len(workload.merges)} tags, at least {least} requests")
        ran = must(command.run(), name, (0, 5))
        noted = self._note(name, count.figures() | {"floor": least}, ran)
        wanted = expected(stocked)
        with with_http(self.upstream.shop, target) as read:
            wrong = check_tags(wanted, read)
        parts = check_parts(self.upstream.shop, target, wanted.values())
        noted |= {"tags": len(wanted), "tags_right": len(wanted) - len(wrong), "wrong": dict(list(wrong.items())[:5]),
                  "parts_wrong": dict(list(parts.items())[:5])}  # fmt: skip
        if self.readers and name == "cold":
            noted["readers"] = self._read_by_others(target, stocked)
        return command

    def _note(self, name: str, said: dict[str, Any], ran: Ran) -> dict[str, Any]:
        self.figures[name] = said | {
            "code": ran.code, "wall": round(ran.wall, 2), "cpu_seconds": round(ran.cpu, 2), "rss_mb": round(ran.rss_mb),
        }  # fmt: skip
        self.tell(f"{name}: {said['requests']} requests in {said['minutes']} simulated minutes, exit {ran.code}")
        found: dict[str, Any] = self.figures[name]
        return found

    def _read_by_others(self, target: str, stocked: Stocked) -> dict[str, Any]:
        """Skopeo for every tag, and docker for some where a lab is up."""
        wanted = expected(stocked)
        found: dict[str, Any] = {}
        if why := installed("skopeo"):
            found["skopeo"] = {"not_available": why}
        else:
            read = with_skopeo(f"{self.upstream.shop.address}/{target}", self.upstream.skopeo(self.folder))
            wrong = check_tags(wanted, read)
            found["skopeo"] = {"right": len(wanted) - len(wrong), "wrong": dict(list(wrong.items())[:5])}
        if (lab := self.upstream.lab) is not None:
            found["docker"] = pulled(lab, target, stocked.workload)
        return found


def rehearse(
    scale: float = 1.0,
    *,
    kills: int = 0,
    kill_scale: float = KILL_SCALE,
    speed: float = SPEED,
    seed: int = 0,
    only: Collection[str] = PHASES,
    lab: Lab | None = None,
    readers: bool = True,
    program: tuple[str, ...] = (),
    tell: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Rehearse a night, or a part of one.

    Args:
        scale: of the workload.
        kills: experiments; each merges `kill_scale` of the workload twice.
        kill_scale: of the whole workload, at most `scale`.
        speed: of all clocks.
        seed: of all that is left to chance.
        only: phases.
        lab: whose registry is used; None: a docker-registry started here.
        readers: whether skopeo, and docker in a lab, look at the tags, too.
        program: words that stand for ``fleet-audit``; empty: the project's command.
        tell: told how far it is.

    Returns:
        Figures by phase, ``workload`` and ``dangling_seen`` among them.

    Raises:
        RuntimeError: a run did not end as it may, or the registry behind was not well.
    """
    whole = load()
    workload = whole.scaled(scale)
    with tempfile.TemporaryDirectory(prefix="fa-night-") as folder:
        figures: dict[str, Any] = {"workload": _about(workload, scale, seed, speed)}
        nights = [name for name in PHASES if name in only and name != "kills"]
        if nights:
            with _registry(lab, workload) as (upstream, mine):
                figures["workload"]["registry"] = upstream.about
                night = Rehearsal(mine, upstream, Path(folder), speed, seed, program, readers, tell, figures)
                _nights(night, nights)
        if kills and "kills" in only:
            figures["kills"] = _kills(whole.scaled(min(kill_scale, scale)), Path(folder), kills, seed, program, tell)
    phases = [one for name, one in figures.items() if name != "workload"]
    figures["dangling_seen"] = sum(len(one.get("dangling", ())) for one in phases)
    if faults := [line for one in phases for line in one.get("faults", ())]:
        raise RuntimeError(f"the registry behind the proxy was not well, so nothing of this counts: {faults[:3]}")
    return figures


def _nights(night: Rehearsal, nights: Collection[str]) -> None:
    began = time.perf_counter()
    stocked = stock(night.upstream.shop, night.workload, seed=night.seed)
    night.tell(
        f"{night.upstream.about} has {stocked.puts} blobs and manifests after {time.perf_counter() - began:.0f} s"
    )
    with proxying(night.upstream.shop, speed=night.speed, token_seconds=_TOKEN_SECONDS) as proxy:
        if "cold" in nights:
            night.cold(proxy, stocked, again="again" in nights)
        if "unread" in nights:
            night.unread(proxy, stocked)
        if "attested" in nights:
            night.attested(proxy)


def _kills(
    workload: Workload, folder: Path, count: int, seed: int, program: tuple[str, ...], tell: Callable[[str], None]
) -> dict[str, Any]:
    """Without limit or injuries: what counts is what is there, and what was asked for."""
    with of_own() as upstream:
        stocked = stock(upstream.shop, workload, seed=seed)
        with proxying(upstream.shop, speed=1, per_minute=_UNLIMITED, burst=_UNLIMITED) as proxy:
            command = Command(
                folder / "plan", proxy.address, folder / "homes", program=program, rate="60000/min",
                manifests=hand_over(stocked, folder / "manifests-kills"),
            )  # fmt: skip
            done = killed(proxy, stocked, upstream.storage, command, count=count, seed=seed, tell=tell)
            faults = [line for one in proxy.counts.values() for line in one.faults]
    dangling = [line for one in done.experiments for line in one.dangling]
    return done.figures() | {"tags": len(workload.merges), "dangling": dangling, "faults": faults}


@contextlib.contextmanager
def _registry(lab: Lab | None, workload: Workload) -> Iterator[tuple[Upstream, Workload]]:
    """The registry, and the workload with repositories that nobody has used there; they are gone afterwards."""
    if lab is None:
        with of_own() as upstream:
            yield upstream, workload
        return
    upstream = of_lab(lab)
    name = secrets.token_hex(3)
    mine = replace(workload, staging=f"staging/night-{name}/opam", target=f"live/night-{name}/opam")
    try:
        yield upstream, mine
    finally:
        for top in ("staging", "live"):
            shutil.rmtree(upstream.storage / f"docker/registry/v2/repositories/{top}/night-{name}", ignore_errors=True)


def _about(workload: Workload, scale: float, seed: int, speed: float) -> dict[str, Any]:
    floor = workload.floor
    return {
        "scale": scale, "seed": seed, "speed": speed, "picked": workload.picked, "tags": len(workload.merges),
        "sets": len(workload.sets), "images": len(workload.images), "blobs": len(workload.blobs),
        "attested": sum(image.attested for image in workload.images.values()),
        "floor_handed_over": floor.handed_over, "floor_unread": floor.unread, "floor": vars(floor),
        "by_docker_manifest": workload.by_docker_manifest, "whole_floor": load().floor.handed_over, "whole": scale == 1,
    }  # fmt: skip
