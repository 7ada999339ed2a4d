"""Platforms as registries and builders name them: ``os/architecture[/variant]``, one spelling for each.

The spellings that mean the same are those of containerd (github.com/containerd/platforms, Normalize).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from audit.errors import UsageError
from audit.value import Model

UNKNOWN = "unknown"
"""Operating system and architecture of what runs nowhere: BuildKit's attestations."""

ARCHITECTURES = (
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x", "wasm",
)  # fmt: skip
"""Architectures that images are made for, as GOARCH spells them."""

_SPELT: dict[tuple[str, str | None], tuple[str, str]] = {
    ("i386", None): ("386", ""),
    ("armhf", None): ("arm", "v7"),
    ("armel", None): ("arm", "v6"),
    ("amd64", "v1"): ("amd64", ""),
    ("arm64", "8"): ("arm64", ""),
    ("arm64", "v8"): ("arm64", ""),
    ("arm64", "v8.0"): ("arm64", ""),
    ("arm64", "9"): ("arm64", "v9"),
    ("arm64", "9.0"): ("arm64", "v9"),
    ("arm64", "v9.0"): ("arm64", "v9"),
    ("arm", ""): ("arm", "v7"),
    ("arm", "5"): ("arm", "v5"),
    ("arm", "6"): ("arm", "v6"),
    ("arm", "7"): ("arm", "v7"),
    ("arm", "8"): ("arm", "v8"),
}
"""(architecture, variant) -> as it is written; None: whatever the variant."""
_SAME = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "macos": "darwin"}

_SYSTEM = re.compile(r"([a-z0-9_-]+)(?:\(([A-Za-z0-9_.-]{1,64})\))?", re.I)
_WORD = re.compile(r"[a-z0-9_.-]{1,64}", re.I)


class Platform(Model):
    """What an image runs on, in its one spelling where it came from `parse` or `of`.

    Attributes:
        os: GOOS.
        architecture: GOARCH.
        variant: of the processor, e.g. ``v7``; empty for an architecture's usual one.
        os_version: Windows' build number, e.g. ``10.0.17763.1234``; empty where none was said.
        os_features: e.g. ``win32k``; sorted.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = Field(default=())

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/architecture[/variant]``, ``os(version)/…``, or ``architecture[/variant]``, which means linux.

        Raises:
            UsageError: it is none.
        """
        words = text.split("/")
        if len(words) < 3 and _normal(words[0].lower(), "")[0] in ARCHITECTURES:  # no system has such a name
            words = ["linux", *words]
        system = _SYSTEM.fullmatch(words[0])
        if system is None or not 2 <= len(words) <= 3 or not all(_WORD.fullmatch(word) for word in words[1:]):
            raise UsageError(f"{text[:100]!r} is no platform: write OS/ARCHITECTURE[/VARIANT], for example linux/arm64")
        return cls.of({
            "os": system[1], "architecture": words[1], "variant": words[2] if len(words) == 3 else "",
            "os.version": system[2] or "",
        })  # fmt: skip

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Platform:
        """From the ``platform`` of a descriptor, or from an image's config; what is missing or no text is empty."""
        words = {key: said.get(key) for key in ("os", "architecture", "variant", "os.version")}
        system, architecture, variant, version = (word if isinstance(word, str) else "" for word in words.values())
        features = said.get("os.features")
        system = _SAME.get(system.lower(), system.lower())
        architecture, variant = _normal(architecture.lower(), variant.lower())
        kept = sorted({item for item in features if isinstance(item, str)}) if isinstance(features, list) else ()
        return cls(os=system, architecture=architecture, variant=variant, os_version=version, os_features=tuple(kept))

    @property
    def known(self) -> bool:
        """Whether something runs on it: an attestation's ``unknown/unknown`` is none."""
        return self.os not in ("", UNKNOWN) and self.architecture not in ("", UNKNOWN)

    def matches(self, wanted: Platform) -> bool:
        """Whether this is the platform that is wanted; version and features count where the wanted one names them.

        A version may be the beginning of the other one: ``10.0.17763`` is matched by ``10.0.17763.1234``.
        """
        return (
            (self.os, self.architecture, self.variant) == (wanted.os, wanted.architecture, wanted.variant)
            and f"{self.os_version}.".startswith(f"{wanted.os_version}." if wanted.os_version else "")
            and set(wanted.os_features) <= set(self.os_features)
        )

    def members(self) -> dict[str, Any]:
        """As a descriptor's ``platform`` holds it."""
        said = {
            "architecture": self.architecture,
            "os": self.os,
            "os.version": self.os_version,
            "os.features": list(self.os_features),
            "variant": self.variant,
        }
        return {key: value for key, value in said.items() if value}

    def __str__(self) -> str:
        """``os[(version)]/architecture[/variant]``, as `parse` reads it."""
        version = f"({self.os_version})" if self.os_version else ""
        return "/".join(part for part in (f"{self.os}{version}", self.architecture, self.variant) if part)


def _normal(architecture: str, variant: str) -> tuple[str, str]:
    architecture = _SAME.get(architecture, architecture)
    return _SPELT.get((architecture, None)) or _SPELT.get((architecture, variant)) or (architecture, variant)
