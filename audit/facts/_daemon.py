"""daemon.json, dockerd's flags and its environment, as the probe ``daemon`` found them."""

from __future__ import annotations

from dataclasses import dataclass

from audit.fact import Answers, CannotTell
from audit.facts._read import Doc, Lines, cannot_tell, garbled, no_userinfo, split_lines
from audit.facts._sh import DAEMON_KEYS
from audit.model import Reason

KEYS = frozenset(DAEMON_KEYS.split())
SHORT = {"-H": "--host", "-g": "--data-root", "--graph": "--data-root", "-s": "--storage-driver", "-G": "--group"}
TRUE = ("", "1", "t", "true")
"""Values of a flag without an argument of its own that turn it on."""


@dataclass(frozen=True)
class Daemon:
    """What configures the engine of this machine.

    Attributes:
        path: daemon.json's.
        state: present, absent or denied.
        error: why it cannot be parsed.
        config: the document; None where there is none that can be read.
        flags: dockerd's, in order, as (long name, value or empty).
        environment: allow-listed variables of dockerd.
        running: a dockerd runs.
        hidden: one runs, and its arguments are not for us to see.
        listens: addresses of docker.socket with the file that says so.
        newer: daemon.json is newer than dockerd's pid file; None: cannot tell.
    """

    path: str
    state: str
    error: str | None
    config: Doc | None
    flags: tuple[tuple[str, str], ...]
    environment: dict[str, str]
    running: bool
    hidden: bool
    listens: tuple[tuple[str, str], ...]
    newer: bool | None

    def flag(self, name: str) -> str | None:
        """The last value of a flag; empty for one without a value; None where it is not given."""
        return next((value for flag, value in reversed(self.flags) if flag == name), None)

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a flag."""
        return tuple(value for flag, value in self.flags if flag == name and value)

    def setting(self, key: str) -> str | None:
        """A string of daemon.json, else the flag of the same name."""
        said = self.config.text(key) if self.config else None
        return said or self.flag(f"--{key}") or None

    def feature(self, name: str) -> bool | None:
        """A feature of daemon.json, else of ``--feature``."""
        features = self.config.doc("features") if self.config else None
        if features is not None and features.raw(name) is not None:
            return features.flag(name)
        for value in reversed(self.values("--feature")):
            key, _, said = value.partition("=")
            if key == name:
                return said.lower() in TRUE
        return None


def read(answers: Answers) -> Daemon:
    """Read the probe, or CannotTell."""
    answer = answers.answer("daemon")
    lines = split_lines(answer.stdout)
    state, _, path = (lines.first("config") or "").partition(" ")
    if state not in ("present", "absent", "denied") or not path:
        raise garbled("the probe of daemon.json ended early")
    config, error = None, None
    if state == "present":
        if answer.exit == 3:
            raise cannot_tell(Reason.ABSENT, "there is no awk on the worker to read daemon.json with")
        config, error = _document(lines, path)
    return Daemon(
        path=no_userinfo(path),
        state=state,
        error=error,
        config=config,
        flags=tuple(_flag(said) for said in lines.all("flag")),
        environment={said.partition("=")[0]: no_userinfo(said.partition("=")[2]) for said in lines.all("env")},
        running=lines.first("pid") is not None,
        hidden=lines.has("hidden"),
        listens=tuple((said.partition(" ")[0], said.partition(" ")[2]) for said in lines.all("listen")),
        newer={"yes": True, "no": False}.get(lines.first("newer") or ""),
    )


def _document(lines: Lines, path: str) -> tuple[Doc | None, str | None]:
    """The document, or why it is none; an empty file is one without keys, as dockerd takes it."""
    if not (lines.json_text or "").strip():
        return Doc({}, path), None
    try:
        return Doc(lines.json(path), path), None
    except CannotTell as wrong:
        return None, wrong.unknown.detail.removeprefix(f"{path} ")


def _flag(said: str) -> tuple[str, str]:
    name, _, value = said.partition("=")
    return SHORT.get(name, name), no_userinfo(value)
