"""Names of images: ``[REGISTRY[:PORT]/]REPOSITORY[:TAG][@DIGEST]``, with Docker Hub's defaults.

The grammar is that of the distribution project's reference package; digests are those of image-spec descriptor.md.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Self

from pydantic import Field, model_validator

from audit.errors import UsageError
from audit.value import Model

DOCKER_HUB = "docker.io"
DOCKER_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
"""The names under which Docker Hub's registry is spoken of; the first one is the one in a reference."""
OFFICIAL = "library"
LATEST = "latest"
LONGEST_REPOSITORY, LONGEST_TAG = 255, 128
HEX_DIGITS = {"sha256": 64, "sha512": 128}
"""The registered digest algorithms, with the number of hex digits of each."""

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_LONGEST = 2000


class Reference(Model):
    """One image's name, whole: nothing is left to a default.

    Attributes:
        registry: host, with its port where one was said; ``docker.io`` for Docker Hub. IPv6 stands in brackets.
        repository: path in the registry, e.g. ``library/debian``.
        tag: None where only a digest names the image.
        digest: ``sha256:…`` or ``sha512:…``; where there is one, it and not the tag says what is meant.
    """

    registry: str = Field(description="Host, with its port where one was said")
    repository: str
    tag: str | None = None
    digest: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        fault = _fault(self)
        if fault is None and self.tag is None and self.digest is None:
            fault = "it has neither a tag nor a digest"
        if fault is None and _split(f"{self.registry}/x")[0] != self.registry:
            fault = f"the registry {self.registry!r} would be read as part of a repository on {DOCKER_HUB}"
        if fault is None and self.registry == DOCKER_HUB and "/" not in self.repository:
            fault = f"on {DOCKER_HUB}, the repository must be {OFFICIAL}/{self.repository}"
        if fault is None and self.registry == "index.docker.io":
            fault = f"the registry of Docker Hub is written {DOCKER_HUB}"
        if fault:
            raise ValueError(fault)
        return self

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as `docker pull` does.

        Raises:
            UsageError: it is no name of an image; the sentence says what is wrong with it.
        """
        shown = f"{text[:200]!r}{'…' if len(text) > 200 else ''}"
        try:
            return cls._read(text)
        except ValueError as fault:
            raise UsageError(f"{shown} is no name of an image: {fault}") from None

    @classmethod
    def _read(cls, text: str) -> Reference:
        if not text:
            raise ValueError("it is empty; write [REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
        if len(text) > _LONGEST:
            raise ValueError(f"it has {len(text)} characters")
        if scheme := _SCHEME.match(text):
            raise ValueError(f"it is a URL; leave {scheme[0]} off")
        if text != text.strip():
            raise ValueError("there is white space round it")
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            raise ValueError("64 hex digits are an image's id; put a repository and @sha256: before them")
        rest, at, digest = text.partition("@")
        registry, repository = _split(rest)
        repository, colon, tag = repository.partition(":")
        if colon and not tag:
            raise ValueError("the tag after the colon is empty")
        if at and not digest:
            raise ValueError("the digest after the @ is empty")
        parts = cls.model_construct(
            registry=DOCKER_HUB if registry == "index.docker.io" else registry,
            repository=repository,
            tag=tag or (None if digest else LATEST),
            digest=digest or None,
        )
        if fault := _fault(parts):
            raise ValueError(fault)
        if parts.registry == DOCKER_HUB and "/" not in repository:
            parts = parts.model_copy(update={"repository": f"{OFFICIAL}/{repository}"})
        if fault := _fault(parts):
            raise ValueError(fault)
        return parts

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def wanted(self) -> str:
        """What names the manifest in the registry's API: the digest where there is one, else the tag."""
        return self.digest or self.tag or LATEST

    @property
    def familiar(self) -> str:
        """As short as people write it: without ``docker.io/``, ``library/`` and ``:latest``, where all can go."""
        short = self.name
        if self.registry == DOCKER_HUB:
            bare = self.repository.removeprefix(f"{OFFICIAL}/")
            if "/" not in bare and not re.fullmatch(r"[0-9a-f]{64}", bare):
                short = bare
            elif "/" in self.repository and _split(self.repository)[0] == DOCKER_HUB:
                short = self.repository
        tag = "" if self.tag is None or (self.tag == LATEST and self.digest is None) else f":{self.tag}"
        return f"{short}{tag}{f'@{self.digest}' if self.digest else ''}"

    def tagged(self, tag: str) -> Reference:
        """The same repository under another tag, without a digest.

        Raises:
            UsageError: that is no tag.
        """
        return self._other(tag=tag, digest=None)

    def at(self, digest: str) -> Reference:
        """The same repository at a digest, without a tag.

        Raises:
            UsageError: that is no digest.
        """
        return self._other(tag=None, digest=digest)

    def _other(self, *, tag: str | None, digest: str | None) -> Reference:
        other = self.model_copy(update={"tag": tag, "digest": digest})
        if fault := _fault(other):
            raise UsageError(f"{self.name}: {fault}")
        return other

    def __str__(self) -> str:
        """Whole, as it can be parsed again."""
        return f"{self.name}{f':{self.tag}' if self.tag else ''}{f'@{self.digest}' if self.digest else ''}"


