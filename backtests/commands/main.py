"""The command line: the module of every command, and how errors are shown."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ... import __version__

COMMANDS = {
    "backtest": "rollcast.backtests.commands.runs:backtest",
    "compare": "rollcast.backtests.commands.runs:compare",
    "predict": "rollcast.backtests.commands.predict:predict",
    "report": "rollcast.backtests.commands.runs:report",
    "verify": "rollcast.backtests.commands.runs:verify",
    "placebo": "rollcast.backtests.commands.placebo:placebo",
    "sweep": "rollcast.backtests.commands.sweep:sweep",
    "ledger": "rollcast.backtests.commands.ledger:ledger",
    "list": "rollcast.backtests.commands.plugins:list_plugins",
    "check": "rollcast.backtests.commands.plugins:check",
    "new": "rollcast.backtests.commands.plugins:new",
    "explain": "rollcast.backtests.commands.plugins:explain",
    "doctor": "rollcast.backtests.commands.doctor:doctor",
    "data": "rollcast.backtests.commands.data:data",
    "mcp": "rollcast.backtests.commands.mcp:mcp",
}


EXPECTED = (ValueError, TypeError, LookupError, OSError, ArithmeticError, ImportError)  # one line says it all
MOST = 20_000  # letters of a plugin's traceback


class Terminated(KeyboardInterrupt):
    """SIGTERM: the command ends as after Ctrl-C, with status 143."""


class Commands(click.Group):
    """The commands in `COMMANDS`, each imported only when it is called.

    Expected errors are one line and exit code 1; --debug shows their traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name, imported now; None for an unknown one."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command. Raises click.ClickException, with its line alone, for an expected error."""
        try:
            with _terminated_like_interrupted():
                return super().invoke(ctx)
        except Terminated:
            click.echo("Terminated!", err=True)
            raise SystemExit(143) from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            shown = _shown(error, bool(ctx.params.get("debug")))
            if shown is error:
                raise
            raise shown from error


def _shown(error: BaseException, debug: bool) -> BaseException:
    """An error as it is to reach the terminal: itself, or its one line, over the traceback of a plugin if it is its."""
    # Imported by whatever loads a plugin; where nothing has, the error is no plugin's.
    isolation = sys.modules.get("rollcast.predictors.isolation")
    fault = isolation.fault_of(error) if isolation and not debug else None
    if isolation and fault:
        ours, trace = fault
        text = "".join(traceback.format_exception(type(ours), ours, trace))
        click.echo(text if len(text) <= MOST else f"{text[:MOST]}…", err=True)
        end = "ended the process by sys.exit" if isinstance(ours, SystemExit) else type(ours).__name__
        line = f"{isolation.file_of(trace)}: {end}: {isolation.described(ours)}"
        return click.ClickException(line if ours is error else isolation.described(error))
    # KeyError and IndexError are bugs of ours, and say nothing without their traceback; a closed pipe is click's to
    # end quietly.
    if debug or not isinstance(error, EXPECTED) or isinstance(error, KeyError | IndexError | BrokenPipeError):
        return error
    if type(error).__name__ == "PluginError":
        traceback.print_exception(error.__cause__)
    for note in getattr(error, "__notes__", ()):
        click.echo(note, err=True)
    return click.ClickException(str(error))


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Inside the block, SIGTERM raises Terminated, once, so that whatever cleans up after Ctrl-C does."""

    def terminate(number: int, frame: object) -> None:
        """Raises Terminated; a second signal does not interrupt what cleans up after the first."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# https://no-color.org: set, and not empty, no command colours what it prints.
COLOUR = False if os.environ.get("NO_COLOR") else None


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": COLOUR}
)
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Backtests price predictors: forecasts in, trades and a tear sheet out."""
