"""The command line: the module of every command, and how errors are shown."""

from __future__ import annotations

import importlib
import os
import traceback

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
    "data": "rollcast.backtests.commands.data:data",
}


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
            return super().invoke(ctx)
        except (ValueError, TypeError, LookupError, OSError, ArithmeticError, ImportError) as error:
            # KeyError and IndexError are bugs, ours or a plugin's, and say nothing without their traceback; a closed
            # pipe is click's to end quietly.
            if ctx.params.get("debug") or isinstance(error, KeyError | IndexError | BrokenPipeError):
                raise
            if type(error).__name__ == "PluginError":
                traceback.print_exception(error.__cause__)
            raise click.ClickException(str(error)) from error


# https://no-color.org: set, and not empty, no command colours what it prints.
COLOUR = False if os.environ.get("NO_COLOR") else None


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": COLOUR}
)
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Backtests price predictors: forecasts in, trades and a tear sheet out."""
