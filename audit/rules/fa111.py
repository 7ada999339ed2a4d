"""daemon.json can be read and is in force."""

from __future__ import annotations

from audit.facts.daemon_config import DaemonConfig
from audit.model import Severity
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA111",
    title="daemon.json can be read and is in force",
    severity=Severity.ERROR,
    why="What the file says and the engine does not do comes with the next restart, at a time that nobody chose.",
    symptom="unable to configure the Docker daemon with file /etc/docker/daemon.json; or no images after a reboot.",
    remedy="Check the file with `dockerd --validate`; then restart the engine while the worker is drained.",
    refs=("dockerd(8) --validate",),
)

CHANGES_STORE = {"features", "storage-driver", "storage-opts", "data-root", "userns-remap", "containerd"}
"""Keys that may put another image store under the worker."""


def check(config: DaemonConfig) -> Result:
    """A file that cannot be parsed ends the engine at its next start; one that is not applied changes it."""
    if config.error is not None:
        return fail(
            "daemon.json cannot be parsed: the engine will not start again",
            f"{config.path}: {config.error}",
            remedy=f"Mend {config.path} (`dockerd --validate --config-file {config.path}`) before the next restart.",
        )
    if not config.present:
        return not_applicable("there is no daemon.json")
    if config.unapplied:
        keys = ", ".join(sorted({one.key for one in config.unapplied}))
        heavy = any(one.key.partition(".")[0] in CHANGES_STORE for one in config.unapplied)
        return fail(
            f"daemon.json is not in force: {keys}",
            *(f"{one.key}: file {one.file_value}, engine {one.live_value}" for one in config.unapplied),
            *(("the file is newer than the engine's start",) if config.changed_after_start else ()),
            remedy="Take it back, or restart the engine on a drained worker"
            + (": the image store may change, and its images with it." if heavy else "."),
            severity=Severity.ERROR if heavy else Severity.WARNING,
        )
    if config.changed_after_start:
        return fail(
            "daemon.json was edited after the engine started",
            config.path,
            f"keys: {', '.join(sorted([*config.settings, *config.other_keys])) or 'none'}",
            severity=Severity.NOTE,
        )
    return ok("daemon.json is in force", config.path, *(f"{key}={config.settings[key]}" for key in config.settings))
