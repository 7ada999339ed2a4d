"""The texts of a plan: tags, sources and platforms, each spelling read once, and each tag standing once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from audit.batch._tree import fail
from audit.batch.model import BatchSource
from audit.errors import UsageError
from audit.image.platform import Platform
from audit.image.reference import Reference, digest_fault

MOST_TAGS = 200_000
"""Of a plan."""
_NAMED = {"registry", "repository", "tag", "digest"}
_SOURCED = {"reference", "platform", "given"}
"""One set of names for all values: as many of them as values would be a quarter of a large plan's memory."""


@dataclass
class Reading:
    """One plan under way.

    Attributes:
        name: of the file, for messages.
        target, staging: repositories that bare names are completed with; empty: none.
        options: what an entry has that does not say so itself.
        sources, platforms: texts that were read already, since a fleet's plan repeats its spellings.
        words: registries and repositories, each kept once.
        lines: of every tag, by its whole name.
    """

    name: str
    target: str = ""
    staging: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, BatchSource] = field(default_factory=dict)
    platforms: dict[str, Platform] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def tag(self, text: str, line: int) -> Reference:
        """A tag, which stands here for the first time.

        Raises:
            PlacedError: it is none, has a digest, stands twice, or is one too many.
        """
        whole = text
        if _bare(text):
            if not self.target:
                fail(
                    self.name,
                    line,
                    f"the tag {shown(text)} has no repository: write REPOSITORY:TAG, or give defaults.target",
                )
            whole = f"{self.target}:{text}"
        try:
            found = self._parsed(whole)
        except UsageError as error:
            fail(self.name, line, f"the tag {error}")
        if found.digest is not None:
            fail(
                self.name,
                line,
                f"the tag {shown(text)} has a digest: write REPOSITORY:TAG, the digest is what comes of it",
            )
        key = str(found)
        if (before := self.lines.get(key)) is not None:
            fail(self.name, line, f"the tag {found.familiar} stands here and in line {before}: delete one of them")
        if len(self.lines) >= MOST_TAGS:
            fail(self.name, line, f"is tag {MOST_TAGS + 1:,} of this plan: split it, {MOST_TAGS:,} are read at once")
        self.lines[key] = line
        return found

    def source(self, text: str, line: int, platform: Platform | None = None, digest: str = "") -> BatchSource:
        """A source, ``REF`` or ``REF=PLATFORM``.

        Args:
            text: as it was written.
            line: that it stands on.
            platform: that was said apart.
            digest: likewise.

        Raises:
            PlacedError: it is none.
        """
        plain = platform is None and not digest
        if plain and (known := self.sources.get(text)) is not None:
            return known
        name, equals, said = text.rpartition("=")
        if equals:
            if platform is not None:
                fail(self.name, line, f"the source {shown(text)} has its platform twice: delete one of them")
            platform = self.platform(said, line)
        name = name if equals else text
        reference = self._reference(name, line)
        if digest:
            if fault := digest_fault(digest):
                fail(self.name, line, f"the source {shown(name)}: {fault}")
            if reference.digest not in (None, digest):
                fail(self.name, line, f"the source {shown(name)} has two digests: delete the wrong one")
            reference = reference.model_copy(update={"digest": digest})
        # Both were read above, so there is nothing to validate again.
        found = BatchSource.model_construct(_SOURCED, reference=reference, platform=platform, given=name)
        if plain:
            self.sources[text] = found
        return found

    def _reference(self, text: str, line: int) -> Reference:
        whole = text
        if _digest(text):
            if not self.staging:
                fail(
                    self.name,
                    line,
                    f"the source {shown(text)} has no repository: write REPOSITORY@SHA256, or give defaults.staging",
                )
            whole = f"{self.staging}@{text}"
        elif self.staging and _bare(text):
            whole = f"{self.staging}:{text}"
        try:
            return self._parsed(whole)
        except UsageError as error:
            fail(self.name, line, f"the source {error}")

    def _parsed(self, text: str) -> Reference:
        found = Reference.parse(text)
        registry = self.words.setdefault(found.registry, found.registry)
        repository = self.words.setdefault(found.repository, found.repository)
        return Reference.model_construct(
            _NAMED, registry=registry, repository=repository, tag=found.tag, digest=found.digest
        )

    def platform(self, text: str, line: int) -> Platform:
        """A platform.

        Raises:
            PlacedError: it is none.
        """
        if (known := self.platforms.get(text)) is not None:
            return known
        try:
            found = Platform.parse(text)
        except UsageError as error:
            fail(self.name, line, str(error))
        self.platforms[text] = found
        return found


def shown(text: str) -> str:
    """A text of the plan, for a message."""
    return f"{text[:100]!r}{'…' if len(text) > 100 else ''}"


def _bare(text: str) -> bool:
    """Neither a repository with a path nor one with a tag or a digest."""
    return not {"/", ":", "@"} & set(text)


def _digest(text: str) -> bool:
    return text.startswith(("sha256:", "sha512:")) and digest_fault(text) is None
