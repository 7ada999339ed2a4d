"""What one worker would do for one platform: the first recipe of an engine whose prediction is what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from audit.engines.build import STDIN, Ask, Attest, Recipe, all_engines
from audit.errors import UsageError
from audit.facts.image_store import ImageStore
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.model import StoreKind, Unknown
from audit.plan.model import Request, Work
from audit.plan.request import staged_as
from audit.plan.workers import Standing
from audit.shape import Prediction, Shape, predict


def ask_of(request: Request, platform: str, attest: Attest) -> Ask:
    """One platform of a request."""
    reference = staged_as(Reference.parse(request.staging), Platform.parse(platform))
    return Ask(
        platform=platform,
        reference=str(reference),
        context=request.context if request.from_git else STDIN,
        dockerfile=request.dockerfile,
        target=request.target,
        build_args=request.build_args,
        labels=request.labels,
        secrets=request.secrets,
        attest=attest,
    )


@dataclass
class Works:
    """Answers "what would this host do for that platform", each once.

    Attributes:
        request: what is asked for.
    """

    request: Request
    _known: dict[tuple[str, str, Attest], Work | str] = field(default_factory=dict)

    def of(self, standing: Standing, platform: str, attest: Attest) -> Work | str:
        """The work, without its `why`; or why it cannot be done there, as clauses."""
        key = (standing.name, platform, attest)
        if key not in self._known:
            self._known[key] = self._of(standing, platform, attest)
        return self._known[key]

    def _of(self, standing: Standing, platform: str, attest: Attest) -> Work | str:
        facts, ask = standing.member.facts, ask_of(self.request, platform, attest)
        why_not: list[str] = []
        for engine in all_engines().values():
            able = engine.able(facts, ask)
            if not able.ok:
                why_not.append(able.why)
                continue
            for recipe in engine.actions(facts, ask):
                try:
                    found = predict(facts, recipe.how)
                except UsageError as error:
                    why_not.append(f"{recipe.builder}: its command cannot be foretold: {error}")
                    continue
                shape = found.shape
                fault = _fault(shape, found, attest)
                if shape is None or fault:
                    why_not.append(f"{recipe.builder}: {fault}")
                    continue
                return _work(standing, self.request, recipe, found, shape)
        return "; ".join(dict.fromkeys(why_not))


def _fault(shape: Shape | None, found: Prediction, attest: Attest) -> str:
    """Where the prediction is not what is wanted; empty: it is."""
    if shape is None:
        why = "; ".join(found.missing[:2]) or " or ".join(found.possible)
        return f"what it would push cannot be told: {why}"
    if shape.kind in ("fails", "none"):
        last = shape.steps[-1].text if shape.steps else ""
        return f"{shape.text}{f' ({shape.error})' if shape.error else ''}{f': {last}' if last else ''}"
    if attest == "keep" and shape.attestations.fate not in ("kept", "artifact"):
        return f"it would push {shape.text}, without an attestation"
    if attest == "drop" and shape.kind != "flat":
        return f"it would push {shape.text}, which is not flat"
    return ""


def _work(standing: Standing, request: Request, recipe: Recipe, found: Prediction, shape: Shape) -> Work:
    return Work(
        host=standing.name,
        engine=recipe.engine,
        builder=recipe.builder,
        build=recipe.build,
        push=recipe.push,
        read=recipe.read,
        flags=recipe.flags,
        shape=shape,
        assumed=found.assumed,
        why="",
        notes=tuple(_notes(standing, recipe, request)),
    )


def _notes(standing: Standing, recipe: Recipe, request: Request) -> Iterator[str]:
    host = standing.member.host
    yield from standing.notes
    if host.emulated:
        yield f"emulated: it stands for {host.platform} without being such a machine"
    if recipe.push is None:
        yield "this builder pushes by itself, with its own registry settings (mirrors, certificates), not the engine's"
    if recipe.engine == "legacy" and request.from_git and recipe.builder.startswith("legacy"):
        yield "the docker command there fetches the repository itself, and needs git for it"


def keeps(standing: Standing) -> str:
    """Why its own engine keeps no attestation, in a few words, for an explanation."""
    store = standing.member.facts[ImageStore]
    if not isinstance(store, Unknown) and store.kind is StoreKind.GRAPHDRIVER:
        return f"{standing.name} ({store.driver}, a graphdriver store)"
    return standing.name
