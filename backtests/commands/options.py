"""What commands share: options, and what is made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from rollcast.backtests.config import Config, Kind
    from rollcast.backtests.pipeline.request import Request


def pairs(ctx: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """What was given, over what a config file gives."""
    below = (ctx.default_map or {}).get(str(option.name), ())
    return _pairs(option, below) | _pairs(option, values)


def _pairs(option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"expected {option.metavar}, got {value!r}")
        if key in pairs:
            raise click.BadParameter(f"{key} is given twice")
        pairs[key] = text
    return pairs


# How NAME=VALUE options are given.
PAIRS: Any = {"multiple": True, "metavar": "NAME=VALUE", "callback": pairs}
OUT = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The workspace: where runs are written to and counted.",
)


def date(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            datetime.fromisoformat(value + {4: "-01-01", 7: "-01"}.get(len(value), ""))
        except ValueError:
            raise click.BadParameter(f"expected a date such as 2010, 2010-12 or 2010-12-31, got {value!r}") from None
    return value


SOURCE = click.option(
    "--source",
    type=click.Choice(["file", "store", "bundled", "yahoo"]),
    help="Where to look for the symbol.  [default: a file of that name, then the store, then what is bundled]",
)

BAR = click.option(
    "--bar", metavar="SIZE", help="Coarser bars, made of the symbol's own: 5m, 15m, 30m, 1h, 1d, 1wk, 1mo."
)


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that settle how a file is read."""
    pairs_of_columns: Any = {**PAIRS, "metavar": "ROLE=NAME"}
    options = (
        click.option("--column", "columns", help="A column of a file: close=Last.", **pairs_of_columns),
        click.option("--date-format", metavar="FORM", help="Of a file's dates, as strptime takes it: %d/%m/%Y."),
        click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark of a file."),
        click.option("--time-zone", "zone", metavar="ZONE", help="The exchange's, for a file with times in UTC."),
    )
    for option in reversed(options):
        command = option(command)
    return command


# What a file says of something goes with it: where the command line names another, that starts from its own defaults.
OWNED = {
    "predictor": ("param", "params"),
    "strategy": ("strategy_param", "strategy_params"),
    "symbol": ("snapshot",),
}


class FromFile(click.Option):
    """--config: the options of a file, under those of the command line."""

    def handle_parse_result(self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]) -> Any:
        path, args = super().handle_parse_result(ctx, opts, args)
        # Where there is none, click has a mark of its own, and not None.
        if isinstance(path, Path) and not ctx.resilient_parsing:
            from rollcast.backtests.config import Config

            ctx.default_map = _defaults(Config.read(path), ctx, opts)
        return path, args


