"""The rules' manual: a list of them all, and one rule's page, with what is true of it on one host."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tabulate import tabulate

from audit import inert
from audit.model import Host, Verdict
from audit.reports import _json
from audit.reports._style import Style
from audit.reports._text import LABELS, hosts_text, label_of, labelled, painter, shown, subjects_text, wrap
from audit.rule import Rule
from audit.run import Run


def rules_table(rules: Mapping[str, Rule]) -> str:
    """For a terminal: id, severity and what must hold."""
    rows = [[rule.id, rule.severity.value, inert.terminal(rule.title)] for rule in rules.values()]
    text = tabulate([["rule", "severity", "what must hold"], *rows], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@dataclass(frozen=True)
class Remedies:
    """What the playbooks do for the rules.

    Attributes:
        rules: that have a tag in ``playbooks/remediate.yml``.
        by_hand: rule -> why no machine should mend it.
        folder: of the playbooks, as it is to be written in a command.
        sources: the inventories, as they are to be written in one.
        variables: rule -> what its remedy is to be told on the host in question, ``attestations=keep``.
    """

    rules: frozenset[str] = frozenset()
    by_hand: Mapping[str, str] = field(default_factory=dict)
    folder: str = "playbooks"
    sources: tuple[str, ...] = ("inventory/",)
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, rule: str) -> str:
        """The command that mends a rule on one host; empty where there is none."""
        if rule not in self.rules:
            return ""
        book = shlex.quote(f"{self.folder}/remediate.yml")
        places = " ".join(f"-i {shlex.quote(source)}" for source in self.sources)
        more = f" -e {self.variables[rule]}" if rule in self.variables else ""
        return f"ansible-playbook {places} {book} --limit HOST --tags {rule}{more} --check --diff"


def rules_markdown(rules: Mapping[str, Rule], remedies: Remedies | None = None) -> str:
    """For docs/rules.md: the list, then a page each, with the playbook's command or the reason why there is none."""
    remedies = remedies or Remedies()
    rows = [
        [f"[{rule.id}](#{rule.id.lower()})", rule.severity.value, inert.markdown(rule.title)] for rule in rules.values()
    ]
    lines = ["# Rules", "", tabulate(rows, ["Rule", "Severity", "What must hold"], tablefmt="github"), ""]
    for rule in rules.values():
        lines += [f"## {rule.id}", "", f"**{inert.markdown(rule.title)}** ({rule.severity})", ""]
        lines += [inert.markdown(rule.why), ""]
        lines += [f"- Seen as: {inert.markdown(rule.symptom)}", f"- Fix: {inert.markdown(rule.remedy)}"]
        if command := remedies.command(rule.id):
            lines.append(f"- Playbook: `{inert.terminal(command)}` foretells; without the last two words it mends")
        elif why := remedies.by_hand.get(rule.id):
            lines.append(f"- By hand: {inert.markdown(why)}")
        lines += [f"- See: {_reference(ref)}" for ref in rule.refs]
        lines.append("")
    return "\n".join(lines)


def _reference(ref: str) -> str:
    """A web address stays a link; anything else is text."""
    plain = ref.startswith("https://") and not set(ref) & set("<> ()[]\\`\"'") and inert.terminal(ref) == ref
    return f"<{ref}>" if plain else inert.markdown(ref)


def rules_json(rules: Mapping[str, Rule], remedies: Remedies | None = None) -> str:
    """For programs: a list of objects; ``playbook`` is a command or null, ``by_hand`` a reason or null."""
    remedies = remedies or Remedies()
    return _json.dumps(
        [
            {
                "id": rule.id,
                "title": rule.title,
                "severity": rule.severity,
                "why": rule.why,
                "symptom": rule.symptom,
                "remedy": rule.remedy,
                "playbook": remedies.command(rule.id) or None,
                "by_hand": remedies.by_hand.get(rule.id),
                "cause": rule.cause,
                "refs": rule.refs,
            }
            for rule in rules.values()
        ]
    )


def explain(rule: Rule, run: Run | None, host: str | None, style: Style, remedies: Remedies | None = None) -> str:
    """One rule's manual page; with a run and a host, first what is true there, with all evidence.

    Args:
        rule: the rule.
        run: a run that holds the host, or None for the page alone.
        host: the host's name.
        style: how to draw.
        remedies: what the playbooks do for it, where they are at hand.
    """
    remedies = remedies or Remedies()
    paint = painter(style)
    lines = wrap(f"{rule.title} ({LABELS[rule.severity]})", style.width, f"{rule.id} ")
    lines[0] = paint(rule.id, "bold") + lines[0].removeprefix(rule.id)
    if run is not None and host is not None:
        lines += ["", *_on_host(rule, run, host, style)]
    for label, text in (("why it matters", rule.why), ("what a user sees", rule.symptom), ("what to do", rule.remedy)):
        if text:
            lines += ["", paint(label, "bold"), *wrap(inert.terminal(text), style.width, "  ", "  ")]
    # A command stays on one line, to be copied.
    if command := remedies.command(rule.id).replace("HOST", shlex.quote(host) if host else "HOST"):
        shown = inert.terminal(command)
        lines += ["", paint("playbook", "bold"), f"  {shown}", f"  {shown.removesuffix(' --check --diff')}"]
    elif why := remedies.by_hand.get(rule.id):
        lines += ["", paint("why no playbook", "bold"), *wrap(inert.terminal(why), style.width, "  ", "  ")]
    if rule.refs:
        lines += ["", paint("see", "bold")]
        lines += [line for ref in rule.refs for line in wrap(inert.terminal(ref), style.width, "  ", "    ")]
    return "\n".join(lines) + "\n"


def _on_host(rule: Rule, run: Run, name: str, style: Style) -> Iterator[str]:
    paint = painter(style)
    host = run.hosts.get(name)
    if host is None:
        yield f"{inert.terminal(name)} is not in this run"
        return
    verdicts = [verdict for verdict in run.verdicts if verdict.rule == rule.id and _concerns(verdict, host)]
    if not verdicts:
        off = run.members[name].policy.rules.get(rule.id)
        why = "the policy turns it off" if off is not None and off.enabled is False else "it says nothing of this host"
        yield f"{inert.terminal(name)}: no verdict, {why}"
        return
    for verdict in verdicts:
        status = verdict.status.value.upper()
        color = {"FAIL": label_of(verdict), "PASS": "good", "UNKNOWN": "??"}.get(status, "bold")
        lines = wrap(
            f"{subjects_text([verdict.subject])}: {shown(verdict.message)}", style.width, f"{status} ", "      "
        )
        lines[0] = paint(status, color) + lines[0].removeprefix(status)
        yield from lines
        if verdict.because is not None:
            yield f"      follows from {verdict.because}: `fleet-audit explain {verdict.because}`"
        if verdict.waiver is not None:
            waiver = verdict.waiver
            text = f"until {waiver.until.isoformat()} by {waiver.owner}: {waiver.reason} ({waiver.source})"
            yield from labelled("waived", [text], style)
        if verdict.hosts:
            yield from labelled("on", [hosts_text(verdict.hosts)], style, indent=7)
        yield from labelled("why", verdict.evidence, style)
        if verdict.remedy:
            yield from labelled("fix", [verdict.remedy], style)


def _concerns(verdict: Verdict, host: Host) -> bool:
    return (
        verdict.subject in (host.name, f"pool:{host.pool_name}")
        or host.name in verdict.hosts
        or (verdict.subject == "fleet" and not verdict.hosts)
    )
