"""Options that several commands share, and the request that they make."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .config_option import CONFIG, UNUSED_TRUST
from .option_values import Command, Decorator, Workspace, date, given, pairs, workspace

if TYPE_CHECKING:
    from ..data.options import DataOptions
    from ..pipeline.request import Request


PREDICTOR = click.option(
    *("--predictor", "-P"),
    metavar="NAME|FILE",
    callback=given,
    help="A name from `list`, file.py[:Class], or forecasts made elsewhere in a .csv or .parquet.  [required]",
)
PARAMS = pairs("-p", "--param", "params", text="A parameter of the predictor.")
OUT = click.option(
    "--out",
    type=Workspace(path_type=Path, file_okay=False),
    callback=workspace,
    default=Path("runs"),
    show_default=True,
    help="The workspace: where runs are written to and counted.",
)
SOURCE = click.option(
    "--source",
    type=click.Choice(["file", "store", "bundled", "yahoo"]),
    help="Where to look for the symbol.  [default: a file of that name, then the store, then the bundle]",
)
BAR = click.option(
    "--bar", metavar="SIZE", help="Coarser bars, made of the symbol's own: 5m, 15m, 30m, 1h, 1d, 1wk, 1mo."
)
SYMBOL = click.option(
    "--symbol",
    default="SPY",
    show_default=True,
    help="A file, a symbol from `data list`; for a portfolio AAPL,MSFT,…, sp20 or us5.",
)
UNIVERSE = click.option("--universe", metavar="FILE", help="A portfolio of the symbols in a file, one a line.")
ADJUST = click.option(
    "--adjust",
    type=click.Choice(["full", "asof", "none"]),
    default="full",
    show_default=True,
    help="Trade prices adjusted for dividends and splits, as traded with these booked on their dates, or as traded.",
)
START = click.option("--start", metavar="DATE", callback=date, help="First bar; the first ones only train.")
END = click.option("--end", metavar="DATE", callback=date, help="Last bar, included.")
FILE_OPTIONS = (
    pairs("--column", "columns", metavar="ROLE=NAME", text="A column of a file: close=Last."),
    click.option("--date-format", metavar="FORM", help="Of the dates in a file, as strptime takes it: %d/%m/%Y."),
    click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark of a file."),
    click.option("--time-zone", "zone", metavar="ZONE", help="The exchange's, for a file with times in UTC."),
    click.option("--only", metavar="SYMBOL", help="The symbol, of a file with several."),
    click.option("--fractions", type=click.Choice(["8ths", "32nds"]), help="Of prices such as 455'4 or 112'045."),
    click.option("--stamps", type=click.Choice(["start", "close"]), help="What a file's times are of its bars."),
    click.option(
        "--prices",
        type=click.Choice(["as-traded", "split-adjusted", "adjusted"]),
        help="What a file's prices are.  [default: what they show on the dates of its dividends and splits]",
    ),
)
REPAIR = click.option(
    "--repair", is_flag=True, help="Correct damaged rows, and list them, where a run would be refused."
)
DATA_OPTIONS = (
    *(SOURCE, BAR, *FILE_OPTIONS),
    REPAIR,
    click.option("--snapshot", metavar="SHA256", help="Rows of an earlier download, by the checksum in a recipe."),
    *(START, END),
)
ACCOUNT_OPTIONS = (
    click.option("--cash", type=float, default=100_000.0, show_default=True, help="The account's cash at the start."),
    click.option("--commission-bps", type=float, default=1.0, show_default=True, help="Of the value traded."),
    click.option("--slippage-bps", type=float, default=1.0, show_default=True, help="Fills worse than the open."),
    click.option("--borrow-bps", type=float, default=50.0, show_default=True, help="A year, on short positions."),
    click.option("--interest-bps", type=float, default=0.0, show_default=True, help="A year, earned on cash."),
    click.option("--fractional", is_flag=True, help="Hold fractions of a unit."),
    click.option("--leverage", type=float, default=1.0, show_default=True, help="The most that |weights| add up to."),
    click.option("--loan-bps", type=float, default=200.0, show_default=True, help="A year, paid on borrowed cash."),
)
# All options of a backtest but the predictor's, the symbol's, and where the run is written to.
BACKTEST_OPTIONS = (
    click.option(
        "--strategy", "-S", default="long_flat", show_default=True, metavar="NAME|FILE", help="As for --predictor."
    ),
    *DATA_OPTIONS,
    click.option("--since", metavar="DATE", callback=date, help="Neither trade nor count forecasts before this date."),
    click.option("--train", type=int, help="Bars in each training window of a learner.  [default: 1000]"),
    click.option("--every", type=int, help="Bars between two refits of a learner.  [default: 21]"),
    click.option("--pooled", is_flag=True, help="Train one model for all names of a portfolio."),
    pairs("-s", "--strategy-param", "strategy_params", text="A parameter of the strategy."),
    *(*ACCOUNT_OPTIONS, ADJUST),
    click.option("--overnight", is_flag=True, help="Let the predictor read the return over a night as that of a bar."),
    click.option("--allow-lookahead", is_flag=True, help="Trade a predictor that looks ahead; its sheet says so."),
    click.option("--seed", type=int, help="Of a random predictor."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="What trains: this machine, or a Ray cluster. The results are the same.",
    ),
)


PAGE_OPTIONS = (
    click.option("--title", metavar="TEXT", help="Of the page, instead of predictor, strategy and symbol."),
    click.option("--note", metavar="TEXT", help="A sentence or two below the title of the page."),
    click.option(
        "--section",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help="HTML for a section of the page; what could act or load is left out.",
    ),
)


def page_of(options: dict[str, Any]) -> dict[str, str]:
    """Takes the user's own words of the page out of a command's options. Raises ValueError for a file of no text."""
    section = options.pop("section")
    words = {"title": options.pop("title"), "note": options.pop("note")}
    if section is not None:
        try:
            words["section"] = section.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{section} is not text in UTF-8; --section takes an HTML file") from None
    return {name: text for name, text in words.items() if text}


def with_options(*options: Decorator) -> Decorator:
    """A decorator that adds these options to a command, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def run_options(command: Command) -> Command:
    """Adds the options of every command that backtests; their names are those of `Request` and `Account`."""
    return with_options(CONFIG, UNUSED_TRUST, SYMBOL, UNIVERSE, *BACKTEST_OPTIONS, OUT)(command)


