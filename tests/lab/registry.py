"""The lab's registry: Debian's docker-registry over TLS, with our own token server in front of every repository."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cgroups import Group
from tests.lab.place import PROJECT, Place, cache_folder, locked
from tests.lab.roles import REGISTRY_ACCOUNTS
from tests.lab.shell import CommandError, run, tell, wait_for

_PORT, _TOKEN_PORT = 5000, 5001
SERVICE, _ISSUER = "fleet-audit-lab-registry", "fleet-audit-lab-tokens"
_TOKEN_SECONDS = 300


@dataclass(frozen=True)
class Registry:
    """Where the registry is and what it needs to run."""

    place: Place
    host: str

    @property
    def address(self) -> str:
        """What stands before the first slash of an image's reference."""
        return f"{self.host}:{_PORT}"

    @property
    def realm(self) -> str:
        """Where tokens are had."""
        return f"https://{self.host}:{_TOKEN_PORT}/token"

    @property
    def ca(self) -> Path:
        """The certificate of the lab's CA."""
        return self.place.keys / "ca.crt"

    @property
    def home(self) -> Path:
        """Configuration, storage and logs."""
        return self.place.run / "registry"

    def docker_config(self, account: str = "staging") -> str:
        """The text of a docker config.json that holds an account's credentials for this registry."""
        auth = base64.b64encode(f"{account}:{REGISTRY_ACCOUNTS[account]}".encode()).decode()
        return json.dumps({"auths": {self.address: {"auth": auth}}}, indent=2) + "\n"

    def start(self) -> None:
        """Start the registry and its token server; the certificates are there already."""
        self.home.mkdir(parents=True, exist_ok=True)
        tls = self.place.keys / "registry"
        certificate, key = str(tls.with_suffix(".crt")), str(tls.with_suffix(".key"))
        config = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.home / "storage")}, "delete": {"enabled": True}},
            "http": {"addr": self.address, "tls": {"certificate": certificate, "key": key}},
            "auth": {
                "token": {
                    "realm": self.realm,
                    "service": SERVICE,
                    "issuer": _ISSUER,
                    "rootcertbundle": str(self.ca),
                }
            },
        }
        tokens = {
            "address": self.host,
            "port": _TOKEN_PORT,
            "issuer": _ISSUER,
            "seconds": _TOKEN_SECONDS,
            "key": key,
            "certificate": certificate,
            "accounts": REGISTRY_ACCOUNTS,
        }
        (self.home / "config.yml").write_text(json.dumps(config, indent=2))  # JSON is YAML too
        (self.home / "tokens.json").write_text(json.dumps(tokens, indent=2))
        group = Group.of(self.place, "registry").create()
        serve = [str(program()), "serve", str(self.home / "config.yml")]
        group.spawn(serve, self.home / "registry.log", cwd=self.home, env={"PATH": os.defpath})
        answer = [sys.executable, "-m", "tests.lab.tokens", str(self.home / "tokens.json")]
        group.spawn(answer, self.home / "tokens.log", cwd=PROJECT, env={"PATH": os.defpath})

    def wait(self) -> None:
        """Wait until both answer."""
        wait_for(f"the registry; see {self.home}/*.log", self.answers, 20)

    def answers(self) -> bool:
        """Whether both ports take connections."""
        for port in (_PORT, _TOKEN_PORT):
            try:
                socket.create_connection((self.host, port), timeout=2).close()
            except OSError:
                return False
        return True


def program() -> Path:
    """The docker-registry program in the cache."""
    return cache_folder() / "docker-registry" / "usr/bin/docker-registry"


def fetch() -> None:
    """Unpack Debian's docker-registry into the cache.

    It is not installed: the package would start a service of its own on the machine.
    """
    if program().exists():
        return
    with locked(cache_folder() / "registry.lock", "another lab fetching docker-registry"):
        if program().exists():
            return
        tell("fetching Debian's docker-registry")
        shop = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache_folder()))
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, shop, ignore_errors=True)
            # As root throughout: the sandbox user of apt may not write here, and apt would only warn.
            get = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "docker-registry"]
            try:
                run(get, cwd=shop)
            except CommandError:
                run(["apt-get", "update", "-q"], timeout=600)
                run(get, cwd=shop)
            run(["dpkg-deb", "-x", next(shop.glob("*.deb")), shop / "docker-registry"])
            (shop / "docker-registry").rename(cache_folder() / "docker-registry")
