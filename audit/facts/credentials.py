"""Registry credentials on the worker: which registries, how kept; never a value."""

from __future__ import annotations

from typing import Literal

from audit.fact import Fact, fact_field
from audit.model import Model


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
