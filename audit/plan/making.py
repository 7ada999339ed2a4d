"""Puts a plan together: who is fit, what is wanted of all, who is chosen, how it is merged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audit.errors import UsageError
from audit.image.platform import Platform
from audit.plan.attest import decide
from audit.plan.merging import merge_of
from audit.plan.model import Attestations, BuildStep, NotChosen, Placed, Plan, Problem, Request, Work, digest_of
from audit.plan.workers import Standing, load_text, order, other_platform, standings
from audit.plan.works import Works, ask_of
from audit.run import Run


@dataclass(frozen=True)
class _Choice:
    """One platform: its workers in order, and why others are none."""

    works: tuple[Work, ...]
    refused: Mapping[str, str]


def make_plan(run: Run, request: Request) -> Plan:
    """Who builds what, by which commands, what arrives, and how it is merged; runs nothing.

    Args:
        run: a judged run; its verdicts say who is healthy, its facts what each worker would push.
        request: from `parse_request`.

    Raises:
        UsageError: --prefer or --on names a host that the run does not have.
    """
    all_of_them = standings(run.view)
    _known_names(request, {one.name for one in all_of_them})
    works = Works(request)
    fit = {platform: _fit(platform, request, all_of_them) for platform in request.platforms}
    first = _first(works, fit)
    somewhere = {one.name: one for found in fit.values() for one in found}
    attest = decide(works, first, tuple(somewhere.values()))
    placed: dict[str, int] = {}
    steps: list[BuildStep] = []
    problems: list[Problem] = []
    refused: dict[str, dict[str, str]] = {}
    for platform in request.platforms:
        choice = _choose(works, platform, fit[platform], attest, placed)
        refused[platform] = dict(choice.refused)
        if not choice.works:
            problems.append(_nobody(platform, request, all_of_them, choice, attest))
            continue
        placed[choice.works[0].host] = placed.get(choice.works[0].host, 0) + 1
        steps.append(_step(request, platform, choice.works))
    merge = None
    if not problems:
        merge, fault = merge_of(request, steps, all_of_them)
        problems += [Problem(text=fault)] if fault else []
    return Plan(
        facts_from=run.when,
        request=request,
        attestations=attest,
        steps=tuple(steps),
        alike=len({(step.shape.kind, step.work.attested) for step in steps}) <= 1,
        same_types=len({_types(step) for step in steps}) <= 1,
        merge=merge,
        hosts=tuple(_placed(one, request, steps, refused) for one in all_of_them),
        problems=tuple(problems),
        notes=tuple(_notes(request, steps)),
    )


def _known_names(request: Request, names: set[str]) -> None:
    said = [("--prefer", name) for name in request.prefer] + [("--on", name) for _, name in request.on]
    for option, name in said:
        if name not in names:
            known = ", ".join(sorted(names)[:8]) or "none"
            raise UsageError(f"{option} {name}: not among the hosts looked at, which are {known}")


def _fit(platform: str, request: Request, hosts: Sequence[Standing]) -> tuple[Standing, ...]:
    """Hosts that are healthy and of the platform; the one told by --on alone, where there is one."""
    told = dict(request.on).get(platform)
    wanted = Platform.parse(platform)
    return tuple(
        one
        for one in hosts
        if not one.unfit
        and told in (None, one.name)
        and other_platform(one.member, wanted, told=told is not None) is None
    )


def _first(works: Works, fit: Mapping[str, tuple[Standing, ...]]) -> dict[str, Standing]:
    """Who would build each platform if only the image counted."""
    placed: dict[str, int] = {}
    found: dict[str, Standing] = {}
    for platform, standing in fit.items():
        for one in order(standing, works.request.prefer, placed):
            if isinstance(works.of(one, platform, "drop"), Work):
                found[platform] = one
                placed[one.name] = placed.get(one.name, 0) + 1
                break
    return found


def _choose(
    works: Works, platform: str, fit: tuple[Standing, ...], attest: Attestations, placed: Mapping[str, int]
) -> _Choice:
    """The workers that give what is wanted, in order; who can keep an attestation first, where it is to be kept."""
    found: dict[str, Work] = {}
    refused: dict[str, str] = {}
    keeping: set[str] = set()
    for one in fit:
        work = works.of(one, platform, attest.decided)
        if isinstance(work, Work):
            keeping.add(one.name)
        elif attest.decided == "keep" and not attest.required:
            flat = works.of(one, platform, "drop")
            work = _flat_instead(flat, work) if isinstance(flat, Work) else flat
        if isinstance(work, Work):
            found[one.name] = work
        else:
            refused[one.name] = work
    able = [one for one in order(fit, works.request.prefer, placed, frozenset(keeping)) if one.name in found]
    engines: dict[tuple[str, str | None], str] = {}
    for one in tuple(able):
        if engines.setdefault(one.engine, one.name) != one.name:
            refused[one.name] = f"it is the engine of {engines[one.engine]} under another name"
            able.remove(one)
    split = bool(keeping) and len(keeping) < len(found)
    return _Choice(
        works=tuple(
            found[one.name].model_copy(
                update={
                    "why": _why(works.request, platform, one, place, able, placed)
                    + (f"; {'can' if one.name in keeping else 'cannot'} attest" if split else "")
                }
            )
            for place, one in enumerate(able)
        ),
        refused=refused,
    )


def _flat_instead(flat: Work, why: str) -> Work:
    return flat.model_copy(update={"notes": (*flat.notes, f"no attestation: {why}")})


def _why(
    request: Request, platform: str, one: Standing, place: int, able: Sequence[Standing], placed: Mapping[str, int]
) -> str:
    if platform in dict(request.on):
        return "told by --on"
    load = load_text(one, placed)
    if place:
        return f"number {place + 1} of {len(able)}: {load}"
    if len(able) == 1:
        return f"the only fit worker; {load}"
    if one.name in request.prefer:
        return f"preferred of {len(able)} fit workers; {load}"
    return f"first of {len(able)} fit workers; {load}"


def _nobody(
    platform: str, request: Request, hosts: Sequence[Standing], choice: _Choice, attest: Attestations
) -> Problem:
    """Why a platform has no worker: what stands in the way of each one that could be."""
    wanted, told = Platform.parse(platform), dict(request.on).get(platform)
    reasons: dict[str, str] = {}
    for one in hosts:
        other = other_platform(one.member, wanted, told=told is not None)
        if one.name in choice.refused:
            reasons[one.name] = choice.refused[one.name]
        elif told is not None:
            if one.name == told:
                reasons[one.name] = one.unfit or other or ""
        elif one.unfit and (other is None or one.member.host.platform == platform):
            reasons[one.name] = one.unfit
    required = " with an attestation" if attest.required and choice.refused else ""
    text = f"no fit worker for {platform}{required}"
    if not reasons:
        text += ": no host builds for it; add one to the inventory, or leave the platform out"
    return Problem(
        platform=platform, text=text, hosts=tuple(NotChosen(name=name, why=why) for name, why in reasons.items())
    )


def _step(request: Request, platform: str, works: tuple[Work, ...]) -> BuildStep:
    ask = ask_of(request, platform, "keep" if works[0].attested else "drop")
    decides = ask.model_dump(mode="json", exclude={"reference", "context"})
    source = request.context if request.from_git else None
    return BuildStep(
        platform=platform,
        staging=ask.reference,
        work=works[0],
        alternates=works[1:],
        inputs=digest_of({"inputs": 1, "git": source, **decides}),
    )


def _types(step: BuildStep) -> tuple[object, ...]:
    shape = step.shape
    children = tuple((child.role, child.media_type, child.artifact) for child in shape.children)
    return (shape.media_type, shape.manifest, shape.config, shape.layers, children)


def _placed(
    one: Standing,
    request: Request,
    steps: Sequence[BuildStep],
    refused: Mapping[str, Mapping[str, str]],
) -> Placed:
    builds = tuple(step.platform for step in steps if step.host == one.name)
    stands_by = tuple(step.platform for step in steps if one.name in {work.host for work in step.alternates})
    why = "" if builds else _why_not(one, request, steps, refused)
    return Placed(host=one.name, builds=builds, stands_by=stands_by, why=why)


def _why_not(
    one: Standing, request: Request, steps: Sequence[BuildStep], refused: Mapping[str, Mapping[str, str]]
) -> str:
    """The reason that counts: health, then what it would push, then who comes before it, then what it is."""
    if one.unfit:
        return one.unfit
    reasons = [f"{platform}: {found[one.name]}" for platform, found in refused.items() if one.name in found]
    reasons += [
        f"fit for {step.platform}, which {step.host} builds ({step.work.why})"
        for step in steps
        if one.name in {work.host for work in step.alternates}
    ]
    if reasons:
        return "; ".join(reasons)
    told = [f"--on gives {platform} to {host}" for platform, host in request.on if not _other(one, platform)]
    if told:
        return "; ".join(told)
    other = other_platform(one.member, Platform.parse(request.platforms[0]), told=False)
    return (
        f"{other}, which is not asked for"
        if other and other.startswith("it is ")
        else other or "nothing is left for it"
    )


def _other(one: Standing, platform: str) -> str | None:
    return other_platform(one.member, Platform.parse(platform), told=False)


def _notes(request: Request, steps: Sequence[BuildStep]) -> Iterator[str]:
    if request.from_git:
        ref = request.context.partition("#")[2].partition(":")[0]
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref):
            said = f"#{ref}" if ref else "the default branch"
            yield f"every worker fetches {said} by itself: name a commit, so that all of them build the same"
    types = {step.shape.text for step in steps}
    if len(types) > 1:
        kinds = {step.shape.kind for step in steps}
        what = "shapes" if len(kinds) > 1 else "media types"
        yield f"the pushes differ in their {what}: " + "; ".join(
            f"{text}: {', '.join(step.host for step in steps if step.shape.text == text)}" for text in sorted(types)
        )
