"""`fleet-audit build`: build every platform on the worker that the audit found fit, push, confirm, and merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.check import Color, From, HostKeys, Inventory, KnownHosts, Limit, Verbose
from audit.cli.plan import (
    AttestOption,
    BuildArgs,
    BuildJobs,
    Context,
    Dockerfile,
    Labels,
    MergeBy,
    On,
    Platforms,
    Prefer,
    Retries,
    Secrets,
    Staging,
    Tags,
    Target,
)
from audit.cli.registries import PlainHttp, RegistryCa, RegistryUser
from audit.errors import UsageError

PushLogin = Annotated[
    bool,
    typer.Option(
        "--push-login",
        help="Send this machine's credentials for the staging repository to the workers, for one push; else they use "
        "their own.",
    ),
]


def build(
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
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Begin what has not begun, although a platform has failed for good.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Build what is there already under the same inputs.")] = False,
    push_login: PushLogin = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Limit for one platform on one worker, e.g. 30m; else 2h.")
    ] = None,
    digests: Annotated[
        Path | None, typer.Option("--digests", help="JSON file for what was built: hosts, digests, shapes, logs.")
    ] = None,
    logs: Annotated[
        Path | None, typer.Option("--logs", help="Folder for the whole logs; else one below the user's state folder.")
    ] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    from_: From = None,
    registry_ca: RegistryCa = None,
    registry_user: RegistryUser = None,
    plain_http: PlainHttp = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Remember what was built, and manifests, between runs.")
    ] = True,
    host_keys: HostKeys = None,
    known_hosts: KnownHosts = None,
    color: Color = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No log lines, no progress, no summary.")] = False,
    verbose: Verbose = 0,
) -> int:
    """Build all platforms at once on the workers that are fit, push, see what arrived, and merge it (-t).

    Prints REPO:TAG@DIGEST of the merged image, or without -t of each platform's. Exit code 1: the plan is not whole,
    and nothing was built; 5: a platform failed, and nothing was merged.
    """
    from audit.cli.buildrun import Building
    from audit.cli.check import gathered
    from audit.cli.output import require_writable
    from audit.cli.settings import settings_of
    from audit.plan import parse_request

    request = parse_request(
        context, platforms=platforms, staging=staging, dockerfile=dockerfile, target=target, build_args=build_arg or (),
        labels=label or (), secrets=secret or (), tags=tag or (), attest=attest, prefer=prefer or (), on=on or (),
        engine=engine, jobs=jobs, retries=retries,
    )  # fmt: skip
    settings = settings_of(
        inventory=inventory, limit=limit, registry_ca=registry_ca, registry_user=registry_user, plain_http=plain_http,
        host_keys=host_keys, known_hosts=known_hosts, color=color,
    )  # fmt: skip
    seconds = _seconds(timeout)
    if digests is not None:
        require_writable(digests, "--digests")
    verb = Building(request, settings, seconds, digests, logs, keep_going, force, cache, quiet, verbose)
    material = verb.material(secret or (), push_login=push_login)
    stopped: list[int] = []
    saved = gathered(
        [], from_, settings, explicit=bool(inventory), quiet=quiet, verbose=verbose, stopped=stopped
    )  # fmt: skip
    if stopped:
        return 128 + stopped[0]
    return verb.run(saved, material)


def _seconds(timeout: str | None) -> float:
    from audit.building.driving import LIMIT
    from audit.cli.settings import seconds

    if timeout is None:
        return LIMIT
    try:
        value = seconds(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    if not isinstance(value, float) or not 0 < value <= 86400:
        raise UsageError(f"--timeout {timeout}: must be more than nothing, and at most a day")
    return value
