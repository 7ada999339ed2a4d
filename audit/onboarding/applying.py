"""The playbooks, run by Ansible as a program: first shown, then done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.errors import StepError, UsageError
from audit.wire.redact import redact

OLDEST = (2, 15)
"""The oldest ansible-core that the playbooks are for."""
_VERSION = re.compile(r"\[core (\d+)\.(\d+)")
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?P<name>.*)\] \**$")
_FAILED = re.compile(
    r"^(?:fatal|failed): \[[^\]]*\](?: \(item=.*?\)(?= => ))?(?:: (?P<what>[A-Z!]+))?[^{]*(?P<detail>.*)$"
)
_DONE = re.compile(r"^(?:ok|changed): \[")
_UNREACHABLE = 4
_DRAINED = "Have it stopped, and not started at a boot"
"""The task of drain.yml with which a worker leaves service; it is put back only after the last remedy."""


@dataclass(frozen=True)
class Ansible:
    """``ansible-playbook``, looked for and found fit.

    Attributes:
        program: its path.
        version: of ansible-core.
    """

    program: Path
    version: str

    @classmethod
    def find(cls) -> Ansible:
        """The one in PATH, else the one beside our own Python.

        Raises:
            UsageError: there is none, or it is too old.
        """
        beside = Path(sys.executable).parent / "ansible-playbook"
        found = shutil.which("ansible-playbook") or (str(beside) if beside.is_file() else None)
        if found is None:
            raise UsageError(
                "--apply runs ansible-playbook, and there is none here: install ansible-core "
                f"{OLDEST[0]}.{OLDEST[1]} or newer (`pip install ansible-core`), or run the playbooks elsewhere"
            )
        try:
            said = subprocess.run(  # noqa: S603 - its own path, no shell
                [found, "--version"], capture_output=True, text=True, errors="replace", check=False, timeout=60
            ).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"--apply: {found} does not run: {error}") from None
        version = _VERSION.search(said)
        if version is None:
            raise UsageError(f"--apply: {found} does not say which ansible-core it is of; see `{found} --version`")
        if (int(version[1]), int(version[2])) < OLDEST:
            raise UsageError(
                f"--apply: {found} is of ansible-core {version[1]}.{version[2]}, and the playbooks want "
                f"{OLDEST[0]}.{OLDEST[1]} or newer: upgrade it"
            )
        return cls(Path(found), f"{version[1]}.{version[2]}")

    def run(
        self, arguments: Sequence[str], tell: Callable[[str], None], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a playbook to its end; each line that it prints is told, without what looks like a secret.

        Args:
            arguments: without the program's own name.
            tell: takes a line without its end.
            env: variables besides our own.

        Raises:
            StepError: it failed; the sentence names the task, and says that it is safe to run again.
        """
        told, hide = _Told(check="--check" in arguments), _Belt()
        try:
            process = subprocess.Popen(  # noqa: S603 - arguments of ours, no shell
                [str(self.program), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace",
                env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **(env or {})},
            )  # fmt: skip
        except OSError as error:
            raise StepError(f"{self.program} does not start: {error.strerror}") from None
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                shown = hide(line.rstrip("\n"))
                told.note(shown)
                tell(shown)
        code = process.wait()
        if code:
            raise StepError(told.why(code))


@dataclass
class _Belt:
    """The second belt: the playbooks hide what they know of, and this what looks like a secret in anybody's line."""

    key: bool = False

    def __call__(self, line: str) -> str:
        """The line without; a difference's sign stands before the text that it is about."""
        sign = line[:1] if line[:1] in ("+", "-") and not line.startswith("-----") else ""
        text = line[len(sign) :]
        if self.key:
            self.key = "-----END" not in text
            return f"{sign}***"
        self.key = "-----BEGIN" in text and "PRIVATE KEY" in text and "-----END" not in text
        return sign + redact(text)


@dataclass
class _Told:
    """What a run of Ansible said of its failure.

    Of several failures the last counts, since a block may have taken an earlier one up and said it better; but not one
    of a handler, which runs all the same when something has failed.
    """

    check: bool = False
    now: str = ""
    task: str = ""
    failed: str = ""
    drained: bool = False
    over: bool = False

    def note(self, line: str) -> None:
        """Look at a line."""
        if task := _TASK.match(line):
            self.now = task["name"]
            self.over |= bool(self.failed) and line.startswith("RUNNING HANDLER")
        elif _DONE.match(line):
            self.drained |= self.now == _DRAINED and not self.check
        elif (failed := _FAILED.match(line)) and not self.over:
            self.task = self.now
            self.failed = _message(failed["detail"]) or (failed["what"] or "failed").rstrip("!").lower()

    def why(self, code: int) -> str:
        """One sentence."""
        if self.check:
            return f"{self._what(code)}; it only looked, and nothing was changed"
        stays = "stays done, its build unit stays stopped" if self.drained else "stays done"
        return (
            f"{self._what(code)}; what was done before it {stays}, and it is safe to run again: the same command "
            "goes on from there"
        )

    def _what(self, code: int) -> str:
        where = f" at the task `{self.task}`" if self.task else ""
        what = "could not reach the machine" if code == _UNREACHABLE else "stopped"
        said = f": {self.failed}" if self.failed else f" (exit code {code})"
        return f"the playbook {what}{where}{said}"


def _message(detail: str) -> str:
    """The ``msg`` of a result, on one line and short."""
    found = re.search(r'"msg": "((?:[^"\\]|\\.)*)"', detail)
    text = found[1].replace("\\n", " ").replace('\\"', '"') if found else ""
    return " ".join(text.split())[:300]


def offered(place: Path) -> tuple[frozenset[str], dict[str, str]]:
    """What the playbooks of a folder mend: the rules with a tag, and why the others have none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        book = (place / "remediate.yml").read_text(encoding="utf-8")
        reasons = YAML(typ="safe").load((place / "files" / "by-hand.yml").read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise UsageError(
            f"{place}: its playbooks cannot be read: {error}; name another folder with --playbooks"
        ) from None
    by_hand = {str(rule): str(why) for rule, why in reasons.items()} if isinstance(reasons, dict) else {}
    return frozenset(re.findall(r"tags: \[never, (FA[0-9]{3})\]", book)), by_hand


def folder(given: Path | None) -> Path:
    """The playbooks: those given, those beside us, or those of the source tree that we run from.

    Raises:
        UsageError: there are none.
    """
    tree = Path(__file__).resolve().parent.parent.parent / "playbooks"
    for place in (given,) if given is not None else (Path("playbooks"), tree):
        if place is not None and (place / "remediate.yml").is_file():
            return place
    where = given or "./playbooks"
    raise UsageError(f"{where}: there is no remediate.yml; name the folder of fleet-audit's playbooks with --playbooks")
