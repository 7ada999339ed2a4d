"""What the login may do."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self, get_args

from audit.fact import Answers, Fact, fact_field
from audit.facts import _docker, _probes_docker, _probes_machine
from audit.facts._read import garbled, number, split_lines
from audit.model import Probe, Unknown

Sudo = Literal["not-asked", "ok", "password", "denied", "absent"]


class Access(Fact):
    """User, groups, sudo, and the right to the Docker socket."""

    user: str = fact_field("Login name")
    uid: int = fact_field("Numeric user id")
    groups: tuple[str, ...] = fact_field("Group names")
    shell: str | None = fact_field("Login shell", default=None)
    sudo: Sudo = fact_field("Whether `sudo -n` works; not-asked without ansible_become")
    socket: str | None = fact_field("Path of the Docker socket found, e.g. /run/docker.sock", default=None)
    socket_owner: str | None = fact_field("owner:group mode of the socket, e.g. root:docker 660", default=None)
    socket_usable: bool | None = fact_field("Whether the probes may use it (after sudo); None: no socket", default=None)

    probes: ClassVar[tuple[Probe, ...]] = (_probes_machine.HOST, _probes_docker.DOCKER_CLIENT)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """The login from ``host``, the socket as the probes of docker meet it from ``docker-client``."""
        lines = split_lines(answers.text("host"))
        said = lines.first("id") or ""
        user = re.match(r"uid=(\d{1,10})(?:\(([^)]+)\))?", said)
        if not user:
            raise garbled("id does not print a user")
        groups = re.search(r"groups=(\S+)", said) or re.search(r"gid=(\S+)", said)  # busybox: none beside the first
        socket, owner, usable = _socket(answers)
        return cls(
            user=user[2] or user[1],
            uid=number(user[1]) or 0,
            groups=tuple(re.findall(r"\(([^)]+)\)", groups[1])) if groups else (),
            shell=lines.first("shell"),
            sudo=_sudo(answers),
            socket=socket,
            socket_owner=owner,
            socket_usable=usable,
        )


def _sudo(answers: Answers) -> Sudo:
    answer = answers.get("sudo")
    said = "not-asked" if isinstance(answer, Unknown) else answer.stdout.strip()
    found: Sudo | None = next((state for state in get_args(Sudo) if state == said), None)
    if found is None:
        raise garbled("sudo's state is not one of the known ones")
    return found


def _socket(answers: Answers) -> tuple[str | None, str | None, bool | None]:
    """Path, owner and mode, and whether it can be used; nothing where there is no socket or no answer."""
    lines = _docker.lines(answers, "docker-client")
    may, _, path = ((lines.first("socket") if lines else None) or "").partition(" ")
    if not lines or may not in ("yes", "no") or not path:
        return None, None, None
    listed = re.match(
        r"s([r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-])\S*\s+\d+\s+(\S+)\s+(\S+)", lines.first("ls") or ""
    )
    owner = f"{listed[2]}:{listed[3]} {_octal(listed[1])}" if listed else None
    return path, owner, may == "yes"


def _octal(letters: str) -> str:
    """``rw-rw----`` as 660."""
    return "".join(
        str(sum(bit for bit, letter in zip((4, 2, 1), letters[at : at + 3], strict=True) if letter not in "-ST"))
        for at in (0, 3, 6)
    )
