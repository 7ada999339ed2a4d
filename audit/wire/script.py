"""The one script that is sent to a worker: the same body for every host, and three assignments in front of it.

Every probe sees the unit's name as ``$fa_unit``, empty where the host declares none.

Three answers are the script's own, beside those of the probes:

``wire-clock``
    stdout is the worker's clock when the script began: Unix seconds, with a fraction where its ``date`` has one. It is
    the very first thing printed, and came `HostEvidence.clock_round_trip` seconds after `HostEvidence.started`.
``sudo``
    stdout is one of ``not-asked``, ``ok``, ``password``, ``denied``, ``absent``; stderr is what sudo said.
    ``ok`` also stands for a login that is root already.
``unit-env``
    The environment of the build service, where the host declares one; else `Unknown` (not-asked). Exit 0, and stdout::

        source process      process: from /proc/PID/environ; unit: from the unit and its files; absent: no such unit
        unit NAME
        pid 1234            0 where it does not run
        user root           whom the unit runs as; - where there is no unit
        as root             whom the probes marked `as_builder` were run as
        NAME=value          allow-listed names only, one a line, each at most once

    Exit 1 with ``source absent`` where systemd does not know the unit; stderr is then what systemctl said.
    Values that hold control characters (newlines above all) are left out.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from audit.model import BUILD_VARIABLES, Host, Probe
from audit.wire.frames import STDERR_CAP, STDOUT_CAP, TAIL

COMMAND = "exec /bin/sh -s"
"""What the login shell is given, whatever shell it is."""

SUDO = "sudo"
UNIT_ENV = "unit-env"
CLOCK = "wire-clock"
OWN = (SUDO, UNIT_ENV, CLOCK)
"""Names of the answers that are the script's own; no probe may have them."""

ALLOWED = (*BUILD_VARIABLES, "HOME", "XDG_RUNTIME_DIR")
"""The only variables of a build service that leave a worker; the filter runs there."""


_WHO = {(False, False): "-", (True, False): "root", (False, True): "builder", (True, True): "both"}
"""How body.sh calls (`Probe.root`, `Probe.as_builder`)."""


@lru_cache(maxsize=16)
def body(probes: tuple[Probe, ...]) -> str:
    """The part that is the same for every host.

    Raises:
        ValueError: two probes have one name, or one has a name of the script's own.
    """
    names = [probe.name for probe in probes]
    twice = {name for name in names if names.count(name) > 1} | set(OWN).intersection(names)
    if twice:
        raise ValueError(f"probe names must be unique and not {', '.join(OWN)}: {', '.join(sorted(twice))}")
    groups: dict[str, list[str]] = {"PLAIN": [], "ROOT": [], "BUILDER": []}
    watched: dict[str, dict[float, list[str]]] = {name: {} for name in groups}
    for probe in probes:
        who = _WHO[probe.root, probe.as_builder]
        group = {"-": "PLAIN", "root": "ROOT"}.get(who, "BUILDER")
        line = f"go {probe.name} {who} {shlex.quote(probe.script)}"
        groups[group].append(f'if [ -n "$root" ]; then {line}; fi' if who == "both" else line)
        watched[group].setdefault(probe.timeout, []).append(probe.name)
    for group, limits in watched.items():
        if limits:
            ends = sorted(limits)
            pauses = [end - before for before, end in zip([0.0, *ends], ends, strict=False)]
            words = (f"{pause:g} '{'|'.join(limits[end])}'" for pause, end in zip(pauses, ends, strict=True))
            groups[group].append(f"watch {' '.join(words)}")
    values = {"CAP": str(STDOUT_CAP + TAIL), "ERR_CAP": str(STDERR_CAP)}
    return filled("body.sh", values | {name: "\n".join(lines) for name, lines in groups.items()})


def filled(name: str, values: Mapping[str, str]) -> str:
    """A shell file of this folder with its ``@NAME@`` slots filled.

    Three slots are filled for every file: BECOME and UNIT with the files of those names, NAMES with `ALLOWED`.
    """
    values = {"BECOME": shell("become.sh"), "UNIT": shell("unit.sh"), "NAMES": " ".join(ALLOWED)} | dict(values)
    return re.sub("@([A-Z_]+)@", lambda slot: values[slot[1]], shell(name))


@lru_cache(maxsize=8)
def shell(name: str) -> str:
    """A shell file of this folder, without what only its reader here needs."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    # Comments and indents are for the reader here, not for the worker's wire.
    lines = (line.strip("\t") for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("# "))


def script_hash(probes: Sequence[Probe]) -> str:
    """SHA-256 of the body, in hexadecimal."""
    return hashlib.sha256(body(tuple(probes)).encode()).hexdigest()


def build_script(probes: Sequence[Probe], host: Host, nonce: str = "0" * 32) -> str:
    """Exactly what is sent to the host's shell, but for the nonce, which is random in every connection.

    Args:
        probes: what to ask; their names must be unique.
        host: for `become` and `build_unit`.
        nonce: what marks the sections; letters and digits.

    Raises:
        ValueError: the probes' names clash.
    """
    become = "yes" if host.become else "no"
    unit = shlex.quote(host.build_unit or "")
    return f"fa_nonce={nonce} fa_become={become} fa_unit={unit}\n" + body(tuple(probes))
