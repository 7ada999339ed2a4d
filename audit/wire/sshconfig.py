"""What OpenSSH would do for a host: asked from ``ssh -G``, once for all hosts that its files treat alike.

An ``ssh -G`` costs some milliseconds, so the files are looked through first, only to see which ``Host`` lines match
an address: addresses that match the same lines get the same answer. Where that is not so for certain (``Match``
blocks, canonical names, ``%`` tokens in what must be known early), every address is asked for.
"""

from __future__ import annotations

import fnmatch
import os
import pwd
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.model import Host, Outcome
from audit.wire.clocks import Once
from audit.wire.failures import WireError
from audit.wire.redact import one_line
from audit.wire.sshfp import Wish

_LATE = ("proxycommand", "identityfile", "certificatefile", "localcommand", "remotecommand", "controlpath", "setenv")
"""Keywords whose tokens ssh leaves to be expanded later, and so do we."""
_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
_SSH_TIMEOUT = 20.0
_WISHES: dict[str, Wish] = {"yes": "yes", "true": "yes", "ask": "ask"}
"""VerifyHostKeyDNS as ``ssh -G`` prints it."""


@dataclass(frozen=True)
class Route:
    """Everything needed to reach one host, or one hop on the way.

    Attributes:
        alias: what the user calls it; known_hosts and tokens may speak of it.
        hostname: name or address to connect to.
        port: TCP port.
        user: login.
        identity_files: private keys in the order to be tried; expanded paths.
        wanted_first: how many of those the inventory itself names.
        lent_files: keys of the target, which a hop is offered after its own.
        identities_only: offer no other key of the agent.
        identity_agent: socket of the agent; None for none.
        certificate_files: certificates beside those named KEY-cert.pub.
        proxy_jump: ``user@host:port`` of the hops, first to last.
        proxy_command: instead of a TCP connection, expanded.
        known_hosts: files, the one to write to first.
        revoked: the file of RevokedHostKeys; empty: none.
        host_key_alias: name for known_hosts instead of the address.
        verify_dns: VerifyHostKeyDNS: ``no``, ``ask`` or ``yes``.
        config_args: ssh arguments that hops inherit.
    """

    alias: str
    hostname: str
    port: int = 22
    user: str = ""
    identity_files: tuple[str, ...] = ()
    wanted_first: int = 0
    lent_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None
    certificate_files: tuple[str, ...] = ()
    proxy_jump: tuple[str, ...] = ()
    proxy_command: str | None = None
    known_hosts: tuple[str, ...] = ()
    revoked: str = ""
    host_key_alias: str | None = None
    verify_dns: Wish = "no"
    config_args: tuple[str, ...] = ()

    @property
    def known_as(self) -> str:
        """The name under which known_hosts has it."""
        if self.host_key_alias:
            return self.host_key_alias
        name = self.hostname.lower()
        return name if self.port == 22 else f"[{name}]:{self.port}"

    def __str__(self) -> str:
        """``user@host:port``, the port where it is not 22."""
        return f"{self.user}@{self.hostname}" + ("" if self.port == 22 else f":{self.port}")


@dataclass
class _Files:
    """What the configuration files hold, as far as it matters for sharing answers."""

    blocks: list[tuple[str, ...]] = field(default_factory=list)
    each: bool = False
    revokes: bool = False


