"""`cli.py data`: the available prices, their sources, and their defects."""

from __future__ import annotations

import sys

import click

from .options import ADJUST, BAR, FILE_OPTIONS, REPAIR, SOURCE, data_options, with_options
from .output import JSON, print_json


@click.group()
def data() -> None:
    """The price data: bundled, and fetched from Yahoo into the local store."""


@data.command(name="list")
@JSON
def list_data(as_json: bool) -> None:
    """List the symbols that are stored and bundled."""
    from ..data.report import inventory

    if as_json:
        print_json({"symbols": inventory().to_dict("records")})
        return
    click.echo(f"{'symbol':<10} {'bars':>7}  {'first':<10}  {'last':<10}  {'frequency':<9}  {'prices':<12}  source")
    for row in inventory().to_dict("records"):
        first, last = ("" if row["bars"] == 0 else f"{row[side]:%Y-%m-%d}" for side in ("first", "last"))
        origin = f"{row['source']} {row['downloaded']}".strip()
        click.echo(
            f"{row['symbol']:<10} {row['bars']:>7}  {first:<10}  {last:<10}  {row['frequency']:<9}  "
            f"{row['prices']:<12}  {origin}"
        )


@data.command(name="fetch")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL…")
@click.option("--whole", is_flag=True, help="Download all bars again, in place of those stored.")
@click.option("--deadline", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Seconds per symbol.")
def fetch_data(symbols: tuple[str, ...], whole: bool, deadline: float) -> None:
    """Download the bars that the store lacks from Yahoo.

    AAPL is daily; AAPL.1h, .30m, .15m, .5m, .2m, .1m are shorter bars.
    """
    from ..data.fetch import fetch

    failed = 0
    for symbol in symbols:
        try:
            fetched = fetch(symbol, whole=whole, deadline=deadline)
        except ValueError as error:
            click.echo(f"Error: {error}", err=True)
            failed += 1
            continue
        index = fetched.stored.rows.index
        click.echo(
            f"{fetched.symbol}: {fetched.added} new bars; {len(index)} from {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}"
        )
        for sentence in fetched.statements:
            click.echo(f"  {sentence}")
    if failed:
        sys.exit(1)


@data.command(name="show")
@click.argument("symbol")
@with_options(SOURCE, ADJUST, BAR, *FILE_OPTIONS, REPAIR)
@JSON
def show_data(symbol: str, as_json: bool, **options: object) -> None:
    """Show the source of a symbol's bars, what was detected in them, and the first and last bars."""
    from ..data.load import load

    data = load(symbol, data_options(options))
    if as_json:
        print_json(data.as_dict() | {"bars": data.bars.reset_index().to_dict("records")})
        return
    click.echo(data.origin)
    for sentence in (*data.cautions, *data.statements, *data.repairs, *data.findings):
        click.echo(f"  {sentence}")
    click.echo(data.bars.to_string(max_rows=10))
    if len(data.actions):
        click.echo(f"\n{len(data.actions)} dividends and splits")
        click.echo(data.actions.to_string(max_rows=6))


@data.command(name="check")
@click.argument("symbol")
@with_options(SOURCE, *FILE_OPTIONS)
@JSON
def check_data(symbol: str, as_json: bool, **options: object) -> None:
    """List the defects of a symbol's bars; exit status 1 where one would stop a backtest."""
    from ..data.report import check

    report = check(symbol, data_options(options))
    if as_json:
        print_json(vars(report))
        sys.exit(1 if report.fatal else 0)
    click.echo(report.origin)
    for words, sentences in (
        ("mind", report.cautions),
        ("detected", report.statements),
        ("stops a backtest", report.fatal),
        ("doubtful", report.doubts),
        ("--repair would", report.repairs),
    ):
        for sentence in sentences:
            click.echo(f"  {words}: {sentence}")
    if report.fatal:
        sys.exit(1)
    if not report.doubts:
        click.echo("  nothing is wrong")


@data.command(name="remove")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL…")
def remove_data(symbols: tuple[str, ...]) -> None:
    """Remove symbols from the store."""
    from ..data.store import remove

    for symbol in symbols:
        click.echo(f"removed {remove(symbol)}")
