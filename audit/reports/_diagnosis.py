"""What is known of a log, and the whole table of symptoms: for people, for programs, for OCurrent."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence

from tabulate import tabulate

from audit import inert
from audit.compat import consumers_of
from audit.diagnose import Diagnosis, Match
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import labelled, painter, wrap
from audit.symptoms import Symptom

NOTHING = "nothing that we know stands in this log"
NO_FAILURE = "no failure that we know stands in this log: if something failed, its cause could not be told"
_COLORS = {"transient": "WARN", "permanent": "ERROR", "configuration": "ERROR", "harmless": "dim"}


def text(diagnosis: Diagnosis, style: Style) -> str:
    """For a terminal: the first line is the answer."""
    paint = painter(style)
    lines: list[str] = []
    if not diagnosis.matches:
        size = f"{_count(diagnosis.lines, 'line')}, {_count(diagnosis.bytes, 'byte')}"
        lines += wrap(f"{NOTHING} ({size}): the cause could not be told", style.width, "", "  ")
    for place, match in enumerate(diagnosis.matches):
        if place and match.nature == "harmless" and diagnosis.matches[place - 1].nature != "harmless":
            lines += ["", paint("what stands there too, and is harmless:", "dim")]
        elif place == 1:
            lines += ["", paint("also in this log:", "dim")]
        head = wrap(inert.terminal(f"{match.says} ({match.nature}): {match.do}"), style.width, f"{match.id} ", "  ")
        head[0] = paint(match.id, _COLORS[match.nature]) + head[0].removeprefix(match.id)
        lines += [*head, *_details(match, style, whole=place == 0 or style.verbosity > 0)]
    if diagnosis.matches and not diagnosis.failures:
        lines += ["", NO_FAILURE]
    return "\n".join(lines) + "\n"


def _details(match: Match, style: Style, *, whole: bool) -> Iterator[str]:
    often = f" ({match.count:,} times)" if match.count > 1 else ""
    yield from labelled(f"line {match.line:,}", [f"{match.evidence}{often}"], style, indent=2)
    if match.consequences:
        yield from labelled("follows from it", [_consequences(match)], style, indent=2)
    if whole:
        yield from labelled("why", [match.cause], style, indent=2)
        yield from labelled("fix", match.fixes, style, indent=2)
        if match.rules:
            names = ", ".join(match.rules)
            yield from labelled("on a worker", [f"{names} (`fleet-audit explain {match.rules[0]}`)"], style, indent=2)
        if match.refs:
            yield from labelled("see", [", ".join(match.refs)], style, indent=2)


def _consequences(match: Match) -> str:
    return ", ".join(f"{one.id} {one.title} (line {one.line:,})" for one in match.consequences)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def markdown(diagnosis: Diagnosis, style: Style) -> str:
    """For an issue or a job summary."""
    del style  # Markdown has no columns and no colours
    plain = inert.markdown
    lines: list[str] = []
    if not diagnosis.failures:
        known = f"**{NO_FAILURE}**." if diagnosis.matches else f"**{NOTHING}**: the cause could not be told."
        lines += [f"{known} ({_count(diagnosis.lines, 'line')})", ""]
    for match in diagnosis.matches:
        lines += [f"**{match.id}** {plain(match.says)} ({match.nature}): {plain(match.do)}", ""]
        lines += [f"- Line {match.line:,}: {plain(match.evidence)}" + f" ({match.count:,} times)" * (match.count > 1)]
        if match.consequences:
            lines += [f"- Follows from it: {plain(_consequences(match))}"]
        lines += [f"- Why: {plain(match.cause)}", *(f"- Fix: {plain(fix)}" for fix in match.fixes)]
        if match.refs:
            lines += [f"- See: {', '.join(f'`{ref}`' for ref in match.refs)}"]  # a bare one would notify that issue
        lines.append("")
    return "\n".join(lines)


def json(diagnosis: Diagnosis, style: Style) -> str:
    """For programs; docs/schema/diagnosis.schema.json is its schema."""
    del style  # JSON has none
    return _json.dumps(diagnosis)


def schema_text() -> str:
    """JSON Schema of that document, as the file that is published."""
    return _json.dumps(Diagnosis.model_json_schema(mode="serialization"))


FORMATS: Mapping[str, Callable[[Diagnosis, Style], str]] = {"text": text, "json": json, "markdown": markdown}


class _Rows(list[str]):
    """What csv writes to."""

    write = list.append


def ocurrent_csv(table: Sequence[Symptom]) -> str:
    """The table as OCurrent's log rules take it on its page for them: ``pattern,report,score``.

    Args:
        table: symptoms; what is harmless is left out, since OCurrent looks at failed jobs only.
    """
    rows = _Rows()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["pattern", "report", "score"])
    for symptom in table:
        if symptom.nature == "harmless":
            continue
        for signature in symptom.signatures:
            report = f"{symptom.id} {signature.report(symptom.title)} ({symptom.nature}): {symptom.do}"
            writer.writerow([signature.regex, report, signature.score])
    return "".join(rows)


def manual_markdown(table: Mapping[str, Symptom]) -> str:
    """For docs/symptoms.md: the list, then a page each."""
    plain = inert.markdown
    rows = [[f"[{one.id}](#{one.id.lower()})", plain(one.title), one.nature, one.score] for one in table.values()]
    lines = [
        "# Symptoms",
        "",
        "What `fleet-audit diagnose` knows of a log, and `fleet-audit compat` of a consumer.",
        "",
    ]
    lines += [tabulate(rows, ["Id", "What it is", "Nature", "Score"], tablefmt="github"), ""]
    for one in table.values():
        lines += [f"## {one.id}", "", f"**{plain(one.title)}** ({one.nature})", "", plain(one.cause), ""]
        lines += [f"- Said by: {plain(one.where)}"]
        lines += [f"- Looks like: {' … '.join(_code(part) for part in found.parts)}" for found in one.signatures]
        lines += [f"- Fix: {plain(fix)}" for fix in one.fixes]
        if one.leads_to:
            lines += [f"- What follows from it: {', '.join(f'[{name}](#{name.lower()})' for name in one.leads_to)}"]
        if one.rules:
            lines += [
                f"- Found on a worker by: {', '.join(f'[{name}](rules.md#{name.lower()})' for name in one.rules)}"
            ]
        if consumers := consumers_of(one.id):
            lines += [f"- Consumers (`compat --target`): {', '.join(consumers)}"]
        if one.refs:
            lines += [f"- See: {', '.join(_link(ref) for ref in one.refs)}"]
        lines.append("")
    return "\n".join(lines)


def _link(ref: str) -> str:
    return f"[{ref}](https://github.com/{ref.replace('#', '/issues/')})"


def _code(part: str) -> str:
    return f"`{part}`" if "`" not in part else f"`` {part} ``"
