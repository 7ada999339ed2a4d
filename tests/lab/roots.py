"""The suites' root file systems, built once into the cache, as layers for overlay mounts.

A layer's folder bears the hash of its recipe, so a changed recipe builds anew; it is built under another name and
renamed when complete, so a half-finished one is never used. All mounts are made in a mount namespace of the build's
own: they end with it, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.place import cache_folder, locked
from tests.lab.shell import LabError, run, tell

_BUILD_SECONDS = 30 * 60
_RECIPE = 1  # raise it where a change of the scripts below should rebuild everything

_ALONE = (
    *("setpriv", "--pdeathsig", "KILL"),  # a build must not outlive the `up` that started it
    *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private"),
)
_INSTALL = """
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d # packages may not start services in here
chmod 755 /usr/sbin/policy-rc.d
install() {
    apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"
}
# The package lists are as old as the base: ask for new ones only where they no longer serve.
install "$@" || { apt-get update -q && install "$@"; }
apt-get clean
rm -f /usr/sbin/policy-rc.d /etc/resolv.conf
"""
_FINISH = {
    "base": """
# The same accounts on every worker: a build user, an operator with sudo, and somebody with no rights at all.
useradd --uid 1001 --create-home --shell /bin/bash builder
useradd --uid 1002 --create-home --shell /bin/bash deploy
useradd --uid 1003 --create-home --shell /bin/bash guest
# What must be each worker's own.
rm -f /etc/ssh/ssh_host_* /etc/hostname
""",
    "docker": "usermod --append --groups docker builder\n",
}
_BASE = (
    "systemd systemd-sysv dbus python3 python3-apt sudo openssh-server ca-certificates iproute2 iptables busybox-static"
)


@dataclass(frozen=True)
class Layer:
    """One folder of the cache: a suite's base, or packages on top of another layer."""

    name: str
    packages: str
    finish: str = ""
    below: Layer | None = None
    suite: str = ""

    @property
    def recipe(self) -> str:
        """Changes whenever what is built would."""
        parts = [_RECIPE, self.suite, self.packages, _INSTALL, _FINISH.get(self.finish, "")]
        parts.append(self.below.recipe if self.below else "")
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]

    @property
    def path(self) -> Path:
        """Where it stands in the cache once it is complete."""
        return cache_folder() / f"{self.name}-{self.recipe}"

    def chain(self) -> list[Layer]:
        """This layer and all below it, top first: the order of overlay's lowerdir."""
        return [self, *(self.below.chain() if self.below else [])]

    def find(self, path: str) -> Path:
        """A file as it is seen in the root that this layer completes."""
        found = (layer.path / path.lstrip("/") for layer in self.chain())
        return next(candidate for candidate in found if candidate.exists())


def _suite(suite: str, docker: str) -> tuple[Layer, Layer]:
    base = Layer(f"{suite}-base", _BASE, "base", suite=suite)
    return base, Layer(f"{suite}-docker", docker, "docker", below=base)


_BOOKWORM, _BOOKWORM_DOCKER = _suite("bookworm", "docker.io")
_TRIXIE, _TRIXIE_DOCKER = _suite("trixie", "docker.io docker-cli fish tcsh")
_SID, _SID_DOCKER = _suite("sid", "docker.io docker-cli docker-buildx")

ROOTS = {
    "bookworm": _BOOKWORM_DOCKER,
    "sid": _SID_DOCKER,
    "trixie": _TRIXIE,
    "trixie-docker": _TRIXIE_DOCKER,
    "trixie-buildx": Layer("trixie-buildx", "docker-buildx git", below=_TRIXIE_DOCKER),
    "trixie-podman": Layer("trixie-podman", "podman podman-docker", below=_TRIXIE),
}
"""The roots by the name that machines use."""


def overlay(lower: list[Path], upper: Path, work: Path, onto: Path) -> list[str]:
    """The command that mounts layers; the options that would tie an upper folder to its lower ones are off."""
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
    return ["mount", "-t", "overlay", "lab", "-o", f"{options},index=off,metacopy=off,redirect_dir=off", str(onto)]


def build_roots() -> None:
    """Build every layer that the cache lacks; the suites side by side."""
    missing = {layer.path for root in ROOTS.values() for layer in root.chain() if not layer.path.is_dir()}
    if not missing:
        return
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"cannot make {cache}: {error}; name another folder in FLEET_AUDIT_LAB_CACHE") from error
    with locked(cache.with_name(f"{cache.name}.lock"), "another lab building the root file systems"):
        for half in cache.glob("building-*"):
            shutil.rmtree(half)
        tell(f"building {len(missing)} root file system layers into {cache} (minutes, and only once)")
        suites = [
            [root for name, root in ROOTS.items() if root.chain()[-1] is base] for base in (_SID, _TRIXIE, _BOOKWORM)
        ]
        with ThreadPoolExecutor(len(suites)) as pool:
            list(pool.map(_build_suite, suites))


def _build_suite(roots: list[Layer]) -> None:
    for root in roots:
        for layer in reversed(root.chain()):
            if not layer.path.is_dir():
                _build(layer)


def _build(layer: Layer) -> None:
    with _workshop(layer) as shop:
        if layer.below is None:
            tell(f"  {layer.name}: debootstrap {layer.suite}")
            upper = whole = shop / "root"
            run([*_ALONE, "debootstrap", "--variant=minbase", layer.suite, upper], timeout=_BUILD_SECONDS)
            mount: list[str] = []
        else:
            upper, whole, work = shop / "upper", shop / "whole", shop / "work"
            for folder in (upper, whole, work):
                folder.mkdir()
            mount = overlay([below.path for below in layer.below.chain()], upper, work, whole)
        tell(f"  {layer.name}: {layer.packages}")
        script = shop / "build"
        script.write_text(
            'set -eu; root=$1; shift\n[ $# -eq 0 ] || "$@"\nmount -t proc proc "$root/proc"\n'
            'cp -L /etc/resolv.conf "$root/etc/resolv.conf"\n'
            f'exec chroot "$root" /bin/sh -s {layer.packages}\n'
        )
        run(
            [*_ALONE, "sh", script, whole, *mount],
            stdin=_INSTALL + _FINISH.get(layer.finish, ""),
            timeout=_BUILD_SECONDS,
        )
        upper.rename(layer.path)


@contextlib.contextmanager
def _workshop(layer: Layer) -> Iterator[Path]:
    shop = Path(tempfile.mkdtemp(prefix=f"building-{layer.name}-", dir=cache_folder()))
    try:
        shop.chmod(0o755)
        yield shop
    finally:
        shutil.rmtree(shop, ignore_errors=True)


def clean_cache() -> None:
    """Remove the cache.

    Raises:
        LabError: a running worker of any checkout stands on it.
    """
    cache = cache_folder()
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if f"lowerdir={cache}/" in mounts.read_text() or f":{cache}/" in mounts.read_text():
                raise LabError(f"{cache} is in use by a running lab; stop it with `python -m tests.lab down` first")
    if cache.is_dir():
        with locked(cache.with_name(f"{cache.name}.lock"), "another lab building the root file systems"):
            shutil.rmtree(cache)
