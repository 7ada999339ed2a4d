"""Credential helpers: a program ``docker-credential-NAME get`` that reads a registry's name and prints a secret.

The protocol is docker/docker-credential-helpers' (README, Development): JSON with ServerURL, Username and Secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping

from audit.registry._said import one_line
from audit.registry.failures import Call, CredentialsError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST = 256 * 1024
_NOT_FOUND = ("credentials not found", "no credentials")


def ask_helper(
    name: str, server: str, call: Call, where: str, environment: Mapping[str, str], seconds: float
) -> tuple[str, str] | None:
    """User name and secret that a helper keeps for a registry; None: it says that it has none.

    Args:
        name: the helper's, without ``docker-credential-``.
        server: what it knows the registry as.
        call: for messages.
        where: which file names the helper.
        environment: PATH is looked up here, and the helper runs in it.
        seconds: limit; whatever it started is killed with it.

    Raises:
        CredentialsError: it is missing, fails, or says what cannot be understood.
    """
    program = f"docker-credential-{name}"
    if not _NAME.fullmatch(name):
        raise CredentialsError(
            call, f"{where} names a credential helper that can be none: {one_line(name)!r}", "mend it"
        )
    found = shutil.which(program, path=environment.get("PATH", os.defpath))
    if found is None:
        raise CredentialsError(
            call, f"{where} names {program}, which is not in PATH", "install it, or give credentials in another way"
        )
    code, said, complaint = _run([found, "get"], server, call, program, environment, seconds)
    if code != 0:
        text = said.decode("utf-8", "replace") + " " + complaint.decode("utf-8", "replace")
        if any(words in text.lower() for words in _NOT_FOUND):
            return None
        # What it printed may be half of a secret: only its complaint is shown.
        shown = one_line(complaint.decode("utf-8", "replace"))
        raise CredentialsError(
            call, f"{program} failed with exit code {code}{f': {shown}' if shown else ''}", f"try it: {program} get"
        )
    try:
        body = json.loads(said)
    except (ValueError, RecursionError):
        body = None
    user, secret = (body.get("Username"), body.get("Secret")) if isinstance(body, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str):
        raise CredentialsError(call, f"{program} printed no user name and secret", f"try it: {program} get")
    return (user, secret) if secret else None


def _run(
    argv: list[str], stdin: str, call: Call, program: str, environment: Mapping[str, str], seconds: float
) -> tuple[int, bytes, bytes]:
    # Files, not pipes: neither a talkative helper nor a grandchild that keeps a pipe open can hold us.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - a program that the user's own configuration names
                argv, stdin=given, stdout=out, stderr=err, env=dict(environment), start_new_session=True
            )
        except OSError as error:
            raise CredentialsError(call, f"{program} cannot be run ({error.strerror})", "mend it") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CredentialsError(
                call, f"{program} said nothing in {seconds:g} seconds", "see what it waits for"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        err.seek(0)
        said = out.read(_MOST + 1)
        if len(said) > _MOST:
            raise CredentialsError(call, f"{program} printed more than {_MOST} bytes", "see what it is")
        return code, said, err.read(4096)
