"""`fleet-audit merge` under way: what one merge tells, chooses and does, and what is printed of it."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.cli.settings import Settings
    from audit.engines.merge import MergeStep
    from audit.image.merged import Attest, Orphans
    from audit.image.reference import Reference
    from audit.kept import Kept
    from audit.merging import Asked, Choice, Done, Place
    from audit.registry import Client


class MergeRun:
    """One merge under way: the client, where programs may run, and what its parts tell."""

    def __init__(self, client: Client, kept: Kept, place: Place, connections: int, quiet: bool) -> None:
        """Nothing is read yet; `connections` at a time, and nothing told where `quiet`."""
        self.client, self.kept, self.place, self.connections, self.quiet = client, kept, place, connections, quiet

    def tell(self, line: str) -> None:
        """One line on stderr, made inert."""
        from audit import inert

        if not self.quiet:
            print(f"fleet-audit: {inert.terminal(line)}", file=sys.stderr)

    def step(
        self, asked: Sequence[Asked], tags: Sequence[Reference], engine: str, attest: Attest, orphans: Orphans,
        annotations: Sequence[Any], *, prefer_index: bool, dry_run: bool,
    ) -> MergeStep:  # fmt: skip
        """The sources resolved, and what the index will be, told in a line.

        Raises:
            MergeRefused: these sources make no right index.
            RegistryError: a source is not there, or cannot be read.
        """
        from audit.merging import expect, prepare, resolve

        expect(self.client, [one.reference for one in asked], () if dry_run else tags)
        found = resolve(
            self.client, asked, children=engine in ("auto", "registry"), attestations=attest != "drop",
            kept=self.kept, connections=self.connections,
        )  # fmt: skip
        names = tags or [asked[0].reference.tagged("dry-run")]
        step = prepare(
            found, names, attest=attest, orphans=orphans, annotations=annotations, prefer_index=prefer_index
        )  # fmt: skip
        self.tell(_summary(step))
        for note in step.merged.notes:
            self.tell(note)
        return step

    def choice(self, step: MergeStep, engine: str, settings: Settings) -> Choice:
        """Who merges, in the order of the settings; what is to be minded is told."""
        from audit.engines.merge import ORDER
        from audit.merging import choose

        choice = choose(step, engine, settings.merge_engines or ORDER, self.place.ask)
        for warning in choice.able.warnings:
            self.tell(warning)
        return choice

    def reasons(self, choice: Choice, settings: Settings) -> None:
        """Why this engine, and why not those before it in the policy's order."""
        from audit.engines.merge import ORDER

        order = list(settings.merge_engines or ORDER)
        for name, why in choice.others:
            if name in order[: order.index(choice.engine)]:
                self.tell(f"not by {name}: {why}")
        self.tell(f"by {choice.engine}: {choice.able.why}")

    def shown(self, step: MergeStep, engine: str, settings: Settings, format_: str, *, named: bool) -> int:
        """The index on stdout, and the forecast; the exit code, 0."""
        from audit.cli.output import write_stdout
        from audit.merging import forecast

        choice = self.choice(step, engine, settings) if named else None
        ahead = forecast(choice.actions) if choice else None
        if format_ == "json":
            body = _document(self.client, step, choice, None)
            body["forecast"] = ahead.model_dump(mode="json") | {"requests": ahead.requests} if ahead else None
            write_stdout([json.dumps(body, indent=2)])
            return 0
        write_stdout([step.merged.raw.decode(errors="replace")])
        if choice is None or ahead is None:
            return 0
        self.tell(f"{step.merged.digest} by {choice.engine}: {choice.able.why}")
        for name, why in choice.others:
            self.tell(f"not by {name}: {why}")
        kinds = ", ".join(f"{count} {kind}" for kind, count in ahead.by_kind.items())
        cost = f"{ahead.requests} requests ({kinds})" if kinds else "no request of ours"
        moved = f", {ahead.bytes:,} bytes of blobs through this machine" if ahead.bytes else ""
        self.tell(f"to come: {cost}{moved}{''.join(f'; {about}' for about in ahead.programs)}")
        return 0

    def done(self, step: MergeStep, choice: Choice) -> tuple[Done, int]:
        """Carry it out, and the exit code; a signal ends a program on the merge host before it ends us."""
        from dataclasses import replace

        from audit.cli import check
        from audit.merging import carry_out

        more: dict[str, Any] = {"kept": self.kept, "connections": self.connections, "tell": self.tell}
        if choice.engine == "registry":
            return carry_out(self.client, choice, step, **more), 0
        stop, stopped = threading.Event(), list[int]()
        with check._signals(stop, stopped):
            try:
                done = carry_out(self.client, choice, step, place=replace(self.place, stop=stop), **more)
            except Exception:
                if stopped:
                    raise KeyboardInterrupt from None
                raise
        return done, 128 + stopped[0] if stopped else 0


def _summary(step: MergeStep) -> str:
    """What is made of the sources, in a line."""
    merged = step.merged
    if merged.flat:
        return f"one flat image, copied as it is from {merged.source.familiar if merged.source else 'its source'}"
    many = len(merged.platforms)
    attested = sum(child.role == "attestation" for child in merged.children)
    kind = "an OCI index" if "oci" in merged.media_type else "a Docker manifest list"
    more = f" and {attested} attestation{'s' if attested > 1 else ''}" if attested else ""
    return f"{kind} of {many} image{'s' if many > 1 else ''} ({', '.join(map(str, merged.platforms))}){more}"


def write(client: Client, step: MergeStep, choice: Choice, done: Done, format_: str) -> None:
    """REPO:TAG@DIGEST on stdout, or everything as JSON."""
    from audit.cli.output import write_stdout

    if format_ == "json":
        write_stdout([json.dumps(_document(client, step, choice, done), indent=2)])
        return
    write_stdout(f"{tag.name}:{tag.tag}@{done.digest}\n" for tag in done.tags)


def _document(client: Client, step: MergeStep, choice: Choice | None, done: Done | None) -> dict[str, Any]:
    """Everything about a merge."""
    from audit.value import SCHEMA_VERSION

    merged, counts = step.merged, client.counts
    return {
        "schema_version": SCHEMA_VERSION,
        "digest": done.digest if done else merged.digest,
        "media_type": merged.media_type,
        "tags": [f"{tag.name}:{tag.tag}" for tag in step.tags] if choice else [],
        "pushed": done is not None and not done.unchanged,
        "unchanged": done.unchanged if done else None,
        "engine": choice.engine if choice else None,
        "why": choice.able.why if choice else None,
        "not_taken": [{"engine": name, "why": why} for name, why in choice.others] if choice else [],
        "sources": [
            {
                "given": one.given,
                "reference": one.reference.familiar,
                "media_type": one.media_type,
                "platforms": [str(platform) for platform in one.platforms],
                "attested": one.attested,
            }
            for one in step.sources
        ],
        "index": _index(step, done),
        "notes": list(merged.notes),
        "requests": {
            "total": counts.requests,
            "by_kind": counts.by_kind,
            "tokens": counts.tokens,
            "bytes_read": counts.bytes_read,
            "bytes_sent": counts.bytes_sent,
        },
    }


def _index(step: MergeStep, done: Done | None) -> Any:
    """What stands there, or would; None where it stands in another spelling, and was not read again."""
    raw = done.raw if done else step.merged.raw
    return json.loads(raw) if raw else None
