"""Reads a command line into a way of building. Nothing is run, and no shell's expansion happens."""

from __future__ import annotations

import csv
import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from audit.errors import UsageError
from audit.shape.how import Attest, Command, How, Output, boolean

MOST = 20_000
"""Longer lines are refused."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SPLIT = {"&&", ";", "\n"}

_SWITCHES = {
    "load", "push", "quiet", "no-cache", "pull", "rm", "force-rm", "compress", "squash", "stream", "check", "debug",
    "disable-content-trust", "print", "detach", "list-targets", "list-variables",
}  # fmt: skip
_VALUES = {
    "add-host", "allow", "annotation", "attest", "build-arg", "build-context", "builder", "cache-from", "cache-to",
    "call", "cgroup-parent", "cpu-period", "cpu-quota", "cpu-shares", "cpuset-cpus", "cpuset-mems", "file", "iidfile",
    "invoke", "isolation", "label", "list", "memory", "memory-swap", "metadata-file", "network", "no-cache-filter",
    "output", "platform", "policy", "progress", "provenance", "resource", "root", "sbom", "secret", "security-opt",
    "server-config", "set", "shm-size", "ssh", "tag", "target", "ulimit", "var",
}  # fmt: skip
_SHORT = {"t": "tag", "f": "file", "o": "output", "m": "memory", "c": "cpu-shares", "q": "quiet", "D": "debug"}

LEGACY = {
    "add-host", "build-arg", "cache-from", "cgroup-parent", "compress", "cpu-period", "cpu-quota", "cpu-shares",
    "cpuset-cpus", "cpuset-mems", "debug", "disable-content-trust", "file", "force-rm", "iidfile", "isolation", "label",
    "memory", "memory-swap", "network", "no-cache", "platform", "pull", "quiet", "rm", "security-opt", "shm-size",
    "squash", "tag", "target", "ulimit",
}  # fmt: skip
"""Flags of the client's own `docker build` from 23.0 on (cli@v29.7.2:cli/command/image/build.go:116-161)."""
OWN = LEGACY | {"output", "progress", "secret", "ssh", "stream"}
"""The same before 23.0, when BuildKit was compiled in (cli@v20.10.24:cli/command/image/build.go:117-186)."""

_GLOBAL_VALUES = {"context", "c", "host", "H", "config", "log-level", "l", "tlscacert", "tlscert", "tlskey"}
_GLOBAL_SWITCHES = {"debug", "D", "tls", "tlsverify"}


def parse_how(line: str) -> How:
    """Read a command line: ``[NAME=VALUE ...] docker build [flags] [&& docker push [flags] REF]``.

    Also ``docker image build``, ``docker builder build``, ``docker buildx b`` and ``docker bake``; what does not
    change the push is taken and forgotten.

    Raises:
        UsageError: it is no build command, has a flag that no builder knows, or a flag lacks its value.
    """
    if len(line) > MOST:
        raise UsageError(f"--how: {len(line)} characters are too many for a command line")
    try:
        lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=";&|\n")
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
        words = list(lexer)
    except ValueError as error:
        raise UsageError(f"--how {line!r}: {str(error).lower()}") from None
    commands = [command for command in _commands(words) if command]
    if not commands:
        raise UsageError("--how: give a build command, e.g. `docker buildx build --push`")
    first, *others = commands
    how = _build(first)
    for other in others:
        how = _after(how, other)
    return how


