"""What `docker version` and `docker info` said, and why an engine did not answer."""

from __future__ import annotations

from dataclasses import dataclass

from audit.fact import Answers, CannotTell, parse_object
from audit.facts._read import Doc, Lines, cannot_tell, garbled, no_userinfo, split_lines
from audit.model import Answer, Reason, Unknown

LOCAL_HOSTS = ("unix://", "fd://", "npipe://")


@dataclass(frozen=True)
class Client:
    """The docker command as `docker version` shows it.

    Attributes:
        kind: docker, podman, other or absent.
        version: as it says.
        client: the Client part of `docker version`; None where only `docker --version` answered.
        server: the Server part; None where no engine answered.
    """

    kind: str
    version: str | None = None
    client: Doc | None = None
    server: Doc | None = None


def client(answers: Answers) -> Client:
    """Read the probe ``docker-version``, or CannotTell."""
    answer = answers.answer("docker-version")
    lines = split_lines(answer.stdout)
    if lines.has("absent"):
        return Client("absent")
    if lines.has("podman"):
        said = next((rest for rest in lines.all("podman") if rest.startswith("version ")), "")
        return Client("podman", said.removeprefix("version ").strip() or None)
    named = next((rest for rest in lines.all("Docker") if rest.startswith("version ")), None)
    version = named.removeprefix("version ").partition(",")[0].strip() if named else None
    if not (lines.json_text or "").strip():
        if version:
            return Client("docker", version)
        if lines.json_text is not None and answer.exit not in (124, 137):
            return Client("other")
        raise garbled("docker version printed nothing that can be read")
    if not (lines.json_text or "").lstrip().startswith("{"):
        return Client("docker", version) if version else Client("other")
    document = Doc(lines.json("docker version"), "docker version")
    part = document.doc("Client")
    if part.text("Version") is None:
        return Client("other")
    server = document.doc("Server")
    return Client("docker", part.text("Version"), part, server if server.text("Version") else None)


def info(answers: Answers) -> Doc:
    """The engine's `docker info`, or CannotTell with the reason why no engine answered."""
    document = info_of_client(answers)
    if document.text("ServerVersion") is None:
        raise not_answering(answers.answer("docker-info"), document.texts("ServerErrors"))
    return document


def info_of_client(answers: Answers) -> Doc:
    """`docker info` even where only its client part is filled, or CannotTell."""
    answer = answers.answer("docker-info")
    first = answer.stdout.strip()
    if first in ("absent", "podman"):
        said = "there is no docker command" if first == "absent" else "docker is podman's shim"
        raise cannot_tell(Reason.ABSENT, said)
    if not first:
        raise not_answering(answer, ())
    return Doc(parse_object(answer.stdout, "docker info"), "docker info")


def not_answering(answer: Answer, errors: tuple[str, ...]) -> CannotTell:
    """The reason behind an empty `docker info`, from its own words."""
    said = [line.strip() for line in (*errors, *answer.stderr.splitlines()) if line.strip()]
    for words, reason in _SIGNS:
        for line in said:
            if words in line.lower():
                return cannot_tell(reason, no_userinfo(line))
    if answer.exit in (124, 137):
        return cannot_tell(Reason.TIMEOUT, "docker info does not end")
    return garbled(
        no_userinfo(f"docker info names no engine (exit {answer.exit}): {said[0] if said else 'no message'}")
    )


_SIGNS = (
    ("supported api version is", Reason.DENIED),
    ("permission denied", Reason.DENIED),
    ("is the docker daemon running", Reason.ABSENT),
    ("cannot connect to the docker", Reason.ABSENT),
    ("failed to connect to the docker", Reason.ABSENT),
    ("error during connect", Reason.ABSENT),
    ("connection refused", Reason.ABSENT),
    ("no such host", Reason.ABSENT),
    ("deadline exceeded", Reason.TIMEOUT),
    ("timeout", Reason.TIMEOUT),
)


def lines(answers: Answers, probe: str) -> Lines | None:
    """A probe's lines; None where it has no answer."""
    answer = answers.get(probe)
    return None if isinstance(answer, Unknown) else split_lines(answer.stdout)


def is_local(answers: Answers, document: Doc) -> bool:
    """Whether the engine asked is this machine's own, so that its files here speak of it."""
    found = lines(answers, "docker-client")
    endpoint = found.first("host") if found else None
    if endpoint:
        return endpoint.startswith(LOCAL_HOSTS)
    context = document.doc("ClientInfo").text("Context")
    if context in (None, "default"):
        return True
    host = lines(answers, "host")
    names = (host.first("uname") or "").split() if host else []
    ours = names[1].partition(".")[0] if len(names) > 1 else None
    return ours is not None and (document.text("Name") or "").partition(".")[0] == ours


def holds(folder: str, path: str) -> bool:
    """Whether a path is that folder, or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def root_of(found: Lines, info: Doc | None) -> str | None:
    """Of the folders that the probe ``roots`` looked into, the engine's own; without an engine, the configured one."""
    looked = dict(zip(found.all("root"), found.all("real"), strict=False))
    live = info.text("DockerRootDir") if info else None
    if live is None:
        return looked.get(found.first("data-root") or "")
    return next((real for root, real in looked.items() if holds(real, live) or holds(root, live)), None)
