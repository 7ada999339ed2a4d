"""One worker's try at one platform: the session, its log, and one sentence about what went wrong."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from audit.building.logs import Log
from audit.building.material import Material
from audit.buildstep.answers import Hearing, Phase, last_words
from audit.buildstep.result import Attempt, When
from audit.buildstep.script import Job, do_script, stdin_of, undo_script
from audit.diagnose import Match, diagnose
from audit.image.reference import Reference
from audit.model import Fleet, Host, Outcome
from audit.plan import BuildStep
from audit.plan.model import Work
from audit.wire import WireOptions
from audit.wire.redact import redact
from audit.wire.session import Ended, Script, Stream
from audit.wire.sessions import run_script

SURE = 60
"""Score from which on a known failure is believed to be the cause (1 to 99)."""

_REFUSED = re.compile(r"\b401\b|unauthori[sz]ed|denied|no basic auth|failed to authorize", re.I)


@dataclass(frozen=True)
class Watchers:
    """Who is told; called from many threads.

    Attributes:
        line: platform, and a line of its log.
        phase: platform, host, and how far the attempt is.
        note: platform, and a sentence for people.
    """

    line: Callable[[str, str], None] = lambda _platform, _line: None
    phase: Callable[[str, str, Phase], None] = lambda _platform, _host, _phase: None
    note: Callable[[str, str], None] = lambda _platform, _note: None


@dataclass
class _Sent:
    """The context on its way to one worker."""

    digest: str | None = None
    fault: Exception | None = None

    def of(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, their digest, and what went wrong while they were read."""
        seen = hashlib.sha256()
        try:
            for piece in pieces:
                seen.update(piece)
                yield piece
        except Exception as error:
            self.fault = error
            raise
        self.digest = f"sha256:{seen.hexdigest()}"


@dataclass
class Try:
    """One attempt.

    Attributes:
        step: the platform.
        work: the worker, and its commands.
        host: the worker.
        fleet: declares jump hosts.
        material: what is sent.
        options: of the wire.
        limit: seconds.
        stop: once set, it is ended.
        watchers: who is told.
        log: takes everything that is printed.
        sent: digest of the context as it was sent; None: not all of it was.
    """

    step: BuildStep
    work: Work
    host: Host
    fleet: Fleet
    material: Material
    options: WireOptions
    limit: float
    stop: threading.Event
    watchers: Watchers
    log: Log
    sent: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> tuple[Attempt, str | None]:
        """Build and push; with the digest that the worker named. Never raises for what a worker does."""
        step, work, contents = self.step, self.work, self.material.contents
        reference = Reference.parse(step.staging)
        job = Job(
            nonce=secrets.token_hex(16), reference=step.staging, build=work.build, push=work.push, read=work.read,
            files=tuple((name, len(content)) for name, content in contents.items()),
        )  # fmt: skip
        hearing, sent = Hearing(job.nonce, reference.tag or ""), _Sent()
        context = self.material.context
        streamed = context is not None and work.build.stdin == "context"
        pieces = sent.of(context.stream()) if context is not None and streamed else iter(())
        self._begin()
        self.watchers.phase(step.platform, self.host.name, "connecting")
        ended = run_script(
            self.host, Script(do_script(job), undo_script(job)), stdin_of(job, contents, pieces), options=self.options,
            on_line=lambda stream, line: self._line(hearing, stream, line), stop=self.stop, limit=self.limit,
            fleet=self.fleet,
        )  # fmt: skip
        self.sent = sent.digest
        if hearing.on_disk and job.files:
            self.watchers.note(
                step.platform, f"{self.host.name} has no file system in memory: what was sent in secret was written to "
                f"{hearing.on_disk}, and removed",
            )  # fmt: skip
        return self._told(job, ended, hearing, sent), hearing.digest

    def _begin(self) -> None:
        self.log.write(f"# {self.step.platform} on {self.host.name}")
        for command in (self.work.build, self.work.push):
            if command is not None:
                self.log.write(f"# {redact(self.material.masked(command.text))}")

    def _line(self, hearing: Hearing, stream: Stream, line: str) -> None:
        with self._lock:
            before = hearing.phase
            said = hearing.take(stream, self.material.masked(line))
            if hearing.phase != before:
                self.watchers.phase(self.step.platform, self.host.name, hearing.phase)
            if said is not None:
                self.log.write(said)
                self.watchers.line(self.step.platform, said)

    def _told(self, job: Job, ended: Ended, hearing: Hearing, sent: _Sent) -> Attempt:
        failed, why, status = _failure(ended, hearing, sent, stopped=self.stop.is_set())
        match, sure = _cause(hearing) if failed in ("build", "push", "begin") else (None, False)
        cause = f"{'' if sure else 'perhaps '}{match.id}, {match.says}: {match.do}" if match else ""
        if failed == "push" and not job.login and _REFUSED.search(why) and not sure:
            registry = Reference.parse(self.step.staging).registry
            cause = f"no right login for {registry}: log in on the worker as {ended.user}, or send one by --push-login"
        left = hearing.left
        if ended.began and ended.undone is not True and not left:
            left = (
                f"the worker did not say whether it removed everything; it does so by itself once nobody listens; to "
                f"be sure: rm -rf /dev/shm/{job.folder} /run/{job.folder} /tmp/{job.folder}",
            )
        return Attempt(
            host=self.host.name,
            user=ended.user,
            failed=failed,
            why=why,
            cause=cause,
            symptom=match.id if match else None,
            for_good=match is not None and sure and match.nature == "permanent",
            exit=status,
            seconds=ended.seconds,
            log=str(self.log.path),
            left=left,
        )


