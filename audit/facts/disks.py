"""The disks under the engine's two roots."""

from __future__ import annotations

from audit.fact import Fact, fact_field
from audit.model import Model


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
