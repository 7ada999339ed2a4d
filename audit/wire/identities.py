"""The keys that a login may be tried with: files, certificates and the agent; never a password, never a question."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey
from paramiko.message import Message

from audit.wire.clocks import Once
from audit.wire.sshconfig import Route

AGENT_TIMEOUT = 5.0
"""Seconds for an agent to list its keys or to sign; one that asks its owner first may be too slow."""

_REQUEST_IDENTITIES = 11
_IDENTITIES_ANSWER = 12


@dataclass(frozen=True)
class Identity:
    """One key to try.

    Attributes:
        key: signs; holds the certificate too, where there is one.
        label: for messages.
    """

    key: paramiko.PKey
    label: str


@dataclass(frozen=True)
class _Unusable:
    """A key file that cannot be used; `public` tells the agent's keys which one it is."""

    why: str
    public: bytes | None = None


class _Agent:
    """A connection to one agent, used by one thread at a time, with a limit on its patience."""

    def __init__(self, path: str) -> None:
        self._turn = threading.Lock()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.settimeout(AGENT_TIMEOUT)
            self._connection.connect(path)
            kind, answer = self._send_message(bytes([_REQUEST_IDENTITIES]))
            count = answer.get_int() if kind == _IDENTITIES_ANSWER else 0
            # AgentKey wants paramiko's own agent, but only ever calls its _send_message
            self.keys = [AgentKey(self, answer.get_binary(), answer.get_text()) for _ in range(count)]  # type: ignore[arg-type]
        except BaseException:
            self._connection.close()
            raise

    def _send_message(self, message: Message | bytes) -> tuple[int, Message]:
        data = message if isinstance(message, bytes) else message.asbytes()
        with self._turn:
            try:
                self._connection.sendall(len(data).to_bytes(4, "big") + data)
                answer = Message(self._read(int.from_bytes(self._read(4), "big")))
            except OSError as error:
                self._connection.close()  # its next answer would be to this question
                raise paramiko.SSHException(f"the agent did not answer: {error}") from None
        return ord(answer.get_byte()), answer

    def _read(self, size: int) -> bytes:
        if size > 1 << 20:
            raise paramiko.SSHException("the agent's answer is too long")
        data = bytearray()
        while len(data) < size:
            more = self._connection.recv(size - len(data))
            if not more:
                raise paramiko.SSHException("the agent hung up")
            data += more
        return bytes(data)

    def close(self) -> None:
        self._connection.close()


class Identities:
    """All keys of a run, each file and each agent read once; safe to use from many threads."""

    def __init__(self) -> None:
        """Nothing is read before it is needed."""
        self._files: Once[tuple[str, str | None], Identity | _Unusable] = Once()
        self._agents: Once[str, _Agent | None] = Once()
        self._chosen: Once[tuple[object, ...], tuple[list[Identity], list[str]]] = Once()

    def candidates(self, route: Route) -> tuple[list[Identity], list[str]]:
        """The keys to try on this route, in order, and why some that are named cannot be."""
        key = (route.identity_files, route.wanted_first, route.identities_only, route.identity_agent)
        return self._chosen.get((key, route.certificate_files), lambda: self._choose(route))

    def _choose(self, route: Route) -> tuple[list[Identity], list[str]]:
        unusable: list[str] = []
        agent = list(self._agent_keys(route.identity_agent))
        chosen: list[Identity] = []
        rest = list(agent)
        late: list[Identity] = []
        for number, file in enumerate(route.identity_files):
            if not Path(file).exists():
                if number < route.wanted_first:
                    unusable.append(f"there is no key file {file}")
                continue
            found = self._files.get((file, None), lambda file=file: _load(file, None))  # type: ignore[misc]
            blob = found.key.asbytes() if isinstance(found, Identity) else found.public
            held = [identity for identity in rest if blob is not None and _plain_blob(identity.key) == blob]
            rest = [identity for identity in rest if identity not in held]
            where = chosen if number < route.wanted_first or held or route.identities_only else late
            where += [Identity(identity.key, f"{file} (agent)") for identity in held]
            for certificate in self._certificates(route, file):
                where.append(certificate)
            if isinstance(found, Identity) and not held:
                where.append(found)
            elif isinstance(found, _Unusable) and not held:
                unusable.append(found.why)
        if not route.identities_only:
            chosen += rest
        return chosen + late, unusable

    def _certificates(self, route: Route, file: str) -> Iterator[Identity]:
        for certificate in route.certificate_files:
            found = self._files.get((file, certificate), lambda name=certificate: _load(file, name))  # type: ignore[misc]
            if isinstance(found, Identity):
                yield found

    def _agent_keys(self, path: str | None) -> Iterator[Identity]:
        if not path:
            return
        agent = self._agents.get(path, lambda: _open_agent(path))
        for key in agent.keys if agent is not None else ():
            yield Identity(key, f"{key.comment or key.get_name()} (agent)")

    def close(self) -> None:
        """Hang up on the agents."""
        for agent in self._agents.values():
            if agent is not None:
                agent.close()


def _open_agent(path: str) -> _Agent | None:
    try:
        return _Agent(path)
    except (OSError, paramiko.SSHException, ValueError):
        return None


def _plain_blob(key: paramiko.PKey) -> bytes:
    return key.blob if isinstance(key, AgentKey) else key.asbytes()


def _load(file: str, certificate: str | None) -> Identity | _Unusable:
    try:
        key = paramiko.PKey.from_path(file)
        if certificate is not None:
            public = Path(certificate).read_text(encoding="utf-8").split()
            own = paramiko.message.Message(key.asbytes())
            own.get_text()
            if own.get_remainder() not in _decoded(public):
                return _Unusable(f"{certificate} certifies another key than {file}")
            key.load_certificate(certificate)
        return Identity(key, file if certificate is None else f"{file} with {certificate}")
    except TypeError:  # what cryptography raises where a password is needed
        return _Unusable(f"{file} is encrypted and no agent holds it (ssh-add {file})", _public_of(file))
    except paramiko.PasswordRequiredException:
        return _Unusable(f"{file} is encrypted and no agent holds it (ssh-add {file})", _public_of(file))
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        why = (
            error.strerror if isinstance(error, OSError) and error.strerror else "it is no private key that we can read"
        )
        return _Unusable(f"{file} cannot be used: {why}", _public_of(file))


def _decoded(words: list[str]) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(words[1])
    except (IndexError, binascii.Error, ValueError):
        return b""


def _public_of(file: str) -> bytes | None:
    try:
        return _decoded(Path(file + ".pub").read_text(encoding="utf-8").split()) or None
    except (OSError, UnicodeDecodeError):
        return None
