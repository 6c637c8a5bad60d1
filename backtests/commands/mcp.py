"""`rollcast mcp`: the commands as tools for an assistant that writes strategies."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The only folder whose files can be named; runs are written to `runs` in it.  [default: this folder]",
)
@click.option("--bars", type=click.IntRange(min=1), default=500_000, show_default=True, help="The most in one call.")
@click.option(
    "--windows", type=click.IntRange(min=0), default=1000, show_default=True, help="The most refits in one call."
)
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=120, show_default=True, help="The longest that a call may take."
)
def mcp(workspace: Path, bars: int, windows: int, seconds: float) -> None:
    """Serve list, check, backtest, compare, placebo and verdict to an assistant, over standard input and output.

    It speaks the Model Context Protocol. Runs are examined and counted as anybody's.
    """
    try:
        from ..agent.server import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise ImportError("the package mcp is not installed; pip install 'rollcast[mcp]'") from None
    from ..agent.desk import Desk, Limits

    server(Desk(workspace.resolve(), Limits(bars, windows, seconds))).run("stdio")
