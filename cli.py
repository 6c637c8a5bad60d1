"""The command line: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import MISSING
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from backtests.result import Result
    from predictors import Learner, Predictor
    from predictors.checks import Outcome
    from predictors.registry import Registry

# Everything heavy is imported by the command that needs it, so that --help answers at once.


class Commands(click.Group):
    """A group whose expected errors are one plain line and exit code 1; --debug shows where they came from."""

    def invoke(self, ctx: click.Context) -> Any:
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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rollcast")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Backtests price predictors: forecasts in, trades and a tear sheet out."""


def _pairs(ctx: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"expected NAME=VALUE, got {value!r}")
        if key in pairs:
            raise click.BadParameter(f"{key} is given twice")
        pairs[key] = text
    return pairs


def _date(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise click.BadParameter(f"expected a date such as 2010-12-31, got {value!r}") from None
    return value


@main.command()
@click.option("--predictor", "-P", required=True, metavar="NAME|FILE", help="A name from `list`, or file.py[:Class].")
@click.option("--strategy", "-S", default="long_flat", show_default=True, metavar="NAME|FILE", help="Likewise.")
@click.option("--symbol", default="SPY", show_default=True, help="A symbol from `data list`.")
@click.option("--start", metavar="DATE", callback=_date, help="First bar; the first ones only train.")
@click.option("--end", metavar="DATE", callback=_date, help="Last bar, included.")
@click.option("--train", type=int, help="Bars each refit of a learner sees.  [default: 1000]")
@click.option("--every", type=int, help="Bars between two refits of a learner.  [default: 21]")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Of the predictor.")
@click.option("-s", "--strategy-param", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Of the strategy.")
@click.option("--cash", type=float, default=100_000.0, show_default=True, help="What the account starts with.")
@click.option("--commission-bps", type=float, default=1.0, show_default=True, help="Of the traded value, each way.")
@click.option("--slippage-bps", type=float, default=1.0, show_default=True, help="Fills worse than the open by this.")
@click.option("--borrow-bps", type=float, default=50.0, show_default=True, help="A year, on short positions.")
@click.option("--interest-bps", type=float, default=0.0, show_default=True, help="A year, earned on cash.")
@click.option("--fractional", is_flag=True, help="Hold fractions of a unit.")
@click.option("--raw", is_flag=True, help="Trade prices unadjusted for dividends and splits.")
@click.option("--allow-lookahead", is_flag=True, help="Print the sheet of a predictor that looks ahead, marked in red.")
@click.option("--seed", type=int, help="Of a random predictor.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs"), show_default=True)
@click.option("--open", "open_sheet", is_flag=True, help="Open the tear sheet in the browser.")
def backtest(**options: Any) -> None:
    """Backtest a predictor and write its tear sheet."""
    if options["start"] and options["end"] and options["start"] > options["end"]:
        raise click.UsageError(f"--start {options['start']} is after --end {options['end']}")
    from backtests import STRATEGIES, Account, RunFolder, load_bars, run, write_report

    predictor = _predictor(options)
    strategy = STRATEGIES.find(options["strategy"])
    parameters = STRATEGIES.coerce(strategy, options["strategy_param"], options["strategy"])
    account = Account(
        **{
            k: options[k]
            for k in ("cash", "commission_bps", "slippage_bps", "borrow_bps", "interest_bps", "fractional")
        }
    )
    bars = load_bars(options["symbol"], options["start"], options["end"], adjusted=not options["raw"])
    label = f"{_stem(options['predictor'])}-{options['symbol']}"
    with RunFolder(options["out"], label) as folder:
        with _training_bar() as progress:
            result = run(
                *(bars, predictor, strategy, parameters, account),
                symbol=options["symbol"],
                allow_lookahead=options["allow_lookahead"],
                progress=progress,
            )
        result = result.with_recipe(command=shlex.join(["rollcast", *sys.argv[1:]]), options=options)
        result.save(folder.path)
        write_report(result, folder.path / "tearsheet.html")
        sheet = folder.finish() / "tearsheet.html"
    _print_result(result)
    click.echo(f"\nTear sheet: {sheet}")
    if options["open_sheet"]:
        click.launch(str(sheet))


@main.command()
@click.argument("name")
@click.option("--symbol", default="SPY", show_default=True, help="A symbol from `data list`.")
@click.option("--start", metavar="DATE", callback=_date, help="First bar.")
@click.option("--end", metavar="DATE", callback=_date, help="Last bar, included.")
@click.option("--train", type=int, default=1000, show_default=True, help="Bars, the last ones, the net is fitted on.")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Of the predictor.")
@click.option("--seed", type=int, help="Of the first net.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs"), show_default=True)
def explain(name: str, **options: Any) -> None:
    """Fit a recurrent net on the last bars and draw what it does inside."""
    if options["start"] and options["end"] and options["start"] > options["end"]:
        raise click.UsageError(f"--start {options['start']} is after --end {options['end']}")
    from backtests import RunFolder, load_bars
    from backtests.explain import recurrent, write_explanation

    model = _predictor({**options, "predictor": name, "train": None, "every": None, "device": "auto"})
    learner = recurrent(model, name)
    bars = load_bars(options["symbol"], options["start"], options["end"])
    with RunFolder(options["out"], f"explain-{_stem(name)}-{options['symbol']}") as folder:
        write_explanation(folder.path, learner, bars, options["train"], title=f"{_stem(name)} on {options['symbol']}")
        page = folder.finish() / "explain.html"
    click.echo(f"Page: {page}")


