"""A token server as the distribution project specifies it: who may do what with which repository, signed as a JWT.

Run as a program with a configuration file; the lab's registry trusts what it signs.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import ssl
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

RIGHTS = {
    "staging": {"staging/": {"pull", "push"}},
    "live": {"": {"pull", "push", "delete", "*"}},
}
"""What each account may do, by the beginning of the repository's name."""


def granted(user: str, scopes: list[str]) -> list[dict[str, Any]]:
    """The part of the wanted scopes that the account has a right to; a scope may come several to a parameter."""
    access = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        actions: set[str] = set()
        for prefix, rights in RIGHTS.get(user, {}).items():
            if name.startswith(prefix) and (kind == "repository" or prefix == ""):
                actions |= rights & set(wanted.split(","))
        access.append({"type": kind, "name": name, "actions": sorted(actions)})
    return access


class Signer:
    """Makes tokens that the registry can check with the certificate in their header."""

    def __init__(self, key: Path, certificate: Path, issuer: str, seconds: int) -> None:
        """Tokens live for `seconds`."""
        loaded = load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        self._header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        self._issuer = issuer
        self.seconds = seconds

    def token(self, user: str, service: str, access: list[dict[str, Any]]) -> str:
        """One signed token."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "sub": user,
            "aud": service,
            "iat": now,
            "nbf": now - 10,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        body = b".".join(_base64url(json.dumps(part).encode()) for part in (self._header, claims))
        r, s = decode_dss_signature(self._key.sign(body, ec.ECDSA(hashes.SHA256())))
        return (body + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class Handler(BaseHTTPRequestHandler):
    """Answers GET with basic credentials, and POST as OAuth2 clients (containerd, BuildKit) send it."""

    protocol_version = "HTTP/1.1"
    signer: Signer
    accounts: dict[str, str]

    def do_GET(self) -> None:
        """Credentials in the Authorization header, scopes in the query."""
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        if kind.lower() != "basic":
            user = ""
        self._answer(user, password, parse_qs(urlsplit(self.path).query), "token")

    def do_POST(self) -> None:
        """Credentials and scopes in the form."""
        length = min(int(self.headers.get("Content-Length") or 0), 1 << 16)
        form = parse_qs(self.rfile.read(length).decode(errors="replace"))
        user, password = (form.get(key, [""])[0] for key in ("username", "password"))
        self._answer(user, password, form, "access_token")

    def _answer(self, user: str, password: str, wanted: dict[str, list[str]], field: str) -> None:
        if not secrets.compare_digest(self.accounts.get(user, "").encode(), password.encode()) or not password:
            error = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
            self._send(HTTPStatus.UNAUTHORIZED, error)
            return
        access = granted(user, wanted.get("scope", []))
        token = self.signer.token(user, wanted.get("service", [""])[0], access)
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._send(HTTPStatus.OK, {field: token, "expires_in": self.signer.seconds, "issued_at": issued})

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a whole fleet may ask at once


def main(path: str) -> None:
    """Serve until killed."""
    settings = json.loads(Path(path).read_text())
    key, certificate = Path(settings["key"]), Path(settings["certificate"])
    Handler.signer = Signer(key, certificate, settings["issuer"], settings["seconds"])
    Handler.accounts = settings["accounts"]
    server = _Server((settings["address"], settings["port"]), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake happens in the connection's own thread, so that a silent client holds up nobody.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