class SshConfig:
    """Routes of hosts; safe to use from many threads."""

    def __init__(self) -> None:
        """Nothing is read before it is needed."""
        self.home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # as ssh does; it does not look at $HOME
        self.ssh = shutil.which("ssh")
        self.asked = 0
        self._files: Once[str | None, _Files] = Once()
        self._answers: Once[tuple[object, ...], dict[str, list[str]]] = Once()

    def route(self, host: Host) -> Route:
        """How to reach a host of the inventory; what the inventory says goes before what ssh's files say.

        Raises:
            WireError: ssh refuses its own configuration, or is not there although it is needed.
        """
        route = self.lookup(host.address, host.ssh_args, port=host.port, user=host.user)
        if host.key_file is not None:
            key = str(Path(host.key_file).expanduser())
            others = tuple(file for file in route.identity_files if file != key)
            route = replace(route, identity_files=(key, *others), wanted_first=1)
        return route

    def lookup(
        self, address: str, args: tuple[str, ...] = (), *, port: int | None = None, user: str | None = None
    ) -> Route:
        """How to reach an address with these ssh arguments.

        Raises:
            WireError: as `route`.
        """
        if not address or address.startswith("-"):
            raise WireError(Outcome.NOT_ASKED, f"{address!r} is no address", "resolve")
        files = self._files.get(_config_file(args), lambda: self._read(_config_file(args)))
        if self.ssh is None:
            # Debian's system-wide file has one block for everybody, with nothing in it that matters here
            if args or files.revokes or any(block != ("*",) and _matches(block, address) for block in files.blocks):
                message = "ssh is not installed, and its configuration is needed here: install openssh-client"
                raise WireError(Outcome.NOT_ASKED, message, "resolve")
            return self._route(address, address, {}, args, port, user)
        if files.each:
            key: tuple[object, ...] = (args, address, port, user)
        else:
            key = (args, tuple(number for number, block in enumerate(files.blocks) if _matches(block, address)))
        own = [*(("-p", str(port)) if port and files.each else ()), *(("-l", user) if user and files.each else ())]
        answer = self._answers.get(key, lambda: self._ask([*args, *own], address))
        return self._route(address, answer["host"][0], answer, args, port, user)

    def _ask(self, args: list[str], address: str) -> dict[str, list[str]]:
        self.asked += 1
        try:
            done = subprocess.run(  # noqa: S603 - the user's own ssh with the user's own arguments
                [self.ssh or "ssh", "-G", *args, "--", address],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SSH_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"`ssh -G` gave no answer within {_SSH_TIMEOUT:g} s: a Match exec in the configuration hangs?"
            raise WireError(Outcome.NOT_ASKED, message, "resolve") from None
        answer: dict[str, list[str]] = {}
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            name, _, value = line.partition(" ")
            answer.setdefault(name.lower(), []).append(value)
        if done.returncode != 0 or "hostname" not in answer:
            why = one_line(done.stderr.decode("utf-8", "replace")) or f"exit {done.returncode}"
            raise WireError(Outcome.NOT_ASKED, f"ssh refuses its configuration: {why}", "resolve")
        answer.setdefault("host", [address])
        return answer

    def _route(
        self,
        address: str,
        asked: str,
        answer: dict[str, list[str]],
        args: tuple[str, ...],
        port: int | None,
        user: str | None,
    ) -> Route:
        def one(name: str) -> str | None:
            value = answer.get(name, ["none"])[0]
            return None if value.lower() == "none" else value

        hostname = one("hostname") or address
        if hostname == asked:  # the answer may be another address's
            hostname = address
        login = user or one("user") or pwd.getpwuid(os.getuid()).pw_name
        number = port or int(one("port") or 22)
        alias = one("hostkeyalias")
        tokens = {
            "%": "%",
            "h": hostname,
            "n": address,
            "p": str(number),
            "r": login,
            "d": str(self.home),
            "i": str(os.getuid()),
            "u": pwd.getpwuid(os.getuid()).pw_name,
            "l": socket.gethostname(),
            "L": socket.gethostname().partition(".")[0],
            "k": alias or hostname,
        }

        def expand(text: str) -> str:
            return re.sub("%(.)", lambda found: tokens.get(found[1], found[0]), text)

        def path(text: str) -> str:
            text = re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), expand(text))
            return str(self.home / text[2:]) if text.startswith("~/") else text

        command = one("proxycommand")
        jump = one("proxyjump")
        known = [*answer.get("userknownhostsfile", []), *answer.get("globalknownhostsfile", [])]
        if not answer:
            known = [str(self.home / ".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"]
        agent = one("identityagent") if "identityagent" in answer else "SSH_AUTH_SOCK"
        if agent and (agent == "SSH_AUTH_SOCK" or agent.startswith("$")):
            agent = os.environ.get(agent.strip("${}"))
        return Route(
            alias=address,
            hostname=hostname,
            port=number,
            user=login,
            identity_files=tuple(path(file) for file in answer.get("identityfile", _DEFAULT_KEYS) if file != "none"),
            identities_only=one("identitiesonly") == "yes",
            identity_agent=path(agent) if agent else None,
            certificate_files=tuple(path(file) for file in answer.get("certificatefile", []) if file != "none"),
            proxy_jump=tuple(hop.strip() for hop in jump.split(",")) if jump else (),
            proxy_command=expand(command) if command else None,
            known_hosts=tuple(file for line in known for file in _split_paths(line) if file != "none"),
            revoked=path(one("revokedhostkeys") or ""),
            host_key_alias=alias,
            verify_dns=_WISHES.get((one("verifyhostkeydns") or "no").lower(), "no"),
            config_args=_for_hops(args),
        )

    def _read(self, file: str | None) -> _Files:
        files = _Files()
        if file is not None:
            if file.lower() != "none":
                self._scan(Path(file).expanduser(), files, self.home / ".ssh", 0)
        else:
            self._scan(self.home / ".ssh/config", files, self.home / ".ssh", 0)
            self._scan(Path("/etc/ssh/ssh_config"), files, Path("/etc/ssh"), 0)
        return files

    def _scan(self, file: Path, files: _Files, base: Path, depth: int) -> None:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            found = re.match(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)", line)
            if found is None:
                continue
            keyword, rest = found[1].lower(), found[2]
            if keyword == "host":
                files.blocks.append(tuple(word.strip('"') for word in rest.split()))
            elif keyword == "match" or (keyword.startswith("canonicalizehost") and "no" not in rest.lower()):
                files.each = True
            elif keyword == "revokedhostkeys":
                files.revokes = True
            elif keyword == "include":
                if depth > 16 or any(char in rest for char in '%$"'):
                    files.each = True
                    continue
                for word in rest.split():
                    where = Path(word).expanduser() if word.startswith("~") else base / word
                    for included in sorted(where.parent.glob(where.name)):
                        self._scan(included, files, base, depth + 1)
            elif "%" in rest and keyword not in _LATE:
                files.each = True


def _matches(patterns: tuple[str, ...], address: str) -> bool:
    """As OpenSSH: any pattern, and no negated one; ``*`` and ``?`` only."""
    found = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        glob = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(address.lower(), glob.lower()):
            if negated:
                return False
            found = True
    return found


def _config_file(args: tuple[str, ...]) -> str | None:
    for number, arg in enumerate(args):
        if arg == "-F" and number + 1 < len(args):
            return args[number + 1]
        if arg.startswith("-F") and len(arg) > 2:
            return arg[2:]
    return None


def _for_hops(args: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments that a hop inherits: ssh hands on -F; we also hand on which keys of hosts are known."""
    file = _config_file(args)
    kept = ["-F", file] if file is not None else []
    for number, arg in enumerate(args):
        option = args[number + 1] if arg == "-o" and number + 1 < len(args) else arg[2:] if arg[:2] == "-o" else ""
        if re.match(r"(?i)(?:(?:user|global)knownhostsfile|revokedhostkeys)\b", option.strip()):
            kept += ["-o", option]
    return tuple(kept)


def _split_paths(line: str) -> list[str]:
    """The paths of a line of ``ssh -G``, which does not quote a path that has a space."""
    words = line.split(" ")
    paths: list[str] = []
    while words:
        size = next((n for n in range(len(words), 1, -1) if Path(" ".join(words[:n])).is_file()), 1)
        paths.append(" ".join(words[:size]))
        words = words[size:]
    return [path for path in paths if path]
