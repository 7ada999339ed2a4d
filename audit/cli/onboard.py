"""`fleet-audit onboard`: a machine taken (back) into the fleet, to READY with proof or a list of what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.check import Color, Inventory, KnownHosts, Verbose
from audit.cli.recorded import Db
from audit.cli.registries import RegistryCa, RegistryUser
from audit.errors import UsageError

if TYPE_CHECKING:
    pass


def onboard(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory, or user@host:port.")],
    like: Annotated[
        str | None, typer.Option("--like", metavar="PEER", help="The worker that it should be like.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option("--pool", metavar="POOL", help="The pool whose majority it should be like.")
    ] = None,
    accept_host_key: Annotated[
        str | None,
        typer.Option("--accept-host-key", metavar="SHA256:…", help="Take its host key, if it is this one."),
    ] = None,
    trust_first_use: Annotated[
        bool,
        typer.Option("--trust-first-use", help="Take the key of a host that was never known; never a changed one."),
    ] = False,
    trust_sshfp: Annotated[
        bool,
        typer.Option("--trust-sshfp", help="Take the key that DNS vouches for, as VerifyHostKeyDNS yes in ssh_config."),
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Run the playbooks for what is to be done: shown first, then asked.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    merge_with: Annotated[
        list[str] | None,
        typer.Option(
            "--merge-with",
            metavar="REF",
            help="Rehearse the merge with these images; by default with probe builds of the other platforms' workers.",
        ),
    ] = None,
    registry: Annotated[
        str | None, typer.Option("--registry", metavar="HOST[:PORT]", help="Where the proof is pushed.")
    ] = None,
    repository: Annotated[str | None, typer.Option("--repository", help="Scratch repository there.")] = None,
    playbooks: Annotated[
        Path | None, typer.Option("--playbooks", metavar="DIR", help="fleet-audit's playbooks.")
    ] = None,
    baseline: Annotated[
        str, typer.Option("--baseline", help="The baseline that a ready machine is put into.")
    ] = "default",
    inventory: Inventory = None,
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    known_hosts: KnownHosts = None,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", metavar="note|warning|error", help="Least severity that is an obstacle.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    db: Db = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Look at a new or reinstalled machine as the fleet needs it: identity, facts, peers, past, rules, proof, merge.

    Ends with READY, or with what is to be done and the command for each. The same command goes on after an end in
    between: what is right already is seen to be right. Exit code 0: ready; 1: something is to be done; 3: nothing is,
    but not everything could be told; 5: a playbook failed.
    """
    from audit.cli import onboarding
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.onboard.told import FORMATS

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    if like is not None and pool is not None:
        raise UsageError("--like and --pool: give one of them")
    settings = settings_of(
        inventory=inventory, registry=registry, probe_repository=repository, registry_ca=registry_ca, db=db,
        registry_user=registry_user, known_hosts=known_hosts, fail_on=fail_on, color=color,
    )  # fmt: skip
    if settings.fail_on == "never":
        raise UsageError("--fail-on never: then every machine were ready; write note, warning or error")
    asked = onboarding.Asked(
        name=host, like=like, pool=pool, fingerprint=_fingerprint(accept_host_key), first_use=trust_first_use,
        sshfp=trust_sshfp, apply=apply, yes=yes, merge_with=tuple(merge_with or ()), playbooks=playbooks,
        baseline=baseline, quiet=quiet, verbose=verbose,
    )  # fmt: skip
    style = style_of(settings.color, verbose, settings.fail_on)
    found, code = onboarding.run(asked, settings, style)
    write_stdout(FORMATS[format_](found, style))
    return code


def _fingerprint(text: str | None) -> str | None:
    """As ssh prints it; without its padding.

    Raises:
        UsageError: it is none.
    """
    import re

    if text is None:
        return None
    found = re.fullmatch(r"(?:SHA256:)?([A-Za-z0-9+/]{43})=?", text.strip())
    if found is None:
        raise UsageError(
            f"--accept-host-key {text}: is no fingerprint; write SHA256:… as `ssh-keygen -lf "
            "/etc/ssh/ssh_host_ed25519_key.pub` prints it on the machine's console"
        )
    return f"SHA256:{found[1]}"
