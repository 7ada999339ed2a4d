"""What is wanted of a night, and what has fallen short of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_COLD, MOST_MINUTES, MOST_CPU, MOST_RSS = 7600, 25.0, 60.0, 150.0
"""Of the whole night; a part may spend its share of requests and CPU, and the same memory."""
_ONCE = 12
"""What happens once in a night happens once in a part of it, too: so many more requests of a part are granted."""
MOST_ATTESTED_OVER_COLD, MOST_SPENT_TWICE = 1.35, 0.02
KEYS = (
    "tags_right", "tags", "requests_cold", "requests_again", "puts_again", "requests_attested_over_cold",
    "minutes_at_300", "kills", "kills_identical", "dangling_seen", "spent_twice", "rss_mb", "cpu_seconds",
)  # fmt: skip
"""Of `.bench/night.json`; None where its phase has not been run."""


class Row(NamedTuple):
    """One line of the table; `short` where it is not as wanted."""

    what: str
    found: object
    wanted: str
    short: bool


def headline(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures by which a night is judged, flat."""
    cold, again, attested, kills = (figures.get(name, {}) for name in ("cold", "again", "attested", "kills"))
    ratio = attested["requests"] / cold["requests"] if cold and attested else None
    return dict(zip(KEYS, (
        cold.get("tags_right"), figures["workload"]["tags"], cold.get("requests"), again.get("requests"),
        again.get("puts"), None if ratio is None else round(ratio, 3), cold.get("minutes"), kills.get("kills"),
        kills.get("identical"), figures["dangling_seen"], kills.get("spent_twice"), cold.get("rss_mb"),
        cold.get("cpu_seconds"),
    ), strict=True))  # fmt: skip


def table(figures: Mapping[str, Any]) -> list[Row]:
    """Every figure beside what is wanted of it, as far as its phase has been run."""
    said, workload = headline(figures), figures["workload"]
    share = workload["floor_handed_over"] / workload["whole_floor"]
    rows: list[Row] = []

    def most(what: str, found: float | None, limit: float, unit: str = "") -> None:
        if found is not None:
            rows.append(Row(what, found, f"at most {limit:g}{unit}", found > limit))

    def all_of(what: str, found: int | None, whole: int | None) -> None:
        if found is not None:
            rows.append(Row(what, found, f"{whole}", found != whole))

    for name in ("cold", "unread", "attested"):
        one = figures.get(name, {})
        all_of(f"{name}: tags right at the first command", one.get("tags_right"), one.get("tags"))
        most(f"{name}: children or blobs that are not served", _count(one.get("parts_wrong")), 0)
        most(f"{name}: exit status", one.get("code"), 0)
    readers = figures.get("cold", {}).get("readers", {})
    all_of("cold: tags right for skopeo", readers.get("skopeo", {}).get("right"), said["tags"])
    most("cold: images that docker does not pull", _count(readers.get("docker", {}).get("wrong")), 0)
    most("cold: requests, handed over by the builds", said["requests_cold"],
         round(MOST_COLD * share) + (0 if workload["whole"] else _ONCE))  # fmt: skip
    if said["minutes_at_300"] is not None:
        rows.append(Row("cold: simulated minutes at 300 a minute", said["minutes_at_300"], _minutes(workload),
                        bool(workload["whole"]) and said["minutes_at_300"] > MOST_MINUTES))  # fmt: skip
    most("cold: memory, MiB", said["rss_mb"], MOST_RSS)
    most("cold: CPU seconds", said["cpu_seconds"], round(MOST_CPU * share, 1) if workload["whole"] else MOST_CPU)
    most("again: requests", said["requests_again"], said["tags"])
    most("again: PUTs", said["puts_again"], 0)
    most("again, its journal trusted: requests", figures.get("again_trusted", {}).get("requests"), 0)
    most("attested: requests over cold", said["requests_attested_over_cold"], MOST_ATTESTED_OVER_COLD)
    all_of("kills: identical afterwards", said["kills_identical"], figures.get("kills", {}).get("experiments"))
    most("kills: share of requests spent twice", said["spent_twice"], MOST_SPENT_TWICE)
    most("tags that ever pointed at a missing child", said["dangling_seen"], 0)
    return rows


def told(figures: Mapping[str, Any]) -> list[Row]:
    """What nobody judges, for comparison."""
    workload = figures["workload"]
    rows = [
        Row("floor of the protocol, handed over", workload["floor_handed_over"], "", False),
        Row("floor of the protocol, nothing handed over", workload["floor_unread"], "", False),
        Row("docker manifest, by its formula", workload["by_docker_manifest"], "", False),
    ]
    if "unread" in figures:
        rows.append(Row("unread: requests", figures["unread"]["requests"], "", False))
    for name, one in figures.get("peers", {}).get("tools", {}).items():
        if "requests" in one:
            about = f"{name}: {one['requests']} requests for {one['tags']} tags; floor {one['floor']}; over it"
            rows.append(Row(about, round(one["requests"] / one["floor"], 2), "", False))
        else:
            rows.append(Row(f"{name}: not measured", one.get("why", ""), "", False))
    return rows


def _count(wrong: Mapping[str, str] | None) -> int | None:
    return None if wrong is None else len(wrong)


def _minutes(workload: Mapping[str, Any]) -> str:
    return f"at most {MOST_MINUTES:g}" if workload["whole"] else "of a part: not judged"
