"""Users and groups that a Dockerfile makes with a number, so that a fix can name the number."""

from __future__ import annotations

import re

from audit.dockerfile.parser import Instruction, unquoted, words

MOST = 100
"""Accounts of one stage that are kept."""

_MAKES = re.compile(r"(?<![\w-])(useradd|adduser|groupadd|addgroup)(?![\w-])([^;&|\n]*)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")


def fits(text: str) -> bool:
    """Whether BuildKit takes it for a number: a decimal of 32 bits with sign (buildkit client/llb/fileop.go)."""
    return _NUMBER.fullmatch(text) is not None and -(2**31) <= int(text) < 2**31


class Accounts:
    """Who is called what, as far as RUN lines tell."""

    def __init__(
        self, users: dict[str, tuple[str, str | None]] | None = None, groups: dict[str, str] | None = None
    ) -> None:
        """Begin with these: name -> (uid, gid or None), name -> gid."""
        self.users = dict(users or {})
        self.groups = dict(groups or {})

    def copy(self) -> Accounts:
        """For a stage that is built from this one."""
        return Accounts(self.users, self.groups)

    def note(self, one: Instruction) -> None:
        """Take what a RUN makes."""
        for text in (one.args, *one.heredocs):
            for found in _MAKES.finditer(text):
                if len(self.users) + len(self.groups) < MOST:
                    self._made(found[1], [unquoted(word or "") for word in words(found[2])])

    def _made(self, program: str, said: list[str]) -> None:
        group = _option(said, "g", "gid")
        gid = group if group is not None and _natural(group) else self.groups.get(group or "")
        names = [word for word in said if word and not word.startswith("-")]
        if program in ("groupadd", "addgroup"):
            if gid is not None and names:
                self.groups[names[-1]] = gid
            return
        uid = _option(said, "u", "uid")
        if uid is not None and _natural(uid):
            for name in names if program == "adduser" else names[-1:]:  # Debian's takes options after the name too
                self.users[name] = (uid, gid)

    def fix(self, owner: str | None) -> str:
        """What to write in the place of --chown=OWNER: numbers, where the file tells them."""
        if owner is None:
            return "give numbers: --chown=UID:GID works on every store"
        user, colon, group = owner.partition(":")
        made = self.users.get(user)
        uid = user if user == "" or fits(user) else "0" if user == "root" else made[0] if made else None
        gid: str | None
        if group == "root":
            gid = "0"
        elif colon and (group == "" or fits(group)):
            gid = group
        else:
            own = made[1] if made and (not colon or group == user) else None
            gid = own or self.groups.get(group if colon else user)
        if uid is not None and gid is not None:
            return f"write --chown={uid}:{gid}".removesuffix(":")
        if made is not None and uid is not None:
            return f"write --chown={uid}:GID (the file gives {user} uid {uid}; `id {user}` in the image tells the gid)"
        return f"write --chown=UID:GID in numbers (`id {user or group}` in the image tells them)"


def _natural(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def _option(said: list[str], short: str, long: str) -> str | None:
    for place, word in enumerate(said):
        if word in (f"-{short}", f"--{long}"):
            return said[place + 1] if place + 1 < len(said) else None
        if word.startswith(f"--{long}="):
            return word.partition("=")[2]
        if word.startswith(f"-{short}") and word[2:].isdigit():
            return word[2:]
    return None
