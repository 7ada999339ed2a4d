"""The builder instances that buildx knows."""

from __future__ import annotations

import json
from typing import ClassVar, Self

from audit.fact import Answers, Fact, fact_field, parse_object
from audit.facts import _docker, _probes_docker
from audit.facts._read import MOST_ITEMS, Doc, Lines, cannot_tell, garbled, short
from audit.model import Answer, Model, Probe, Reason


class BuilderNode(Model):
    """One node of a builder."""

    name: str
    endpoint: str = ""
    status: str = ""
    buildkit: str | None = None
    platforms: tuple[str, ...] = ()
    error: str | None = None


class Builder(Model):
    """One builder instance.

    Attributes:
        default_load: its driver-opt ``default-load``: results go into the engine's store; None: not told.
    """

    name: str
    driver: str
    selected: bool = False
    error: str | None = None
    default_load: bool | None = None
    nodes: tuple[BuilderNode, ...] = ()

    @property
    def buildkit(self) -> str | None:
        """BuildKit's version of the first node that tells it."""
        return next((node.buildkit for node in self.nodes if node.buildkit), None)


class Builders(Fact):
    """`docker buildx ls` as the build service would see it; Unknown(absent) without buildx."""

    builders: tuple[Builder, ...] = fact_field("All builders")
    selected: str | None = fact_field("The one that `docker buildx build` would use", default=None)

    def named(self, name: str) -> Builder | None:
        """The builder of that name."""
        return next((builder for builder in self.builders if builder.name == name), None)

    probes: ClassVar[tuple[Probe, ...]] = (
        _probes_docker.BUILDX_LS,
        _probes_docker.DOCKER_VERSION,
        _probes_docker.DOCKER_CLIENT,
    )

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """`docker buildx ls` where buildx has a store; else there is only the context's own builder."""
        answer = answers.answer("buildx-ls")
        head, marker, listed = f"\n{answer.stdout}".partition("\nls\n")
        words = head.split()
        if not marker and words and words[-1] in ("none", "absent"):
            raise cannot_tell(Reason.ABSENT, "there is no buildx plugin")
        if not marker and words and words[-1] == "no-store":
            name = _context(answers)
            return cls(builders=(Builder(name=name, driver="docker", selected=True),), selected=name)
        if not marker or not listed.strip():
            raise _failed(answer)
        builders = _from_json(listed) if listed.lstrip().startswith("{") else _from_table(listed)
        builders = tuple({builder.name: builder for builder in builders}.values())  # 0.13 lists each one twice
        if not builders:
            raise garbled("docker buildx ls lists no builder")
        if not any(builder.selected for builder in builders):  # 0.13 does not say which in JSON
            name = Lines(head).first("current") or _context(answers)
            builders = tuple(one.model_copy(update={"selected": one.name == name}) for one in builders)
        return cls(builders=builders, selected=next((one.name for one in builders if one.selected), None))


def _context(answers: Answers) -> str:
    """The builder of the docker driver is called as the context."""
    client = _docker.client(answers).client
    return (client.text("Context") if client else None) or "default"


def _failed(answer: Answer) -> Exception:
    said = next((line for line in answer.stderr.splitlines() if line.strip()), "no message")
    return garbled(f"docker buildx ls failed (exit {answer.exit}): {said}")


def _from_json(text: str) -> tuple[Builder, ...]:
    """One object a line, as buildx 0.13 and newer print."""
    found: list[Builder] = []
    for line in text.splitlines()[:MOST_ITEMS]:
        if not line.strip():
            continue
        row = Doc(parse_object(line, "docker buildx ls"), "docker buildx ls")
        name = row.text("Name")
        if name is None:
            raise garbled("docker buildx ls names no builder")
        nodes = tuple(_node(node) for node in row.docs("Nodes"))
        found.append(
            Builder(
                name=name,
                driver=row.text("Driver") or "",
                selected=row.flag("Current"),
                error=_error_of(row),
                default_load=_loads(row),
                nodes=nodes,
            )
        )
    return tuple(found)


def _loads(row: Doc) -> bool:
    """Its driver-opt default-load, which buildx leaves out of its JSON where nobody has set it."""
    return any(node.doc("DriverOpts").text("default-load") in _TRUE for node in row.docs("Nodes"))


_TRUE = ("1", "t", "T", "TRUE", "true", "True")


def _node(row: Doc) -> BuilderNode:
    platforms = row.raw("Platforms")
    names = (
        tuple(part for part in platforms.split(",") if part) if isinstance(platforms, str) else row.texts("Platforms")
    )
    return BuilderNode(
        name=row.text("Name") or "",
        endpoint=row.text("Endpoint") or "",
        status=row.text("Status") or "",
        buildkit=_version(row.text("Version")),
        platforms=names,
        error=_error_of(row),
    )


def _error_of(row: Doc) -> str | None:
    said = row.raw("Err")
    return None if not said else short(said if isinstance(said, str) else json.dumps(said))


def _version(text: str | None) -> str | None:
    """Without the v; the engine's embedded BuildKit may not know its own (v0.0.0+unknown)."""
    return None if not text or text.startswith("v0.0.0") else text.removeprefix("v")


def _from_table(text: str) -> tuple[Builder, ...]:
    """The table of buildx before 0.13: a row a builder, its nodes below it, indented (in newer ones behind ``\\_``)."""
    head, *lines = text.splitlines()[: MOST_ITEMS + 1]
    starts = [head.find(title) for title in ("NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "BUILDKIT", "PLATFORMS")]
    if starts[:2] != sorted(starts[:2]) or starts[0] != 0:
        raise garbled("docker buildx ls prints neither JSON nor its table")
    rows: list[tuple[list[str], list[BuilderNode]]] = []
    for line in lines:
        cells = _cells(line, starts)
        if line[:1] not in (" ", ""):
            rows.append((cells, []))
        elif rows and cells[0]:
            rows[-1][1].append(_row(cells))
    return tuple(
        Builder(
            name=cells[0].rstrip("* "),
            driver=cells[1],
            selected=cells[0].endswith("*"),
            error=" ".join(cell for cell in cells[2:] if cell) or None,
            nodes=tuple(nodes),
        )
        for cells, nodes in rows
    )


def _cells(line: str, starts: list[int]) -> list[str]:
    """The row cut where the headings begin; a column that the table does not have is empty."""
    ends = [*starts[1:], len(line)]
    cut = [
        line[start : end if end > start else None] if start >= 0 else ""
        for start, end in zip(starts, ends, strict=True)
    ]
    return [short(cell.strip().removeprefix("\\_").strip()) for cell in cut]


def _row(cells: list[str]) -> BuilderNode:
    name, endpoint, status, buildkit, platforms = cells
    names = (part.partition("(")[0].strip("* ") for part in platforms.split(","))
    return BuilderNode(
        name=name,
        endpoint=endpoint,
        status=status,
        buildkit=_version(buildkit),
        platforms=tuple(name for name in names if name),
    )