def _failure(ended: Ended, hearing: Hearing, sent: _Sent, *, stopped: bool) -> tuple[When | None, str, int | None]:
    """Where it failed, why, and the exit status."""
    whole = ended.outcome is Outcome.OK and ended.exit == 0
    if whole and hearing.digest is not None:
        return None, "", 0
    if sent.fault is not None:
        return "context", f"the context could not be sent: {sent.fault}", None
    if hearing.refused:
        return "begin", f"it could not begin: {hearing.refused}", ended.exit
    if ended.outcome is not Outcome.OK:
        if stopped:
            return "signal", f"it was ended {_while(hearing)}", None
        said = f"{ended.outcome}: {ended.detail}" if ended.detail else str(ended.outcome)
        if ended.began and ended.outcome is Outcome.TIMEOUT:
            return "timeout", f"it took too long {_while(hearing)} ({ended.detail}); --timeout allows more", None
        return "connect", f"the worker was lost {_while(hearing)} ({said})" if ended.began else said, None
    words = last_words(hearing.lines) or "it printed nothing"
    if hearing.build is None:
        return "begin", f"it could not begin: {words}", ended.exit
    if hearing.build != 0:
        return "build", f"docker build ended with exit status {hearing.build}: {words}", hearing.build
    if hearing.push not in (0, None):
        return "push", f"docker push ended with exit status {hearing.push}: {words}", hearing.push
    return "push", f"no digest was told for what was pushed: {words}", ended.exit


def _while(hearing: Hearing) -> str:
    """What it was doing."""
    words = {
        "building": "while it built", "built": "after the build", "pushing": "while it pushed",
        "pushed": "after the push",
    }  # fmt: skip
    return words.get(hearing.phase, "before the build")


def _cause(hearing: Hearing) -> tuple[Match | None, bool]:
    """What is known about such a log, and whether the very line that says what went wrong says so."""
    for sure, text in ((True, last_words(hearing.lines)), (False, "\n".join([*hearing.lines, hearing.refused]))):
        found = diagnose([text.encode()], redact=lambda line: line).failures
        if found and found[0].score >= SURE:
            return found[0], sure
    return None, False
