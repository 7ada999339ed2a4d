"""Plans as files, each with what it must be read as (FLEET_AUDIT_UPDATE_GOLDEN=1 rewrites the ``.want`` files)."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from audit.batch import BatchPlan, _names, _tree, units
from audit.batch import reading as reading_module
from audit.batch.reading import read_plan
from audit.batch.schema import schema
from audit.errors import UsageError

PLANS = Path(__file__).parent / "plans"
FILES = sorted(path for path in PLANS.iterdir() if path.suffix != ".want")


def told(plan: BatchPlan) -> str:
    """A plan as lines: tags, sources, options that are not the usual ones, and where."""
    lines = []
    for entry in plan.entries:
        options = entry.model_dump(mode="json", include={"attest", "orphans", "prefer_index"}, exclude_defaults=True)
        if entry.annotations:
            options["annotations"] = [str(one) for one in entry.annotations]
        lines.append(" ".join(str(tag) for tag in entry.tags))
        lines += [f"  {one.reference}{f' for {one.platform}' if one.platform else ''} ({one})" for one in entry.sources]
        lines.append(f"  {entry.where}{f' {json.dumps(options)}' if options else ''}")
    return "\n".join(lines) + "\n"


def outcome(name: str) -> str:
    """What reading a file ends in."""
    try:
        return told(read_plan((PLANS / name).read_bytes().decode(), name))
    except UsageError as error:
        return f"error: {error}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_plan(path: Path) -> None:
    """Each plan is read as kept: its entries, or one sentence with the file's name, the line and what to do."""
    found = outcome(path.name)
    want = path.with_name(path.name + ".want")
    if os.environ.get("FLEET_AUDIT_UPDATE_GOLDEN"):
        want.write_text(found, encoding="utf-8")
    assert found == want.read_text(encoding="utf-8")
    if found.startswith("error: "):
        assert found.startswith(f"error: {path.name}:")
        assert found.count("\n") == 1


def test_forms_mean_the_same() -> None:
    """The same wishes as YAML, as JSON and as lines are one plan by its digest, whatever their order."""
    yaml = read_plan("live/x:b: [staging/x:b]\nlive/x:a: [staging/x:a, staging/x:b]\n", "x")
    other = read_plan('{"merges": [{"tags": ["live/x:a"], "sources": ["staging/x:a", "staging/x:b"]}, '
                      '{"tag": "live/x:b", "source": "staging/x:b"}]}', "y")  # fmt: skip
    lines = read_plan("staging/x:a, staging/x:b -> live/x:a\nstaging/x:b -> live/x:b\n", "z")
    assert yaml.digest == other.digest == lines.digest
    assert read_plan("live/x:b: [staging/x:b]\nlive/x:a: [staging/x:b, staging/x:a]\n", "x").digest != yaml.digest


def test_tags_of_one_source_set_are_one_unit() -> None:
    """Entries with the same sources are merged once, under all tags, in the order of the plan."""
    plan = read_plan("live/x:a: [s/x:1]\nlive/x:b: [s/x:2]\nlive/x:c: [s/x:1]\n", "x")
    assert [[tag.tag for tag in unit.tags] for unit in units(plan.entries)] == [["a", "c"], ["b"]]
    wanted = units(plan.entries, lambda tag: tag.tag == "c")
    assert [[tag.tag for tag in unit.tags] for unit in wanted] == [["c"]]
    assert wanted[0].key == units(plan.entries)[0].key


def test_schema_takes_what_is_read() -> None:
    """Each YAML or JSON plan that can be read keeps to the published schema; words that look like numbers apart."""
    checker = jsonschema.Draft202012Validator(schema())
    checker.check_schema(schema())
    for path in FILES:
        if path.suffix in (".yml", ".json") and path.stem != "words" and not outcome(path.name).startswith("error"):
            value = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
            value["version"] = 1 if "version" in value else None
            checker.validate(json.loads(json.dumps({key: one for key, one in value.items() if one is not None})))
    wrongs: tuple[dict[str, object], ...] = (
        {"merges": []},
        {"merge": []},
        {"merges": [{"tag": "a"}]},
        {"a": []},
        {"version": 2, "merges": {}},
    )
    for wrong in wrongs:
        assert not checker.is_valid(wrong), wrong


