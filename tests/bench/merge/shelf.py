"""Peers that a Debian suite ships, though not the one that this machine runs: unpacked into the lab's cache.

Apt is given the sources and the keys of the lab's own root of that suite, so they come from where that came from.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from tests.lab.life import install
from tests.lab.place import cache_folder, locked
from tests.lab.roots import ROOTS
from tests.lab.shell import CommandError, LabError, run, tell


def shelved(package: str, root: str = "sid") -> tuple[Path | None, str]:
    """Where a package's files stand, and else why they do not."""
    folder = cache_folder() / f"{root}-{package}"
    if folder.is_dir():
        return folder, ""
    base = ROOTS[root].chain()[-1].path
    if not base.is_dir():
        return None, f"`make lab-up` builds the root of {root}, which knows where its packages are"
    with (
        locked(cache_folder() / f"{package}.lock", f"another bench fetching {package}"),
        contextlib.ExitStack() as stack,
    ):
        if folder.is_dir():
            return folder, ""
        tell(f"fetching {package} of Debian's {root}")
        shop = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache_folder()))
        stack.callback(shutil.rmtree, shop, ignore_errors=True)
        try:
            _fetch(package, base, shop)
        except CommandError as error:
            return None, f"Debian's {root} gave none: {str(error).splitlines()[-1][:200]}"
        (shop / "root").rename(folder)
    return folder, ""


def version_of(folder: Path) -> str:
    """The version that Debian gives what is shelved, without Debian's own part."""
    return (folder / "version").read_text(encoding="utf-8").partition("+")[0].partition("-")[0].strip()


def installed(package: str) -> str:
    """Why a package of this machine's own suite cannot be had; empty where its program is there now."""
    if shutil.which(package):
        return ""
    if not shutil.which("apt-get"):
        return "not installed, and this is no Debian"
    try:
        install([package])
    except LabError as error:
        return str(error).splitlines()[-1][:200]
    return "" if shutil.which(package) else f"{package} was installed, and has no program of that name"


def _fetch(package: str, base: Path, shop: Path) -> None:
    lists = shop / "lists"
    (shop / "archives" / "partial").mkdir(parents=True)
    shutil.copytree(base / "var/lib/apt/lists", lists)
    options = {
        "APT::Sandbox::User": "root",  # apt's own user may not write here, and apt would only warn
        "Dir::Etc::SourceList": base / "etc/apt/sources.list",
        "Dir::Etc::SourceParts": base / "etc/apt/sources.list.d",
        "Dir::Etc::TrustedParts": base / "etc/apt/trusted.gpg.d",
        "Dir::State::Lists": lists,
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": shop,
    }
    apt = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    try:
        run([*apt, "download", package], cwd=shop)
    except CommandError:  # the root's lists are older than what the mirror still has
        run([*apt, "update", "-q"], timeout=600)
        run([*apt, "download", package], cwd=shop)
    package_file = next(shop.glob("*.deb"))
    run(["dpkg-deb", "-x", package_file, shop / "root"])
    (shop / "root" / "version").write_text(run(["dpkg-deb", "-f", package_file, "Version"]).stdout, encoding="utf-8")
