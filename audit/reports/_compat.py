"""What consumers make of an image: for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tabulate import tabulate

from audit import inert
from audit.compat import CONSUMERS, FORMS, Compatibility, Grade, Row
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import labelled, painter, wrap

_ORDER = {grade: place for place, grade in enumerate(("FAIL", "BY DIGEST ONLY", "WARN", "CANNOT TELL", "OK"))}
MOST_FINE = 3
"""Consumers that take it and have a line each; more stand in one."""
_COLORS = {Grade.FAIL: "ERROR", Grade.BY_DIGEST: "ERROR", Grade.WARN: "WARN", Grade.UNKNOWN: "??", Grade.OK: "good"}


def _answer(found: Compatibility) -> str:
    """The first line: what it is, and how many cannot take it."""
    shapes = " or ".join(FORMS[form] for form in found.forms) or "what cannot be told"
    is_ = "is" if found.of == "image" else "would push"
    counts = {grade: sum(row.grade is grade for row in found.rows) for grade in Grade}
    failing = counts[Grade.FAIL] + counts[Grade.BY_DIGEST]
    parts = [f"{failing} of {len(found.rows)} cannot take the tag" if failing else f"no one of {len(found.rows)} fails"]
    if counts[Grade.WARN]:
        parts.append(f"{counts[Grade.WARN]} with a warning")
    if counts[Grade.UNKNOWN]:
        parts.append(f"{counts[Grade.UNKNOWN]} cannot be told")
    return f"{found.subject} {is_} {shapes}: {', '.join(parts)}"


def _sorted(found: Compatibility) -> list[Row]:
    return sorted(found.rows, key=lambda row: _ORDER[row.grade])


def text(found: Compatibility, style: Style) -> str:
    """For a terminal: the first line is the answer, the fixes stand once each below."""
    paint = painter(style)
    lines = wrap(inert.terminal(_answer(found)), style.width, "", "  ")
    lines += [*labelled("not known", found.missing, style, indent=2), ""]
    rows = _sorted(found)
    fine = [row.target for row in rows if row.grade is Grade.OK]
    if len(fine) > MOST_FINE:
        rows = [row for row in rows if row.grade is not Grade.OK]
    targets = max((len(row.target) for row in rows), default=0)
    grades = max((len(row.grade) for row in rows), default=0)
    for row in rows:
        head = f"{row.target:<{targets}}  {row.grade:<{grades}}  "
        mark = f"{row.symptom} " if row.symptom else ""
        first, *rest = wrap(inert.terminal(mark + row.because), style.width, head, " " * len(head))
        lines += [first.replace(f"  {row.grade} ", f"  {paint(row.grade, _COLORS[row.grade])} ", 1), *rest]
    if len(fine) > MOST_FINE:
        lines += wrap(", ".join(fine), style.width, paint("OK", "good") + ": ", "    ")
    fixes = {row.symptom: row for row in rows if row.symptom}
    if fixes:
        lines += ["", paint("what to do", "bold")]
        for symptom, row in fixes.items():
            lines += labelled(str(symptom), row.fixes, style, indent=2)
    return "\n".join(lines) + "\n"


def markdown(found: Compatibility, style: Style) -> str:
    """For an issue or a job summary."""
    del style  # Markdown has no columns and no colours
    plain = inert.markdown
    rows = [
        [row.target, row.grade.value, row.symptom or "", plain(row.because), plain(row.fixes[0] if row.fixes else "")]
        for row in _sorted(found)
    ]
    table = tabulate(rows, ["Target", "Verdict", "Symptom", "Why", "Fix"], tablefmt="github", disable_numparse=True)
    unknown = "".join(f"- Not known: {plain(one)}\n" for one in found.missing)
    return f"**{plain(_answer(found))}**\n\n{unknown}{chr(10) * bool(unknown)}{table}\n"


def json(found: Compatibility, style: Style) -> str:
    """For programs; docs/schema/compat.schema.json is its schema."""
    del style  # JSON has none
    return _json.dumps(found)


def schema_text() -> str:
    """JSON Schema of that document, as the file that is published."""
    return _json.dumps(Compatibility.model_json_schema(mode="serialization"))


def listing() -> str:
    """Every consumer that --target takes."""
    rows = [[one.id, one.about, ", ".join(one.symptoms)] for one in CONSUMERS.values()]
    listed = tabulate([["target", "what it is", "symptoms"], *rows], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in listed.splitlines()) + "\n"


FORMATS: Mapping[str, Callable[[Compatibility, Style], str]] = {"text": text, "json": json, "markdown": markdown}
