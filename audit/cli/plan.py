"""`fleet-audit plan`: every command that a build and merge would run, before any is run."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Inventory, KnownHosts, Limit, Verbose
from audit.errors import UsageError

Context = Annotated[
    str, typer.Argument(metavar="[CONTEXT]", help="A folder here, or a git URL (URL#ref:dir) that the workers fetch.")
]
Dockerfile = Annotated[str, typer.Option("-f", "--file", help="Dockerfile, as a path below the context's root.")]
Platforms = Annotated[
    list[str], typer.Option("--platforms", "--platform", metavar="LIST", help="E.g. linux/amd64,arm64,riscv64.")
]
Staging = Annotated[
    str, typer.Option("--staging", metavar="REPO:TAG", help="Each platform is pushed to REPO:TAG-ARCH.")
]
Tags = Annotated[
    list[str] | None, typer.Option("-t", "--tag", metavar="REPO:TAG", help="Name of the merged image; several times.")
]
BuildArgs = Annotated[list[str] | None, typer.Option("--build-arg", metavar="NAME=VALUE", help="As docker has it.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="As docker has it.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="id=NAME,src=FILE", help="Or env=VARIABLE. A plan looks at its id alone."),
]
Target = Annotated[str | None, typer.Option("--target", metavar="STAGE", help="Stage to stop at.")]
AttestOption = Annotated[
    str,
    typer.Option(
        "--attest",
        metavar="keep|drop|require|auto",
        help="Attestations: wherever it can be, nowhere, everywhere or not at all, or as the policy wants (else as all "
        "the workers chosen can).",
    ),
]
Prefer = Annotated[
    list[str] | None, typer.Option("--prefer", metavar="HOST", help="Take it before others, where it is fit.")
]
On = Annotated[
    list[str] | None, typer.Option("--on", metavar="PLATFORM=HOST", help="That host for that platform, and no other.")
]
MergeBy = Annotated[
    str, typer.Option("--engine", metavar="auto|registry|imagetools|manifest", help="How to merge the pushes.")
]
BuildJobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Builds at once; all, unless told.")]
Retries = Annotated[int, typer.Option("--retries", help="Other fit workers to try a failed platform on.")]


def plan(
    platforms: Platforms,
    staging: Staging,
    context: Context = ".",
    dockerfile: Dockerfile = "Dockerfile",
    tag: Tags = None,
    build_arg: BuildArgs = None,
    label: Labels = None,
    secret: Secrets = None,
    target: Target = None,
    attest: AttestOption = "auto",
    prefer: Prefer = None,
    on: On = None,
    engine: MergeBy = "auto",
    jobs: BuildJobs = None,
    retries: Retries = 1,
    inventory: Inventory = None,
    limit: Limit = None,
    from_: From = None,
    format_: Annotated[str, typer.Option("--format", metavar="text|json|markdown", help="How to print.")] = "text",
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Say which worker would build what, by which commands (-v), what each would push, and how that would be merged.

    Exit code 1: some platform has no fit worker, or a required attestation cannot be given.
    """
    from audit import flow
    from audit.cli.check import gathered
    from audit.cli.output import style_of, write_stdout
    from audit.cli.settings import settings_of
    from audit.plan import make_plan, parse_request
    from audit.reports._plan import FORMATS

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_}: write {', '.join(FORMATS)}")
    request = parse_request(
        context,
        platforms=platforms,
        staging=staging,
        dockerfile=dockerfile,
        target=target,
        build_args=build_arg or (),
        labels=label or (),
        secrets=secret or (),
        tags=tag or (),
        attest=attest,
        prefer=prefer or (),
        on=on or (),
        engine=engine,
        jobs=jobs,
        retries=retries,
    )
    settings = settings_of(
        inventory=inventory, limit=limit, host_keys=host_keys, known_hosts=known_hosts, color=color
    )  # fmt: skip
    stopped: list[int] = []
    saved = gathered(
        [], from_, settings, explicit=bool(inventory), quiet=quiet, verbose=verbose, stopped=stopped
    )  # fmt: skip
    made = make_plan(flow.judged(saved), request)
    write_stdout(FORMATS[format_](made, style_of(settings.color, verbose, settings.fail_on)))
    return 128 + stopped[0] if stopped else made.exit_code
