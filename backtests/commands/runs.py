"""Commands that run backtests, and that read saved runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .config_option import TRUST, consent_of
from .options import PARAMS, PREDICTOR, request_of, run_options, training, training_bar

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..pipeline.result import Result

RUN = click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.command()
@PREDICTOR
@PARAMS
@run_options
@click.option("--open", "open_sheet", is_flag=True, help="Open the tear sheet in the browser.")
def backtest(engine: str, open_sheet: bool, out: Path, **options: object) -> None:
    """Backtest a predictor and write its tear sheet."""
    request = request_of(options)
    from ..workspace import workspace

    with training(engine, out) as progress:
        result, folder = workspace.backtest(request, out, progress)
    _print_result(result)
    click.echo(f"\nTear sheet: {folder / workspace.SHEET}")
    if open_sheet:
        click.launch(str(folder / workspace.SHEET))


@click.command()
@click.argument("predictors", nargs=-1, required=True, metavar="NAME[,PARAMETER=VALUE…]…")
@click.option(
    "--seeds", type=int, default=1, show_default=True, help="Runs of each random predictor, with one seed each."
)
@run_options
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
def compare(
    predictors: tuple[str, ...], seeds: int, engine: str, open_page: bool, out: Path, **options: object
) -> None:
    """Compare predictors on the same bars: two or more, such as `sma,window=100 ols-features lstm`.

    All are traded from the first date on which every one has a forecast. Each run has its own tear sheet.
    """
    base = request_of(options | {"predictor": predictors[0], "params": {}})
    from ..comparison import entrants_of
    from ..sheet.comparison import save_comparison
    from ..sheet.index import write_index
    from ..workspace.comparison import compare as run_comparison

    entrants = entrants_of(predictors, base, seeds)
    with training(engine, out) as progress:
        comparison = run_comparison(entrants, out, lambda name, done, total: progress(done, total, name))
    _print_comparison(comparison)
    page = save_comparison(comparison, out)
    write_index(out)
    click.echo(f"\nComparison: {page}")
    if open_page:
        click.launch(str(page))


@click.command()
@RUN
@TRUST
def report(run: Path, trust: bool) -> None:
    """Write the tear sheet of a saved run again, with the number of trials counted since.

    Code that its recipe names is run only with --trust, or if you say so.
    """
    from ..workspace import workspace

    with _as_saved(run):
        result = workspace.rebuild(run, consent_of(trust))
        _print_result(result)
    click.echo(f"\nTear sheet: {run / workspace.SHEET}")


@click.command()
@RUN
@TRUST
def verify(run: Path, trust: bool) -> None:
    """Repeat a saved run from its recipe, and report whether forecasts, orders and equity are identical to the bit.

    Code that its recipe names is run only with --trust, or if you say so.
    """
    from ..pipeline.result import Result
    from ..verify import changes, check

    with _as_saved(run), training_bar() as progress:
        saved = Result.load(run)
        parts = check(saved, progress, consent_of(trust))
    for part in parts:
        color, word = ("green", "identical") if part.difference is None else ("red", "different")
        click.echo(f"{click.style(f'{word:<10}', fg=color)} {part.name:<10} sha256 {part.saved[:16]} {part.again[:16]}")
        if part.difference:
            click.echo(f"{'':<11}{part.difference}")
    if any(part.difference for part in parts):
        for change in changes(saved):
            click.echo(f"since the run, {change}")
        raise click.ClickException(f"{run} could not be made again as it was")


@contextmanager
def _as_saved(run: Path) -> Iterator[None]:
    """Turns what a folder's odd content makes fail into a ValueError that names it; --debug shows where."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{run} does not hold what a run holds: {type(error).__name__}: {error}") from error


def _print_result(result: Result) -> None:
    """A compact table of the strategy beside buying and holding."""
    from ..pipeline.recipe import leaks

    ours, benchmark = result.metrics["strategy"], result.metrics["benchmark"]
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
        click.echo(f"{title:<16}{form.format(ours[key]):>12}{form.format(benchmark[key]):>12}")
    for leak in leaks(result.recipe["look_ahead"]):
        click.secho(f"The {leak}", fg="red", err=True)
    if sentence := result.recipe["look_ahead"].get("opened", {}).get("sentence"):
        click.secho(sentence, fg="yellow", err=True)
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


def _print_comparison(comparison: Comparison) -> None:
    """A line for each entrant, the best Sharpe ratio first: means over seeds."""
    titles = (("sharpe", "Sharpe", "{:.2f}"), ("cagr", "CAGR", "{:.2%}"), ("max_drawdown", "Drawdown", "{:.1%}"),
             ("turnover", "Turnover", "{:.1f}x"), ("r2", "R²", "{:+.2%}"), ("ic", "IC", "{:+.3f}"),
             ("rank_ic", "Rank IC", "{:+.4f}"))  # fmt: skip
    scores = comparison.scores
    shown = [one for one in titles if one[0] in scores]  # a rank IC only of a panel
    click.echo(f"\n{'':<28}{'seeds':>6}" + "".join(f"{title:>11}" for _, title, _ in shown) + f"{'among best':>12}")
    for name in scores.sort_values(("sharpe", "mean"), ascending=False).index:
        (entrant,) = (one for one in comparison.entrants if one.name == name)
        cells = "".join(f"{form.format(scores.loc[name, (key, 'mean')]):>11}" for key, _, form in shown)
        p = comparison.survival[name]
        click.echo(f"{name:<28}{len(entrant.results):>6}{cells}{f'p={p:.2f}':>12}")
    p = comparison.survival["no forecast"]
    click.echo(f"{'no forecast':<28}{'':>6}{'':>{11 * len(shown)}}{f'p={p:.2f}':>12}")
    click.echo("Among best: model confidence set on squared forecast errors; below 0.10 a forecast is not among them.")
