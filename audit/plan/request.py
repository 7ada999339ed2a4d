"""What the user asks for, checked and in one spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TypeVar, get_args

from audit.errors import UsageError
from audit.image.platform import Platform
from audit.image.reference import Reference
from audit.plan.model import MergeEngine, Policy, Request, is_git

T = TypeVar("T", bound=str)

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
MOST = 100
"""Platforms, arguments, labels, secrets, tags: more of one kind are a mistake."""
LONGEST = 64 * 1024
"""Characters of one value: an argument of a program cannot be much longer."""


def parse_request(
    context: str = ".",
    *,
    platforms: Sequence[str],
    staging: str,
    dockerfile: str = "Dockerfile",
    target: str | None = None,
    build_args: Sequence[str] = (),
    labels: Sequence[str] = (),
    secrets: Sequence[str] = (),
    tags: Sequence[str] = (),
    attest: str = "auto",
    prefer: Sequence[str] = (),
    on: Sequence[str] = (),
    engine: str = "auto",
    jobs: int | None = None,
    retries: int = 1,
) -> Request:
    """Read what a command line says.

    Args:
        context: a folder here, or a git URL (``URL#ref:dir``).
        platforms: each one platform, or several with commas; ``arm64`` means linux/arm64.
        staging: ``REPO:TAG``.
        dockerfile: path below the context's root.
        target: stage to stop at.
        build_args: ``NAME=VALUE``.
        labels: ``NAME=VALUE``.
        secrets: ids; ``id=NAME,…`` is taken for its id, since a plan knows no contents.
        tags: of the merged image.
        attest: keep, drop, require or auto.
        prefer: hosts.
        on: ``PLATFORM=HOST``.
        engine: of the merge: auto, registry, imagetools or manifest.
        jobs: builds at once.
        retries: other workers to try.

    Raises:
        UsageError: something of it is wrong; the sentence names the option.
    """
    wanted = _platforms(platforms)
    stage = Reference.parse(staging)
    if stage.digest is not None:
        raise UsageError(f"--staging {staging}: a digest cannot be pushed to; write REPO:TAG")
    names = tuple(dict.fromkeys(str(_tag(tag)) for tag in tags))
    if len(names) > MOST:
        raise UsageError(f"-t: {len(names)} tags are too many")
    for platform in wanted:
        staged = str(staged_as(stage, platform))
        if staged in names:
            raise UsageError(f"-t {staged}: is the staging tag of {platform}; give the merged image another name")
    for option, number, least in (("--jobs", jobs, 1), ("--retries", retries, 0)):
        if number is not None and number < least:
            raise UsageError(f"{option} {number}: write {least} or more")
    return Request(
        context=_context(context),
        dockerfile=_dockerfile(dockerfile),
        target=_stage(target),
        build_args=_pairs("--build-arg", build_args),
        labels=_pairs("--label", labels),
        secrets=_secrets(secrets),
        platforms=tuple(map(str, wanted)),
        staging=str(stage),
        tags=names,
        attest=_one_of("--attest", attest, get_args(Policy)),
        prefer=tuple(dict.fromkeys(prefer)),
        on=_on(on, wanted),
        engine=_one_of("--engine", engine, ("auto", *get_args(MergeEngine))),
        jobs=jobs,
        retries=retries,
    )


def staged_as(staging: Reference, platform: Platform) -> Reference:
    """Where a platform's image is pushed: ``REPO:TAG-ARCH``, with the variant (``-arm-v7``), and with any other OS.

    Raises:
        UsageError: the tag becomes too long.
    """
    system = [] if platform.os == "linux" else [platform.os, platform.os_version]
    words = [staging.tag or "latest", *system, platform.architecture, platform.variant]
    return staging.tagged("-".join(word for word in words if word))


def _platforms(said: Sequence[str]) -> tuple[Platform, ...]:
    words = [word.strip() for text in said for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError("--platforms: name at least one, for example --platforms linux/amd64,linux/arm64")
    if len(words) > MOST:
        raise UsageError(f"--platforms: {len(words)} are too many")
    found: dict[Platform, None] = {}
    for word in words:
        platform = Platform.parse(word)
        if platform in found:
            raise UsageError(f"--platforms: {platform} is named twice")
        if not platform.known:
            raise UsageError(f"--platforms: nothing runs on {platform}")
        found[platform] = None
    return tuple(found)


def _tag(text: str) -> Reference:
    reference = Reference.parse(text)
    if reference.digest is not None:
        raise UsageError(f"-t {text}: a digest is no name to give; write REPO:TAG")
    return reference


def _context(text: str) -> str:
    if not text:
        raise UsageError("the context is empty: name a folder or a git URL")
    if "://" in text and not is_git(text):
        raise UsageError(f"{text!r} is no context: a URL must be that of a git repository (…/name.git#ref:dir)")
    if is_git(text) and re.match(r"[a-z]+://[^/@]*:[^/@]*@", text):
        raise UsageError("the git URL holds a password, which every worker would show; use a credential helper there")
    if any(ord(character) < 32 for character in text) or text.startswith("-"):
        raise UsageError(f"{text!r} is no context: name a folder or a git URL")
    return text


def _dockerfile(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text or str(path) == ".":
        raise UsageError(f"-f {text!r}: name a file below the context's root, for example docker/Dockerfile")
    return str(path)


def _stage(text: str | None) -> str | None:
    if text is not None and not _STAGE.fullmatch(text):
        raise UsageError(f"--target {text!r}: is no name of a stage")
    return text


def _pairs(option: str, said: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The last one of a name wins, as docker has it."""
    found: dict[str, str] = {}
    for text in said:
        key, equals, value = text.partition("=")
        if not equals or not key or (option == "--build-arg" and not _ARGUMENT.fullmatch(key)):
            raise UsageError(f"{option} {text[:100]!r}: write NAME=VALUE")
        if len(text) > LONGEST or "\0" in text:
            raise UsageError(f"{option} {key[:100]}: the value cannot be part of a command line")
        found[key] = value
    if len(found) > MOST:
        raise UsageError(f"{option}: {len(found)} are too many")
    return tuple(sorted(found.items()))


def _secrets(said: Sequence[str]) -> tuple[str, ...]:
    found = []
    for text in said:
        fields = dict(part.partition("=")[::2] for part in text.split(","))
        name = fields.get("id", text)
        if not _SECRET.fullmatch(name):
            raise UsageError(f"--secret {text[:100]!r}: write id=NAME,src=FILE or id=NAME,env=VARIABLE")
        found.append(name)
    if len(set(found)) != len(found) or len(found) > MOST:
        raise UsageError("--secret: an id is named twice, or there are too many")
    return tuple(sorted(found))


def _on(said: Sequence[str], platforms: Sequence[Platform]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in said:
        left, equals, host = text.partition("=")
        if not equals or not host:
            raise UsageError(f"--on {text!r}: write PLATFORM=HOST, for example linux/arm64=w07")
        platform = Platform.parse(left)
        if platform not in platforms:
            raise UsageError(f"--on {text}: {platform} is none of --platforms")
        if found.setdefault(str(platform), host) != host:
            raise UsageError(f"--on: {platform} is given to {found[str(platform)]} and to {host}")
    return tuple(sorted(found.items()))


def _one_of(option: str, text: str, allowed: Sequence[T]) -> T:
    for word in allowed:
        if text == word:
            return word
    raise UsageError(f"{option} {text}: write {', '.join(allowed)}")