def test_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large a text, too many tags and too many values are refused, each with its own sentence."""
    monkeypatch.setattr(_names, "MOST_TAGS", 2)
    with pytest.raises(UsageError, match=r"^x:3: is tag 3 of this plan: split it, 2 are read at once$"):
        read_plan("a/x:a: [s/x:1]\na/x:b: [s/x:1]\na/x:c: [s/x:1]\n", "x")
    monkeypatch.setattr(_tree, "MOST_NODES", 5)
    with pytest.raises(UsageError, match=r"^x:2: holds more than 5 values"):
        read_plan("a/x:a: [s/x:1]\na/x:b: [s/x:1]\n", "x")
    monkeypatch.setattr(reading_module, "MOST_BYTES", 20)
    for text in ("a/x:a: [s/x:1, s/x:2]\n", "a/x:a: [s/x:1]\n#äöüäöü"):
        with pytest.raises(UsageError, match=r"^x:1: is larger than 0 MiB"):
            read_plan(text, "x")


def test_large_brackets_without_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the slow reader could read is refused above its limit, and read below it."""
    text = "live/x:a: [staging/x:a, staging/x:b]\n"
    assert len(read_plan(text, "x").entries[0].sources) == 2
    monkeypatch.setattr(_tree, "MOST_PURE", 10)
    with pytest.raises(UsageError, match=r"^x:1: has a colon in \[brackets\] without quotes"):
        read_plan(text, "x")


@given(st.text(alphabet="ab:/@=,[]{}\"'\\ \n\t-&*!|>#?%~10.", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the text, it is a plan or a usage error of one line; nothing else escapes."""
    said = ""
    try:
        read_plan(text, "x")
    except UsageError as error:
        said = str(error)
    assert "\n" not in said


TAGS = st.from_regex(r"a/x:[a-z0-9][a-z0-9_.-]{0,9}", fullmatch=True)
SOURCES = st.lists(st.from_regex(r"s/[a-z]{1,5}:[a-z0-9]{1,5}", fullmatch=True), min_size=1)


@given(st.dictionaries(TAGS, SOURCES, min_size=1))
def test_json_and_yaml_agree(plan: dict[str, list[str]]) -> None:
    """A plan written as JSON, pretty JSON and block YAML is the same plan."""
    block = "".join(f'"{tag}":\n' + "".join(f"- '{one}'\n" for one in sources) for tag, sources in plan.items())
    digests = {read_plan(text, "x").digest for text in (json.dumps(plan), json.dumps(plan, indent=3), block)}
    assert len(digests) == 1


def many(tags: int) -> str:
    """A plan of so many tags with four sources each."""
    lines = ["merges:"]
    for number in range(tags):
        lines.append(f"- tag: registry.example/live/x:tag-{number}\n  sources:")
        lines += [
            f"  - registry.example/staging/x:tag-{number}-{one}=linux/{one}" for one in ("amd64", "arm64", "386", "arm")
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_time_and_memory_are_linear() -> None:
    """10,000 tags are read, counted and grouped in 4 s and 70 MB that stay: 100,000 in 40 s and under 1 GB."""
    text = many(10_000)
    began = time.process_time()
    plan = read_plan(text, "x")
    assert len(units(plan.entries)) == 10_000
    assert len(plan.digest) == 64
    assert time.process_time() - began < 4
    del plan
    tracemalloc.start()
    try:
        read_plan(many(1000), "x")
        assert tracemalloc.get_traced_memory()[1] < 1000 * 9000
    finally:
        tracemalloc.stop()


def test_one_source_set_with_many_tags_is_linear() -> None:
    """20,000 entries with the same sources become one unit in less than three seconds."""
    plan = read_plan(
        "".join(f"live/x:t{number}: [s/x:1]\n".replace("[", "['").replace("]", "']") for number in range(20_000)), "x"
    )
    began = time.process_time()
    (unit,) = units(plan.entries)
    assert len(unit.tags) == 20_000
    assert time.process_time() - began < 3
