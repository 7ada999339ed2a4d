"""The command and its verbs; what is heavy is imported inside a verb, so that --help answers at once."""

from __future__ import annotations

import copy
import os
import sys
import traceback
from typing import Annotated

import typer

from audit import __version__
from audit.cli import (
    align,
    baseline,
    build,
    check,
    compat,
    diagnose,
    diff,
    drift,
    history,
    inventory,
    merge,
    onboard,
    plan,
    predict,
    probe,
    report,
    rules,
    schedule,
    verify,
    whatif,
)
from audit.errors import FleetAuditError

app = typer.Typer(
    name="fleet-audit",
    help="Audit a fleet of Docker build workers over SSH: what each one is, and what it will push.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=(
        "Exit codes: 0 clean and complete, 1 findings, 2 wrong usage, inventory or policy, "
        "3 nothing found but not everything could be told, 4 our own fault, 5 a build, merge or verification failed, "
        "130/143 on signals."
    ),
)
app.command("align")(align.align)
app.command("build")(build.build)
app.command("check")(check.check)
app.command("compat")(compat.compat)
app.command("diagnose")(diagnose.diagnose)
app.command("diff")(diff.diff)
app.command("drift")(drift.drift)
app.command("explain")(rules.explain)
app.command("merge")(merge.merge)
app.command("onboard")(onboard.onboard)
app.command("plan")(plan.plan)
app.command("predict")(predict.predict)
app.command("probe")(probe.probe)
app.command("rules")(rules.rules)
app.command("verify")(verify.verify)
app.command("whatif")(whatif.whatif)
app.add_typer(baseline.app, name="baseline")
app.add_typer(history.app, name="history")
app.add_typer(inventory.app, name="inventory")
app.add_typer(report.app, name="report")
app.add_typer(schedule.app, name="schedule")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fleet-audit {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str]) -> int:
    """Run the command line and give its exit code; prints one sentence for whatever went wrong."""
    try:
        code = _for(arguments)(args=arguments, prog_name="fleet-audit", standalone_mode=False)
    except FleetAuditError as error:
        return _sorry(str(error), error.exit_code, arguments)
    except BrokenPipeError:
        # the reader of our stdout has gone (`| head`): say nothing more, and let the interpreter's last flush
        # find an open file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _other(error, arguments)
    return code if isinstance(code, int) else 0


def _for(arguments: list[str]) -> typer.Typer:
    """The command with the one verb that is called: typer reads the flags of every verb that it is given first."""
    called = [verb for verb in app.registered_commands if arguments and verb.name == arguments[0]]
    if not called:
        return app
    alone = copy.copy(app)
    alone.registered_commands, alone.registered_groups = called, []
    return alone


def _other(error: Exception, arguments: list[str]) -> int:
    """What typer raises for wrong usage has its own text and code; anything else is a bug of ours."""
    show = getattr(error, "show", None)
    code = getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        return code
    if type(error).__name__ == "Abort":
        return 130
    return _sorry(
        f"a bug of ours: {type(error).__name__}: {error} (again with -vvv shows where; please report it)", 4, arguments
    )


def _sorry(message: str, code: int, arguments: list[str]) -> int:
    from audit import inert  # a registry's words may stand in it

    lines = "\n".join(map(inert.terminal, message.split("\n")))
    print(f"fleet-audit: {lines}", file=sys.stderr)
    if any(argument in ("-vvv", "--traceback") for argument in arguments):
        traceback.print_exc()
    return code