def _commands(words: Sequence[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word.strip() in _SPLIT or not word.strip("\n"):
            yield command
            command = []
        elif set(word) <= set(";&|\n"):
            raise UsageError(f"--how: {word!r} joins commands in a way that is not read here; use &&")
        else:
            command.append(word)
    yield command


@dataclass
class _Read:
    """Flags of one command, as read."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for flag, value in self.pairs if flag == name]

    def last(self, name: str) -> str | None:
        return next(iter(self.all(name)[::-1]), None)

    def on(self, name: str) -> bool:
        value = self.last(name)
        if value is None:
            return False
        told = boolean(value)
        if told is None:
            raise UsageError(f"--how: --{name}={value} is no boolean")
        return told


def _build(words: Sequence[str]) -> How:
    environment, rest = _environment(words)
    command, rest, environment = _command(rest, environment)
    read = _flags(rest, command)
    platforms = tuple(part.strip() for value in read.all("platform") for part in value.split(",") if part.strip())
    arguments = dict(value.partition("=")[::2] for value in read.all("build-arg"))
    attests, outputs = _attests(read), [_output(value) for value in read.all("output")]
    for value in read.all("set"):
        key, _, said = value.partition("=")
        what = key.rpartition(".")[2].rstrip("+")
        if what == "platform":
            platforms = (*platforms, *(part.strip() for part in said.split(",") if part.strip()))
        elif what == "output":
            outputs.append(_output(said))
        elif what == "attest":
            attests.append(_attest(said))
        elif ".args.BUILDKIT_MULTI_PLATFORM" in key:
            arguments["BUILDKIT_MULTI_PLATFORM"] = said
    for one, other in pairwise(sorted(attests, key=lambda attest: attest.type)):
        if one.type == other.type and command != "docker buildx bake":
            raise UsageError(f"--how: {one.text} and {other.text} ask for the same attestation; buildx refuses that")
    return How(
        command=command,
        builder=read.last("builder") or None,
        attests=tuple(attests),
        outputs=tuple(outputs),
        push=read.on("push"),
        load=read.on("load"),
        platforms=platforms,
        multi_platform=arguments.get("BUILDKIT_MULTI_PLATFORM"),
        environment=tuple(environment.items()),
        flags=tuple(dict.fromkeys(name for name, _ in read.pairs)),
    )


def _environment(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    rest = list(words)
    if rest and rest[0] == "env":
        rest.pop(0)
    found: dict[str, str] = {}
    while rest and _ASSIGNMENT.match(rest[0]):
        name, _, value = rest.pop(0).partition("=")
        found[name] = value
    return found, rest


def _command(words: list[str], environment: dict[str, str]) -> tuple[Command, list[str], dict[str, str]]:
    """The command's name, what follows it, and the environment with what docker's global flags say."""
    if not words or words[0].rpartition("/")[2] != "docker":
        shown = " ".join(words[:2]) or "nothing"
        raise UsageError(f"--how: {shown!r} is no build command; give `docker build`, `docker buildx build` or bake")
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).lstrip("-").partition("=")
        if name in _GLOBAL_VALUES and not equals:
            if not rest:
                raise UsageError(f"--how: docker's --{name} lacks its value")
            value = rest.pop(0)
        elif name not in _GLOBAL_VALUES | _GLOBAL_SWITCHES:
            raise UsageError(f"--how: docker has no flag --{name} before the command")
        if name in ("context", "c"):
            environment = {**environment, "DOCKER_CONTEXT": value}
        elif name in ("host", "H"):
            environment = {**environment, "DOCKER_HOST": value}
    for words_of, command in _NAMES:
        if tuple(rest[: len(words_of)]) == words_of:
            return command, rest[len(words_of) :], environment
    if rest[:1] == ["buildx"] and len(rest) > 1 and rest[1].startswith("--builder"):  # stands before its command
        taken = 1 if "=" in rest[1] else 2
        command, after, environment = _command(["docker", "buildx", *rest[1 + taken :]], environment)
        return command, [*rest[1 : 1 + taken], *after], environment
    shown = " ".join(["docker", *rest[:2]])
    raise UsageError(f"--how: {shown!r} is no build command; give `docker build`, `docker buildx build` or bake")


_NAMES: tuple[tuple[tuple[str, ...], Command], ...] = (
    (("buildx", "build"), "docker buildx build"),
    (("buildx", "b"), "docker buildx build"),
    (("buildx", "bake"), "docker buildx bake"),
    (("buildx", "f"), "docker buildx bake"),
    (("bake",), "docker buildx bake"),
    (("image", "build"), "docker build"),
    (("builder", "build"), "docker build"),
    (("build",), "docker build"),
)


def _flags(words: Sequence[str], command: str) -> _Read:
    """Flags with their values; a place (the context, a target) is passed over."""
    read, rest = _Read(), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word == "-" or not word.startswith("-"):
            continue
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            given = value if equals else None
        else:
            letter, glued = word[1], word[2:]
            name = _SHORT.get(letter, letter)
            given = glued.removeprefix("=") if glued and name in _VALUES else None
            if glued and name in _SWITCHES:
                rest.insert(0, f"-{glued}")
        if name in _SWITCHES:
            read.pairs.append((name, "true" if given is None else given))
        elif name in _VALUES:
            if given is None:
                if not rest:
                    raise UsageError(f"--how: {word} lacks its value")
                given = rest.pop(0)
            read.pairs.append((name, given))
        else:
            near = difflib.get_close_matches(name, sorted(_VALUES | _SWITCHES), 1)
            hint = f"; did you mean --{near[0]}?" if near else ""
            raise UsageError(f"--how: {word.partition('=')[0]} is no flag of `{command}` that we know{hint}")
    return read


def _fields(text: str) -> list[tuple[str, str]]:
    """``a=b,c=d`` as buildx reads it: one line of CSV."""
    row = next(csv.reader([text]), [])
    return [(key.strip().lower(), value) for key, _, value in (part.partition("=") for part in row)]


def _attests(read: _Read) -> list[Attest]:
    found = []
    for name, value in read.pairs:
        if name == "attest":
            found.append(_attest(value))
        elif name in ("provenance", "sbom") and value:
            told = boolean(value)
            found.append(_of(name, [] if told is not None else _fields(value), told is False, f"--{name}={value}"))
    return found


def _attest(value: str) -> Attest:
    fields = _fields(value)
    kind = dict(fields).get("type", "")
    if not kind:
        raise UsageError(f"--how: --attest {value} names no type")
    return _of(kind, fields, disabled=False, text=f"--attest {value}")


def _of(kind: str, fields: Sequence[tuple[str, str]], disabled: bool, text: str) -> Attest:
    said = dict(fields)
    if "disabled" in said:
        told = boolean(said["disabled"])
        if told is None:
            raise UsageError(f"--how: {text}: disabled={said['disabled']} is no boolean")
        disabled = told
    inline = boolean(said.get("inline-only")) is True
    return Attest(type=kind, disabled=disabled, inline_only=inline, text=text)


def _output(value: str) -> Output:
    """A bare ``-`` is a tar on stdout, any other bare word a folder; ``registry`` is an image that is pushed."""
    text = f"--output {value}"
    fields = _fields(value)
    if "=" not in value:
        return Output(type="tar" if value == "-" else "local", attributes=(("dest", value),), text=text)
    kind = dict(fields).get("type", "")
    attributes = [(key, said) for key, said in fields if key != "type"]
    if not kind:
        raise UsageError(f"--how: {text} names no type")
    if kind == "registry":
        kind, attributes = "image", [*attributes, ("push", "true")]
    return Output(type=kind, attributes=tuple(attributes), text=text)


def _after(how: How, words: Sequence[str]) -> How:
    """A command that follows the build: only `docker push` matters."""
    _, rest = _environment(words)
    if rest[:1] and rest[0].rpartition("/")[2] == "docker":
        for words_of in (("push",), ("image", "push")):
            if tuple(rest[1 : 1 + len(words_of)]) == words_of:
                return _pushed(how, rest[1 + len(words_of) :])
        if rest[1:2] in (["tag"], ["login"], ["logout"], ["images"], ["image"], ["inspect"], ["rmi"]):
            return how
    shown = " ".join(words[:3])
    raise UsageError(f"--how: {shown!r} after the build is not read here; only `docker push` may follow")


def _pushed(how: How, words: Sequence[str]) -> How:
    platform, rest = None, list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--platform"):
            _, equals, value = word.partition("=")
            if not equals and not rest:
                raise UsageError("--how: --platform of `docker push` lacks its value")
            platform = value if equals else rest.pop(0)
        elif word.startswith("-") and word.lstrip("-").partition("=")[0] not in (
            "q", "quiet", "a", "all-tags", "disable-content-trust",
        ):  # fmt: skip
            raise UsageError(f"--how: {word} is no flag of `docker push` that we know")
    return how.model_copy(update={"docker_push": True, "push_platform": platform})