@main.command(name="list")
def list_plugins() -> None:
    """List the predictors and strategies, where each comes from, and their parameters."""
    from backtests.backtest import STRATEGIES
    from predictors.registry import PREDICTORS, PluginError

    for registry in (PREDICTORS, STRATEGIES):
        click.secho(f"--{registry.kind}", bold=True)
        for name, source in registry.names().items():
            try:
                lines = _described(registry, registry.find(name))
            except Exception as error:  # one bad plugin must not hide the others
                known = isinstance(error, PluginError | TypeError | LookupError)
                lines = [str(error) if known else f"{type(error).__name__}: {error}"]
            click.echo(f"  {name:<15}{lines[0]} [{source}]")
            for line in lines[1:]:
                click.echo(f"  {'':<16}{line}")
        click.echo()


@main.command()
@click.argument("predictor", metavar="NAME|FILE")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Of the predictor.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(predictor: str, params: dict[str, str], as_json: bool) -> None:
    """Check that a predictor keeps the contract and does not look ahead, one sentence per check."""
    from predictors.checks import check_predictor, start_sensitivity

    model, call = _model(predictor, params)
    outcomes = []
    for outcome in check_predictor(model):
        outcomes.append(outcome)
        if not as_json:
            _print_outcome(outcome, call)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    sensitivity = start_sensitivity(model)
    if as_json:
        checks = [_summary(outcome, call) for outcome in outcomes]
        click.echo(json.dumps({"passed": not failed, "checks": checks, "start_sensitivity": sensitivity}, indent=2))
    else:
        click.echo(f"Starting history later moves the last forecast by {sensitivity:.2%} of a usual one.")
    if failed:
        raise click.ClickException(f"{predictor} failed {failed} check{'s' * (failed != 1)}")


@main.command()
@click.argument("kind", type=click.Choice(["predictor", "learner", "strategy"]))
@click.argument("name")
@click.option("--package", is_flag=True, help="A distribution to pip install, with its entry point and a test.")
def new(kind: str, name: str, package: bool) -> None:
    """Write the first lines of a plugin: a short file that works at once."""
    from backtests.scaffold import write_plugin

    files = write_plugin(kind, name, Path(), package=package)
    for path in files:
        click.echo(f"wrote {path}")
    steps, plugin = [], str(files[0])
    if package:
        steps, plugin = [f"python -m pip install --no-deps -e {files[0].parent}"], files[0].stem.replace("_", "-")
    if kind == "strategy":
        steps += [f"python cli.py backtest --predictor sma --strategy {plugin}"]
    else:
        steps += [f"python cli.py check {plugin}", f"python cli.py backtest --predictor {plugin}"]
    click.echo("Try: " + "\n     ".join(steps))


@main.group()
def data() -> None:
    """The price data."""


@data.command(name="list")
def list_data() -> None:
    """List the bundled symbols."""
    from backtests.sources import list_bars

    click.echo(f"{'symbol':<10} {'bars':>6}  {'first':<10}  {'last':<10}  {'frequency':<9}  prices")
    for symbol, row in list_bars().iterrows():
        click.echo(
            f"{symbol:<10} {row['bars']:>6}  {row['first']:%Y-%m-%d}  {row['last']:%Y-%m-%d}  "
            f"{row['frequency']:<9}  {row['prices']}"
        )


