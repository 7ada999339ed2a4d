"""The disks under the engine's two roots."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from audit.fact import Answers, CannotTell, Fact, fact_field
from audit.facts import _docker, _probes_docker
from audit.facts._read import Lines, garbled, number, short
from audit.model import Model, Probe

_ROW = re.compile(
    r"(?P<device>\S+)\s+(?:(?P<fstype>[^\s\d]\S*)\s+)?(?P<size>\d+|-)\s+(?:-?\d+|-)\s+(?P<free>\d+|-)\s+(?:\d+%|-)\s+(?P<mount>/.*)"
)
"""A row of `df -P`, with or without the type; `-` stands for what is not counted."""


class FileSystem(Model):
    """The file system that a path is on.

    Attributes:
        path: the path asked about.
        mount: its mount point.
        device: the mount's source.
        fstype: its type, where told.
        size: bytes.
        free: bytes that an unprivileged user may still take.
        inodes: in all; 0 where the file system does not count them.
        inodes_free: free ones.
    """

    path: str
    mount: str
    device: str
    fstype: str | None = None
    size: int
    free: int
    inodes: int = 0
    inodes_free: int = 0

    @property
    def free_percent(self) -> float:
        """Free bytes, percent of the size."""
        return 100.0 * self.free / self.size if self.size else 0.0

    @property
    def inodes_free_percent(self) -> float:
        """Free inodes, percent; 100 where they are not counted."""
        return 100.0 * self.inodes_free / self.inodes if self.inodes else 100.0


class FstabEntry(Model):
    """A line of fstab that mounts by device name."""

    device: str
    mount: str


class Disks(Fact):
    """Where images live depends on the store: data-root for graphdriver, containerd's root for containerd."""

    data_root: FileSystem | None = fact_field(
        "Under the engine's data-root; None: no such folder", drift="volatile", default=None
    )
    containerd_root: FileSystem | None = fact_field(
        "Under containerd's root; None: no such folder", drift="volatile", default=None
    )
    containerd_root_path: str | None = fact_field("containerd's root as its config says", default=None)
    containerd_root_source: str | None = fact_field(
        "Where that path was read: config dump, config.toml, default", default=None
    )
    same_file_system: bool | None = fact_field(
        "Whether both roots are on one file system; None: one is missing", default=None
    )
    device_name_mounts: tuple[FstabEntry, ...] = fact_field(
        "fstab lines that mount by /dev name (sd, vd, nvme, dasd, mmcblk, xvd)", default=()
    )

    probes: ClassVar[tuple[Probe, ...]] = (_probes_docker.ROOTS, _probes_docker.DOCKER_INFO)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """What `df` says of the engine's data-root, and of containerd's root."""
        head, _, tables = f"\n{answers.text('roots')}".partition("\nbytes\n")
        lines = Lines(head)
        containerd = lines.first("containerd-root")
        if containerd is None or not lines.has("data-root"):
            raise garbled("the probe of the engine's roots ended early")
        byte_table, _, inode_table = f"\n{tables}".partition("\ninodes\n")
        asked = lines.all("df")
        found = _file_systems(asked, byte_table, inode_table)
        if asked and not found:
            raise garbled("df does not print a line for each of the engine's roots")
        data = found.get(_data_root(lines, answers) or "")
        store = found.get(containerd)
        return cls(
            data_root=data,
            containerd_root=store,
            containerd_root_path=containerd,
            containerd_root_source=lines.first("containerd-source"),
            same_file_system=_same(data, store) if data and store else None,
            device_name_mounts=tuple(_fstab(said) for said in lines.all("fstab")),
        )


def _data_root(lines: Lines, answers: Answers) -> str | None:
    """The engine's own folder; the configured one where no engine answers; None where the engine is elsewhere."""
    try:
        info = _docker.info(answers)
    except CannotTell:
        return _docker.root_of(lines, None)
    return _docker.root_of(lines, info) if _docker.is_local(answers, info) else None


def _same(one: FileSystem, other: FileSystem) -> bool:
    """By the device, since a folder may be bound to a mount point of its own; tmpfs and the like have no device."""
    return one.mount == other.mount or (one.device == other.device and one.device.startswith("/"))


def _fstab(said: str) -> FstabEntry:
    device, _, mount = said.partition(" ")
    return FstabEntry(device=device, mount=mount.replace("\\040", " "))


def _file_systems(asked: list[str], byte_table: str, inode_table: str) -> dict[str, FileSystem]:
    """By path asked; df prints a row for each path, in order. Empty where it did not."""
    rows, inodes = _rows(byte_table), _rows(inode_table)
    if len(rows) != len(asked):
        return {}
    found = {}
    for at, (path, row) in enumerate(zip(asked, rows, strict=True)):
        counted = inodes[at] if len(inodes) == len(asked) else None
        size, free = number(row["size"]), number(row["free"])
        if size is None or free is None:
            return {}
        found[path] = FileSystem(
            path=path,
            mount=row["mount"],
            device=row["device"],
            fstype=row["fstype"],
            size=size * 1024,
            free=free * 1024,
            inodes=(number(counted["size"]) or 0) if counted else 0,
            inodes_free=(number(counted["free"]) or 0) if counted else 0,
        )
    return found


def _rows(table: str) -> list[re.Match[str]]:
    """df's rows, headings left out."""
    return [row for line in table.splitlines()[:20] if (row := _ROW.fullmatch(short(line).rstrip()))]
