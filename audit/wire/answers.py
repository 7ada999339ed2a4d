"""What a worker printed, as evidence: an answer for every probe, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from audit.model import Answer, Host, HostEvidence, Outcome, Probe, Reason, Unknown
from audit.wire import frames
from audit.wire.redact import one_line, redact
from audit.wire.script import CLOCK, SUDO, UNIT_ENV
from audit.wire.transport import Printed

_REASONS = {
    Outcome.TIMEOUT: Reason.TIMEOUT,
    Outcome.NOT_ASKED: Reason.NOT_ASKED,
    Outcome.DENIED: Reason.DENIED,
    Outcome.UNREACHABLE: Reason.UNREACHABLE,
}
KILLED = 137


def evidence(
    host: Host, probes: Sequence[Probe], printed: Printed, nonce: str, *, host_key: str | None, seconds: float
) -> HostEvidence:
    """Read what one host printed.

    Args:
        host: whose it is.
        probes: what was asked.
        printed: what came back.
        nonce: what marks the sections.
        host_key: fingerprint that the server showed.
        seconds: how long the host took in all.
    """
    stream = frames.parse(printed.data, nonce)
    missing = _missing(stream, printed)
    answers: dict[str, Answer | Unknown] = {}
    faults: list[str] = []
    own = _own(host, stream, missing, faults)
    sudo = own[SUDO]
    refused = isinstance(sudo, Answer) and sudo.stdout in ("password", "denied", "absent")
    for probe in probes:
        section = stream.sections.get(probe.name)
        if section is None and probe.root and refused and isinstance(sudo, Answer):
            answers[probe.name] = Unknown(reason=Reason.DENIED, detail=_sudo_text(sudo))
            continue
        answers[probe.name] = _answer(section, probe.timeout, missing)
        if section is None or section.fault or section.truncated:
            faults.append(probe.name)
    return _judged(stream, printed, answers | own, faults).model_copy(
        update={
            "started": printed.started,
            "seconds": round(seconds, 3),
            "clock_round_trip": round(printed.hello, 6),
            "host_key": host_key,
            "noise": stream.noise,
        }
    )


def _own(host: Host, stream: frames.Stream, missing: Unknown, faults: list[str]) -> dict[str, Answer | Unknown]:
    own: dict[str, Answer | Unknown] = {
        SUDO: Answer(stdout="not-asked"),
        UNIT_ENV: Unknown(reason=Reason.NOT_ASKED, detail="the inventory declares no build_unit"),
        CLOCK: missing if stream.hello is None else Answer(stdout=redact(stream.hello)),
    }
    for name, asked in ((SUDO, host.become), (UNIT_ENV, bool(host.build_unit))):
        if asked:
            own[name] = _answer(stream.sections.get(name), None, missing)
            if isinstance(own[name], Unknown):
                faults.append(name)
    return own


def _sudo_text(sudo: Answer) -> str:
    said = one_line(sudo.stderr)
    return {
        "password": "sudo -n: a password is required" + (f" ({said})" if said else ""),
        "absent": "there is no sudo on the worker",
    }.get(sudo.stdout, f"sudo -n: {said or 'refused'}")


def _missing(stream: frames.Stream, printed: Printed) -> Unknown:
    """Why a probe has no section at all."""
    if printed.why is not None:
        return Unknown(reason=_REASONS.get(printed.why.outcome, Reason.GARBLED), detail=printed.why.detail)
    if printed.cut:
        return Unknown(
            reason=Reason.TRUNCATED, detail=f"the worker printed more than {frames.TOTAL_CAP >> 20} MiB in all"
        )
    if stream.ended:
        return Unknown(reason=Reason.GARBLED, detail="the worker says that it has run, but its section is missing")
    return Unknown(reason=Reason.GARBLED, detail="the output ended before its section")


def _answer(section: frames.Section | None, limit: float | None, missing: Unknown) -> Answer | Unknown:
    if section is None or (section.stdout is None and not section.fault):
        return missing
    if section.fault:
        return Unknown(reason=Reason.GARBLED, detail=section.fault)
    if section.truncated:
        return Unknown(reason=Reason.TRUNCATED, detail=f"it printed more than {frames.STDOUT_CAP >> 20} MiB")
    if limit is not None and section.exit == KILLED and section.seconds >= 0.9 * limit:
        return Unknown(reason=Reason.TIMEOUT, detail=f"no answer within {limit:g} s on the worker")
    return Answer(
        stdout=redact((section.stdout or b"").decode("utf-8", "replace")),
        stderr=redact((section.stderr or b"")[: frames.STDERR_CAP].decode("utf-8", "replace")),
        exit=section.exit or 0,
        seconds=section.seconds,
    )


def _judged(
    stream: frames.Stream, printed: Printed, answers: dict[str, Answer | Unknown], faults: list[str]
) -> HostEvidence:
    outside = one_line(stream.outside.decode("utf-8", "replace"), 160)
    if not stream.sections and stream.hello is None and faults:
        if printed.why is not None:
            return HostEvidence(outcome=printed.why.outcome, detail=printed.why.detail, phase=printed.why.phase)
        status = "" if printed.status is None else f", exit {printed.status}"
        if printed.cut:
            status = f", but something printed more than {frames.TOTAL_CAP >> 20} MiB"
        what = f": {outside!r}" if outside else ""
        return HostEvidence(outcome=Outcome.GARBLED, detail=f"the script did not run{status}{what}", phase="probe")
    if not faults and (printed.complete or stream.ended):
        return HostEvidence(outcome=Outcome.OK, answers=answers)
    parts = [printed.why.detail] if printed.why is not None else []
    if printed.cut:
        parts.append(f"it printed more than {frames.TOTAL_CAP >> 20} MiB in all")
    if not stream.ended and not parts:
        status = " without an exit status (a signal?)" if printed.status is None else f" with exit {printed.status}"
        parts.append(f"the script ended early{status}")
    if faults:
        shown = ", ".join(faults[:6]) + (f" and {len(faults) - 6} more" if len(faults) > 6 else "")
        parts.append(f"no whole answer from {shown}")
    whole = any(isinstance(answer, Answer) for name, answer in answers.items() if name in stream.sections)
    if printed.why is not None and not whole:
        return HostEvidence(
            outcome=printed.why.outcome, detail="; ".join(parts), phase=printed.why.phase, answers=answers
        )
    outcome = Outcome.PARTIAL if whole or stream.ended else Outcome.GARBLED
    return HostEvidence(outcome=outcome, detail="; ".join(parts), phase="probe", answers=answers)