def _defaults(config: Config, ctx: click.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says, by parameter of the command."""
    words = _words(ctx.command)
    known = config.known(words)
    for owner, owned in OWNED.items():
        told = given.get(str(words[owner].name)) if owner in words else None
        named = config.values.get(owner)
        if named is not None and isinstance(told, str | tuple) and told not in (named, (named,), ()):
            known = {key: value for key, value in known.items() if key not in owned}
    values: dict[str, Any] = {}
    for key in known:
        option = words[key]
        name = str(option.name)
        if name in values:
            raise ValueError(f"{config.path}: {key} is given twice")
        value = config.typed(key, _kind(option))
        try:
            values[name] = value if option.multiple else option.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise ValueError(f"{config.path}: {key}: {error.message}") from None
    return values


def _words(command: click.Command) -> dict[str, click.Parameter]:
    """What a config file may call each parameter of a command: its long option, or the plural of a table or a list."""
    words: dict[str, click.Parameter] = {}
    for option in command.params:
        if option.name and not isinstance(option, FromFile):
            words |= {word[2:].replace("-", "_"): option for word in option.opts if word.startswith("--")}
            if option.multiple or option.nargs == -1:
                words |= {option.name: option, option.name.removesuffix("s"): option}
    return words


def _kind(option: click.Parameter) -> Kind:
    """What a config file must hold for a parameter."""
    if option.multiple or option.nargs == -1:
        return "table" if option.multiple else "list"
    if isinstance(option, click.Option) and option.is_flag:
        return "flag"
    numbers: dict[type, Kind] = {type(click.INT): "whole number", type(click.FLOAT): "number"}
    return next((kind for cls, kind in numbers.items() if isinstance(option.type, cls)), "text")


CONFIG = click.option(
    "--config",
    cls=FromFile,
    is_eager=True,
    expose_value=False,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Options from a TOML file, or from the recipe.json of a run; the command line wins.",
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


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options every command that backtests has; their names are those of `backtests.pipeline.request.Request`."""
    return CONFIG(SYMBOL(UNIVERSE(account_options(OUT(command)))))


def account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those of `run_options` that do not say which symbol, nor where a run is written to."""
    options = (
        click.option("--strategy", "-S", default="long_flat", show_default=True, metavar="NAME|FILE", help="Likewise."),
        SOURCE,
        BAR,
        reading,
        click.option("--repair", is_flag=True, help="Mend bad data, and say how, where a run would be refused."),
        click.option("--snapshot", metavar="SHA256", help="Of the rows of an earlier download, as a recipe holds it."),
        click.option("--start", metavar="DATE", callback=date, help="First bar; the first ones only train."),
        click.option("--end", metavar="DATE", callback=date, help="Last bar, included."),
        click.option("--since", metavar="DATE", callback=date, help="Trade and count no forecast before this."),
        click.option("--train", type=int, help="Bars each refit of a learner sees.  [default: 1000]"),
        click.option("--every", type=int, help="Bars between two refits of a learner.  [default: 21]"),
        click.option("--pooled", is_flag=True, help="Train one model for all names of a portfolio."),
        click.option("-s", "--strategy-param", "strategy_params", help="Of the strategy.", **PAIRS),
        click.option("--cash", type=float, default=100_000.0, show_default=True, help="What the account starts with."),
        click.option("--commission-bps", type=float, default=1.0, show_default=True, help="Of the value traded."),
        click.option("--slippage-bps", type=float, default=1.0, show_default=True, help="Fills worse than the open."),
        click.option("--borrow-bps", type=float, default=50.0, show_default=True, help="A year, on short positions."),
        click.option("--interest-bps", type=float, default=0.0, show_default=True, help="A year, earned on cash."),
        click.option("--fractional", is_flag=True, help="Hold fractions of a unit."),
        click.option(
            "--leverage", type=float, default=1.0, show_default=True, help="The most that |weights| add up to."
        ),
        click.option("--loan-bps", type=float, default=200.0, show_default=True, help="A year, paid on borrowed cash."),
        ADJUST,
        click.option("--overnight", is_flag=True, help="Let the predictor read nights as returns of a bar."),
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
    for option in reversed(options):
        command = option(command)
    return command


def request_of(options: dict[str, Any]) -> Request:
    """The backtest that options of the command line ask for."""
    if options["start"] and options["end"] and options["start"] > options["end"]:
        raise click.UsageError(f"--start {options['start']} is after --end {options['end']}")
    from rollcast.backtests.account.engine import Account
    from rollcast.backtests.pipeline.request import Request
    from rollcast.backtests.pipeline.universe import universe_of

    options = options | {"symbol": universe_of(_symbol(options))}
    names = {field.name for field in fields(Account)} & set(options)
    account = Account(**{name: options[name] for name in names})
    taken = {*names, "universe"}
    request = Request(account=account, **{name: value for name, value in options.items() if name not in taken})
    try:
        request.check()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return request


def _symbol(options: dict[str, Any]) -> str:
    """The symbol asked for; --universe FILE is the symbol @FILE, and one in a config file gives way to --symbol."""
    universe, symbol = options.get("universe"), str(options["symbol"])
    if universe is None:
        return symbol
    asked = click.get_current_context().get_parameter_source("symbol") is ParameterSource.COMMANDLINE
    if not asked:
        return f"@{universe}"
    if click.get_current_context().get_parameter_source("universe") is ParameterSource.COMMANDLINE:
        raise click.UsageError("give --symbol or --universe, not both")
    return symbol


def one_name(request: Request, command: str) -> Request:
    """The same request, unless it is for many names."""
    if request.is_portfolio:
        raise click.UsageError(f"{command} takes one name, and {request.symbol} is a portfolio")
    return request


@contextmanager
def training(name: str, out: Path | None = None) -> Iterator[Callable[..., None]]:
    """The engine of this name, and a progress bar over its refits; `out`, where it keeps what a kill would lose."""
    from rollcast.backtests.cluster import engine

    with engine(name, out), training_bar() as progress:
        yield progress


@contextmanager
def training_bar() -> Iterator[Callable[..., None]]:
    """A progress bar over the refits, which appears with the first report; a new one for each model."""
    with ExitStack() as stack:
        shown: dict[str, Any] = {}

        def progress(done: int, total: int, name: str = "") -> None:
            if name not in shown:
                stack.close()  # ends the bar before
                bar = click.progressbar(length=total, label=f"Training {name}".strip(), show_pos=True, file=sys.stderr)
                shown[name] = stack.enter_context(bar)
            shown[name].update(done - shown[name].pos)

        yield progress
