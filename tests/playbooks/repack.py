"""A local package source on a worker that has no network: one of its own packages, packed again as it is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.lab import Worker, states

FOLDER = "/srv/packages"
_PACK = r"""
set -eu
package=$1 folder=$2 name=$3
work=$(mktemp -d)
mkdir -p "$folder" "$work/DEBIAN"
dpkg -L "$package" | while read -r path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "$work$path"; else cp -a --parents "$path" "$work"; fi
done
dpkg-query -s "$package" | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:/d; /^ /d}' >"$work/DEBIAN/control"
dpkg-deb --root-owner-group -Znone -b "$work" "$folder/$package.deb" >/dev/null
sed -i "s/^Package: .*/Package: $name/" "$work/DEBIAN/control"
dpkg-deb --root-owner-group -Znone -b "$work" "$folder/$name.deb" >/dev/null
rm -rf "$work"
cd "$folder"
{
    dpkg-deb -f "$name.deb"
    echo "Filename: ./$name.deb"
    echo "Size: $(stat -c %s "$name.deb")"
    echo "SHA256: $(sha256sum "$name.deb" | cut -d' ' -f1)"
} >Packages
"""


@contextlib.contextmanager
def source_of(worker: Worker, package: str, name: str = "") -> Iterator[str]:
    """The worker's only package source has this package, or the same by another name.

    The source goes afterwards, and the package is installed.
    """
    put_back = f"dpkg --force-all -i {FOLDER}/{package}.deb >/dev/null && rm -rf {FOLDER} /var/lib/apt/lists/*srv*"
    with (
        states.kept(worker, "/etc/apt/sources.list"),
        states.kept(worker, "/etc/apt/sources.list.d"),
        states.state(worker, f"set -- {package} {FOLDER} {name or package}\n{_PACK}", put_back),
    ):
        worker.sh("rm -rf /etc/apt/sources.list.d/*")
        worker.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{FOLDER} ./\n")
        worker.sh("apt-get update -q")
        yield f"{FOLDER}/{package}.deb"
