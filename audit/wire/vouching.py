"""Whether somebody whom ssh believes vouches for a host key: a host CA of known_hosts, or SSHFP records with DNSSEC.

The audit itself checks neither (paramiko knows no host certificates); so ssh is asked, which does, and what it says is
taken only for the very key that the audit was shown.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from audit.model import Host

LIMIT = 30.0
"""Seconds for all of it."""
_SHOWN = re.compile(r"^debug1: Server host (?:key|certificate): \S+ (SHA256:[A-Za-z0-9+/]{43})", re.MULTILINE)
_BY_CA = re.compile(r"^debug1: Host '[^']*' is known and matches the \S+-CERT host certificate", re.MULTILINE)
_BY_DNS = re.compile(r"^debug1: matching host key fingerprint found in DNS", re.MULTILINE)
_SECURE = re.compile(r"^debug1: found [1-9][0-9]* secure fingerprints in DNS", re.MULTILINE)
_BELIEVED = re.compile(r"^debug1: (?:SSH2_MSG_SERVICE_ACCEPT received|Authentications that can continue)", re.MULTILINE)


def vouched(host: Host, key: str, known_hosts: Path | None) -> str | None:
    """Who vouches for the key.

    Args:
        host: is asked again, and no login is tried.
        key: its fingerprint as it was shown, ``SHA256:…``.
        known_hosts: read instead of ssh's own files.

    Returns:
        A clause for people; None: nobody, or ssh is not there, or it was shown another key.
    """
    ssh = shutil.which("ssh")
    if ssh is None or not key or host.connection != "ssh" or host.address.startswith("-"):
        return None
    words = [ssh, "-v", *host.ssh_args]
    words += [
        word
        for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "VerifyHostKeyDNS=yes", "UpdateHostKeys=no",
                       "PreferredAuthentications=none", "ControlPath=none", "ConnectTimeout=10")
        for word in ("-o", option)
    ]  # fmt: skip
    words += ["-o", f"UserKnownHostsFile={known_hosts}"] if known_hosts is not None else []
    words += ["-p", str(host.port)] if host.port else []
    words += ["-l", host.user] if host.user else []
    try:
        done = subprocess.run(  # noqa: S603 - the user's own ssh, without a shell
            [*words, "--", host.address, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT,
            check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said(done.stderr[: 1 << 20].decode("utf-8", "replace"), key)


def said(log: str, key: str) -> str | None:
    """What ``ssh -v`` said: only where it went on to the login with this key, and for a reason that vouches."""
    shown = _SHOWN.findall(log)
    if not shown or shown[-1] != key or not _BELIEVED.search(log):
        return None
    if _BY_CA.search(log):
        return "a host certificate authority of known_hosts vouches for it"
    if _BY_DNS.search(log) and _SECURE.search(log):
        return "its SSHFP record vouches for it, with DNSSEC"
    return None