def digest_fault(digest: str) -> str | None:
    """What is wrong with a digest, or None."""
    algorithm, _, digits = digest.partition(":")
    wanted = HEX_DIGITS.get(algorithm)
    if wanted is None:
        return f"the digest {digest[:100]!r} begins with neither sha256: nor sha512:"
    if not re.fullmatch(rf"[0-9a-f]{{{wanted}}}", digits):
        return f"the digest {digest[:200]!r} needs {wanted} lower-case hex digits after {algorithm}:"
    return None


def _split(rest: str) -> tuple[str, str]:
    """Registry and the rest: what stands before the first slash is a registry where it looks like a host."""
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, path
    return DOCKER_HUB, rest


def _fault(parts: Reference) -> str | None:
    return (
        _registry_fault(parts.registry)
        or _repository_fault(parts.repository)
        or (_tag_fault(parts.tag) if parts.tag is not None else None)
        or (digest_fault(parts.digest) if parts.digest is not None else None)
    )


def _registry_fault(registry: str) -> str | None:
    host = _HOST.match(registry)
    rest = registry[host.end() :] if host else registry
    if host is None or (rest and not rest.startswith(":")):
        return f"the registry {registry!r} is no host name"
    if host[0].startswith("["):
        try:
            ipaddress.IPv6Address(host[0][1:-1])
        except ValueError:
            return f"the registry {registry!r} is no IPv6 address"
    if rest and not (re.fullmatch(r":[0-9]{1,5}", rest) and 0 < int(rest[1:]) < 65536):
        return f"the registry's port {rest[1:]!r} is no number from 1 to 65535"
    return None


def _repository_fault(repository: str) -> str | None:
    if not repository:
        return "the repository is empty"
    if len(repository) > LONGEST_REPOSITORY:
        return f"the repository has {len(repository)} characters; {LONGEST_REPOSITORY} are allowed"
    for part in repository.split("/"):
        if not part:
            return f"the repository {repository!r} has a slash too many"
        if not _COMPONENT.fullmatch(part):
            if _COMPONENT.fullmatch(part.lower()):
                return f"the repository {repository!r} must be in lower case"
            return f"{part!r} cannot be part of a repository: small letters and digits, joined by . _ __ or -"
    return None


def _tag_fault(tag: str) -> str | None:
    if len(tag) > LONGEST_TAG:
        return f"the tag has {len(tag)} characters; {LONGEST_TAG} are allowed"
    if not _TAG.fullmatch(tag):
        return f"the tag {tag!r} may hold letters, digits, _ . and - only, and begins with none of . and -"
    return None
