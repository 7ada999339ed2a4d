"""One worker, as the inventory declares it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from audit.value import Model


class Source(Model):
    """Where a value was declared.

    Attributes:
        file: path as the user gave it, or ``<command line>``.
        line: 1-based; 0 where there is no line.
    """

    file: str
    line: int = 0

    def __str__(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.line else self.file


class StoreKind(StrEnum):
    """The two image stores of dockerd (reference: moby daemon/image_store_choice.go)."""

    GRAPHDRIVER = "graphdriver"
    CONTAINERD = "containerd"


class Host(Model):
    """One worker as the inventory declares it.

    Attributes:
        name: the inventory's name; unique in the fleet.
        address: what to connect to (``ansible_host``, else the name).
        port: TCP port, or None for ssh's own default.
        user: login, or None for ssh's own default.
        key_file: private key, or None for ssh's own default.
        ssh_args: extra ssh arguments (``ansible_ssh_common_args``, split as a shell splits).
        become: run what needs root through ``sudo -n``.
        connection: ``ssh``, or ``local`` for this very machine.
        platform: what it builds for, e.g. ``linux/arm64``; None where not declared.
        emulated: it stands for that platform without being such a machine.
        pool: the name of the set of workers that should be alike.
        build_unit: the systemd unit that runs the builds.
        merge_host: merges may run here.
        timeout: whole-host limit in seconds; None for the run's own.
        groups: every group it is in, least specific first (``all`` leads).
        source: where it is declared.
    """

    name: str
    address: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: str | None = None
    key_file: str | None = None
    ssh_args: tuple[str, ...] = ()
    become: bool = False
    connection: Literal["ssh", "local"] = "ssh"
    platform: str | None = None
    emulated: bool = False
    pool: str | None = None
    build_unit: str | None = None
    merge_host: bool = False
    timeout: Annotated[float, Field(gt=0)] | None = None
    groups: tuple[str, ...] = ("all",)
    source: Source = Source(file="<command line>")

    @property
    def pool_name(self) -> str:
        """The declared pool, else the platform, else ``-``: what the reports group by."""
        return self.pool or self.platform or "-"
