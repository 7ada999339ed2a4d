"""A small registry in the process, with its token server: it speaks the distribution protocol, and misbehaves as told.

    with serving(Registry(auth="bearer")) as registry:
        registry.spoil("GET", r"/manifests/", answers(503), times=1)
        registry.asked          # every request that came, in order

What a request finds in its way is a `Spoiler` (see `spoilers`): it is given the handler and answers instead.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "robot", "s3cret-do-not-show"
IDENTITY = "identity-token-do-not-show"


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


Spoiler = Callable[["Handler"], None]


@dataclass
class Registry:
    """What is stored, who may do what, and what goes wrong.

    Attributes:
        auth: ``none``, ``basic`` or ``bearer``.
        challenge: sent instead of the right WWW-Authenticate.
        grants: what the account may do, by repository; ``*`` is for every other one.
        public: anybody may pull.
        expires_in: seconds that a token lives, as said to the client; None leaves it out.
        one_scope: the token server takes one scope only.
        oauth: the token server knows POST.
        referrers: it has the referrers API.
        mounts: it mounts; else it begins an upload.
        deletes: it deletes.
        mutable: a tag may be changed.
    """

    auth: str = "none"
    challenge: str | None = None
    grants: dict[str, set[str]] = field(default_factory=lambda: {"*": {"pull", "push", "delete"}})
    public: bool = False
    expires_in: int | None = 300
    one_scope: bool = False
    oauth: bool = True
    referrers: bool = False
    mounts: bool = True
    deletes: bool = True
    mutable: bool = True
    least_chunk: int = 0
    page: int = 1000
    realm: str = ""
    scheme: str = "http"
    address: str = ""
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    tokens: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    spoilt: list[list[Any]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def spoil(self, method: str, pattern: str, by: Spoiler, *, times: int = 1 << 30) -> None:
        """Let so many requests of that method to a path (with its query) like that be answered by `by`."""
        self.spoilt.append([method, re.compile(pattern), by, times])

    def add_blob(self, repository: str, raw: bytes) -> str:
        """Store a blob; return its digest."""
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.blobs.setdefault(repository, {})[digest] = raw
        return digest

    def add(self, repository: str, tag: str, media_type: str, raw: bytes) -> str:
        """Store a manifest under a tag and its digest; return the digest."""
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.manifests[(repository, digest)] = (media_type, raw)
        if tag:
            self.manifests[(repository, tag)] = (media_type, raw)
        return digest

    def kinds(self) -> list[str]:
        """The requests that came, shortly: method and the last words of the path."""
        return [f"{one.method} {one.path}" for one in self.asked]

    def may(self, header: str, repository: str, action: str) -> bool:
        """Whether whoever sent that header may do that."""
        if self.auth == "none" or (self.public and action == "pull" and self.auth == "basic"):
            return True
        kind, _, value = header.partition(" ")
        if self.auth == "basic":
            return kind == "Basic" and value == basic() and action in self.rights(repository)
        return kind == "Bearer" and action in self.tokens.get(value, {}).get(repository, set())

    def rights(self, repository: str) -> set[str]:
        """Of the account."""
        return self.grants.get(repository, self.grants.get("*", set()))


def basic(user: str = USER, password: str = PASSWORD) -> str:
    """Base64 as in an Authorization header, and in docker's config.json."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    registry: Registry
    payload = b""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def handle(self) -> None:
        """As the base class, without a word about clients that hang up."""
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def __getattr__(self, name: str) -> Any:
        """Every method is answered by `_any`."""
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _any(self) -> None:
        registry = self.registry
        url = urlsplit(self.path)
        self.payload = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with registry.lock:
            query = parse_qs(url.query, keep_blank_values=True)
            registry.asked.append(Asked(self.command, url.path, query, headers, self.payload))
            for spoilt in registry.spoilt:
                if spoilt[0] in (self.command, "*") and spoilt[3] > 0 and spoilt[1].search(self.path):
                    spoilt[3] -= 1
                    by: Spoiler | None = spoilt[2]
                    break
            else:
                by = None
        if by is not None:
            by(self)
            return
        with registry.lock:
            if url.path == "/token":
                self._token(query)
            else:
                self._api(url.path, query)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise ValueError("not spoken here")
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    # ------------------------------------------------------------------- tokens

    def _token(self, query: dict[str, list[str]]) -> None:
        registry = self.registry
        form = parse_qs(self.payload.decode()) if self.command == "POST" else query
        scopes = " ".join(form.get("scope", [])).split()
        if self.command == "POST":
            if not registry.oauth:
                return self.error(404, "NOT_FOUND", "no such page")
            known = form.get("refresh_token", [""])[0] == IDENTITY
        else:
            sent = self.headers.get("Authorization", "")
            known = sent == f"Basic {basic()}"
            if sent and not known:
                return self.error(401, "UNAUTHORIZED", "incorrect username or password")
        if self.command == "POST" and not known:
            return self.error(401, "UNAUTHORIZED", "the refresh token is wrong")
        if registry.one_scope and len(scopes) > 1:
            return self.error(400, "UNSUPPORTED", "one scope, please")
        access: dict[str, set[str]] = {}
        for scope in scopes:
            _, repository, actions = scope.split(":", 2) if scope.count(":") == 2 else ("", "", "")
            rights = registry.rights(repository) if known else {"pull"} if registry.public else set()
            access[repository] = set(actions.split(",")) & rights
        claims = [{"name": name, "actions": sorted(actions)} for name, actions in access.items()]
        middle = base64.urlsafe_b64encode(json.dumps({"access": claims}).encode()).decode().rstrip("=")
        token = f"e30.{middle}.{secrets.token_hex(8)}"
        registry.tokens[token] = access
        body: dict[str, Any] = {"access_token" if self.command == "POST" else "token": token}
        if registry.expires_in is not None:
            body["expires_in"] = registry.expires_in
        self.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return None

    # ------------------------------------------------------------------- the protocol

    def _api(self, path: str, query: dict[str, list[str]]) -> None:
        found = re.fullmatch(r"/v2/(.+?)/(manifests|blobs/uploads|blobs|tags|referrers)/(.*)", path)
        if found is None:
            return self.error(404, "UNKNOWN", "404 page not found")
        repository, kind, rest = found[1], found[2], found[3]
        actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}
        wanted = [(repository, actions.get(self.command, "push"))]
        if "from" in query:
            wanted.append((query["from"][0], "pull"))
        sent = self.headers.get("Authorization", "")
        if not all(self.registry.may(sent, *one) for one in wanted):
            return self._challenge(wanted, bool(sent))
        names = {"manifests": self._manifest, "blobs/uploads": self._upload, "blobs": self._blob, "tags": self._tags}
        names["referrers"] = self._referrers
        names[kind](repository, rest, query)
        return None

    def _challenge(self, wanted: list[tuple[str, str]], had: bool) -> None:
        registry = self.registry
        host = f"{registry.scheme}://{registry.address}"
        scopes = " ".join(f"repository:{name}:{action}" for name, action in wanted)
        said = f'Bearer realm="{registry.realm or host + "/token"}",service="little",scope="{scopes}"'
        said += ',error="insufficient_scope"' if had else ""
        if registry.auth == "basic":
            said = 'Basic realm="little"'
        headers = {"WWW-Authenticate": said if registry.challenge is None else registry.challenge}
        self.error(401, "UNAUTHORIZED", "authentication required", headers)

    def _manifest(self, repository: str, name: str, query: dict[str, list[str]]) -> None:
        store = self.registry.manifests
        if self.command == "PUT":
            return self._put(repository, name)
        if (repository, name) not in store:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, raw = store[(repository, name)]
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if self.command == "DELETE":
            if not self.registry.deletes:
                return self.error(405, "UNSUPPORTED", "The operation is unsupported.")
            for key in [key for key, value in store.items() if key[0] == repository and value[1] == raw]:
                del store[key]
            return self.reply(202)
        return self.reply(200, raw, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _put(self, repository: str, name: str) -> None:
        store, raw = self.registry.manifests, self.payload
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        body = json.loads(raw)
        parts = [one for one in [body.get("config"), *body.get("layers", [])] if one]
        missing = [one["digest"] for one in parts if one["digest"] not in self.registry.blobs.get(repository, {})]
        missing += [one["digest"] for one in body.get("manifests", []) if (repository, one["digest"]) not in store]
        if missing:
            rows = [
                {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": one}
                for one in missing
            ]
            return self.reply(400, json.dumps({"errors": rows}).encode())
        if not self.registry.mutable and store.get((repository, name), ("", raw))[1] != raw:
            return self.error(400, "TAG_INVALID", "tag is immutable")
        self.registry.add(repository, "" if ":" in name else name, self.headers["Content-Type"], raw)
        headers = {"Location": self.path, "Docker-Content-Digest": digest}
        if self.registry.referrers and "subject" in body:
            headers["OCI-Subject"] = body["subject"]["digest"]
        return self.reply(201, b"", headers)

    def _blob(self, repository: str, digest: str, query: dict[str, list[str]]) -> None:
        raw = self.registry.blobs.get(repository, {}).get(digest)
        if raw is None:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return self.reply(200, raw, {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"})

    def _upload(self, repository: str, place: str, query: dict[str, list[str]]) -> None:
        registry = self.registry
        if self.command == "POST":
            mount, source = query.get("mount", [""])[0], query.get("from", [""])[0]
            if registry.mounts and mount in registry.blobs.get(source, {}):
                registry.add_blob(repository, registry.blobs[source][mount])
                return self.reply(201, b"", {"Location": f"/v2/{repository}/blobs/{mount}"})
            place = secrets.token_hex(8)
            registry.uploads[place] = bytearray()
            return self._progress(repository, place, 202)
        if place not in registry.uploads:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        data = registry.uploads[place]
        if self.command == "GET":
            return self._progress(repository, place, 204)
        if self.command == "PATCH":
            start = int(self.headers.get("Content-Range", "0-").partition("-")[0])
            if start != len(data):
                return self.reply(416, b"", {"Range": f"0-{len(data) - 1}"})
            data += self.payload
            return self._progress(repository, place, 202)
        data += self.payload
        wanted = query["digest"][0]
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != wanted:
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        del registry.uploads[place]
        registry.add_blob(repository, bytes(data))
        return self.reply(201, b"", {"Location": f"/v2/{repository}/blobs/{wanted}", "Docker-Content-Digest": wanted})

    def _progress(self, repository: str, place: str, status: int) -> None:
        data = self.registry.uploads[place]
        headers = {"Location": f"/v2/{repository}/blobs/uploads/{place}?state=x", "Range": f"0-{max(0, len(data) - 1)}"}
        if self.registry.least_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self.registry.least_chunk)
        self.reply(status, b"", headers)

    def _tags(self, repository: str, _: str, query: dict[str, list[str]]) -> None:
        names = sorted(name for where, name in self.registry.manifests if where == repository and ":" not in name)
        if not any(where == repository for where, _ in self.registry.manifests):
            return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        last = query.get("last", [""])[0]
        rest = [name for name in names if name > last]
        page = rest[: self.registry.page]
        headers = {"Content-Type": "application/json"}
        if len(rest) > len(page):
            headers["Link"] = f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'
        return self.reply(200, json.dumps({"name": repository, "tags": page}).encode(), headers)

    def _referrers(self, repository: str, digest: str, query: dict[str, list[str]]) -> None:
        if not self.registry.referrers:
            return self.error(404, "UNKNOWN", "404 page not found")
        rows = []
        for (where, name), (media_type, raw) in self.registry.manifests.items():
            body = json.loads(raw)
            if where == repository and ":" in name and body.get("subject", {}).get("digest") == digest:
                row = {"mediaType": media_type, "digest": name, "size": len(raw)}
                rows.append(row | {"artifactType": body.get("artifactType", "")})
        kind = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": rows}
        return self.reply(200, json.dumps(index).encode(), {"Content-Type": kind})

    # ------------------------------------------------------------------- answers

    def error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        """An answer as the protocol shapes its errors."""
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.reply(status, body, {"Content-Type": "application/json", **(headers or {})})

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A whole answer; without its body for a HEAD."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection = self.connection.unwrap()
        self.connection.close()
        self.rfile.close()


# ------------------------------------------------------------------- serving


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""


@contextlib.contextmanager
def serving(registry: Registry, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """Serve on a free port; `registry.address` is where."""
    handler = type("Bound", (Handler,), {"registry": registry})
    server = _Server((host, 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    registry.address = f"{host}:{server.server_address[1]}"
    registry.scheme = "https" if tls else "http"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="registry", daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