def _predictor(options: dict[str, Any]) -> Predictor:
    """The predictor the options ask for, a learner wrapped in its walk-forward."""
    from predictors import Learner, WalkForward

    name, texts = options["predictor"], dict(options["params"])
    for key, default in (("seed", None), ("device", "auto")):
        if options[key] != default:
            if key in texts:
                raise click.UsageError(f"give {key} as --{key} or as -p {key}=…, not both")
            texts[key] = str(options[key])
    model, _ = _model(name, texts)
    schedule = {key: options[key] for key in ("train", "every") if options[key] is not None}
    if isinstance(model, Learner):
        return WalkForward(model, **schedule)
    if schedule:
        raise click.UsageError(f"{name} is never refitted, so --{next(iter(schedule))} does not apply to it")
    return model


def _model(name: str, texts: dict[str, str]) -> tuple[Predictor | Learner, str]:
    """The predictor or learner of this name with these parameters, and the Python call that makes it."""
    from predictors.registry import PREDICTORS

    cls = PREDICTORS.find(name)
    values = PREDICTORS.coerce(cls, texts, name)
    return cls(**values), f"load({', '.join([repr(name), *(f'{key}={value!r}' for key, value in values.items())])})"


@contextmanager
def _training_bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the refits, which appears with the first report."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def progress(done: int, total: int) -> None:
            if not bars:
                bar = click.progressbar(length=total, label="Training", show_pos=True, file=sys.stderr)
                bars.append(stack.enter_context(bar))
            bars[0].update(done - bars[0].pos)

        yield progress


def _print_outcome(outcome: Outcome, call: str) -> None:
    """A line for the check, and for a finding the finding and the script that shows it."""
    color = {"passed": "green", "failed": "red", "expected": "yellow"}[outcome.status]
    click.echo(f"{click.style(f'{outcome.status:<8}', fg=color)} {outcome.check}  {outcome.check.sentence}")
    if outcome.finding:
        for line in (outcome.finding, *(outcome.script(call) or "").splitlines()):
            click.echo(f"{'':<9}{line}")


def _summary(outcome: Outcome, call: str) -> dict[str, Any]:
    """An outcome in JSON's types."""
    leak = None if outcome.leak is None else vars(outcome.leak) | {"date": outcome.leak.date.isoformat()}
    return {
        "id": str(outcome.check),
        "status": outcome.status,
        "sentence": outcome.check.sentence,
        "finding": outcome.finding,
        "leak": leak,
        "script": outcome.script(call),
    }


def _print_result(result: Result) -> None:
    """A compact table of the strategy beside buying and holding."""
    ours, held = result.metrics["strategy"], result.metrics["benchmark"]
    window = result.recipe["evaluation"]
    click.echo(f"\n{window['first']:%Y-%m-%d} to {window['last']:%Y-%m-%d}, {window['bars']:,} bars")
    click.echo(f"{'':<16}{'strategy':>12}{'buy & hold':>12}")
    rows = (
        ("CAGR", "cagr", "{:.2%}"),
        ("Volatility", "volatility", "{:.2%}"),
        ("Sharpe", "sharpe", "{:.2f}"),
        ("Max drawdown", "max_drawdown", "{:.2%}"),
        ("Trades", "trades", "{:,}"),
        ("Turnover a year", "turnover", "{:.1f}x"),
        ("Time in market", "time_in_market", "{:.1%}"),
    )
    for title, key, form in rows:
        click.echo(f"{title:<16}{form.format(ours[key]):>12}{form.format(held[key]):>12}")
    if not result.recipe["look_ahead"]["passed"]:
        click.secho(f"The predictor looks ahead: {result.recipe['look_ahead']['finding']}", fg="red", err=True)
    account = result.recipe["account"]
    click.echo(
        f"Costs: commission {account['commission_bps']:g} bp, slippage {account['slippage_bps']:g} bp, "
        f"{ours['cost_bps']:.0f} bp a year in all"
    )
    if ours["rejected"]:
        click.secho(f"{ours['rejected']} orders were refused: see orders.csv", fg="yellow", err=True)
    if result.metrics["unreachable_targets"]:
        click.secho(
            f"{result.metrics['unreachable_targets']} targets were out of reach, because one whole unit costs too "
            "much; use --fractional or more --cash",
            fg="yellow",
            err=True,
        )


def _described(registry: Registry, cls: type) -> list[str]:
    """The class's one sentence, then a line for each parameter."""
    sentence = (cls.__doc__ or "undocumented").strip().splitlines()[0]
    return [sentence, *(f"{p.name}={_shown(p.default)}" for p in registry.parameters(cls))]


def _shown(value: Any) -> str:
    if value is MISSING:
        return "(required)"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _stem(name: str) -> str:
    """A predictor's name for a folder: that of the file where it is one."""
    return Path(name.partition(":")[0]).stem


if __name__ == "__main__":
    main()
