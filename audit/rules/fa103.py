"""The login may use the Docker socket."""

from __future__ import annotations

from audit.facts.access import Access
from audit.facts.docker_client import DockerClient
from audit.facts.engine import Engine
from audit.model import Host, Severity, Unknown
from audit.rule import Result, Rule, fail, not_applicable, ok

rule = Rule(
    id="FA103",
    title="The login may use the Docker socket",
    severity=Severity.ERROR,
    why="Without it the engine cannot be asked, and builds of the same account fail as well.",
    symptom="permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
    remedy="`usermod -aG docker LOGIN` (that is as good as root) and log in anew, or set `ansible_become: true`.",
    cause=True,
    refs=("docs.docker.com/engine/install/linux-postinstall",),
)


def check(access: Access, client: DockerClient | Unknown, engine: Engine | Unknown, host: Host) -> Result:
    """Only the socket that the client would use counts."""
    if not isinstance(client, Unknown) and client.kind in ("absent", "podman", "other"):
        return not_applicable("there is no docker command of Docker's own")
    if access.socket is None or access.socket_usable is None:
        return not_applicable("there is no Docker socket on the host")
    said = f"{access.socket} is {access.socket_owner or 'of an unknown owner'}"
    if access.socket_usable:
        return ok("the Docker socket may be used", said, f"login {access.user}")
    if not isinstance(engine, Unknown):
        return not_applicable("the engine is reached another way")
    endpoint = None if isinstance(client, Unknown) else client.docker_host
    if endpoint and _path(endpoint) != _path(access.socket):
        return not_applicable("the client uses another endpoint than this socket")
    login = f"login {access.user}, groups {', '.join(access.groups) or '-'}"
    if host.become:
        return fail(
            "not allowed to use the Docker socket, in spite of ansible_become",
            said,
            login,
            remedy="Make `sudo -n true` work for the login (see FA005).",
        )
    return fail(
        "not allowed to use the Docker socket",
        said,
        login,
        remedy=f"`usermod -aG docker {access.user}` (as good as root) and log in anew, or set `ansible_become: true`.",
    )


def _path(endpoint: str) -> str:
    """A socket's path without scheme and without the /var of /var/run."""
    path = endpoint.removeprefix("unix://")
    return path.removeprefix("/var") if path.startswith("/var/run/") else path
