"""Those who are told: a web server that takes what is posted, and a mail server, both on a loopback port."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOODS = ("takes", "refuses", "hangs", "drips", "redirects", "shouts")
"""How a web server answers: 200; 500 with the request in it; never; a byte now and then; 302; 200 with too much."""


@dataclass(frozen=True)
class Posted:
    """One request: its path, its headers, and what was posted."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass
class Web:
    """A web server.

    Attributes:
        port: that it listens on.
        mood: one of `MOODS`.
        got: what was posted so far.
    """

    port: int = 0
    mood: str = "takes"
    got: list[Posted] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "json", path: str = "hook", login: str = "") -> str:
        """Its address, as apprise spells it."""
        return f"{scheme}://{login}127.0.0.1:{self.port}/{path}"


@contextlib.contextmanager
def web(mood: str = "takes") -> Iterator[Web]:
    """A web server while the body runs."""
    state = Web(mood=mood)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append(Posted(self.path, dict(self.headers), raw))
            with contextlib.suppress(OSError):
                self._answer(raw)

        def _answer(self, raw: bytes) -> None:
            if state.mood == "hangs":
                state.ended.wait(60)
                return
            if state.mood == "redirects":
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{state.port}/elsewhere")
                self.end_headers()
                return
            self.send_response(500 if state.mood == "refuses" else 200)
            if state.mood == "drips":
                self.send_header("Content-Length", "1000")
                self.end_headers()
                while not state.ended.wait(0.2):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                return
            answer = raw + self.path.encode() if state.mood == "refuses" else b"ok"
            answer *= 1 << 20 if state.mood == "shouts" else 1
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr, which tests look at."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever hangs up is none of our business."""

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Mail:
    """A mail server.

    Attributes:
        port: that it listens on.
        got: the mails so far, with who they were for.
    """

    port: int
    got: list[tuple[tuple[str, ...], EmailMessage]] = field(default_factory=list)

    def url(self, login: str = "") -> str:
        """Its address, as apprise spells it."""
        return f"mailto://{login}127.0.0.1:{self.port}?from=audit@example.org&to=ops@example.org"


@contextlib.contextmanager
def mail() -> Iterator[Mail]:
    """A mail server (RFC 5321, as much as a client needs) while the body runs; it takes any login."""
    listener = socket.create_server(("127.0.0.1", 0))
    state = Mail(listener.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                _talk(connection, state)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _talk(connection: socket.socket, state: Mail) -> None:
    lines = connection.makefile("rb")

    def say(text: str) -> None:
        connection.sendall(f"{text}\r\n".encode())

    say("220 farm")
    wanted: list[str] = []
    for line in lines:
        verb, _, rest = line.decode("ascii", "replace").strip().partition(" ")
        match verb.upper():
            case "EHLO":
                say("250-farm")
                say("250-AUTH PLAIN")
                say("250 8BITMIME")
            case "AUTH":
                say("235 welcome")
            case "RCPT":
                wanted.append(rest.partition("<")[2].partition(">")[0])
                say("250 ok")
            case "DATA":
                say("354 go on")
                parts: list[bytes] = []
                for part in lines:
                    if part == b".\r\n":
                        break
                    parts.append(part[1:] if part.startswith(b"..") else part)
                found = email.message_from_bytes(b"".join(parts), policy=email.policy.default)
                assert isinstance(found, EmailMessage)
                state.got.append((tuple(wanted), found))
                wanted = []
                say("250 taken")
            case "QUIT":
                say("221 bye")
                return
            case _:
                say("250 ok")
