"""Registry credentials on the worker: which registries, how kept; never a value."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine
from audit.facts._read import Doc, cannot_tell, no_userinfo
from audit.model import Model, Probe, Reason

HUB = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io", "docker.io")


class Credential(Model):
    """One registry that a config file can log in to.

    Attributes:
        registry: host as written, normalised (Docker Hub is ``docker.io``).
        keeping: plain: base64 in the file; token: identity token in the file; helper: a credential helper.
        helper: the helper's name.
        path: the config file.
        account: the build service's, or the login's.
    """

    registry: str
    keeping: Literal["plain", "token", "helper"]
    helper: str | None = None
    path: str
    account: Literal["builds", "login"] = "builds"


class Credentials(Fact):
    """What `config.json` of the build user and of the login hold."""

    found: tuple[Credential, ...] = fact_field("All of them", default=())

    probes: ClassVar[tuple[Probe, ...]] = (_probes_docker.DOCKER_CLIENT, _probes_machine.HOST)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """Both config files; one that both accounts share is the builds'."""
        answers.answer("docker-client")
        found: dict[tuple[str, str], Credential] = {}
        accounts: tuple[tuple[str, Literal["builds", "login"]], ...] = (("docker-client", "builds"), ("host", "login"))
        for probe, account in accounts:
            lines = _docker.lines(answers, probe)
            path = lines.first("config") if lines else None
            if lines is not None and lines.has("config-denied"):
                raise cannot_tell(Reason.DENIED, f"{lines.first('config-denied')} may not be read")
            if lines is None or path is None or lines.json_text is None:
                continue
            for one in _of_file(Doc(lines.json(path), path), path, account):
                found.setdefault((one.path, one.registry), one)
        return cls(found=tuple(found.values()))


def _of_file(document: Doc, path: str, account: Literal["builds", "login"]) -> list[Credential]:
    """The worker has put ``true`` in the place of every secret, ``false`` in that of every empty one."""
    store = document.text("credsStore")
    found: dict[str, Credential] = {}
    for name, entry in document.members("auths"):
        registry = normalised(name)
        keeping: Literal["plain", "token", "helper"] | None = None
        if entry.flag("identitytoken") or entry.flag("registrytoken"):
            keeping = "token"
        elif entry.flag("auth") or entry.flag("password"):
            keeping = "plain"
        elif store:
            keeping = "helper"
        if keeping:
            helper = store if keeping == "helper" else None
            found[registry] = Credential(registry=registry, keeping=keeping, helper=helper, path=path, account=account)
    helpers = document.doc("credHelpers")
    for name in helpers.names():
        helper = helpers.text(name)
        if helper:
            registry = normalised(name)
            found[registry] = Credential(registry=registry, keeping="helper", helper=helper, path=path, account=account)
    return [found[registry] for registry in sorted(found)]


def normalised(name: str) -> str:
    """The registry's host, as images are named after it."""
    if name in HUB:
        return "docker.io"
    host = no_userinfo(name).partition("://")[2] or no_userinfo(name)
    host = host.removeprefix("***@").partition("/")[0]
    return "docker.io" if host in HUB else host
