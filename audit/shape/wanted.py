"""Which attestations buildx asks its BuildKit for, by default and by flags."""

from __future__ import annotations

from dataclasses import dataclass

from audit.model import StoreKind
from audit.shape.how import Attest, How, boolean
from audit.shape.instance import Instance, Say
from audit.shape.world import World

NO_ATTESTATION = "Attestation is not supported for the docker driver."
NO_ATTESTATION_BEFORE = "attestations are not supported by the current buildkitd"
NO_CAPABILITY = "Attestations are not supported by the current BuildKit daemon"


class Refused(Exception):  # noqa: N818 - an outcome on its way out, not a fault
    """The build ends with an error.

    Attributes:
        on: what the reason rests on.
        why: the reason, as a clause.
        text: what the user reads.
        attestation: it is an attestation that is refused.
        asked: which ones.
    """

    def __init__(self, on: str, why: str, text: str, *, attestation: bool = False, asked: tuple[str, ...] = ()) -> None:
        """Keep the parts."""
        super().__init__(text)
        self.on, self.why, self.text, self.attestation, self.asked = on, why, text, attestation, asked


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        default: provenance that nobody asked for: mode=min, inline only.
        explicit: by flags, without those that are switched off.
    """

    default: bool
    explicit: tuple[Attest, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        """For people."""
        return (*(("provenance by default",) if self.default else ()), *(attest.text for attest in self.explicit))

    @property
    def lasting(self) -> bool:
        """Whether one of them stays where an exporter drops what is inline only."""
        return any(not attest.inline_only for attest in self.explicit)

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self.default or bool(self.explicit)


def wanted(world: World, how: How, instance: Instance, say: Say) -> Wanted:
    """What buildx asks for, in the order of buildx@v0.36.1:build/opt.go:341-374.

    Raises:
        Refused: an attestation that this builder cannot make, or a switch that is no boolean.
    """
    explicit = tuple(attest for attest in how.attests if not attest.disabled)
    if (explicit or how.attests) and not world.can("buildx.attestations"):
        flag = next((flag for flag in how.flags if flag in ("provenance", "sbom", "attest", "set")), "attest")
        raise Refused("buildx", f"buildx {world.release('buildx')} is older than --{flag}", f"unknown flag: --{flag}")
    graph = instance.moby and world.store() is StoreKind.GRAPHDRIVER
    if explicit:
        _supported(world, explicit, graph=graph)
    default = not any(attest.type == "provenance" for attest in how.attests) and _default(world, graph, say)
    for attest in how.attests:
        say(attest.text.partition("=")[0].partition(" ")[0], _words(attest))
    return Wanted(default, explicit)


def _words(attest: Attest) -> str:
    return f"{attest.text}: {'no' if attest.disabled else 'asks for'} {attest.type}"


def _supported(world: World, explicit: tuple[Attest, ...], *, graph: bool) -> None:
    asked = tuple(attest.text for attest in explicit)
    on = explicit[0].text.partition("=")[0].partition(" ")[0]
    if graph and world.can("buildx.attestations-by-driver"):
        text = NO_ATTESTATION if world.can("buildx.names-driver") else NO_ATTESTATION_BEFORE
        why = f"{asked[0]}: the docker driver on {world.store_text()} cannot attest, and buildx refuses"
        raise Refused(on, why, text, attestation=True, asked=asked)
    if not world.can("buildkit.attestations"):
        text = NO_CAPABILITY if world.can("buildx.names-driver") else NO_ATTESTATION_BEFORE
        raise Refused(on, f"{asked[0]}: this BuildKit cannot attest", text, attestation=True, asked=asked)


def _default(world: World, graph: bool, say: Say) -> bool:
    """Whether provenance is asked for though nobody said so.

    Raises:
        Refused: the switch is read and is no boolean.
    """
    if graph and (world.can("buildx.attestations-by-driver") or not world.can("buildkit.attestations")):
        return False
    if not world.can("buildx.attestations"):
        if not graph:
            say("buildx", f"buildx {world.release('buildx')} is older than attestations (0.10)")
        return False
    if world.can("buildx.attestations-by-capability") and not world.can("buildkit.attestations"):
        say("known", "this BuildKit cannot attest, and is not asked")
        return False
    switch = world.setting("BUILDX_NO_DEFAULT_ATTESTATIONS")
    value = boolean(switch.value) if switch else False
    if switch is None:
        if not graph:
            text = "no BUILDX_NO_DEFAULT_ATTESTATIONS in the environment of the builds: provenance is on"
            say("build_env", text)
        return True
    if not world.can("buildx.heeds-switch"):
        version = world.release("buildx")
        say(switch.name, f"{switch}, but buildx {version} does not know it (0.10.4): provenance is on")
        return True
    if value is None:
        why = f"{switch} is no boolean: the build ends with an error"
        raise Refused(switch.name, why, "invalid BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool")
    say(switch.name, f"{switch}: provenance is {'off' if value else 'on'}")
    return not value