def data_options(options: dict[str, Any]) -> DataOptions:
    """The options of the data among those of a command. Raises LookupError or ValueError as `DataOptions` does."""
    from ..data.options import DataOptions

    return DataOptions(**options)


def request_of(options: dict[str, Any]) -> Request:
    """The backtest that options of the command line ask for.

    Raises click.UsageError for options that contradict one another, LookupError or ValueError as `Request` does.
    """
    from ..account.engine import Account
    from ..data.options import period
    from ..pipeline.request import Request
    from ..pipeline.universe import universe_of

    start, end = options["start"], options["end"]
    if start and end and period(start).start_time > period(end).end_time:
        raise click.UsageError(f"--start {start} is after --end {end}")
    options = options | {"symbol": universe_of(_symbol(options))}
    names = {field.name for field in fields(Account)} & set(options)
    account = Account(**{name: options[name] for name in names})
    others = {name: value for name, value in options.items() if name not in {*names, "universe"}}
    request = Request(account=account, **others)
    try:
        request.check()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return request


def _symbol(options: Mapping[str, object]) -> str:
    """The symbol of a command; --universe FILE is the symbol @FILE, and one in a config file yields to --symbol."""
    universe, symbol = options.get("universe"), str(options["symbol"])
    if universe is None:
        return symbol
    explicit = click.get_current_context().get_parameter_source("symbol") is ParameterSource.COMMANDLINE
    if not explicit:
        return f"@{universe}"
    if click.get_current_context().get_parameter_source("universe") is ParameterSource.COMMANDLINE:
        raise click.UsageError("give --symbol or --universe, not both")
    return symbol


def one_name(request: Request, command: str, reason: str) -> Request:
    """The request itself. Raises click.UsageError for a portfolio, with the reason why the command takes one name."""
    if request.is_portfolio:
        raise click.UsageError(f"{command} takes one name, and {request.symbol} is a portfolio: {reason}")
    return request


@contextmanager
def training(name: str, out: Path | None = None, *, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Trains on the engine of this name, and yields a progress bar over the refits; out: where it keeps its journal."""
    from ..cluster.journalled_executor import engine

    with engine(name, out), training_bar(quiet=quiet) as progress:
        yield progress


@contextmanager
def training_bar(*, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Yields a progress bar over the refits, which appears with the first report; each model has its own."""
    with ExitStack() as stack:
        bars: dict[str, Any] = {}

        def progress(finished: int, total: int, name: str = "") -> None:
            """Draws a model's bar; finished, total: refits; name: of the model."""
            if quiet:
                return
            if name not in bars:
                stack.close()  # ends the bar before
                bar = click.progressbar(length=total, label=f"Training {name}".strip(), show_pos=True, file=sys.stderr)
                bars[name] = stack.enter_context(bar)
            bars[name].update(finished - bars[name].pos)

        yield progress
